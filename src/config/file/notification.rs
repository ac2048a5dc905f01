//! Mail and other ways to be told, as they are written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::Deserializer;
use serde::{Deserialize, Serialize};

/// The predecessor's sender where none is configured.
pub(in crate::config) const DEFAULT_SENDER: &str = "jetbackup-remote@localhost";

/// Mail and other ways to be told.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(in crate::config) struct NotificationSection {
    /// Whether mail is sent.
    pub enabled: bool,
    /// The mail server.
    pub smtp_host: String,
    /// Its port.
    #[schemars(range(min = 1))]
    pub smtp_port: u16,
    /// User name, where the server asks for one.
    pub smtp_user: Option<String>,
    /// Password: a secret.
    #[schemars(extend("x-secret" = true))]
    pub smtp_password: Option<String>,
    /// STARTTLS, by the predecessor's name for it.
    pub smtp_tls: bool,
    /// How the way to the server is encrypted; wins over `smtp_tls`.
    pub smtp_security: Option<SmtpSecurity>,
    /// The authority that signed the server's certificate; without it, those of this machine are trusted.
    pub smtp_ca_file: Option<PathBuf>,
    /// The sender: `a@b` or `Name <a@b>`.
    pub from_address: String,
    /// The recipients: a list, or a text with commas.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(schema_with = "one_or_many_schema")]
    pub to_addresses: Vec<String>,
    /// Tell of failures.
    pub on_failure: bool,
    /// Tell of time limits.
    pub on_timeout: bool,
    /// Tell of cycles without a fault.
    pub on_complete: bool,
    /// Tell of partial backups.
    pub on_partial: bool,
    /// Tell of the daemon's start and end.
    pub on_daemon_lifecycle: bool,
    /// How often a proof of life is sent.
    pub digest: Digest,
    /// Pinged at the start and the end of each cycle; may hold a token: a secret.
    #[schemars(extend("x-secret" = true))]
    pub ping_url: Option<String>,
    /// Told of every event; may hold a token: a secret.
    #[schemars(extend("x-secret" = true))]
    pub webhook_url: Option<String>,
}

impl Default for NotificationSection {
    fn default() -> Self {
        Self {
            enabled: false,
            smtp_host: "localhost".into(),
            smtp_port: 25,
            smtp_user: None,
            smtp_password: None,
            smtp_tls: false,
            smtp_security: None,
            smtp_ca_file: None,
            from_address: DEFAULT_SENDER.into(),
            to_addresses: Vec::new(),
            on_failure: true,
            on_timeout: true,
            on_complete: false,
            on_partial: true,
            on_daemon_lifecycle: true,
            digest: Digest::Weekly,
            ping_url: None,
            webhook_url: None,
        }
    }
}

/// How the way to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SmtpSecurity {
    /// Not at all.
    None,
    /// By STARTTLS.
    Starttls,
    /// From the first byte.
    Tls,
}

/// How often a proof of life is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Digest {
    /// Once a week.
    Weekly,
    /// Once a day.
    Daily,
    /// Never.
    Never,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn one_or_many<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMany::deserialize(source)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

fn one_or_many_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "anyOf": [{ "type": "array", "items": { "type": "string" } }, { "type": "string" }],
        "default": []
    })
}
