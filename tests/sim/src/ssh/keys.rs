//! Ed25519 keys without external tools.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;

/// A key pair, for a host or a client.
#[derive(Debug, Clone)]
pub struct Key(PrivateKey);

impl Key {
    /// The same key for the same seed, for tests.
    pub fn from_seed(seed: u8) -> Self {
        Self::from_bytes(&[seed; 32])
    }

    /// A new key from the system's random numbers.
    ///
    /// # Errors
    /// If the system has none to give.
    pub fn generate() -> io::Result<Self> {
        let mut seed = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut seed)?;
        Ok(Self::from_bytes(&seed))
    }

    fn from_bytes(seed: &[u8; 32]) -> Self {
        Self(Ed25519Keypair::from_seed(seed).into())
    }

    pub(super) fn private(&self) -> &PrivateKey {
        &self.0
    }

    /// Whether this is its public half.
    pub(super) fn is(&self, public: &russh::keys::PublicKey) -> bool {
        self.0.public_key().key_data() == public.key_data()
    }

    /// The private key as OpenSSH writes it.
    pub fn private_text(&self) -> String {
        // Encoding an unencrypted key held in memory has nothing to fail at; an empty text would be refused by any reader.
        self.0.to_openssh(LineEnding::LF).map(|text| text.to_string()).unwrap_or_default()
    }

    /// The line for `authorized_keys`: `ssh-ed25519 AAAA...`.
    pub fn public_line(&self) -> String {
        self.0.public_key().to_openssh().unwrap_or_default()
    }

    /// Writes the private key to a new file that only its owner can read, and the public one beside it.
    ///
    /// # Errors
    /// If a file cannot be written, or the first exists.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        io::Write::write_all(&mut file, self.private_text().as_bytes())?;
        let mut public = path.as_os_str().to_owned();
        public.push(".pub");
        fs::write(public, self.public_line() + "\n")
    }
}
