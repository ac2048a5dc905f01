//! Which host key a server may present, and what happens at the first meeting.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg};

use super::known_hosts::{HostKey, KnownHosts, OnFile, lookup_name};
use super::record::{self, Record};

/// What makes a server's host key acceptable.
#[derive(Debug, Clone)]
pub enum HostKeyPolicy {
    /// Exactly this key.
    Pinned(PinnedKey),
    /// A key on file, in the format of OpenSSH.
    KnownHosts {
        /// The file; with `accept_new` it need not exist yet.
        file: PathBuf,
        /// Whether the key of a server not on file yet is recorded and trusted from then on.
        accept_new: bool,
    },
}

/// A host key from the configuration: `ssh-ed25519 AAAA…` (a comment may follow) or `SHA256:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedKey(Pin);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pin {
    Key(HostKey),
    Fingerprint(String),
}

/// Why a text is not a host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a host key ({0}); expected \"ssh-ed25519 AAAA…\" (a line of ssh-keyscan without the host name) or \"SHA256:…\""
)]
pub struct PinnedKeyError(&'static str);

impl FromStr for PinnedKey {
    type Err = PinnedKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().starts_with("SHA256:") {
            // Goes through bytes so that padding and length are settled here.
            let parsed = russh::keys::ssh_key::Fingerprint::from_str(text.trim().trim_end_matches('='));
            return match parsed {
                Ok(fingerprint) => Ok(Self(Pin::Fingerprint(fingerprint.to_string()))),
                Err(_) => Err(PinnedKeyError("the fingerprint is incomplete")),
            };
        }
        let mut words = text.split_whitespace();
        let (Some(kind), Some(base64)) = (words.next(), words.next()) else {
            return Err(PinnedKeyError("a type and a key are needed"));
        };
        let key = HostKey::parse(kind, base64).map_err(PinnedKeyError)?;
        if algorithms(&[kind]).is_empty() {
            return Err(PinnedKeyError("this type of key is not supported"));
        }
        Ok(Self(Pin::Key(key)))
    }
}

impl fmt::Display for PinnedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pin::Key(key) => f.write_str(&key.fingerprint()),
            Pin::Fingerprint(fingerprint) => f.write_str(fingerprint),
        }
    }
}

impl From<HostKey> for PinnedKey {
    fn from(key: HostKey) -> Self {
        Self(Pin::Key(key))
    }
}

/// Why a server is not trusted, or the question could not be settled. All of them need a person.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum HostKeyError {
    #[error("the known_hosts file {} cannot be used: {reason}", file.display())]
    File { file: PathBuf, reason: String },
    #[error(
        "the host key has CHANGED: the server presents {presented}, known is {expected}, from {} line {line}; if that is \
         intended, remove the line (ssh-keygen -R '{name}' -f {}), otherwise somebody may be intercepting the connection",
        file.display(), file.display()
    )]
    Changed { presented: String, expected: String, file: PathBuf, line: usize, name: String },
    #[error(
        "the host key is unknown: the server presents {presented} and {} has no entry for {name}; compare the fingerprint \
         on the server, then add its key there or pin it as host_key",
        file.display()
    )]
    Unknown { presented: String, file: PathBuf, name: String },
    #[error("the host key {presented} is revoked in {} line {line}; give the server a new one", file.display())]
    Revoked { presented: String, file: PathBuf, line: usize },
    #[error(
        "the host key is not the pinned one: the server presents {presented}, host_key is {expected}; if that is intended, \
         correct host_key, otherwise somebody may be intercepting the connection"
    )]
    NotPinned { presented: String, expected: String },
    #[error("{} has only host keys of unsupported types for {name}; add the server's Ed25519 key", file.display())]
    Unsupported { file: PathBuf, name: String },
    #[error("the new host key {presented} could not be recorded in {}: {reason}", file.display())]
    NotRecorded { presented: String, file: PathBuf, reason: String },
    #[error("the server presents a host certificate, which was not asked for")]
    Certificate,
    #[error("the server presents another host key in the middle of the connection")]
    Swapped,
}

/// The policy applied to one server, read afresh for each connection.
#[derive(Debug)]
pub(super) struct Expectation {
    policy: HostKeyPolicy,
    name: String,
    on_file: OnFile,
}

/// How a presented key was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Known,
    /// It was not on file until now.
    New,
}

impl Expectation {
    /// Reads what is known of the server. Blocks.
    pub(super) fn prepare(policy: &HostKeyPolicy, host: &str, port: u16) -> Result<Self, HostKeyError> {
        let name = lookup_name(host, port);
        let on_file = match policy {
            HostKeyPolicy::Pinned(_) => OnFile::default(),
            HostKeyPolicy::KnownHosts { file, .. } => {
                let unusable = |reason: String| HostKeyError::File { file: file.clone(), reason };
                let text = record::read(file).map_err(|error| unusable(error.to_string()))?;
                let known = KnownHosts::parse(&text)
                    .map_err(|error| unusable(format!("{error}; correct or remove that line")))?;
                known.lookup(&name)
            }
        };
        Ok(Self { policy: policy.clone(), name, on_file })
    }

