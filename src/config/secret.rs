//! Secrets: where they come from, and that they are never shown.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A secret, or where it is to be had. Neither `Debug` nor an error shows its value.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Source);

#[derive(Clone, PartialEq, Eq)]
enum Source {
    Literal(String),
    Env(String),
    File(PathBuf),
    Credential(String),
}

/// A secret that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment variable is not there.
    #[error("the environment variable {0} is not set (FROM_ENV:{0})")]
    NoVariable(String),
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}; the user of this program must be able to (FROM_FILE)")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// systemd passed no credentials.
    #[error("FROM_CREDENTIAL:{0} needs systemd's LoadCredential={0}:…, and no credentials were passed")]
    NoCredentials(String),
    /// There is nothing in it.
    #[error("{0} is empty; write the secret there, or take the key out of the configuration")]
    Empty(String),
    /// It is larger than any secret.
    #[error("{path} is larger than 64 KiB and cannot be a secret; name the file that holds it")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

impl Secret {
    /// Reads how a secret is written: literally, or as `FROM_ENV:NAME`, `FROM_FILE:/path`, `FROM_CREDENTIAL:name`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let source = if let Some(name) = text.strip_prefix("FROM_ENV:") {
            Source::Env(name.to_owned())
        } else if let Some(path) = text.strip_prefix("FROM_FILE:") {
            Source::File(path.into())
        } else if let Some(name) = text.strip_prefix("FROM_CREDENTIAL:") {
            Source::Credential(name.to_owned())
        } else {
            Source::Literal(text.to_owned())
        };
        Self(source)
    }

    /// The secret itself. A line end after it is not part of it.
    ///
    /// # Errors
    /// When its source does not have it, is empty or is larger than 64 KiB; the error names the source, never the
    /// content.
    pub fn read(&self) -> Result<String, SecretError> {
        let secret = match &self.0 {
            Source::Literal(text) => text.clone(),
            Source::Env(name) => std::env::var(name).map_err(|_| SecretError::NoVariable(name.clone()))?,
            Source::File(path) => from_file(path)?,
            Source::Credential(name) => from_file(&passed(name)?)?,
        };
        if secret.is_empty() { Err(SecretError::Empty(self.source())) } else { Ok(secret) }
    }

    /// Whether there is something to read, without reading it.
    pub(super) fn is_there(&self) -> Result<(), SecretError> {
        match &self.0 {
            Source::Literal(_) => Ok(()),
            Source::Env(name) if std::env::var_os(name).is_some() => Ok(()),
            Source::Env(name) => Err(SecretError::NoVariable(name.clone())),
            Source::File(path) => can_be_read(path),
            Source::Credential(name) => can_be_read(&passed(name)?),
        }
    }

    fn source(&self) -> String {
        match &self.0 {
            Source::Literal(_) => "the secret in the configuration".into(),
            Source::Env(name) => format!("the environment variable {name}"),
            Source::File(path) => path.display().to_string(),
            Source::Credential(name) => format!("the credential {name}"),
        }
    }

    /// The file that holds it, if one does.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        match &self.0 {
            Source::File(path) => Some(path.clone()),
            Source::Credential(name) => credential(name),
            Source::Literal(_) | Source::Env(_) => None,
        }
    }

    /// Whether the configuration itself holds it.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        matches!(self.0, Source::Literal(_))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Literal(_) => f.write_str("Secret(not shown)"),
            Source::Env(name) => write!(f, "Secret(FROM_ENV:{name})"),
            Source::File(path) => write!(f, "Secret(FROM_FILE:{})", path.display()),
            Source::Credential(name) => write!(f, "Secret(FROM_CREDENTIAL:{name})"),
        }
    }
}

/// Where systemd put the credential of this name, if it passed any.
fn credential(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY")?;
    // A name is a name, not a way out of the folder.
    let plain = !name.is_empty() && !name.contains('/') && name != "..";
    plain.then(|| Path::new(&folder).join(name))
}

