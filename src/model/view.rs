//! What status, MQTT and the dashboard show: the shapes of the design's topic table, with every key always present.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CycleRecord, GroupId, JobKey, JobResult, Reason, Remark, RunRecord, ServerName};

/// What a job is doing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobPhase {
    /// Nothing.
    Idle,
    /// It waits for its turn.
    Queued,
    /// The trigger is out, nothing was seen of it yet.
    Starting,
    /// It runs.
    Running,
    /// It runs, and was asked to stop.
    Stopping,
    /// It runs beyond its time limit.
    Overrun,
    /// Its server does not answer.
    Unknown,
}

/// What the queue is doing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueuePhase {
    /// Nothing.
    Idle,
    /// A job has its turn.
    Running,
    /// The next job may not start yet.
    Waiting,
    /// Nothing more is started.
    Stopping,
    /// There is a schedule, and the clock cannot be right.
    WaitingForClock,
}

/// The queue, as `status --json` and MQTT show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueueState {
    /// What it is doing.
    pub phase: QueuePhase,
    /// Why it waits.
    pub reason: Option<String>,
    /// The job whose turn it is.
    pub current: Option<CurrentJob>,
    /// The jobs whose turn is to come.
    pub queue: Vec<QueuedJob>,
    /// How many managed runs may be writing now.
    pub writers: u32,
    /// The cycle under way.
    pub cycle: Option<CycleState>,
    /// The last finished cycle.
    pub last_cycle: Option<LastCycle>,
    /// When the schedule starts the next cycle.
    pub next_run: Option<Timestamp>,
    /// Whether a person should look: a run beyond its limit, a job whose last run was no success or is too long ago, a
    /// server out of reach, a destination that could not be disabled.
    pub problem: bool,
    /// Messages that wait to be sent; `None` where none are sent.
    pub outbox: Option<OutboxState>,
    /// When this was last known to be so.
    pub checked_at: Option<Timestamp>,
}

/// Messages that wait to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxState {
    /// How many.
    pub waiting: u32,
    /// How many were given up.
    #[serde(default)]
    pub given_up: u32,
    /// Why the last one could not be sent, while one waits.
    pub last_error: Option<String>,
}

/// The job whose turn it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurrentJob {
    /// The job.
    #[serde(flatten)]
    pub key: JobKey,
    /// What people call it.
    pub label: String,
    /// What it is doing.
    pub phase: JobPhase,
    /// The share done, in percent.
    pub progress: Option<u8>,
    /// Seconds it usually still takes.
    pub eta: Option<u64>,
}

/// A job in the queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueuedJob {
    /// The job.
    #[serde(flatten)]
    pub key: JobKey,
    /// What people call it.
    pub label: String,
    /// 1 is next.
    pub position: u32,
    /// What it waits for.
    pub reason: Option<String>,
}

/// A cycle under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleState {
    /// When it began.
    pub started: Timestamp,
    /// Jobs whose turn is over.
    pub done: u32,
    /// Jobs in it.
    pub total: u32,
}

/// The last finished cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCycle {
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Seconds it took.
    pub duration: Option<u64>,
    /// `completed` if every job completed in time, else `partial`, or `failed` if none did.
    pub result: JobResult,
    /// Jobs that completed.
    pub completed: u32,
    /// Jobs that did not, or not in time.
    pub problems: u32,
}

/// A job, as `status --json` and MQTT show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobState {
    /// The job.
    #[serde(flatten)]
    pub key: JobKey,
    /// What people call it.
    pub label: String,
    /// What it is doing.
    pub phase: JobPhase,
    /// Whether it may be writing now.
    pub running: bool,
    /// Its place in the queue, 1 is next.
    pub queue_position: Option<u32>,
    /// Whether a person should look at it.
    pub problem: bool,
    /// Whether it has not completed for longer than it may.
    pub stale: bool,
    /// Whether it runs beyond its time limit.
    pub overrun: bool,
    /// Its time limit, in seconds.
    pub limit: u64,
    /// The run under way.
    pub current: Option<CurrentRun>,
    /// The last finished run.
    pub last: Option<LastRun>,
    /// When it last completed.
    pub last_success: Option<Timestamp>,
    /// Seconds it usually takes.
    pub usual_duration: Option<u64>,
}

