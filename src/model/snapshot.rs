//! The queue as it stands: a pure fold over events. What status, MQTT and the dashboard show is read off it.

use super::event::{Event, Progress, What};
use super::view::{
    CurrentJob, CurrentRun, CycleState, JobPhase, JobState, LastCycle, LastRun, QueuePhase, QueueState,
    QueuedJob, ServerState,
};
use super::{CycleRecord, JobKey, JobResult, RunId, RunRecord, ServerName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is known of a job before anything happens: its configuration and its past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobFacts {
    /// The job.
    pub key: JobKey,
    /// What people call it.
    pub label: String,
    /// Its time limit in seconds.
    pub limit: u64,
    /// Its last finished run.
    pub last: Option<RunRecord>,
    /// When it last completed.
    pub last_success: Option<Timestamp>,
    /// How long it usually takes, in seconds.
    pub usual: Option<u64>,
    /// It has not completed for longer than it may, and that was told.
    pub stale: bool,
}

/// A run whose end is not known yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct OpenRun {
    record: RunRecord,
    progress: Progress,
    seen: bool,
}

/// The queue as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    servers: Vec<ServerState>,
    jobs: Vec<JobFacts>,
    queue: Vec<JobKey>,
    open: Vec<OpenRun>,
    cycle: Option<CycleRecord>,
    last_cycle: Option<CycleRecord>,
    waiting: Option<String>,
    stopping: bool,
    next_run: Option<Timestamp>,
    waiting_for_clock: bool,
    /// Who kept the queue has gone: nothing is under way that anyone watches.
    left: bool,
    last_event: Option<Timestamp>,
    /// How many events it has taken in.
    applied: u64,
}

impl Snapshot {
    /// The queue before anything happened.
    #[must_use]
    pub fn new(servers: &[ServerName], jobs: Vec<JobFacts>) -> Self {
        Self {
            servers: servers.iter().cloned().map(ServerState::unasked).collect(),
            jobs,
            queue: Vec::new(),
            open: Vec::new(),
            cycle: None,
            last_cycle: None,
            waiting: None,
            stopping: false,
            next_run: None,
            waiting_for_clock: false,
            left: false,
            last_event: None,
            applied: 0,
        }
    }

    /// With the last finished cycle of an earlier process.
    #[must_use]
    pub fn after(mut self, last_cycle: Option<CycleRecord>) -> Self {
        self.last_cycle = last_cycle;
        self
    }

    /// Takes in what happened.
    pub fn apply(&mut self, event: &Event) {
        self.applied = self.applied.saturating_add(1);
        self.last_event = Some(event.at);
        match &event.what {
            What::CycleStarted { cycle, jobs, .. } => self.begin_cycle(*cycle, jobs),
            What::JobQueued { job } => self.enqueue(job),
            What::JobStarting(run) => {
                self.leave_queue(run);
                self.open_mut(run);
            }
            What::JobStarted(run) => {
                self.leave_queue(run);
                self.open_mut(run).seen = true;
            }
            What::RunNoted(run) | What::Released(run) | What::JobTimeout { run, .. } => {
                self.leave_queue(run);
                if run.open {
                    self.open_mut(run);
                }
            }
            What::Progress { run, progress } => self.progress(*run, *progress, event.at),
            What::JobFinished { run, .. } => self.close(run),
            What::JobSkipped(run) => {
                self.leave_queue(run);
                self.close(run);
            }
            What::Waiting { reason } => self.waiting.clone_from(reason),
            What::ServerUnreachable { server, error, by_ssh } => {
                self.missed(server, event.at, error, *by_ssh);
            }
            What::ServerReachable { server, version } => {
                self.heard(server, event.at, version.as_ref());
            }
            What::ServerSeen { server, destination_free } => {
                if let Some(state) = self.server_mut(server) {
                    state.checked_at = Some(event.at);
                    state.destination_free = destination_free.or(state.destination_free);
                }
            }
            What::UsualKnown { job, usual } => {
                if let Some(job) = self.job_mut(job) {
                    job.usual = *usual;
                }
            }
            What::JobStale { job, .. } => {
                if let Some(job) = self.job_mut(job) {
                    job.stale = true;
                }
            }
            What::Leaving => self.left = true,
            What::Scheduled { next, waiting_for_clock } => {
                self.next_run = *next;
                self.waiting_for_clock = *waiting_for_clock;
            }
            What::Stopping => self.stopping = true,
            What::Alert { .. } => {}
            What::CycleFinished(cycle) => {
                self.last_cycle = Some(*cycle);
                self.cycle = None;
                self.queue.clear();
                self.stopping = false;
                self.waiting = None;
            }
        }
    }

