//! A job as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SECONDS;

/// A backup job.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(in crate::config) struct JobEntry {
    /// Its `_id` in JetBackup, as `list` shows it.
    #[schemars(regex(pattern = "^[0-9a-fA-F]{24}$"), extend("x-wanted" = "24 hexadecimal digits", "format" = "object-id"))]
    pub job_id: String,
    /// The server that runs it: one of the names in `servers`.
    pub server: String,
    /// What people call it; its id if absent.
    #[serde(default)]
    pub label: Option<String>,
    /// `accounts`, `directories` or `database`, in any case; anything else is `other`.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// The highest goes first, whatever its server.
    #[serde(default)]
    #[schemars(range(min = -1_000_000_000, max = 1_000_000_000))]
    pub priority: i64,
    /// Its time limit in seconds; `orchestrator.job_timeout` if absent or 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = SECONDS))]
    pub timeout: Option<u64>,
    /// How many seconds without a success make it stale; `orchestrator.stale_after` if absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = SECONDS))]
    pub stale_after: Option<u64>,
}
