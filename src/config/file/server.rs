//! A server as it is written, and the map of them, whose order counts.

use schemars::JsonSchema;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

/// A JetBackup server.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(in crate::config) struct ServerEntry {
    /// Host name or IP address.
    #[schemars(length(min = 1))]
    pub host: String,
    /// Port of its sshd.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// User to log in as: the one whose `authorized_keys` has the gate.
    #[serde(default = "default_user")]
    #[schemars(length(min = 1))]
    pub user: String,
    /// The private key for this server, where it is not the common one; `~/` is the home folder.
    #[serde(default)]
    pub ssh_key: Option<String>,
    /// The passphrase of that key, or of the common one where the server names none: a secret.
    #[serde(default)]
    #[schemars(extend("x-secret" = true))]
    pub ssh_key_passphrase: Option<String>,
    /// How many seconds connecting may take, and each call.
    #[serde(default = "default_ssh_timeout")]
    #[schemars(range(min = 1, max = 3600))]
    pub ssh_timeout: u64,
    /// The server's host key, pinned: `ssh-ed25519 AAAA…` as in `known_hosts`, or the fingerprint `SHA256:…` of the key
    /// that the server shows first. Without it, `orchestrator.known_hosts` counts.
    #[serde(default)]
    pub host_key: Option<String>,
    /// The `_id` of the JetBackup destination that the server's jobs write to, as `destinations` lists it: the one that
    /// `destination.*` is about, and whose room left is shown. Needs `--allow destination` at the gate.
    #[serde(default)]
    #[schemars(regex(pattern = "^([0-9a-fA-F]{24})?$"), extend("x-wanted" = "24 hexadecimal digits", "format" = "object-id"))]
    pub destination_id: Option<String>,
}

fn default_port() -> u16 {
    51514
}

fn default_user() -> String {
    "root".into()
}

fn default_ssh_timeout() -> u64 {
    30
}

/// A map whose order is kept.
pub(super) fn in_order<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<(String, ServerEntry)>, D::Error> {
    struct InOrder;
    impl<'de> Visitor<'de> for InOrder {
        type Value = Vec<(String, ServerEntry)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object of servers by name")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                entries.push(entry);
            }
            Ok(entries)
        }
    }
    source.deserialize_map(InOrder)
}

pub(super) fn as_map<S: serde::Serializer>(
    entries: &[(String, ServerEntry)],
    target: S,
) -> Result<S::Ok, S::Error> {
    target.collect_map(entries.iter().map(|(name, entry)| (name, entry)))
}
