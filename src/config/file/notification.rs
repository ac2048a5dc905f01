//! Mail and other ways to be told, as they are written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::Deserializer;
use serde::{Deserialize, Serialize};

/// The predecessor's sender where none is configured.
pub(in crate::config) const DEFAULT_SENDER: &str = "jetbackup-remote@localhost";

/// Mail, and watchers outside that are told by HTTP.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(in crate::config) struct NotificationSection {
    /// Whether mail is sent. `ping_url` and `webhook_url` do not depend on it.
    pub enabled: bool,
    /// The mail server.
    pub smtp_host: String,
    /// The mail server's port: usually 25 without encryption, 587 with STARTTLS, 465 with TLS.
    #[schemars(range(min = 1))]
    pub smtp_port: u16,
    /// The user name, where the server asks for one.
    pub smtp_user: Option<String>,
    /// The password of `smtp_user`: a secret.
    #[schemars(extend("x-secret" = true))]
    pub smtp_password: Option<String>,
    /// Whether STARTTLS is used, by the Python program's name for it.
    pub smtp_tls: bool,
    /// How the way to the server is encrypted. It wins over `smtp_tls`, which counts if this is absent.
    pub smtp_security: Option<SmtpSecurity>,
    /// The file of the authority that signed the server's certificate; without it, those of this machine are trusted.
    pub smtp_ca_file: Option<PathBuf>,
    /// The sender: `a@b` or `Name <a@b>`.
    pub from_address: String,
    /// The recipients: a list, or one text with commas. Needed where mail is enabled.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(schema_with = "one_or_many_schema")]
    pub to_addresses: Vec<String>,
    /// Whether to tell of jobs that failed, were aborted or skipped, did not start or never finished, and of whatever
    /// else needs a person: stale jobs, missed starts, remarks, recoveries.
    pub on_failure: bool,
    /// Whether to tell, at once, of jobs beyond their time limit.
    pub on_timeout: bool,
    /// Whether to send the summary of a cycle in which nothing went wrong, too.
    pub on_complete: bool,
    /// Whether to tell, in the summary, of jobs that were partly completed.
    pub on_partial: bool,
    /// Whether to tell of the daemon's start and end.
    pub on_daemon_lifecycle: bool,
    /// How often the daemon sends how every job stands, as a proof of life at 8 in the morning.
    pub digest: Digest,
    /// A URL that is called at the start and the end of each cycle, as healthchecks.io has it. It may hold a token: a
    /// secret.
    #[schemars(extend("x-secret" = true))]
    pub ping_url: Option<String>,
    /// A URL that every event is posted to, as JSON. It may hold a token: a secret.
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
    /// On Mondays.
    Weekly,
    /// Every day.
    Daily,
    /// Not at all.
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
