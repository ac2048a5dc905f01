//! Foreign input of this room: see [`crate::fuzzing`].

use super::hostkeys::PinnedKey;
use super::known_hosts::KnownHosts;

/// A `known_hosts` file, and a pinned key: read or refused. What is revoked is never among the keys to be trusted, and a
/// refusal names a line that is there.
pub fn known_hosts(bytes: &[u8]) {
    match KnownHosts::parse(bytes) {
        Ok(file) => {
            for name in ["web1", "[web1.example.com]:51514", "192.0.2.1", ""] {
                let found = file.lookup(name);
                let is_bad = |blob: &[u8]| found.revoked.iter().any(|(_, bad)| bad.blob == blob);
                assert!(found.keys.iter().all(|(_, key)| !is_bad(&key.blob)), "a revoked key is trusted");
                for (_, key) in found.keys.iter().chain(&found.revoked) {
                    assert!(key.fingerprint().starts_with("SHA256:"));
                }
            }
        }
        Err(error) => {
            let lines = bytes.split(|byte| *byte == b'\n').count();
            assert!((1..=lines).contains(&error.line), "{error}");
        }
    }
    let _ = String::from_utf8_lossy(bytes).parse::<PinnedKey>();
}
