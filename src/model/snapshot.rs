//! The queue as it stands: a pure fold over events. What status, MQTT and the dashboard show is read off it, in
//! `showing`.

mod showing;

use super::event::{Event, Progress, What};
use super::view::{OutboxState, ServerState};
use super::{CycleRecord, JobKey, JobResult, Remark, RunId, RunRecord, ServerName, text};
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
    outbox: Option<OutboxState>,
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
            outbox: None,
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

    /// With what was remarked on the servers by an earlier process.
    #[must_use]
    pub fn remarking(mut self, known: &[(ServerName, Vec<Remark>)]) -> Self {
        for (server, remarks) in known {
            if let Some(state) = self.server_mut(server) {
                state.remarks.clone_from(remarks);
            }
        }
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
            What::TriggerWithdrawn { run, queued } => {
                self.open.retain(|open| open.record.id != run.id);
                if *queued && !self.queue.contains(&run.key) {
                    self.queue.insert(0, run.key.clone());
                }
            }
            What::JobDeferred { job, .. } => {
                if let Some(at) = self.queue.iter().position(|queued| queued == job) {
                    let job = self.queue.remove(at);
                    self.queue.push(job);
                }
            }
            What::PastRead { jobs, last_cycle } => {
                self.jobs.clone_from(jobs);
                self.last_cycle = *last_cycle;
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
            What::Outbox(outbox) => self.outbox = Some(outbox.clone()),
            What::Leaving => self.left = true,
            What::Scheduled { next, waiting_for_clock } => {
                self.next_run = *next;
                self.waiting_for_clock = *waiting_for_clock;
            }
            What::Stopping => self.stopping = true,
            What::Alert { .. } | What::CycleMissed { .. } | What::DestinationEnabled { .. } => {}
            What::DestinationDisabled { server, .. } => self.set_destination_stuck(server, None),
            What::DestinationStuck { server, error, .. } => self.set_destination_stuck(server, Some(error)),
            What::Remarks { server, remarks, .. } => {
                if let Some(state) = self.server_mut(server) {
                    state.remarks.clone_from(remarks);
                }
            }
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

    fn set_destination_stuck(&mut self, server: &ServerName, error: Option<&String>) {
        if let Some(state) = self.server_mut(server) {
            state.destination_stuck = error.map(|error| text::cut(error, text::KEPT));
        }
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
        state.error = Some(text::cut(error, text::KEPT));
        if by_ssh {
            state.checked_at = Some(at);
        }
    }
}

#[cfg(test)]
mod tests;
