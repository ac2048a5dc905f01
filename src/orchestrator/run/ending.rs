//! How a run's end is told: by its group, by JetBackup's log, or by nothing.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::super::Now;
use super::{Run, Stage};
use crate::jetbackup::{Group, GroupStatus, Log, LogStatus};
use crate::model::{JobResult, Origin, Reason};

/// How far the clocks of this machine and a server may differ when a log has to be recognised by its time.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(30);
/// How long after the trigger a log may be started to be that run's: JetBackup queues a run up to two minutes later.
const START_TOLERANCE: Duration = Duration::from_secs(180);
/// How often the log is asked for in vain, while the server answers otherwise, before the run is judged without it.
const LOG_ATTEMPTS: u32 = 3;

impl Run {
    /// Ends the run as its finished group says.
    pub(super) fn end_by_group(&mut self, group: &Group, now: Now) {
        self.record.ended = group.ended;
        let result = match group.status {
            GroupStatus::Completed => JobResult::Completed,
            GroupStatus::Partial => JobResult::Partial,
            GroupStatus::Aborted => JobResult::Aborted,
            GroupStatus::NeverFinished => JobResult::NeverFinished,
            _ => JobResult::Failed,
        };
        if let GroupStatus::Unknown(code) = group.status {
            self.record.tell(format!("JetBackup ended the queue group with the unknown status {code}"));
        } else {
            self.record.error = None;
        }
        let own = self.witnessed.then(|| self.elapsed(now.mono).as_secs());
        self.record.duration =
            server_duration(self.record.started, group.ended).or(group.execution_time).or(own);
        self.judge_limit();
        self.end(result);
    }

    /// Whether it ran beyond its limit, where its length is known: one that nobody watched passed its limit unseen, and
    /// one out of sight at its limit may have ended before it.
    fn judge_limit(&mut self) {
        match self.record.duration {
            Some(took) if took > self.record.limit => self.record.overrun = true,
            Some(took) if took < self.record.limit && self.stop_asked.is_none() => {
                self.record.overrun = false;
            }
            _ => {}
        }
    }

    /// The log could not be had. Whether to do without.
    pub fn miss_log(&mut self) -> bool {
        self.logs_missed += 1;
        self.logs_missed >= LOG_ATTEMPTS
    }

    /// The earliest moment at which its log can have been started; without one, any of its job's logs can be its own.
    pub fn logs_since(&self) -> Option<Timestamp> {
        let earliest = self.record.started.unwrap_or(self.record.asked);
        earliest.checked_sub(SignedDuration::try_from(CLOCK_TOLERANCE).ok()?).ok()
    }

    /// The run's own log: the one its group named; without a name, the one that was started nearest to when the run
    /// began, if that is near enough.
    fn own_log<'a>(&self, logs: &'a [Log]) -> Option<&'a Log> {
        if let Some(id) = self.record.log {
            return logs.iter().find(|log| log.id == id);
        }
        // While the job says that it runs, the log that is being written is its own, whatever the clocks say.
        if self.is_only_reported()
            && let Some(log) = logs.iter().find(|log| log.status == LogStatus::Processing)
        {
            return Some(log);
        }
        let began = self.record.started.unwrap_or(self.record.asked);
        let latest = match (self.record.started, self.record.origin) {
            (Some(_), _) => CLOCK_TOLERANCE,
            // It may have begun as late as it may, by its server's clock.
            (None, Origin::Triggered) => START_TOLERANCE,
            // It was under way when it was first seen.
            (None, Origin::Adopted) => CLOCK_TOLERANCE,
        };
        let distance = |log: &&Log| {
            let started = log.started?;
            let after = started.duration_since(began);
            let by = after.unsigned_abs();
            let near = if after.is_negative() { by <= CLOCK_TOLERANCE } else { by <= latest };
            let was_under_way = self.record.started.is_none()
                && self.record.origin == Origin::Adopted
                && after.is_negative()
                && log.ended.is_none_or(|ended| ended >= began);
            (near || was_under_way).then_some(by)
        };
        logs.iter()
            .filter_map(|log| Some((distance(&log)?, log)))
            .min_by_key(|(by, _)| *by)
            .map(|(_, log)| log)
    }

    /// Ends a run whose group can no longer be asked: by JetBackup's log if one is this run's, else as `otherwise` says.
    ///
    /// Answers whether that is known now: a log that is still being written means that the run goes on.
    pub fn end_by_log(&mut self, logs: Option<&[Log]>, otherwise: JobResult) -> bool {
        let own = logs.and_then(|logs| self.own_log(logs)).cloned();
        let vanished = self.record.group.map(|_| Reason::GroupVanished);
        let Some(log) = own else {
            self.record.reason =
                if otherwise == JobResult::DidNotStart { Some(Reason::NothingStarted) } else { vanished };
            if self.record.reason.is_none() {
                self.record.tell("the job said that it ran, and JetBackup never listed a queue group of it");
            }
            self.end(otherwise);
            return true;
        };
        let result = match log.status {
            LogStatus::Processing => return false,
            LogStatus::Completed => JobResult::Completed,
            LogStatus::Failed => JobResult::Failed,
            LogStatus::Aborted => JobResult::Aborted,
            LogStatus::Partial => JobResult::Partial,
            LogStatus::NeverFinished => JobResult::NeverFinished,
            LogStatus::Unknown(_) => JobResult::Unknown,
        };
        self.record.started = self.record.started.or(log.started);
        self.record.ended = log.ended;
        self.record.duration = server_duration(self.record.started, log.ended);
        self.judge_limit();
        self.record.reason = vanished;
        self.end(result);
        true
    }

    /// Ends the run with `result`.
    pub fn end(&mut self, result: JobResult) {
        self.record.result = Some(result);
        self.record.open = false;
        if result == JobResult::DidNotStart {
            // Its job may have said "running" for a moment. Watched on, it begins from nothing, and is not ended again.
            self.stage = Stage::Starting;
        }
    }
}

fn server_duration(started: Option<Timestamp>, ended: Option<Timestamp>) -> Option<u64> {
    let taken = ended?.duration_since(started?);
    u64::try_from(taken.as_secs()).ok()
}
