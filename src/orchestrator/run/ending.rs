//! How a run's end is told: by its group, by JetBackup's log, or by nothing.

use std::time::Duration;

use jiff::Timestamp;

use super::super::Now;
use super::{Run, Stage};
use crate::jetbackup::{Group, GroupStatus, Log, LogStatus};
use crate::model::{JobResult, Reason};

/// How far the clocks of this machine and a server may differ when a log has to be recognised by its time.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(30);
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
        // One that nobody watched passed its limit unseen; one out of sight at its limit may have ended before it.
        match self.record.duration {
            Some(took) if took > self.record.limit => self.record.overrun = true,
            Some(took) if took < self.record.limit && self.stop_asked.is_none() => {
                self.record.overrun = false
            }
            _ => {}
        }
        self.end(result);
    }

    /// The log could not be had. Whether to do without.
    pub fn miss_log(&mut self) -> bool {
        self.logs_missed += 1;
        self.logs_missed >= LOG_ATTEMPTS
    }

    /// Ends a run whose group can no longer be asked: by JetBackup's log if one is this run's, else as `otherwise` says.
    ///
    /// Answers whether that is known now: a log that is still being written means that the run goes on.
    pub fn end_by_log(&mut self, logs: Option<&[Log]>, otherwise: JobResult, now: Timestamp) -> bool {
        let earliest = self.record.started.unwrap_or(self.record.asked);
        let earliest = earliest.checked_sub(CLOCK_TOLERANCE).unwrap_or(Timestamp::MIN);
        // Where only our own clock says when it began, a log from beyond that clock's present proves the clock wrong.
        let latest = match self.record.started {
            Some(_) => Timestamp::MAX,
            None => now.checked_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX),
        };
        let is_own = |log: &&Log| log.started.is_some_and(|at| (earliest..=latest).contains(&at));
        let own = logs.and_then(|logs| logs.iter().find(is_own));
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
