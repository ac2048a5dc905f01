//! What is read off the snapshot.

use super::{JobFacts, OpenRun, Snapshot};
use crate::model::view::{
    CurrentJob, CurrentRun, CycleState, JobPhase, JobState, LastCycle, LastRun, QueuePhase, QueueState,
    QueuedJob, ServerState,
};
use crate::model::{CycleId, JobKey, RunId, RunRecord};

impl Snapshot {
    /// The queue, as status and MQTT show it.
    #[must_use]
    pub fn queue(&self) -> QueueState {
        if self.left {
            return self.left_queue();
        }
        let phase = match () {
            () if self.stopping => QueuePhase::Stopping,
            () if self.waiting.is_some() => QueuePhase::Waiting,
            () if self.cycle.is_some() || self.current().is_some() => QueuePhase::Running,
            () if self.waiting_for_clock => QueuePhase::WaitingForClock,
            () => QueuePhase::Idle,
        };
        let queued = self.queue.iter().zip(1u32..).map(|(key, position)| QueuedJob {
            key: key.clone(),
            label: self.label(key),
            position,
            reason: self.waiting.clone(),
        });
        QueueState {
            phase,
            reason: self.waiting.clone(),
            current: self.current().map(|open| CurrentJob {
                key: open.record.key.clone(),
                label: open.record.label.clone(),
                phase: open.phase(),
                progress: open.progress.percent(),
                eta: open.progress.eta(),
            }),
            queue: queued.collect(),
            writers: u32::try_from(self.open.len()).unwrap_or(u32::MAX),
            cycle: self.cycle.map(|cycle| CycleState {
                started: cycle.started,
                done: cycle.done,
                total: cycle.total,
            }),
            last_cycle: self.last_cycle.map(LastCycle::from),
            next_run: self.next_run,
            problem: self.is_problem(),
            outbox: self.outbox.clone(),
            checked_at: self.last_event,
        }
    }

    /// The queue that nobody keeps any more.
    fn left_queue(&self) -> QueueState {
        let forgotten = Self {
            queue: Vec::new(),
            open: Vec::new(),
            cycle: None,
            waiting: None,
            stopping: false,
            next_run: None,
            waiting_for_clock: false,
            left: false,
            ..self.clone()
        };
        QueueState { problem: self.is_problem(), ..forgotten.queue() }
    }

    fn is_problem(&self) -> bool {
        self.servers
            .iter()
            .any(|server| server.answers() == Some(false) || server.destination_stuck.is_some())
            || self.jobs.iter().any(|job| self.problem(job))
    }

    /// Every server, in the order of the configuration.
    #[must_use]
    pub fn servers(&self) -> &[ServerState] {
        &self.servers
    }

    /// Every job, in the order of the configuration.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobState> {
        self.jobs.iter().map(|job| self.job(job)).collect()
    }

    /// How many events it has taken in. Of two copies of one queue, the one with more is the later one.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The cycle under way.
    #[must_use]
    pub fn cycle(&self) -> Option<CycleId> {
        self.cycle.map(|cycle| cycle.id)
    }

    /// How long the jobs in the queue usually take in all, in seconds; of a job that never ran nothing is known, and
    /// `unknown` is taken for it.
    #[must_use]
    pub fn queued_work(&self, unknown: u64) -> u64 {
        let usual = |key: &JobKey| self.jobs.iter().find(|job| job.key == *key).and_then(|job| job.usual);
        self.queue.iter().map(|key| usual(key).unwrap_or(unknown)).fold(0, u64::saturating_add)
    }

    /// Whether a job's turn is to come.
    #[must_use]
    pub fn is_queued(&self, key: &JobKey) -> bool {
        self.queue.contains(key)
    }

    /// The newest run of a job whose end is not known, on record also once nobody watches it any more.
    #[must_use]
    pub fn open_run(&self, key: &JobKey) -> Option<&RunRecord> {
        self.open_of(key).map(|open| &open.record)
    }

    /// A run whose end is not known.
    #[must_use]
    pub fn run(&self, id: RunId) -> Option<&RunRecord> {
        self.open.iter().map(|open| &open.record).find(|run| run.id == id)
    }

    /// The last run of a job whose end is known, or turn that passed without one.
    #[must_use]
    pub fn last_run(&self, key: &JobKey) -> Option<&RunRecord> {
        self.jobs.iter().find(|job| job.key == *key)?.last.as_ref()
    }

    fn job(&self, job: &JobFacts) -> JobState {
        let open = self.open_of(&job.key);
        let position = self.queue.iter().position(|key| *key == job.key).filter(|_| !self.left);
        let unreachable =
            || self.servers.iter().any(|s| s.server == job.key.server && s.answers() == Some(false));
        let phase = match open {
            Some(_) if self.left => JobPhase::Unknown,
            Some(open) => open.phase(),
            None if position.is_some() => JobPhase::Queued,
            None if unreachable() => JobPhase::Unknown,
            None => JobPhase::Idle,
        };
        JobState {
            key: job.key.clone(),
            label: job.label.clone(),
            phase,
            running: open.is_some() && !self.left,
            queue_position: position.and_then(|at| u32::try_from(at + 1).ok()),
            problem: self.problem(job),
            stale: job.stale,
            overrun: open.is_some_and(|open| open.record.overrun),
            limit: job.limit,
            current: open.filter(|_| !self.left).map(OpenRun::view),
            last: job.last.as_ref().and_then(LastRun::of),
            last_success: job.last_success,
            usual_duration: job.usual,
        }
    }

    fn problem(&self, job: &JobFacts) -> bool {
        let overrun = self.open_of(&job.key).is_some_and(|open| open.record.overrun);
        let reason = job.last.as_ref().filter(|last| last.is_problem());
        // A turn that a person called off is no failure of the job's.
        let called_off = reason.is_some_and(RunRecord::is_called_off);
        overrun || job.stale || (reason.is_some() && !called_off)
    }

    /// The run that speaks for its job: the newest of those under way.
    fn open_of(&self, key: &JobKey) -> Option<&OpenRun> {
        self.open.iter().rev().find(|open| open.record.key == *key)
    }

    /// The run that has the lane: within its limit if there is one, else the newest.
    fn current(&self) -> Option<&OpenRun> {
        let writing = || self.open.iter().rev();
        writing().find(|open| !open.record.overrun && !open.record.released).or_else(|| writing().next())
    }

    fn label(&self, key: &JobKey) -> String {
        let job = self.jobs.iter().find(|job| job.key == *key);
        job.map_or_else(|| key.job.to_string(), |job| job.label.clone())
    }
}

impl OpenRun {
    fn phase(&self) -> JobPhase {
        match () {
            () if self.progress.out_of_contact => JobPhase::Unknown,
            () if self.progress.stopping => JobPhase::Stopping,
            () if self.record.overrun => JobPhase::Overrun,
            () if self.seen => JobPhase::Running,
            () => JobPhase::Starting,
        }
    }

    fn view(&self) -> CurrentRun {
        CurrentRun {
            group: self.record.group,
            started: self.record.started,
            progress: self.progress.percent(),
            items: self.progress.items,
            items_completed: self.progress.items_completed,
            eta: self.progress.eta(),
            elapsed: self.progress.elapsed,
        }
    }
}
