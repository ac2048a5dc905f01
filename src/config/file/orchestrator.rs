//! The queue as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SECONDS;

/// The queue.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(in crate::config) struct OrchestratorSection {
    /// The longest time between two polls of a run, in seconds.
    #[schemars(range(min = 1, max = 3600))]
    pub poll_interval: u64,
    /// A job's time limit in seconds. A job beyond it is reported, never stopped.
    #[schemars(range(min = 1, max = SECONDS))]
    pub job_timeout: u64,
    /// Seconds after the trigger within which something of the run must be seen.
    #[schemars(range(min = 1, max = SECONDS))]
    pub startup_timeout: u64,
    /// What the queue does when a job reaches its time limit.
    pub on_timeout: OnTimeout,
    /// How many runs beyond their limit may stand beside the lane.
    #[schemars(range(min = 0, max = 1000))]
    pub max_overruns: u32,
    /// Where lock, history and known host keys live.
    pub state_dir: String,
    /// The unix socket through which the command line talks to the runner: a path of at most 107 bytes.
    pub control_socket: String,
    /// What happens at the first meeting with a server whose key is not pinned.
    pub known_hosts: KnownHosts,
    /// The predecessor's lock, held as well so that the two never run together.
    pub lock_file: String,
    /// The log; `""`: none but what goes to stderr, so to the journal or syslog.
    pub log_file: String,
    /// Size in bytes at which the log is rotated; 0: never.
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub log_max_bytes: u64,
    /// How many rotated logs are kept; 0: the log is never rotated.
    #[schemars(range(min = 0, max = 1000))]
    pub log_backup_count: u32,
    /// The predecessor's state file; read by nothing here.
    pub state_file: Option<String>,
    /// Seconds without success after which a job is stale; three days if absent.
    #[schemars(range(min = 1, max = SECONDS))]
    pub stale_after: Option<u64>,
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
            stale_after: None,
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
