//! The configuration file as it is written: the one place of its keys, their meaning and their defaults.
//!
//! The JSON Schema and every check of shape come from these types; the doc comments are its descriptions.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

/// Configuration of jetbackup-remote.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct File {
    /// The private key for all servers that name none of their own.
    pub ssh_key: Option<String>,
    /// The passphrase of the key: a secret.
    #[schemars(extend("x-secret" = true))]
    pub ssh_key_passphrase: Option<String>,
    /// The JetBackup servers by name (1 to 64 letters, digits, `_`, `.` or `-`); their order counts.
    #[serde(deserialize_with = "in_order", serialize_with = "as_map")]
    #[schemars(with = "BTreeMap<String, ServerEntry>")]
    pub servers: Vec<(String, ServerEntry)>,
    /// The jobs of the queue; their order counts.
    pub jobs: Vec<JobEntry>,
    /// The queue.
    pub orchestrator: OrchestratorSection,
    /// Mail and other ways to be told.
    pub notification: NotificationSection,
    /// What happens to a server's destination around its jobs.
    pub destination: DestinationSection,
    /// The predecessor's way to repeat cycles.
    #[serde(rename = "loop")]
    pub cycle_loop: Option<LoopSection>,
    /// MQTT and Home Assistant.
    pub mqtt: MqttSection,
    /// The daemon.
    pub daemon: DaemonSection,
}

/// A JetBackup server.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ServerEntry {
    /// Host name or address.
    #[schemars(length(min = 1))]
    pub host: String,
    /// Port of its sshd.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// User to log in as.
    #[serde(default = "default_user")]
    #[schemars(length(min = 1))]
    pub user: String,
    /// The private key for this server.
    #[serde(default)]
    pub ssh_key: Option<String>,
    /// The passphrase of that key: a secret.
    #[serde(default)]
    #[schemars(extend("x-secret" = true))]
    pub ssh_key_passphrase: Option<String>,
    /// Seconds that connecting, and each call, may take.
    #[serde(default = "default_ssh_timeout")]
    #[schemars(range(min = 1, max = 3600))]
    pub ssh_timeout: u64,
    /// The server's host key, pinned: `ssh-ed25519 AAAA…` or `SHA256:…`.
    #[serde(default)]
    pub host_key: Option<String>,
    /// The JetBackup destination that the server's jobs write to.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9a-fA-F]{24}$"), extend("x-wanted" = "24 hexadecimal digits", "format" = "object-id"))]
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

/// A backup job.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct JobEntry {
    /// Its `_id` in JetBackup.
    #[schemars(regex(pattern = "^[0-9a-fA-F]{24}$"), extend("x-wanted" = "24 hexadecimal digits", "format" = "object-id"))]
    pub job_id: String,
    /// The server that runs it.
    pub server: String,
    /// What people call it; its id if absent.
    #[serde(default)]
    pub label: Option<String>,
    /// `accounts`, `directories` or `database`; anything else is `other`.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Higher goes first.
    #[serde(default)]
    pub priority: i64,
    /// Its time limit in seconds; `orchestrator.job_timeout` if absent.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub timeout: Option<u64>,
    /// Seconds without success after which it is stale; `orchestrator.stale_after` if absent.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub stale_after: Option<u64>,
}

/// The queue.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct OrchestratorSection {
    /// The longest time between two polls of a run, in seconds.
    #[schemars(range(min = 1, max = 3600))]
    pub poll_interval: u64,
    /// A job's time limit in seconds. A job beyond it is reported, never stopped.
    #[schemars(range(min = 1))]
    pub job_timeout: u64,
    /// Seconds after the trigger within which something of the run must be seen.
    #[schemars(range(min = 1))]
    pub startup_timeout: u64,
    /// What the queue does when a job reaches its time limit.
    pub on_timeout: OnTimeout,
    /// How many runs beyond their limit may stand beside the lane.
    pub max_overruns: u32,
    /// Where lock, history and known host keys live.
    pub state_dir: String,
    /// The unix socket through which the command line talks to the runner.
    pub control_socket: String,
    /// What happens at the first meeting with a server whose key is not pinned.
    pub known_hosts: KnownHosts,
    /// The predecessor's lock, held as well so that the two never run together.
    pub lock_file: String,
    /// The log.
    pub log_file: String,
    /// Size in bytes at which the log is rotated.
    #[schemars(range(min = 1024))]
    pub log_max_bytes: u64,
    /// How many rotated logs are kept.
    pub log_backup_count: u32,
    /// The predecessor's state file; read by nothing here.
    pub state_file: Option<String>,
    /// Seconds without success after which a job is stale.
    #[schemars(range(min = 1))]
    pub stale_after: u64,
}

