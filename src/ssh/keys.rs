//! The private key that opens the servers: reading it, with messages for the person who has to fix it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use russh::keys::{Algorithm, PrivateKey, decode_secret_key};

/// No private key is larger; a bigger file is something else.
const LARGEST_FILE: u64 = 64 * 1024;

/// Where a private key lies and what decrypts it.
#[derive(Debug, Clone)]
pub struct KeyFile {
    /// An OpenSSH, PEM or PKCS#8 private key: Ed25519, RSA or ECDSA.
    pub path: PathBuf,
    /// For an encrypted key.
    pub passphrase: Option<Passphrase>,
}

/// A secret that is never printed and is overwritten when it goes.
#[derive(Clone)]
pub struct Passphrase(String);

impl From<String> for Passphrase {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

impl Drop for Passphrase {
    fn drop(&mut self) {
        wipe(std::mem::take(&mut self.0));
    }
}

/// Overwrites a text before its memory is given back; `black_box` keeps the compiler from leaving that out.
pub(super) fn wipe(text: String) {
    let mut bytes = text.into_bytes();
    bytes.fill(0);
    std::hint::black_box(&bytes);
}

/// Why a key cannot be used. None of these mends itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    #[error("the SSH key {} does not exist; create it with ssh-keygen -t ed25519 or correct ssh_key", .0.display())]
    Missing(PathBuf),
    #[error("the SSH key {} cannot be read: {source}; for the services: ln -s {} /etc/jetbackup-remote/ssh_key; else give it to the user this program runs as", path.display(), path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the SSH key {} is not a private key file", .0.display())]
    NotAKey(PathBuf),
    #[error("the SSH key {} is open to others (mode {mode:04o}); run: chmod 600 {}", path.display(), path.display())]
    TooOpen { path: PathBuf, mode: u32 },
    #[error("the SSH key {} is encrypted and no passphrase is configured; add it to the configuration, or take a key without one", .0.display())]
    PassphraseMissing(PathBuf),
    #[error("the SSH key {} does not open with the configured passphrase; correct it, unless the file is damaged", .0.display())]
    PassphraseWrong(PathBuf),
    #[error("the SSH key {} needs a security key (FIDO) to be touched, which nobody does here; use an Ed25519 key without one", .0.display())]
    Hardware(PathBuf),
    #[error("the SSH key {} is damaged or of an unsupported type ({reason}); Ed25519, RSA and ECDSA keys are understood", path.display())]
    Unusable { path: PathBuf, reason: String },
}

/// Reads and decrypts the key. Blocks: decrypting is slow by design.
pub(super) fn load(file: &KeyFile) -> Result<PrivateKey, KeyError> {
    let path = &file.path;
    let text = read(path)?;
    // Without the passphrase first: the library fails on a plain PEM key when one is offered.
    let decoded = match (decode_secret_key(&text, None), &file.passphrase) {
        (Err(error), None) if is_encrypted(&text, &error) => Err(KeyError::PassphraseMissing(path.clone())),
        (Err(error), Some(secret)) if is_encrypted(&text, &error) => {
            decode_secret_key(&text, Some(&secret.0)).map_err(|_| KeyError::PassphraseWrong(path.clone()))
        }
        (Err(russh::keys::Error::CouldNotReadKey), _) => Err(KeyError::NotAKey(path.clone())),
        (decoded, _) => {
            decoded.map_err(|error| KeyError::Unusable { path: path.clone(), reason: error.to_string() })
        }
    };
    wipe(text);
    let key = decoded?;
    match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::Rsa { .. } => Ok(key),
        Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => Err(KeyError::Hardware(path.clone())),
        other => Err(KeyError::Unusable {
            path: path.clone(),
            reason: format!("it is of type {}", other.as_str()),
        }),
    }
}

/// Whether a key that did not decode is encrypted: OpenSSH's format says so inside, PEM in the text.
fn is_encrypted(text: &str, error: &russh::keys::Error) -> bool {
    matches!(error, russh::keys::Error::KeyIsEncrypted)
        || text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || text.contains("4,ENCRYPTED")
}

fn read(path: &Path) -> Result<String, KeyError> {
    let unreadable = |source: io::Error| KeyError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KeyError::Missing(path.to_owned()),
        _ => unreadable(source),
    })?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > LARGEST_FILE {
        return Err(KeyError::NotAKey(path.to_owned()));
    }
    // Others may neither read nor write it, the group may read it (a service user's group, systemd credentials).
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o026 != 0 {
        return Err(KeyError::TooOpen { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(LARGEST_FILE).read_to_string(&mut text).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => KeyError::NotAKey(path.to_owned()),
        _ => unreadable(source),
    })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_never_printed() {
        let file = KeyFile { path: "/key".into(), passphrase: Some("hunter2".to_owned().into()) };
        assert!(!format!("{file:?}").contains("hunter2"));
    }
}
