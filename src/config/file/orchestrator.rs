//! The queue as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SECONDS;

/// The queue: how its runs are watched and limited, and where its files are.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(in crate::config) struct OrchestratorSection {
    /// The longest time between two looks at a run, in seconds. Near the end that is expected of it, they come more
    /// often.
    #[schemars(range(min = 1, max = 3600))]
    pub poll_interval: u64,
    /// A job's time limit in seconds, counted from the server's start of the run. Beyond it, a job is reported, never
    /// stopped.
    #[schemars(range(min = 1, max = SECONDS))]
    pub job_timeout: u64,
    /// How many seconds after the trigger something of the run must be seen; else it did not start.
    #[schemars(range(min = 1, max = SECONDS))]
    pub startup_timeout: u64,
    /// What the queue does when a job reaches its time limit.
    pub on_timeout: OnTimeout,
    /// How many runs beyond their limit may write beside the queue, with `on_timeout` `"continue"`. With more, the queue
    /// waits.
    #[schemars(range(min = 0, max = 1000))]
    pub max_overruns: u32,
    /// The folder of lock, history and known host keys: an absolute path, not on a network share.
    pub state_dir: String,
    /// The unix socket through which the command line talks to the runner: a path of at most 107 bytes.
    pub control_socket: String,
    /// What happens at the first meeting with a server whose key is not pinned.
    pub known_hosts: KnownHosts,
    /// The lock of the Python program, the predecessor. It is held as well where that can be, so that the two never run
    /// together.
    pub lock_file: String,
    /// The log; the same lines go to stderr, so to the journal or syslog. `""`: only there.
    pub log_file: String,
    /// The size in bytes at which the log is rotated; 0: never.
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    pub log_max_bytes: u64,
    /// How many rotated logs are kept; 0: the log is never rotated.
    #[schemars(range(min = 0, max = 1000))]
    pub log_backup_count: u32,
    /// The state file of the Python program; read by nothing here.
    pub state_file: Option<String>,
    /// How many seconds without a success make a job stale; if absent, `destination.alert_days_without_jobs`, else three
    /// days.
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