impl Default for OrchestratorSection {
    fn default() -> Self {
        Self {
            poll_interval: 30,
            job_timeout: 14400,
            startup_timeout: 120,
            on_timeout: OnTimeout::Continue,
            max_overruns: 1,
            state_dir: "/var/lib/jetbackup-remote".into(),
            control_socket: "/run/jetbackup-remote/control.sock".into(),
            known_hosts: KnownHosts::AcceptNew,
            lock_file: "/tmp/jetbackup-remote.lock".into(),
            log_file: "/var/log/jetbackup-remote.log".into(),
            log_max_bytes: 10_485_760,
            log_backup_count: 5,
            state_file: None,
            stale_after: 259_200,
        }
    }
}

/// What the queue does when a job reaches its time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// It goes on with the next job, beside the late one.
    Continue,
    /// It waits for the late one's end, or for a person's release.
    Wait,
}

/// What happens at the first meeting with a server whose key is not pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KnownHosts {
    /// The key is taken and written down; from then on it must not change.
    AcceptNew,
    /// Only keys already in `known_hosts` of the state directory are accepted.
    Strict,
}

/// Mail and other ways to be told.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct NotificationSection {
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
    /// The sender.
    pub from_address: String,
    /// The recipients.
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
            from_address: String::new(),
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

/// What happens to a server's destination around its jobs.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct DestinationSection {
    /// Enable the destination before a server's jobs and disable it after them.
    pub force_activate: bool,
    /// Skip a server's jobs while its destination is disabled.
    pub skip_if_disabled: bool,
}

impl Default for DestinationSection {
    fn default() -> Self {
        Self { force_activate: false, skip_if_disabled: true }
    }
}

/// The predecessor's way to repeat cycles.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct LoopSection {
    /// Seconds from one start to the next.
    #[schemars(range(min = 1))]
    pub target_interval: u64,
    /// The least pause between two cycles, in seconds.
    pub min_pause: u64,
}

impl Default for LoopSection {
    fn default() -> Self {
        Self { target_interval: 86_400, min_pause: 3_600 }
    }
}

/// MQTT and Home Assistant.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct MqttSection {
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
pub(super) struct TlsSection {
    /// The authority that signed the broker's certificate.
    pub ca_file: Option<String>,
    /// The client's certificate.
    pub client_cert: Option<String>,
    /// Its key.
    pub client_key: Option<String>,
}

/// The daemon.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct DaemonSection {
    /// When cycles start: five cron fields, local time.
    #[schemars(
        regex(pattern = r"^\s*\S+(\s+\S+){4}\s*$"),
        extend("x-wanted" = "five cron fields, as in \"0 2 * * *\"", "format" = "cron")
    )]
    pub schedule: Option<String>,
    /// Up to this many seconds later, at random.
    pub random_delay: u64,
}

impl Default for DaemonSection {
    fn default() -> Self {
        Self { schedule: None, random_delay: 300 }
    }
}

/// A map whose order is kept.
fn in_order<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<(String, ServerEntry)>, D::Error> {
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

fn as_map<S: serde::Serializer>(entries: &[(String, ServerEntry)], target: S) -> Result<S::Ok, S::Error> {
    target.collect_map(entries.iter().map(|(name, entry)| (name, entry)))
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
