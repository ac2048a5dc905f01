//! What happened. Everything anyone is ever told starts as one of these.

use jiff::Timestamp;

use super::{CycleId, JobKey, JobResult, RunId, RunRecord, ServerName};

/// Something that happened, and when by this machine's wall clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A cycle begins with these jobs, in this order.
    CycleStarted {
        /// The cycle.
        cycle: CycleId,
        /// Its jobs.
        jobs: Vec<JobKey>,
    },
    /// A job was put at the end of the queue.
    JobQueued {
        /// The job.
        job: JobKey,
    },
    /// The intent to trigger a job: committed before the trigger is sent.
    JobStarting(RunRecord),
    /// A run was seen on its server: the triggered one, or one that others started.
    JobStarted(RunRecord),
    /// A run moved on. The only event that is never committed.
    Progress {
        /// The run.
        run: RunId,
        /// How far it is.
        progress: Progress,
    },
    /// The run's end may still come, but what was told of it changed: it is held on, stopped, seen again.
    RunNoted(RunRecord),
    /// A run reached its time limit, or its reminder under `on_timeout = "wait"`.
    JobTimeout {
        /// The run.
        run: RunRecord,
        /// How long it has been running, in seconds.
        elapsed: u64,
        /// What the queue does now.
        next: AfterTimeout,
    },
    /// A run's end is known.
    JobFinished {
        /// The run.
        run: RunRecord,
        /// The job failed the last time, and succeeds again.
        recovered: bool,
    },
    /// A job's turn passed without a trigger.
    JobSkipped(RunRecord),
    /// A person took a run off the lane.
    Released(RunRecord),
    /// The queue waits, for this reason; or no longer waits.
    Waiting {
        /// Why, in words for a person.
        reason: Option<String>,
    },
    /// A server could not be asked.
    ServerUnreachable {
        /// The server.
        server: ServerName,
        /// What went wrong and what to do.
        error: String,
    },
    /// A server answers (again).
    ServerReachable {
        /// The server.
        server: ServerName,
        /// JetBackup's version there, where it was told.
        version: Option<String>,
    },
    /// Nothing more is dispatched in this cycle.
    Stopping,
    /// Something a person should know that fits nowhere else.
    Alert {
        /// The job it is about, if any.
        job: Option<JobKey>,
        /// The text.
        text: String,
    },
    /// A cycle is over.
    CycleFinished(CycleRecord),
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Progress {
    /// Items of the group.
    pub items: Option<u64>,
    /// Items done.
    pub items_completed: Option<u64>,
    /// How long it has been running, in seconds.
    pub elapsed: u64,
    /// How long runs of this job usually take, in seconds.
    pub usual: Option<u64>,
    /// The server has not answered lately.
    pub out_of_contact: bool,
    /// A stop was asked for.
    pub stopping: bool,
}

impl Progress {
    /// The share done, in percent, where the server counts items.
    #[must_use]
    pub fn percent(&self) -> Option<u8> {
        let (items, done) = (self.items.filter(|items| *items > 0)?, self.items_completed?);
        u8::try_from(u128::from(done.min(items)) * 100 / u128::from(items)).ok()
    }

    /// Seconds still to go: from what is usual for the job; never less than nothing.
    #[must_use]
    pub fn eta(&self) -> Option<u64> {
        self.usual.map(|usual| usual.saturating_sub(self.elapsed))
    }
}

/// What the queue does once a run is beyond its time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterTimeout {
    /// It goes on beside the run.
    GoesOn,
    /// It waits: as many runs are beyond their limit as may be.
    WaitsForOverruns,
    /// It waits for the run's end or a release (`on_timeout = "wait"`).
    WaitsForRelease,
}

/// A cycle, as it is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CycleRecord {
    /// This cycle.
    pub id: CycleId,
    /// When it began. Wall clock of this machine.
    pub started: Timestamp,
    /// When it ended. Wall clock of this machine.
    pub ended: Option<Timestamp>,
    /// How long it took in seconds, by a clock that does not jump.
    pub duration: Option<u64>,
    /// Jobs in it.
    pub total: u32,
    /// Jobs whose turn is over.
    pub done: u32,
    /// Jobs that completed.
    pub completed: u32,
    /// Jobs that did not, or not in time.
    pub problems: u32,
}

impl Event {
    /// The design's word for the event on MQTT; `None` for steps that are nobody's news.
    #[must_use]
    pub fn event_type(&self) -> Option<&'static str> {
        Some(match &self.what {
            What::CycleStarted { .. } => "cycle_started",
            What::CycleFinished(_) => "cycle_finished",
            What::JobQueued { .. } => "job_queued",
            What::JobStarted(_) => "job_started",
            What::JobTimeout { .. } => "job_timeout",
            What::JobSkipped(_) => "job_skipped",
            What::ServerUnreachable { .. } => "server_unreachable",
            What::ServerReachable { .. } => "server_reachable",
            What::Alert { .. } => "alert",
            What::JobFinished { run, recovered } => match run.result {
                _ if run.overrun => "job_overrun_ended",
                _ if *recovered => "job_recovered",
                Some(JobResult::Completed) => "job_completed",
                Some(JobResult::Partial) => "job_partial",
                Some(JobResult::Aborted) => "job_aborted",
                _ => "job_failed",
            },
            What::JobStarting(_)
            | What::RunNoted(_)
            | What::Progress { .. }
            | What::Released(_)
            | What::Waiting { .. }
            | What::Stopping => return None,
        })
    }

    /// The run this event changes the record of.
    #[must_use]
    pub fn run(&self) -> Option<&RunRecord> {
        match &self.what {
            What::JobStarting(run)
            | What::JobStarted(run)
            | What::RunNoted(run)
            | What::JobTimeout { run, .. }
            | What::JobFinished { run, .. }
            | What::JobSkipped(run)
            | What::Released(run) => Some(run),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_and_eta_never_leave_their_range() {
        let progress = |items, done| Progress { items, items_completed: done, ..Progress::default() };
        assert_eq!(progress(Some(0), Some(0)).percent(), None);
        assert_eq!(progress(Some(3), Some(1)).percent(), Some(33));
        assert_eq!(progress(Some(3), Some(9)).percent(), Some(100));
        assert_eq!(progress(Some(u64::MAX), Some(u64::MAX)).percent(), Some(100));
        let late = Progress { elapsed: 70, usual: Some(60), ..Progress::default() };
        assert_eq!(late.eta(), Some(0));
    }
}
