//! Which jobs are configured, which are there, and which are both.

use serde::Serialize;

use crate::config::{self, Config};
use crate::jetbackup;
use crate::model::{JobKey, ServerName};

/// Whether a job gets its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Configured, and there.
    Queued,
    /// Configured, and disabled on its server: its turn will be skipped.
    Disabled,
    /// Configured, and unknown to its server.
    Missing,
    /// Configured, and its server did not answer.
    Unknown,
    /// There, and in no queue.
    NotConfigured,
}

/// A job as it is configured, and as its server has it.
#[derive(Debug, Clone, Copy)]
pub struct Stands<'a> {
    /// The configuration's side.
    pub configured: Option<&'a config::Job>,
    /// The server's side.
    pub there: Option<&'a jetbackup::Job>,
    /// What that makes of it.
    pub standing: Standing,
}

/// How every job of a server stands: the configured ones in the order of the file, then those that are in no queue, as
/// the server lists them. `there` are all jobs of the server; `None` if it did not answer.
#[must_use]
pub fn standings<'a>(
    config: &'a Config,
    server: &ServerName,
    there: Option<&'a [jetbackup::Job]>,
) -> Vec<Stands<'a>> {
    let configured = config.jobs.iter().filter(|job| job.key.server == *server).map(|job| {
        let found = there.map(|jobs| jobs.iter().find(|found| found.id == job.key.job));
        let standing = match found {
            None => Standing::Unknown,
            Some(None) => Standing::Missing,
            Some(Some(found)) if found.disabled == Some(true) => Standing::Disabled,
            Some(Some(_)) => Standing::Queued,
        };
        Stands { configured: Some(job), there: found.flatten(), standing }
    });
    let is_configured =
        |job: &&jetbackup::Job| config.job(&JobKey { server: server.clone(), job: job.id }).is_some();
    let others = there.unwrap_or_default().iter().filter(move |job| !is_configured(job));
    let others =
        others.map(|job| Stands { configured: None, there: Some(job), standing: Standing::NotConfigured });
    configured.chain(others).collect()
}
