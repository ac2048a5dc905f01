//! Key pairs: making one, and the public half of one that is there.

use std::fmt;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use rustix::rand::{GetRandomFlags, getrandom};

use super::KeyFile;
use super::keys;

/// A new Ed25519 key pair in the format of OpenSSH.
pub struct KeyPair {
    /// The file of the private key, without a passphrase. Overwritten when it goes.
    pub private: PrivateText,
    /// The public key: one line without its end.
    pub public: String,
}

/// The text of a private key, which is never printed.
pub struct PrivateText(String);

impl PrivateText {
    /// The text, to be written where nobody else can read it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for PrivateText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateText(…)")
    }
}

impl Drop for PrivateText {
    fn drop(&mut self) {
        keys::wipe(std::mem::take(&mut self.0));
    }
}

/// A key pair that cannot be made, or a public half that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyPairError {
    /// The system gives no random numbers.
    #[error("making an SSH key: the system gives no random numbers: {0}")]
    Random(rustix::io::Errno),
    /// The library could not write it down.
    #[error("making an SSH key: {0}")]
    Encode(russh::keys::ssh_key::Error),
    /// The private key cannot be used.
    #[error("{0}")]
    Unusable(String),
}

impl KeyPair {
    /// Makes a key pair; `comment` stands at the end of the public line. Waits for random numbers, which early after
    /// the first start of a machine can take a while.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn generate(comment: &str) -> Result<Self, KeyPairError> {
        let mut seed = [0; 32];
        let mut filled = 0;
        while filled < seed.len() {
            filled +=
                getrandom(&mut seed[filled..], GetRandomFlags::empty()).map_err(KeyPairError::Random)?;
        }
        let pair = KeypairData::from(Ed25519Keypair::from_seed(&seed));
        seed.fill(0);
        std::hint::black_box(&seed);
        let key = PrivateKey::new(pair, comment).map_err(KeyPairError::Encode)?;
        let private = key.to_openssh(LineEnding::LF).map_err(KeyPairError::Encode)?;
        Ok(Self { private: PrivateText(private.as_str().to_owned()), public: public(&key)? })
    }
}

/// The public half of the key in `file`, as it stands in an `authorized_keys`. Blocks: decrypting is slow by design.
///
/// # Errors
/// If the file is no key that this program could log in with; the text says what to do.
pub fn public_line(file: &KeyFile) -> Result<String, KeyPairError> {
    let key = keys::load(file).map_err(|error| KeyPairError::Unusable(error.to_string()))?;
    public(&key)
}

fn public(key: &PrivateKey) -> Result<String, KeyPairError> {
    let line = key.public_key().to_openssh().map_err(KeyPairError::Encode)?;
    Ok(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_new_pair_is_read_back_and_its_private_half_never_shown() {
        let pair = KeyPair::generate("jetbackup-remote@pi").unwrap();
        assert_eq!(format!("{:?}", pair.private), "PrivateText(…)");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), pair.private.as_bytes()).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
        let line = public_line(&KeyFile { path: file.path().to_owned(), passphrase: None }).unwrap();
        assert_eq!(line, pair.public);
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!((words[0], words[1].len(), words[2]), ("ssh-ed25519", 68, "jetbackup-remote@pi"));
        assert_ne!(KeyPair::generate("x").unwrap().public, KeyPair::generate("x").unwrap().public);
    }
}
