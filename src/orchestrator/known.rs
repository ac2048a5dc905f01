//! What is known of the jobs beside their runs: how the last one went, how long they take, whether they are stale.

use std::time::Duration;

use jiff::Timestamp;

use super::WallClock;
use super::wheel::Orchestrator;
use crate::config::Job;
use crate::history::{Durations, Past};
use crate::model::{JobFacts, JobKey, JobResult, RunRecord, What};

/// What is known of a job.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Its last result, for telling recoveries.
    last: Option<JobResult>,
    durations: Durations,
    last_success: Option<Timestamp>,
    since: Option<Timestamp>,
    stale: bool,
}

impl Known {
    /// What its past says of a job.
    pub fn of(past: &Past, stale_after: Duration, clock: &dyn WallClock) -> Self {
        let last = past.last.as_ref().filter(|run| !run.is_called_off());
        let mut known = Self {
            last: last.and_then(|run| run.result),
            durations: past.durations.clone(),
            last_success: past.last_success,
            since: past.known_since,
            stale: past.stale,
        };
        // The limit may have been raised since it was told.
        known.stale &= !clock.is_plausible() || known.is_overdue(stale_after, clock.now());
        known
    }

    /// What the snapshot begins with.
    pub fn facts(&self, job: &Job, past: Past) -> JobFacts {
        let usual = past.usual();
        JobFacts {
            key: job.key.clone(),
            label: job.label.clone(),
            limit: job.timeout.as_secs(),
            last: past.last,
            last_success: past.last_success,
            usual,
            stale: self.stale,
        }
    }

    /// A job that never completed counts from when it was first configured.
    fn is_overdue(&self, stale_after: Duration, now: Timestamp) -> bool {
        let since = self.last_success.max(self.since);
        since.is_some_and(|since| now.duration_since(since).unsigned_abs() > stale_after && now > since)
    }
}

impl Orchestrator {
    /// Notes since when the jobs are configured. With a clock that cannot be right this would make them stale soon.
    ///
    /// Answers whether that is on record.
    pub(super) async fn know_jobs(&mut self) -> bool {
        if !self.clock.is_plausible() {
            return false;
        }
        let now = self.clock.now();
        let jobs: Vec<JobKey> = self.config.jobs.iter().map(|job| job.key.clone()).collect();
        let known = self.history.know(&jobs, now).await;
        if let Err(error) = &known {
            tracing::warn!("since when jobs are configured is not on record: {error}");
        }
        for known in self.known.values_mut() {
            known.since.get_or_insert(now);
        }
        known.is_ok()
    }

    /// Tells of jobs that have not completed for longer than they may.
    pub(super) async fn tell_stale(&mut self) {
        if !self.clock.is_plausible() {
            return;
        }
        let now = self.clock.now();
        let mut stale = Vec::new();
        for job in &self.config.jobs {
            let Some(known) = self.known.get_mut(&job.key) else { continue };
            if !known.stale && known.is_overdue(job.stale_after, now) {
                known.stale = true;
                stale.push((job.key.clone(), known.last_success));
            }
        }
        for (job, last_success) in stale {
            self.tell(What::JobStale { job, last_success }).await;
        }
    }

    /// Takes in how a run ended. Whether that makes it a recovery.
    pub(super) fn remember(&mut self, record: &RunRecord) -> bool {
        if record.is_called_off() {
            return false;
        }
        let now = self.clock.now();
        let known = self.known.entry(record.key.clone()).or_default();
        let failed = known.last.is_some_and(|last| last != JobResult::Completed);
        known.last = record.result;
        let completed = record.result == Some(JobResult::Completed);
        if completed {
            known.last_success = record.ended.or(Some(now));
            known.stale = false;
        }
        failed && completed
    }

    /// How long a job usually takes, in seconds.
    pub(super) fn usual(&self, key: &JobKey) -> Option<u64> {
        self.known.get(key).and_then(|known| known.durations.median())
    }

    /// Learns from a run that has ended how long its job usually takes; answers that where it is news.
    pub(super) fn learn_usual(&mut self, record: &RunRecord) -> Option<u64> {
        let durations = &mut self.known.entry(record.key.clone()).or_default().durations;
        let before = durations.median();
        durations.add(record);
        durations.median().filter(|usual| Some(*usual) != before)
    }
}