/// The run under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurrentRun {
    /// The run's queue group on the server.
    pub group: Option<GroupId>,
    /// When the server says it started.
    pub started: Option<Timestamp>,
    /// The share done, in percent.
    pub progress: Option<u8>,
    /// Items of the run.
    pub items: Option<u64>,
    /// Items done.
    pub items_completed: Option<u64>,
    /// Seconds it usually still takes.
    pub eta: Option<u64>,
    /// Seconds it has been running.
    pub elapsed: u64,
}

/// A finished run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// How it went.
    pub result: JobResult,
    /// Why, where the result alone does not say.
    pub reason: Option<Reason>,
    /// When the server says it started.
    pub started: Option<Timestamp>,
    /// When the server says it ended.
    pub ended: Option<Timestamp>,
    /// Seconds it took.
    pub duration: Option<u64>,
    /// It ran beyond its time limit.
    pub overrun: bool,
    /// What was heard about it.
    pub error: Option<String>,
}

/// A server as last heard of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerState {
    /// The server.
    pub server: ServerName,
    /// Whether it answered over SSH when last asked; `None` before it was asked.
    pub reachable: Option<bool>,
    /// Whether JetBackup answered there; `None` before it was asked, and while the server is out of reach.
    pub jetbackup: Option<bool>,
    /// JetBackup's version there.
    pub version: Option<String>,
    /// Why it does not answer.
    pub error: Option<String>,
    /// Since when it is as it is.
    pub since: Option<Timestamp>,
    /// When it was last heard.
    pub checked_at: Option<Timestamp>,
    /// Bytes left at its destination, where that is known.
    pub destination_free: Option<u64>,
    /// Why its destination, enabled from here, could not be disabled again.
    #[serde(default)]
    pub destination_stuck: Option<String>,
    /// What a person should look at there.
    #[serde(default)]
    pub remarks: Vec<Remark>,
}

/// The connection to the broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerState {
    /// The broker, as host and port.
    pub broker: String,
    /// Whether it is connected.
    pub connected: bool,
    /// Why it is not.
    pub error: Option<String>,
    /// Since when it is so.
    pub since: Timestamp,
}

impl ServerState {
    /// A server that was not asked yet.
    #[must_use]
    pub fn unasked(server: ServerName) -> Self {
        Self {
            server,
            reachable: None,
            jetbackup: None,
            version: None,
            error: None,
            since: None,
            checked_at: None,
            destination_free: None,
            destination_stuck: None,
            remarks: Vec::new(),
        }
    }

    /// Whether its jobs can be asked about; `None` before it was tried.
    #[must_use]
    pub fn answers(&self) -> Option<bool> {
        if self.reachable == Some(false) { Some(false) } else { self.jetbackup }
    }
}

impl LastRun {
    /// What is told of a finished run; nothing of one that has no result.
    #[must_use]
    pub fn of(run: &RunRecord) -> Option<Self> {
        Some(Self {
            result: run.result?,
            reason: run.reason,
            started: run.started,
            ended: run.ended,
            duration: run.duration,
            overrun: run.overrun,
            error: run.error.clone(),
        })
    }
}

impl From<CycleRecord> for LastCycle {
    fn from(cycle: CycleRecord) -> Self {
        let result = match cycle {
            CycleRecord { problems: 0, .. } => JobResult::Completed,
            CycleRecord { completed: 0, .. } => JobResult::Failed,
            _ => JobResult::Partial,
        };
        Self {
            started: cycle.started,
            ended: cycle.ended,
            duration: cycle.duration,
            result,
            completed: cycle.completed,
            problems: cycle.problems,
        }
    }
}
