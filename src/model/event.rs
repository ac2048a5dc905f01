//! What happened. Everything anyone is ever told starts as one of these.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::view::OutboxState;
use super::{CycleId, DestinationId, JobFacts, JobKey, JobResult, Remark, RunId, RunRecord, ServerName};

/// Something that happened, and when by this machine's wall clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A cycle begins with these jobs, in this order; or goes on with those that are left, after a restart.
    CycleStarted {
        /// The cycle.
        cycle: CycleRecord,
        /// The jobs whose turn is to come.
        jobs: Vec<JobKey>,
        /// It was begun before a restart.
        resumed: bool,
    },
    /// A job was put at the end of the queue.
    JobQueued {
        /// The job.
        job: JobKey,
    },
    /// The intent to trigger a job: committed before the trigger is sent.
    JobStarting(RunRecord),
    /// The intent to trigger a job is withdrawn: nothing was sent. Its record goes.
    TriggerWithdrawn {
        /// What was about to be triggered.
        run: RunRecord,
        /// The job's turn is still to come: it is first in the queue again.
        queued: bool,
    },
    /// A job's turn comes at the end of the cycle.
    JobDeferred {
        /// The job.
        job: JobKey,
        /// Why it could not have its turn now.
        error: String,
    },
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
        /// The job had not completed the last time, and succeeds again.
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
        /// It answers over SSH; what does not is JetBackup.
        by_ssh: bool,
    },
    /// A server answers (again).
    ServerReachable {
        /// The server.
        server: ServerName,
        /// JetBackup's version there, where it was told.
        version: Option<String>,
    },
    /// A server was looked at and is as it was.
    ServerSeen {
        /// The server.
        server: ServerName,
        /// Bytes left at its destination, as JetBackup counts them; `None` where it was not asked or does not tell.
        destination_free: Option<u64>,
    },
    /// How long runs of a job usually take from now on.
    UsualKnown {
        /// The job.
        job: JobKey,
        /// Seconds.
        usual: Option<u64>,
    },
    /// What is on record of the jobs could be read only now.
    PastRead {
        /// The jobs.
        jobs: Vec<JobFacts>,
        /// The newest finished cycle.
        last_cycle: Option<CycleRecord>,
    },
    /// What waits to be sent to those who do not look.
    Outbox(OutboxState),
    /// This process ends: what runs goes on and is no longer watched.
    Leaving,
    /// A job has not completed for longer than it may.
    JobStale {
        /// The job.
        job: JobKey,
        /// When it last completed.
        last_success: Option<Timestamp>,
    },
    /// When the schedule starts the next cycle.
    Scheduled {
        /// When; `None` without a schedule.
        next: Option<Timestamp>,
        /// The clock cannot be right, and until it is, nothing is started by it.
        waiting_for_clock: bool,
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
    /// A server's destination was enabled for its jobs.
    DestinationEnabled {
        /// The server.
        server: ServerName,
        /// The destination.
        destination: DestinationId,
    },
    /// A destination that was enabled from here is disabled again.
    DestinationDisabled {
        /// The server.
        server: ServerName,
        /// The destination.
        destination: DestinationId,
        /// It was told that it could not be disabled.
        recovered: bool,
    },
    /// A destination that was enabled from here could not be disabled, and stays open to whatever writes to it. It is
    /// tried again until it works.
    DestinationStuck {
        /// The server.
        server: ServerName,
        /// The destination.
        destination: DestinationId,
        /// What went wrong and what to do.
        error: String,
    },
    /// What there is to remark on a server has changed.
    Remarks {
        /// The server.
        server: ServerName,
        /// All of it.
        remarks: Vec<Remark>,
        /// Those of them that were not told before.
        new: Vec<Remark>,
    },
    /// A start of the schedule comes much too late, or not at all.
    CycleMissed {
        /// When it was to be.
        due: Timestamp,
        /// When it begins after all; `None` while it does not.
        begins: Option<Timestamp>,
    },
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterTimeout {
    /// It goes on beside the run.
    GoesOn,
    /// It waits: as many runs are beyond their limit as may be.
    WaitsForOverruns,
    /// It waits for the run's end or a release (`on_timeout = "wait"`).
    WaitsForRelease,
}

/// A cycle, as it is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

impl CycleRecord {
    /// A cycle of so many jobs that begins.
    #[must_use]
    pub fn begun(id: CycleId, started: Timestamp, total: usize) -> Self {
        let total = u32::try_from(total).unwrap_or(u32::MAX);
        Self { id, started, ended: None, duration: None, total, done: 0, completed: 0, problems: 0 }
    }
}

impl Event {
    /// The design's word for the event on MQTT; `None` for steps that are nobody's news.
    #[must_use]
    pub fn event_type(&self) -> Option<&'static str> {
        Some(match &self.what {
            What::CycleStarted { resumed: false, .. } => "cycle_started",
            What::CycleFinished(_) => "cycle_finished",
            What::JobQueued { .. } => "job_queued",
            What::JobStarted(_) => "job_started",
            What::JobTimeout { .. } => "job_timeout",
            What::JobSkipped(_) => "job_skipped",
            What::ServerUnreachable { .. } => "server_unreachable",
            What::ServerReachable { .. } => "server_reachable",
            What::JobStale { .. } => "job_stale",
            What::Alert { .. }
            | What::CycleMissed { .. }
            | What::DestinationStuck { .. }
            | What::DestinationDisabled { recovered: true, .. } => "alert",
            What::Remarks { new, .. } if !new.is_empty() => "alert",
            What::JobFinished { run, recovered } => match run.result {
                _ if run.overrun => "job_overrun_ended",
                _ if *recovered => "job_recovered",
                Some(JobResult::Completed) => "job_completed",
                Some(JobResult::Partial) => "job_partial",
                Some(JobResult::Aborted) => "job_aborted",
                _ => "job_failed",
            },
            What::CycleStarted { resumed: true, .. }
            | What::JobStarting(_)
            | What::TriggerWithdrawn { .. }
            | What::JobDeferred { .. }
            | What::PastRead { .. }
            | What::RunNoted(_)
            | What::Progress { .. }
            | What::Released(_)
            | What::Waiting { .. }
            | What::ServerSeen { .. }
            | What::UsualKnown { .. }
            | What::Outbox(_)
            | What::Leaving
            | What::Scheduled { .. }
            | What::DestinationEnabled { .. }
            | What::DestinationDisabled { recovered: false, .. }
            | What::Remarks { .. }
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
