//! Who may write: the one rule that keeps parallel backups off the NAS.

use super::run::Run;
use crate::config::OnTimeout;
use crate::model::RunRecord;

/// Whether a job may be triggered now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lane {
    /// Yes.
    Free,
    /// No.
    Held {
        /// Why, in words for a person.
        reason: String,
    },
}

/// What a run is to the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It alone keeps the lane from everyone else.
    Holds,
    /// It is beyond its limit under `continue`: so many of these may be under way, and one more keeps the lane.
    Overrun,
    /// Nothing: a person released it, or nothing was seen of it in time.
    Nothing,
}

impl Claim {
    /// What the run of this record is to the lane.
    #[must_use]
    pub fn of(record: &RunRecord, policy: OnTimeout) -> Self {
        match () {
            () if !record.open || record.released => Self::Nothing,
            () if record.overrun && policy == OnTimeout::Continue => Self::Overrun,
            () => Self::Holds,
        }
    }
}

/// Whether `run` alone keeps the lane from everyone else.
pub(super) fn holds(run: &Run, policy: OnTimeout) -> bool {
    Claim::of(&run.record, policy) == Claim::Holds
}

/// How many runs are beyond their limit and not released.
pub(super) fn overruns(runs: &[Run]) -> usize {
    runs.iter().filter(|run| Claim::of(&run.record, OnTimeout::Continue) == Claim::Overrun).count()
}

/// Judges the lane with these runs under way.
pub(super) fn lane(runs: &[Run], policy: OnTimeout, max_overruns: u32) -> Lane {
    if let Some(holder) = runs.iter().find(|run| holds(run, policy)) {
        let what = match () {
            () if holder.is_out_of_contact() => "is out of reach and may be running",
            () if holder.record.overrun => "runs beyond its time limit",
            () if holder.is_starting() => "is starting",
            () => "is running",
        };
        return Lane::Held {
            reason: format!("{} on {} {what}", holder.record.label, holder.record.key.server),
        };
    }
    let overruns = overruns(runs);
    if overruns > usize::try_from(max_overruns).unwrap_or(usize::MAX) {
        return Lane::Held {
            reason: format!("{overruns} runs are beyond their time limit (max_overruns is {max_overruns})"),
        };
    }
    Lane::Free
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::model::{JobResult, RunId, RunRecord};
    use crate::orchestrator::Now;

    fn run(change: impl FnOnce(&mut RunRecord)) -> Run {
        let mut record = RunRecord::new(
            RunId(1),
            crate::model::JobKey {
                server: "a".parse().unwrap(),
                job: "0000000000000000000000a1".parse().unwrap(),
            },
            "Accounts",
            jiff::Timestamp::UNIX_EPOCH,
            60,
        );
        change(&mut record);
        Run::triggered(record, Now { mono: Instant::now(), wall: jiff::Timestamp::UNIX_EPOCH, boot: None })
    }

    fn overrun() -> Run {
        run(|record| record.overrun = true)
    }

    fn is_free(runs: &[Run], policy: OnTimeout, max_overruns: u32) -> bool {
        lane(runs, policy, max_overruns) == Lane::Free
    }

    #[test]
    fn one_run_holds_the_lane_whatever_is_known_of_it() {
        for policy in [OnTimeout::Continue, OnTimeout::Wait] {
            assert!(is_free(&[], policy, 0));
            assert!(!is_free(&[run(|_| ())], policy, 9));
            assert!(!is_free(&[run(|record| record.result = Some(JobResult::LostContact))], policy, 9));
            assert!(is_free(&[run(|record| record.open = false)], policy, 0), "did not start");
        }
    }

    #[test]
    fn an_overrun_stands_beside_the_lane_only_under_continue_and_only_so_many() {
        assert!(is_free(&[overrun()], OnTimeout::Continue, 1));
        assert!(!is_free(&[overrun(), overrun()], OnTimeout::Continue, 1));
        assert!(is_free(&[overrun(), overrun()], OnTimeout::Continue, 2));
        assert!(!is_free(&[overrun()], OnTimeout::Continue, 0));
        assert!(!is_free(&[overrun()], OnTimeout::Wait, 9));
        assert!(!is_free(&[overrun(), run(|_| ())], OnTimeout::Continue, 9));
    }

    #[test]
    fn a_released_run_holds_nothing() {
        let released = || {
            run(|record| {
                record.overrun = true;
                record.released = true;
            })
        };
        assert!(is_free(&[released()], OnTimeout::Wait, 0));
        assert!(is_free(&[released(), overrun()], OnTimeout::Continue, 1));
    }

    #[test]
    fn the_reason_names_who_and_why() {
        let Lane::Held { reason } = lane(&[overrun()], OnTimeout::Wait, 1) else { panic!() };
        assert_eq!(reason, "Accounts on a runs beyond its time limit");
        let Lane::Held { reason } = lane(&[overrun(), overrun()], OnTimeout::Continue, 1) else { panic!() };
        assert_eq!(reason, "2 runs are beyond their time limit (max_overruns is 1)");
    }
}
