//! The broker as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The MQTT broker, and Home Assistant behind it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(in crate::config) struct MqttSection {
    /// Whether there is a broker: states are published, and commands are taken.
    pub enabled: bool,
    /// The broker's host name or address. Needed where MQTT is enabled.
    pub host: Option<String>,
    /// The broker's port; if absent 1883, with `tls` 8883.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The user name, where the broker asks for one.
    pub username: Option<String>,
    /// The password of `username`: a secret.
    #[schemars(extend("x-secret" = true))]
    pub password: Option<String>,
    /// The client id; made from this installation's own id if absent.
    pub client_id: Option<String>,
    /// What all topics begin with. Each installation on one broker needs its own.
    #[schemars(regex(pattern = "^[^+#/]+(/[^+#/]+)*$"), extend("x-wanted" = "a topic without + and #", "format" = "topic"))]
    pub base_topic: String,
    /// Whether Home Assistant is told what there is, so that everything appears there by itself.
    pub discovery: bool,
    /// What the topics begin with that Home Assistant listens to.
    #[schemars(regex(pattern = "^[^+#/]+(/[^+#/]+)*$"), extend("x-wanted" = "a topic without + and #", "format" = "topic"))]
    pub discovery_prefix: String,
    /// Which commands are taken: all (`true`), only those that run jobs (`"run"`), none (`false`).
    #[schemars(schema_with = "commands_schema")]
    pub commands: Commands,
    /// TLS to the broker; `{}` trusts the authorities of this machine. Without it, the connection is not encrypted.
    pub tls: Option<TlsSection>,
}

impl Default for MqttSection {
    fn default() -> Self {
        Self {
            enabled: false,
            host: None,
            port: None,
            username: None,
            password: None,
            client_id: None,
            base_topic: "jetbackup-remote".into(),
            discovery: true,
            discovery_prefix: "homeassistant".into(),
            commands: Commands::All(true),
            tls: None,
        }
    }
}

/// Which commands are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Commands {
    /// All of them, or none.
    All(bool),
    /// Only those that run jobs.
    Only(OnlyRun),
}

/// The word for commands that run jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnlyRun {
    /// Only to run.
    Run,
}

fn commands_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "enum": [true, "run", false] })
}

/// TLS to the broker.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(in crate::config) struct TlsSection {
    /// The file of the authority that signed the broker's certificate; without it, those of this machine are trusted.
    pub ca_file: Option<String>,
    /// The file of this client's certificate, where the broker asks for one; needs `client_key`.
    pub client_cert: Option<String>,
    /// The file of that certificate's key.
    pub client_key: Option<String>,
}