    fn begin_cycle(&mut self, cycle: CycleRecord, jobs: &[JobKey]) {
        self.cycle = Some(cycle);
        self.stopping = false;
        for job in jobs {
            if !self.queue.contains(job) {
                self.queue.push(job.clone());
            }
        }
    }

    fn enqueue(&mut self, job: &JobKey) {
        if self.queue.contains(job) {
            return;
        }
        self.queue.push(job.clone());
        if let Some(cycle) = &mut self.cycle {
            cycle.total += 1;
        }
    }

    /// A run of this cycle is its job's turn; any other is only watched.
    fn leave_queue(&mut self, run: &RunRecord) {
        if run.cycle.is_some() && run.cycle == self.cycle.map(|cycle| cycle.id) {
            self.queue.retain(|key| *key != run.key);
        }
    }

    fn open_mut(&mut self, run: &RunRecord) -> &mut OpenRun {
        let usual = self.jobs.iter().find(|job| job.key == run.key).and_then(|job| job.usual);
        let at = self.open.iter().position(|open| open.record.id == run.id).unwrap_or_else(|| {
            let progress = Progress { usual, ..Progress::default() };
            self.open.push(OpenRun { record: run.clone(), progress, seen: false });
            self.open.len() - 1
        });
        let open = &mut self.open[at];
        open.record = run.clone();
        open.seen |= run.group.is_some();
        open
    }

    fn progress(&mut self, id: RunId, progress: Progress, at: Timestamp) {
        let Some(open) = self.open.iter_mut().find(|open| open.record.id == id) else { return };
        open.progress = progress;
        let server = &open.record.key.server;
        if let Some(state) = self.servers.iter_mut().find(|state| state.server == *server)
            && !progress.out_of_contact
        {
            state.checked_at = Some(at);
        }
    }

    fn close(&mut self, run: &RunRecord) {
        self.open.retain(|open| open.record.id != run.id);
        if let (Some(cycle), Some(id)) = (&mut self.cycle, run.cycle)
            && cycle.id == id
        {
            cycle.done += 1;
            if run.is_problem() {
                cycle.problems += 1;
            } else {
                cycle.completed += 1;
            }
        }
        let Some(job) = self.jobs.iter_mut().find(|job| job.key == run.key) else { return };
        if run.result == Some(JobResult::Completed) {
            job.last_success = run.ended.or(self.last_event);
            job.stale = false;
        }
        job.last = Some(run.clone());
    }

    fn job_mut(&mut self, key: &JobKey) -> Option<&mut JobFacts> {
        self.jobs.iter_mut().find(|job| job.key == *key)
    }

    fn server_mut(&mut self, server: &ServerName) -> Option<&mut ServerState> {
        self.servers.iter_mut().find(|state| state.server == *server)
    }

    fn heard(&mut self, server: &ServerName, at: Timestamp, version: Option<&String>) {
        let Some(state) = self.server_mut(server) else { return };
        if state.answers() != Some(true) {
            state.since = Some(at);
        }
        state.reachable = Some(true);
        state.jetbackup = Some(true);
        state.version = version.cloned().or(state.version.take());
        state.error = None;
        state.checked_at = Some(at);
    }

    fn missed(&mut self, server: &ServerName, at: Timestamp, error: &str, by_ssh: bool) {
        let Some(state) = self.server_mut(server) else { return };
        if state.answers() != Some(false) {
            state.since = Some(at);
        }
        state.reachable = Some(by_ssh);
        state.jetbackup = by_ssh.then_some(false);
        state.error = Some(error.chars().take(250).collect());
        if by_ssh {
            state.checked_at = Some(at);
        }
    }

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
            outbox: None,
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
        self.servers.iter().any(|server| server.answers() == Some(false))
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

#[cfg(test)]
mod tests;
