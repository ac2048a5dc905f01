//! What a person, or a program for one, may ask of the queue, and what it answers.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{GroupId, JobId, JobKey, ServerName};

/// Which of the configured jobs are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Only the jobs of this server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerName>,
    /// Only the job with this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
}

impl Selection {
    /// Whether `key` is among the jobs meant.
    #[must_use]
    pub fn takes(&self, key: &JobKey) -> bool {
        self.server.as_ref().is_none_or(|server| *server == key.server)
            && self.job.is_none_or(|job| job == key.job)
    }
}

/// Something asked of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Put these jobs at the end of the queue.
    Run(Selection),
    /// Stop a run by its group.
    Stop {
        /// The server it runs on.
        server: ServerName,
        /// Its group.
        group: GroupId,
    },
    /// Stop the run of a job that is under way.
    StopJob(JobKey),
    /// Take a run beyond its time limit (or out of reach) off the lane; it stays watched.
    Release(JobKey),
    /// Trigger nothing more; the running backup goes on.
    StopAfterCurrent,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(Selection { server: None, job: None }) => write!(f, "run all jobs"),
            Self::Run(Selection { server: Some(server), job: None }) => write!(f, "run the jobs of {server}"),
            Self::Run(Selection { server: None, job: Some(job) }) => write!(f, "run {job}"),
            Self::Run(Selection { server: Some(server), job: Some(job) }) => write!(f, "run {server}/{job}"),
            Self::Stop { server, group } => write!(f, "stop queue group {group} on {server}"),
            Self::StopJob(job) => write!(f, "stop {job}"),
            Self::Release(job) => write!(f, "release {job}"),
            Self::StopAfterCurrent => write!(f, "start nothing more"),
        }
    }
}

/// What became of a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it is done or will be.
    pub accepted: bool,
    /// What was done, or why it was not.
    pub reason: String,
}

impl Answer {
    /// It is done, or will be.
    #[must_use]
    pub fn accepted(reason: impl Into<String>) -> Self {
        Self { accepted: true, reason: reason.into() }
    }

    /// It is not, and this is why.
    #[must_use]
    pub fn refused(reason: impl Into<String>) -> Self {
        Self { accepted: false, reason: reason.into() }
    }
}