/// The credential of this name, if systemd passed one with something in it. A unit that may or may not have a file to
/// pass gives a blank in its place (`SetCredential=`), since a missing file alone keeps the service from starting.
pub(super) fn credential_with_content(name: &str) -> Option<PathBuf> {
    let path = credential(name)?;
    let is_blank = || {
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(MOST).read_to_string(&mut text));
        // One that is there and cannot be read is told of by whoever uses it.
        read.is_ok() && text.trim().is_empty()
    };
    (path.exists() && !is_blank()).then_some(path)
}

fn passed(name: &str) -> Result<PathBuf, SecretError> {
    credential(name).ok_or_else(|| SecretError::NoCredentials(name.to_owned()))
}

/// The most that is read of a file named as a secret.
const MOST: u64 = 64 * 1024;

fn from_file(path: &Path) -> Result<String, SecretError> {
    let unreadable = |source| SecretError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    let length = file.take(MOST + 1).read_to_string(&mut text).map_err(unreadable)?;
    if length as u64 > MOST {
        return Err(SecretError::TooLarge { path: path.to_owned() });
    }
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// A pipe is not opened: that would wait for its writer, or take what is meant for the one who reads.
fn can_be_read(path: &Path) -> Result<(), SecretError> {
    let opened = path.metadata().and_then(|found| {
        if found.is_dir() {
            Err(io::ErrorKind::IsADirectory.into())
        } else if found.is_file() {
            File::open(path).map(drop)
        } else {
            Ok(())
        }
    });
    opened.map_err(|source| SecretError::Unreadable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sources_are_read_and_named_when_they_fail() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret\r\n").unwrap();
        let from_file = Secret::new(&format!("FROM_FILE:{}", file.path().display()));
        assert_eq!(from_file.read().unwrap(), "s3cret");
        assert_eq!(Secret::new("plain ").read().unwrap(), "plain ");
        let home = Secret::new("FROM_ENV:PATH").read().unwrap();
        assert_eq!(home, std::env::var("PATH").unwrap());
        let missing = Secret::new("FROM_ENV:NO_SUCH_VARIABLE").read().unwrap_err().to_string();
        assert!(missing.contains("NO_SUCH_VARIABLE"), "{missing}");
        let missing = Secret::new("FROM_FILE:/no/such").read().unwrap_err().to_string();
        assert!(missing.contains("/no/such"), "{missing}");
        let missing = Secret::new("FROM_CREDENTIAL:../../etc/passwd").read().unwrap_err().to_string();
        assert!(missing.contains("LoadCredential"), "{missing}");
    }

    #[test]
    fn nothing_and_far_too_much_are_no_secrets() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let secret = Secret::new(&format!("FROM_FILE:{}", file.path().display()));
        std::fs::write(file.path(), "\n").unwrap();
        assert!(secret.is_there().is_ok());
        assert!(matches!(secret.read(), Err(SecretError::Empty(_))));
        assert!(matches!(Secret::new("").read(), Err(SecretError::Empty(_))));
        std::fs::write(file.path(), "x".repeat(64 * 1024)).unwrap();
        assert_eq!(secret.read().unwrap().len(), 64 * 1024);
        std::fs::write(file.path(), "x".repeat(64 * 1024 + 1)).unwrap();
        assert!(matches!(secret.read(), Err(SecretError::TooLarge { .. })));
        assert!(secret.is_there().is_ok(), "its size is seen when it is read");
    }

    #[test]
    fn whether_a_secret_is_there_is_known_without_reading_it() {
        assert!(Secret::new("FROM_ENV:PATH").is_there().is_ok());
        assert!(Secret::new("FROM_ENV:NO_SUCH_VARIABLE").is_there().is_err());
        assert!(Secret::new("FROM_FILE:/no/such").is_there().is_err());
        let folder = tempfile::tempdir().unwrap();
        assert!(Secret::new(&format!("FROM_FILE:{}", folder.path().display())).is_there().is_err());
        assert!(Secret::new("FROM_CREDENTIAL:a/b").is_there().is_err());
    }

    proptest! {
        #[test]
        fn a_literal_is_never_shown(secret in "[a-zA-Z0-9!-/]{12,40}") {
            let shown = format!("{:?}", Secret::new(&secret));
            prop_assert!(!shown.contains(&secret));
        }
    }
}