    /// The key types to ask the server for. Asking for others than those on file would turn a known server into an
    /// unknown one.
    pub(super) fn algorithms(&self) -> Result<Vec<Algorithm>, HostKeyError> {
        let kinds: Vec<&str> = match &self.policy {
            HostKeyPolicy::Pinned(PinnedKey(Pin::Key(key))) => vec![&key.kind],
            HostKeyPolicy::Pinned(PinnedKey(Pin::Fingerprint(_))) => KINDS.to_vec(),
            HostKeyPolicy::KnownHosts { .. } if self.on_file.keys.is_empty() => KINDS.to_vec(),
            HostKeyPolicy::KnownHosts { .. } => {
                self.on_file.keys.iter().map(|(_, key)| key.kind.as_str()).collect()
            }
        };
        match (algorithms(&kinds), &self.policy) {
            (list, HostKeyPolicy::KnownHosts { file, .. }) if list.is_empty() => {
                Err(HostKeyError::Unsupported { file: file.clone(), name: self.name.clone() })
            }
            (list, _) => Ok(list),
        }
    }

    /// What this side expects, for a server that has no key of the types asked for.
    pub(super) fn describe(&self) -> String {
        match &self.policy {
            HostKeyPolicy::Pinned(pinned) => format!("host_key is {pinned}"),
            HostKeyPolicy::KnownHosts { file, .. } => match self.on_file.keys.first() {
                Some((line, key)) => format!("{} line {line} has {}", file.display(), describe(key)),
                None => format!("{} has no entry for {}", file.display(), self.name),
            },
        }
    }

    /// Decides on the key the server presented and proved to own. Blocks.
    pub(super) fn judge(&self, presented: &HostKey) -> Result<Verdict, HostKeyError> {
        match &self.policy {
            HostKeyPolicy::Pinned(PinnedKey(pin)) => {
                let matches = match pin {
                    Pin::Key(key) => key == presented,
                    Pin::Fingerprint(fingerprint) => *fingerprint == presented.fingerprint(),
                };
                matches.then_some(Verdict::Known).ok_or_else(|| HostKeyError::NotPinned {
                    presented: describe(presented),
                    expected: PinnedKey(pin.clone()).to_string(),
                })
            }
            HostKeyPolicy::KnownHosts { file, accept_new } => {
                match self.compare(&self.on_file, file, presented) {
                    Err(HostKeyError::Unknown { .. }) if *accept_new => self.record(file, presented),
                    verdict => verdict,
                }
            }
        }
    }

    /// What [`Expectation::judge`] would say, without recording anything.
    pub(super) fn appraise(&self, presented: &HostKey) -> Result<Verdict, HostKeyError> {
        match &self.policy {
            HostKeyPolicy::Pinned(_) => self.judge(presented),
            HostKeyPolicy::KnownHosts { file, accept_new } => {
                match self.compare(&self.on_file, file, presented) {
                    Err(HostKeyError::Unknown { .. }) if *accept_new => Ok(Verdict::New),
                    verdict => verdict,
                }
            }
        }
    }

    fn compare(&self, on_file: &OnFile, file: &Path, presented: &HostKey) -> Result<Verdict, HostKeyError> {
        let (shown, file, name) = (describe(presented), file.to_owned(), self.name.clone());
        if let Some((line, _)) = on_file.revoked.iter().find(|(_, key)| key.blob == presented.blob) {
            return Err(HostKeyError::Revoked { presented: shown, file, line: *line });
        }
        if on_file.keys.iter().any(|(_, key)| key == presented) {
            return Ok(Verdict::Known);
        }
        let same_kind = on_file.keys.iter().find(|(_, key)| key.kind == presented.kind);
        match same_kind.or(on_file.keys.first()) {
            Some((line, key)) => Err(HostKeyError::Changed {
                presented: shown,
                expected: describe(key),
                file,
                line: *line,
                name,
            }),
            None => Err(HostKeyError::Unknown { presented: shown, file, name }),
        }
    }

    /// Appends the key, unless another process has dealt with this server meanwhile.
    fn record(&self, file: &Path, presented: &HostKey) -> Result<Verdict, HostKeyError> {
        let failed = |reason: String| HostKeyError::NotRecorded {
            presented: describe(presented),
            file: file.to_owned(),
            reason,
        };
        let (mut record, text) = Record::open(file).map_err(|error| failed(error.to_string()))?;
        let known = KnownHosts::parse(&text).map_err(|error| failed(error.to_string()))?;
        match self.compare(&known.lookup(&self.name), file, presented) {
            Err(HostKeyError::Unknown { .. }) => {}
            verdict => return verdict,
        }
        let line = format!("{} {} {}", self.name, presented.kind, STANDARD.encode(&presented.blob));
        record.append(&line).map_err(|error| failed(error.to_string()))?;
        Ok(Verdict::New)
    }
}

pub(super) fn describe(key: &HostKey) -> String {
    format!("{} {}", key.kind, key.fingerprint())
}

/// The types asked for when none is given, best first.
const KINDS: [&str; 5] =
    ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];

/// The algorithms for key types, best first; RSA with SHA-2 only.
fn algorithms(kinds: &[&str]) -> Vec<Algorithm> {
    let offered = KINDS.iter().filter(|kind| kinds.contains(kind));
    offered
        .flat_map(|kind| match *kind {
            "ssh-ed25519" => vec![Algorithm::Ed25519],
            "ecdsa-sha2-nistp256" => vec![Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }],
            "ecdsa-sha2-nistp384" => vec![Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 }],
            "ecdsa-sha2-nistp521" => vec![Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 }],
            _ => [HashAlg::Sha512, HashAlg::Sha256].map(|hash| Algorithm::Rsa { hash: Some(hash) }).to_vec(),
        })
        .collect()
}

#[cfg(test)]
#[path = "hostkeys_tests.rs"]
mod tests;
