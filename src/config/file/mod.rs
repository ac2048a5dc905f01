//! The configuration file as it is written: the one place of its keys, their meaning and their defaults.
//!
//! The JSON Schema and every check of shape come from these types; the doc comments are its descriptions.
//!
//! This folder must know no rule that concerns two values: that is the assembly's work.

mod cycle;
mod job;
mod mqtt;
mod notification;
mod orchestrator;
mod server;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use cycle::{DaemonSection, DestinationSection, LoopSection};
pub(super) use job::JobEntry;
pub use mqtt::{Commands, OnlyRun};
pub(super) use mqtt::{MqttSection, TlsSection};
pub(super) use notification::{DEFAULT_SENDER, NotificationSection};
pub use notification::{Digest, SmtpSecurity};
pub(super) use orchestrator::OrchestratorSection;
pub use orchestrator::{KnownHosts, OnTimeout};
pub(super) use server::ServerEntry;
use server::{as_map, in_order};

/// The most seconds that any time may have: thirty years, which every clock can still add to its own time.
const SECONDS: u64 = 1_000_000_000;

/// Configuration of jetbackup-remote.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct File {
    /// The private key for all servers that name none of their own; `~/` is the home folder. Needed unless every server
    /// has its own. A systemd credential named `ssh_key` replaces it.
    pub ssh_key: Option<String>,
    /// The passphrase of that key, if it has one: a secret.
    #[schemars(extend("x-secret" = true))]
    pub ssh_key_passphrase: Option<String>,
    /// The JetBackup servers by name (1 to 64 letters, digits, `_`, `.` or `-`). Their order is the order of the queue
    /// between jobs of the same priority.
    #[serde(deserialize_with = "in_order", serialize_with = "as_map")]
    #[schemars(with = "BTreeMap<String, ServerEntry>")]
    pub servers: Vec<(String, ServerEntry)>,
    /// The jobs of the queue. Their order is the order of the queue between jobs of the same priority and server.
    pub jobs: Vec<JobEntry>,
    /// The queue: how its runs are watched and limited, and where its files are.
    pub orchestrator: OrchestratorSection,
    /// Mail, and watchers outside that are told by HTTP.
    pub notification: NotificationSection,
    /// What is done about a server's destination before and after its jobs.
    pub destination: DestinationSection,
    /// The Python program's way to repeat cycles. The daemon obeys it where there is no `daemon.schedule`.
    #[serde(rename = "loop")]
    pub cycle_loop: Option<LoopSection>,
    /// The MQTT broker, and Home Assistant behind it.
    pub mqtt: MqttSection,
    /// When the daemon starts cycles by itself.
    pub daemon: DaemonSection,
}
