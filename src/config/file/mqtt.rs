//! The broker as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// MQTT and Home Assistant.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(in crate::config) struct MqttSection {
    /// Whether a broker is used.
    pub enabled: bool,
    /// The broker.
    pub host: Option<String>,
    /// Its port: 1883, with TLS 8883.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// User name.
    pub username: Option<String>,
    /// Password: a secret.
    #[schemars(extend("x-secret" = true))]
    pub password: Option<String>,
    /// Client id; made from the instance id if absent.
    pub client_id: Option<String>,
    /// What all topics begin with.
    #[schemars(regex(pattern = "^[^+#/]+(/[^+#/]+)*$"), extend("x-wanted" = "a topic without + and #", "format" = "topic"))]
    pub base_topic: String,
    /// Whether Home Assistant is told what there is.
    pub discovery: bool,
    /// What its discovery topics begin with.
    #[schemars(regex(pattern = "^[^+#/]+(/[^+#/]+)*$"), extend("x-wanted" = "a topic without + and #", "format" = "topic"))]
    pub discovery_prefix: String,
    /// Which commands are taken: all (`true`), only to run (`"run"`), none (`false`).
    #[schemars(schema_with = "commands_schema")]
    pub commands: Commands,
    /// TLS, with the system's or these certificates.
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
    /// The authority that signed the broker's certificate.
    pub ca_file: Option<String>,
    /// The client's certificate.
    pub client_cert: Option<String>,
    /// Its key.
    pub client_key: Option<String>,
}
