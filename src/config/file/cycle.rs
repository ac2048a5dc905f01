//! What happens around the jobs and when cycles start, as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SECONDS;

/// What happens to a server's destination around its jobs.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(in crate::config) struct DestinationSection {
    /// Enable the destination before a server's jobs and disable it after them.
    pub force_activate: bool,
    /// Skip a server's jobs while its destination is disabled.
    pub skip_if_disabled: bool,
    /// The predecessor's name for `orchestrator.stale_after`, in days; counts where that is absent. 0: three days.
    #[schemars(range(min = 0, max = 10_000))]
    pub alert_days_without_jobs: Option<u64>,
}

impl Default for DestinationSection {
    fn default() -> Self {
        Self { force_activate: false, skip_if_disabled: true, alert_days_without_jobs: None }
    }
}

/// The predecessor's way to repeat cycles.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(in crate::config) struct LoopSection {
    /// Seconds from one start to the next.
    #[schemars(range(min = 1, max = SECONDS))]
    pub target_interval: u64,
    /// The least pause between two cycles, in seconds.
    #[schemars(range(min = 0, max = SECONDS))]
    pub min_pause: u64,
}

impl Default for LoopSection {
    fn default() -> Self {
        Self { target_interval: 86_400, min_pause: 3_600 }
    }
}

/// The daemon.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(in crate::config) struct DaemonSection {
    /// When cycles start: five cron fields, local time.
    #[schemars(
        regex(pattern = r"^\s*(\S+(\s+\S+){4}\s*)?$"),
        extend("x-wanted" = "five cron fields, as in \"0 2 * * *\"", "format" = "cron")
    )]
    pub schedule: Option<String>,
    /// Up to this many seconds later, at random.
    #[schemars(range(min = 0, max = SECONDS))]
    pub random_delay: u64,
}

impl Default for DaemonSection {
    fn default() -> Self {
        Self { schedule: None, random_delay: 300 }
    }
}
