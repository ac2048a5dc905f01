//! Secrets: where they come from, and that they are never shown.

use std::fmt;
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
    /// When its source does not have it; the error names the source, never the content.
    pub fn read(&self) -> Result<String, SecretError> {
        match &self.0 {
            Source::Literal(text) => Ok(text.clone()),
            Source::Env(name) => std::env::var(name).map_err(|_| SecretError::NoVariable(name.clone())),
            Source::File(path) => from_file(path),
            Source::Credential(name) => match credential(name) {
                Some(path) => from_file(&path),
                None => Err(SecretError::NoCredentials(name.clone())),
            },
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
pub(super) fn credential(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY")?;
    // A name is a name, not a way out of the folder.
    let plain = !name.is_empty() && !name.contains('/') && name != "..";
    plain.then(|| Path::new(&folder).join(name))
}

fn from_file(path: &Path) -> Result<String, SecretError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SecretError::Unreadable { path: path.to_owned(), source })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
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

    proptest! {
        #[test]
        fn a_literal_is_never_shown(secret in "[a-zA-Z0-9!-/]{12,40}") {
            let shown = format!("{:?}", Secret::new(&secret));
            prop_assert!(!shown.contains(&secret));
        }
    }
}
