//! The `known_hosts` format: a parser and a matcher that touch no file (source: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use russh::keys::HashAlg;
use sha1::Sha1;

/// The name a server goes by in the file: bare on port 22, `[host]:port` elsewhere; case does not count.
pub(super) fn lookup_name(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

/// The fingerprint of a key as `ssh-keygen -l` prints it.
pub(super) fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(HashAlg::Sha256.digest(blob)))
}

/// A host key as it stands in files: the name of its type and its encoding on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostKey {
    /// For example `ssh-ed25519`.
    pub(super) kind: String,
    /// The bytes behind the base64.
    pub(super) blob: Vec<u8>,
}

impl HostKey {
    /// Reads a type and a base64 text, which must agree with each other.
    pub(super) fn parse(kind: &str, base64: &str) -> Result<Self, &'static str> {
        let blob = STANDARD
            .decode(base64)
            .or_else(|_| STANDARD_NO_PAD.decode(base64))
            .map_err(|_| "the key is not valid base64")?;
        // The encoding opens with the length and the name of its type (RFC 4253, section 6.6).
        let named = blob
            .split_first_chunk::<4>()
            .and_then(|(length, rest)| rest.get(..u32::from_be_bytes(*length) as usize));
        if named != Some(kind.as_bytes()) {
            return Err("the key is not of the type named before it");
        }
        Ok(Self { kind: kind.to_owned(), blob })
    }

    /// What people compare.
    pub(super) fn fingerprint(&self) -> String {
        fingerprint(&self.blob)
    }
}

/// A line the parser does not understand. Guessing would mean trusting more or less than the file says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(super) struct ParseError {
    pub(super) line: usize,
    pub(super) reason: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    None,
    Revoked,
    CertAuthority,
}

#[derive(Debug, Clone)]
enum Hosts {
    /// The salt and HMAC-SHA1 of one name.
    Hashed { salt: Vec<u8>, hash: Vec<u8> },
    /// Comma-separated patterns with `*`, `?` and `!`.
    Patterns(Vec<String>),
}

#[derive(Debug, Clone)]
struct Entry {
    line: usize,
    marker: Marker,
    hosts: Hosts,
    key: HostKey,
}

/// A parsed file.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownHosts {
    entries: Vec<Entry>,
}

/// Everything the file says of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OnFile {
    /// The keys it may present, each with its line; those revoked are not among them.
    pub(super) keys: Vec<(usize, HostKey)>,
    /// The keys it must never present, each with its line.
    pub(super) revoked: Vec<(usize, HostKey)>,
}

impl KnownHosts {
    /// Reads a whole file; one line that is not understood fails all of it.
    pub(super) fn parse(text: &[u8]) -> Result<Self, ParseError> {
        let mut entries = Vec::new();
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            // Comments may be in any encoding; a damaged pattern matches nothing, a damaged key is an error.
            let line = String::from_utf8_lossy(line);
            let entry = Entry::parse(number + 1, &line);
            entries.extend(entry.map_err(|reason| ParseError { line: number + 1, reason })?);
        }
        Ok(Self { entries })
    }

    /// What is on file for a [`lookup_name`]. Lines with `@cert-authority` vouch for certificates, which are never
    /// asked for here, so they neither trust nor distrust a plain key.
    pub(super) fn lookup(&self, name: &str) -> OnFile {
        let mut found = OnFile::default();
        for entry in self.entries.iter().filter(|entry| entry.hosts.matches(name)) {
            match entry.marker {
                Marker::None => found.keys.push((entry.line, entry.key.clone())),
                Marker::Revoked => found.revoked.push((entry.line, entry.key.clone())),
                Marker::CertAuthority => {}
            }
        }
        let OnFile { keys, revoked } = &mut found;
        keys.retain(|(_, key)| !revoked.iter().any(|(_, bad)| bad.blob == key.blob));
        found
    }
}

impl Entry {
    fn parse(number: usize, line: &str) -> Result<Option<Self>, &'static str> {
        let line = line.trim_matches([' ', '\t', '\r']);
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty()).peekable();
        let marker = match words.next_if(|word| word.starts_with('@')) {
            None => Marker::None,
            Some("@revoked") => Marker::Revoked,
            Some("@cert-authority") => Marker::CertAuthority,
            Some(_) => return Err("unknown marker (known are @revoked and @cert-authority)"),
        };
        let (Some(hosts), Some(kind), Some(base64)) = (words.next(), words.next(), words.next()) else {
            return Err("expected host names, a key type and a key");
        };
        let (hosts, key) = (Hosts::parse(hosts)?, HostKey::parse(kind, base64)?);
        Ok(Some(Self { line: number, marker, hosts, key }))
    }
}

impl Hosts {
    fn parse(field: &str) -> Result<Self, &'static str> {
        let Some(hashed) = field.strip_prefix('|') else {
            return Ok(Self::Patterns(field.split(',').map(str::to_ascii_lowercase).collect()));
        };
        let parts = hashed.strip_prefix("1|").and_then(|rest| rest.split_once('|'));
        let (salt, hash) = parts.ok_or("unknown way of hashing host names")?;
        let decode = |text| STANDARD.decode(text).map_err(|_| "the hashed host name is not valid base64");
        Ok(Self::Hashed { salt: decode(salt)?, hash: decode(hash)? })
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            // HMAC takes a key of any length, so this never fails; if it did, nothing would match.
            Self::Hashed { salt, hash } => Hmac::<Sha1>::new_from_slice(salt)
                .is_ok_and(|mac| mac.chain_update(name.as_bytes()).verify_slice(hash).is_ok()),
            Self::Patterns(patterns) => {
                let mut matched = false;
                for pattern in patterns {
                    match pattern.strip_prefix('!') {
                        // One negated match outweighs all others.
                        Some(negated) if glob(negated.as_bytes(), name.as_bytes()) => return false,
                        Some(_) => {}
                        None => matched |= glob(pattern.as_bytes(), name.as_bytes()),
                    }
                }
                matched
            }
        }
    }
}

/// Matches `*` (any run) and `?` (one byte); everything else stands for itself. Never more than quadratic.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    // Where to go on after the last star: behind it in the pattern, one byte further in the text.
    let mut retry: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                retry = Some((at, seen));
            }
            Some(byte) if *byte == b'?' || *byte == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match retry.as_mut() {
                None => return false,
                Some((after_star, from)) => {
                    *from += 1;
                    (at, seen) = (*after_star, *from);
                }
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
#[path = "known_hosts_tests.rs"]
mod tests;
