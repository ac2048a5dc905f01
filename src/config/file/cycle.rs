//! What happens around the jobs and when cycles start, as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SECONDS;

/// What is done about a server's destination before and after its jobs.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(in crate::config) struct DestinationSection {
    /// Whether a disabled destination (`servers.*.destination_id`) is enabled before the server's first job and disabled
    /// again after its last. Needs `--allow destination` and `--allow switch` at the gate.
    pub force_activate: bool,
    /// Whether a server's jobs are skipped while its destination (`servers.*.destination_id`) is disabled. Without
    /// effect with `force_activate`.
    pub skip_if_disabled: bool,
    /// The Python program's name for `orchestrator.stale_after`, in days; it counts where that is absent. 0: three days.
    #[schemars(range(min = 0, max = 10_000))]
    pub alert_days_without_jobs: Option<u64>,
}

impl Default for DestinationSection {
    fn default() -> Self {
        Self { force_activate: false, skip_if_disabled: true, alert_days_without_jobs: None }
    }
}

/// The Python program's way to repeat cycles. The daemon obeys it where there is no `daemon.schedule`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(in crate::config) struct LoopSection {
    /// How many seconds from one start to the next.
    #[schemars(range(min = 1, max = SECONDS))]
    pub target_interval: u64,
    /// The least pause between two cycles, in seconds, however long they take.
    #[schemars(range(min = 0, max = SECONDS))]
    pub min_pause: u64,
}

impl Default for LoopSection {
    fn default() -> Self {
        Self { target_interval: 86_400, min_pause: 3_600 }
    }
}

/// When the daemon starts cycles by itself.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(in crate::config) struct DaemonSection {
    /// When cycles start: five cron fields (minute, hour, day of the month, month, day of the week), local time. Without
    /// it `loop` counts; without both, the daemon starts nothing by itself.
    #[schemars(
        regex(pattern = r"^\s*(\S+(\s+\S+){4}\s*)?$"),
        extend("x-wanted" = "five cron fields, as in \"0 2 * * *\"", "format" = "cron")
    )]
    pub schedule: Option<String>,
    /// Up to how many seconds later, at random, a start of `schedule` comes.
    #[schemars(range(min = 0, max = SECONDS))]
    pub random_delay: u64,
}

impl Default for DaemonSection {
    fn default() -> Self {
        Self { schedule: None, random_delay: 300 }
    }
}
