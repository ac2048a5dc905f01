//! The configuration: read, checked as a whole, and handed out as types that cannot be wrong.
//!
//! `file` is what may be written, `check` finds everything wrong with the shape of what was, `assembly` makes
//! the checked types of it, and `load` answers either these or all that is wrong.
//! This room must know no server, no key and no network: `validate` works on any machine.

mod address;
mod assembly;
mod check;
mod file;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod host;
mod json;
mod load;
mod secret;
mod summary;
mod url;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::model::{DestinationId, JobKey, ServerName};
use crate::schedule::Expression;

pub use file::{Commands, Digest, KnownHosts as KnownHostsPolicy, OnTimeout, OnlyRun, SmtpSecurity};
pub use load::{ConfigError, Loaded, json_schema, load, parse};
pub use secret::{Secret, SecretError};
pub use summary::summary;
pub(crate) use url::place;

/// Something about one place of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where: `servers.web1.port`, `servers["web1.example.com"]`, `jobs[2].job_id`; empty for the file as a whole.
    pub path: String,
    /// What is there, and what would be right.
    pub message: String,
}

impl Finding {
    fn new(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{} {}", self.path, self.message)
        }
    }
}

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it came from.
    pub path: PathBuf,
    /// The servers, in the order of the file.
    pub servers: Vec<Server>,
    /// The jobs, in the order of the file.
    pub jobs: Vec<Job>,
    /// The queue.
    pub orchestrator: Orchestrator,
    /// Mail and other ways to be told.
    pub notification: Notification,
    /// What happens to destinations.
    pub destination: Destination,
    /// The predecessor's way to repeat cycles.
    pub cycle_loop: Option<Loop>,
    /// MQTT.
    pub mqtt: Mqtt,
    /// The daemon.
    pub daemon: Daemon,
}

impl Config {
    /// The server of this name.
    #[must_use]
    pub fn server(&self, name: &ServerName) -> Option<&Server> {
        self.servers.iter().find(|server| server.name == *name)
    }

    /// The job with this key.
    #[must_use]
    pub fn job(&self, key: &JobKey) -> Option<&Job> {
        self.jobs.iter().find(|job| job.key == *key)
    }
}

/// A JetBackup server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its name.
    pub name: ServerName,
    /// Host name or address.
    pub host: String,
    /// Port of its sshd.
    pub port: u16,
    /// User to log in as.
    pub user: String,
    /// The key to log in with.
    pub ssh_key: SshKey,
    /// How long connecting, and each call, may take.
    pub ssh_timeout: Duration,
    /// Its pinned host key.
    pub host_key: Option<String>,
    /// The destination its jobs write to.
    pub destination_id: Option<DestinationId>,
}

/// A private key.
#[derive(Debug, Clone)]
pub struct SshKey {
    /// Its file.
    pub path: PathBuf,
    /// Its passphrase.
    pub passphrase: Option<Secret>,
}

/// A backup job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Where and which.
    pub key: JobKey,
    /// What people call it.
    pub label: String,
    /// What it backs up.
    pub kind: JobKind,
    /// Higher goes first.
    pub priority: i64,
    /// Its time limit.
    pub timeout: Duration,
    /// How long without success makes it stale.
    pub stale_after: Duration,
}

/// What a job backs up, as its configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Hosting accounts.
    Accounts,
    /// Directories.
    Directories,
    /// Databases.
    Database,
    /// Anything else.
    Other,
}

/// The queue.
#[derive(Debug, Clone)]
pub struct Orchestrator {
    /// The longest time between two polls of a run.
    pub poll_interval: Duration,
    /// The time limit of jobs that have none of their own.
    pub job_timeout: Duration,
    /// How long after the trigger something must be seen.
    pub startup_timeout: Duration,
    /// What happens at a time limit.
    pub on_timeout: OnTimeout,
    /// How many runs beyond their limit may stand beside the lane.
    pub max_overruns: u32,
    /// Where lock, history and known host keys live.
    pub state_dir: PathBuf,
    /// The socket between command line and runner.
    pub control_socket: PathBuf,
    /// What happens at the first meeting with a server.
    pub known_hosts: KnownHostsPolicy,
    /// The predecessor's lock.
    pub lock_file: PathBuf,
    /// The log file, if there is to be one.
    pub log_file: Option<PathBuf>,
    /// Size in bytes at which it is rotated; 0: never.
    pub log_max_bytes: u64,
    /// How many rotated logs are kept; 0: it is never rotated.
    pub log_backup_count: u32,
    /// How long without success makes a job stale.
    pub stale_after: Duration,
}

/// Mail and other ways to be told.
#[derive(Debug, Clone)]
pub struct Notification {
    /// Whether mail is sent.
    pub enabled: bool,
    /// The mail server.
    pub smtp_host: String,
    /// Its port.
    pub smtp_port: u16,
    /// User name.
    pub smtp_user: Option<String>,
    /// Password.
    pub smtp_password: Option<Secret>,
    /// How the way there is encrypted.
    pub smtp_security: SmtpSecurity,
    /// The authority that signed its certificate.
    pub smtp_ca_file: Option<PathBuf>,
    /// The sender.
    pub from_address: String,
    /// The recipients.
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
    /// Pinged at the start and the end of each cycle.
    pub ping_url: Option<Secret>,
    /// Told of every event.
    pub webhook_url: Option<Secret>,
}

/// What happens to destinations around a server's jobs.
#[derive(Debug, Clone, Copy)]
pub struct Destination {
    /// Enable before, disable after.
    pub force_activate: bool,
    /// Skip jobs while their destination is disabled.
    pub skip_if_disabled: bool,
}

/// The predecessor's way to repeat cycles.
#[derive(Debug, Clone, Copy)]
pub struct Loop {
    /// From one start to the next.
    pub target_interval: Duration,
    /// The least pause between two cycles.
    pub min_pause: Duration,
}

/// MQTT.
#[derive(Debug, Clone)]
pub struct Mqtt {
    /// Whether a broker is used.
    pub enabled: bool,
    /// The broker; empty only while not enabled.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Client id, where it is not to be made.
    pub client_id: Option<String>,
    /// What all topics begin with.
    pub base_topic: String,
    /// Whether Home Assistant is told what there is.
    pub discovery: bool,
    /// What its topics begin with.
    pub discovery_prefix: String,
    /// Which commands are taken.
    pub commands: Commands,
    /// TLS, if used.
    pub tls: Option<Tls>,
}

/// TLS to the broker.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The authority that signed the broker's certificate.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// The daemon.
#[derive(Debug, Clone)]
pub struct Daemon {
    /// When cycles start, in local time.
    pub schedule: Option<Expression>,
    /// Up to this much later, at random.
    pub random_delay: Duration,
}

/// The name most like `name`, if any is like it at all.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |candidate: &&str| strsim::jaro_winkler(name, candidate);
    let best = known.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) > 0.8).then_some(best)
}
