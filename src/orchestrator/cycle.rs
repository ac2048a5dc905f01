//! Cycles: begun, taken up again after a restart, and ended; and the turns that pass without a trigger.

use tokio::time::Instant;

use super::lane::holds;
use super::run::Run;
use super::survey::record;
use super::unique;
use super::wheel::Orchestrator;
use crate::history::Interrupted;
use crate::model::{CycleId, CycleRecord, JobKey, JobResult, Origin, Reason, RunRecord, What};

/// A cycle under way.
#[derive(Debug)]
pub(super) struct Cycle {
    pub record: CycleRecord,
    /// When it began, if this process began it: what ours was not watching has no length by its clock.
    began: Option<Instant>,
}

impl Orchestrator {
    /// Begins a cycle with these jobs.
    pub(super) async fn begin(&mut self, jobs: Vec<JobKey>) {
        self.end_unresumed().await;
        for job in &jobs {
            self.queue.ask(job);
        }
        let record = CycleRecord::begun(CycleId(unique()), self.clock.now(), jobs.len());
        self.cycle = Some(Cycle { record, began: Some(Instant::now()) });
        self.stopping = false;
        self.tell(What::CycleStarted { cycle: record, jobs, resumed: false }).await;
    }

    /// Goes on with the cycle that an earlier process left.
    pub(super) async fn resume(&mut self, Interrupted { cycle, jobs, .. }: Interrupted) {
        for job in &jobs {
            self.queue.ask(job);
        }
        self.cycle = Some(Cycle { record: cycle, began: None });
        self.tell(What::CycleStarted { cycle, jobs: jobs.clone(), resumed: true }).await;
        for job in jobs.iter().filter(|job| self.config.job(job).is_none()).cloned().collect::<Vec<_>>() {
            self.skip(&job, Reason::NotConfigured, None).await;
        }
    }

    /// Nobody takes this cycle up any more. What of it was to be told with its end is told now, if never before.
    pub(super) async fn tell_end_of(&mut self, mut cycle: CycleRecord) {
        cycle.ended = Some(self.clock.now());
        cycle.problems = cycle.total.saturating_sub(cycle.completed);
        self.tell(What::CycleFinished(cycle)).await;
    }

    /// Whether a run is its job's turn in the cycle under way.
    pub(super) fn is_turn(&self, run: &RunRecord) -> bool {
        run.cycle.is_some() && run.cycle == self.cycle_id()
    }

    pub(super) fn cycle_id(&self) -> Option<CycleId> {
        self.cycle.as_ref().map(|cycle| cycle.record.id)
    }

    /// There is a cycle and every turn of it is over. A run beside the lane, or somebody else's, is only watched.
    pub(super) fn is_over(&self) -> bool {
        let policy = self.config.orchestrator.on_timeout;
        let awaited = |run: &Run| self.is_turn(&run.record) && holds(run, policy);
        self.cycle.is_some() && self.queue.is_empty() && !self.runs.iter().any(awaited)
    }

    /// Ends the cycle under way and answers how it went.
    pub(super) async fn end_cycle(&mut self) -> CycleRecord {
        // Without one, the answer is an empty cycle.
        let cycle = self.cycle.take();
        let began = cycle.as_ref().and_then(|cycle| cycle.began);
        let now = self.clock.now();
        let mut record =
            cycle.map_or_else(|| CycleRecord::begun(CycleId(unique()), now, 0), |cycle| cycle.record);
        record.ended = Some(now);
        record.duration = began.map(|began| began.elapsed().as_secs());
        record.problems = record.total.saturating_sub(record.completed);
        self.stopping = false;
        if let Some(duties) = &mut self.duties {
            duties.cycle_finished(&record);
        }
        self.tell(What::CycleFinished(record)).await;
        record
    }

    /// A turn is over, or one more is to come.
    pub(super) fn count_in_cycle(&mut self, change: impl FnOnce(&mut CycleRecord)) {
        if let Some(cycle) = &mut self.cycle {
            change(&mut cycle.record);
        }
    }

    /// The turns that are left pass.
    pub(super) async fn skip_the_rest(&mut self) {
        while let Some(job) = self.queue.first().cloned() {
            self.skip(&job, Reason::StoppedByUser, None).await;
        }
    }

    /// Records that a job's turn passes without a trigger.
    pub(super) async fn skip(&mut self, job: &JobKey, reason: Reason, error: Option<String>) {
        self.queue.remove(job);
        let mut record = self.new_record(job, Origin::Triggered);
        record.result = Some(JobResult::Skipped);
        record.reason = Some(reason);
        record.open = false;
        if let Some(error) = error {
            record.tell(error);
        }
        self.count_in_cycle(|cycle| cycle.done += 1);
        self.remember(&record);
        self.tell(What::JobSkipped(record)).await;
    }

    pub(super) fn new_record(&self, key: &JobKey, origin: Origin) -> RunRecord {
        record(&self.config, key, origin, self.cycle_id(), self.clock.now())
    }
}
