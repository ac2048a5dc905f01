//! The servers: names, hosts, and the key for each.

use std::path::PathBuf;
use std::time::Duration;

use super::Assembly;
use crate::config::check::complaint;
use crate::config::file::ServerEntry;
use crate::config::json::below;
use crate::config::secret::credential_with_content;
use crate::config::{Server, SshKey, host};
use crate::model::ServerName;

/// The servers of a file.
pub(super) struct Servers {
    /// All names as written, those of faulty servers too.
    pub names: Vec<String>,
    /// Those that can be used.
    pub valid: Vec<Server>,
}

impl Assembly<'_> {
    pub(super) fn servers(
        &mut self,
        entries: Vec<(String, ServerEntry)>,
        key: Option<String>,
        passphrase: Option<String>,
    ) -> Servers {
        if entries.is_empty() {
            self.problem("servers", "names no server; needed: at least one");
        }
        self.same_places(&entries);
        let names = entries.iter().map(|(name, _)| name.clone()).collect();
        let common = self.common_key(key, passphrase);
        let valid = entries
            .into_iter()
            .filter_map(|(name, entry)| self.server(&name, entry, common.as_ref()))
            .collect();
        Servers { names, valid }
    }

    /// Two names for one sshd are allowed, but a person hardly means it.
    fn same_places(&mut self, entries: &[(String, ServerEntry)]) {
        let place = |entry: &ServerEntry| (entry.host.trim_end_matches('.').to_ascii_lowercase(), entry.port);
        for (at, (name, entry)) in entries.iter().enumerate() {
            let path = below("servers", name);
            let earlier = entries[..at].iter().find(|(_, other)| place(other) == place(entry));
            // A host that was put in place of a missing one is nobody's.
            if let Some((other, _)) = earlier
                && !["host", "port"].iter().any(|key| self.is_told(&below(&path, key)))
            {
                let other = below("servers", other);
                if !["host", "port"].iter().any(|key| self.is_told(&below(&other, key))) {
                    self.warn(&path, format!("has the host and port of {other}: is one server meant twice?"));
                }
            }
        }
    }

    /// A key that systemd passes as a credential replaces the configured one, which the service may not be able to read.
    fn common_key(&mut self, key: Option<String>, passphrase: Option<String>) -> Option<SshKey> {
        let passphrase = self.secret(true, "ssh_key_passphrase", passphrase.as_deref());
        let path: PathBuf = match credential_with_content("ssh_key") {
            Some(path) => path,
            None => self.key_path("ssh_key", &key?),
        };
        Some(SshKey { path, passphrase })
    }

    fn server(&mut self, name: &str, entry: ServerEntry, common: Option<&SshKey>) -> Option<Server> {
        let path = below("servers", name);
        if let Some(fault) = host::fault(&entry.host) {
            self.problem(&below(&path, "host"), fault);
        }
        if let Some(key) = &entry.host_key
            && !looks_like_host_key(key)
        {
            let wanted = "a line as in known_hosts (\"ssh-ed25519 AAAA…\") or a fingerprint (\"SHA256:…\")";
            self.problem(&below(&path, "host_key"), complaint(&key.as_str().into(), wanted));
        }
        let ssh_key = self.key_of(&path, &entry, common);
        if ssh_key.is_none() {
            self.problem(&path, "has no key to log in with; needed: ssh_key here, or for all at the top");
        }
        let name = match name.parse::<ServerName>() {
            Ok(name) => name,
            Err(error) => {
                self.problem(&path, format!("is no {}", error.wanted().trim_start_matches("a ")));
                return None;
            }
        };
        Some(Server {
            name,
            host: entry.host,
            port: entry.port,
            user: entry.user,
            ssh_key: ssh_key?,
            ssh_timeout: Duration::from_secs(entry.ssh_timeout),
            host_key: entry.host_key,
            destination_id: entry.destination_id.and_then(|id| id.parse().ok()),
        })
    }

    /// A server's own passphrase without an own key is for the common key, where that differs from server to server.
    fn key_of(&mut self, path: &str, entry: &ServerEntry, common: Option<&SshKey>) -> Option<SshKey> {
        let own = entry.ssh_key_passphrase.as_deref();
        let passphrase = self.secret(true, &below(path, "ssh_key_passphrase"), own);
        match &entry.ssh_key {
            Some(key) => Some(SshKey { path: self.key_path(&below(path, "ssh_key"), key), passphrase }),
            None => common.map(|common| SshKey {
                path: common.path.clone(),
                passphrase: passphrase.or_else(|| common.passphrase.clone()),
            }),
        }
    }
}

fn looks_like_host_key(text: &str) -> bool {
    let mut words = text.split_whitespace();
    match words.next() {
        Some(kind) if kind.starts_with("ssh-") || kind.starts_with("ecdsa-") => words.next().is_some(),
        Some(fingerprint) => fingerprint.starts_with("SHA256:"),
        None => false,
    }
}
