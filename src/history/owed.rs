//! What the disk did not take: kept in memory, in its order, until it is written. Whoever reads meanwhile is shown it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::rows::Change;
use crate::model::{CycleRecord, RunRecord};

/// The changes that are owed to the disk.
#[derive(Debug, Default)]
pub(super) struct Owed(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Each with its number in the order in which they came.
    changes: Vec<(u64, Change)>,
    last: u64,
}

impl Owed {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The changes in their order, and the number of the last: what [`Owed::written`] wants to know.
    pub(super) fn all(&self) -> (u64, Vec<Change>) {
        let inner = self.lock();
        (inner.last, inner.changes.iter().map(|(_, change)| change.clone()).collect())
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.lock().changes.len()
    }

    /// The changes up to this number are on the disk.
    pub(super) fn written(&self, number: u64) {
        self.lock().changes.retain(|(one, _)| *one > number);
    }

    /// One more is owed. It takes the place of what it makes superfluous, so that a disk that fails for days does not
    /// fill the memory: of a run, its first record that takes a turn in the queue and its newest one are written.
    pub(super) fn add(&self, change: Change) {
        let mut inner = self.lock();
        inner.last += 1;
        let number = inner.last;
        inner.changes.retain(|(_, old)| !change.replaces(old));
        inner.changes.push((number, change));
    }

    /// The newest text that is owed under a name.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.lock().changes.iter().rev().find_map(|(_, change)| match change {
            Change::Text(one, text) if *one == name => Some(text.clone()),
            _ => None,
        })
    }

    /// The newest cycle that is owed.
    pub(super) fn cycle(&self) -> Option<CycleRecord> {
        self.lock().changes.iter().rev().find_map(|(_, change)| match change {
            Change::Queue(cycle, _) | Change::Cycle(cycle) => Some(*cycle),
            _ => None,
        })
    }

    /// Puts the runs that are owed over those read from the disk, as far as they are wanted. Whether any were.
    pub(super) fn overlay(&self, runs: &mut Vec<RunRecord>, wanted: impl Fn(&RunRecord) -> bool) -> bool {
        let inner = self.lock();
        for (_, change) in &inner.changes {
            let (id, newer) = match change {
                Change::Run(run) | Change::Turn(run) => (run.id, Some(run)),
                Change::Withdrawn(id, _) => (*id, None),
                _ => continue,
            };
            runs.retain(|run| run.id != id);
            runs.extend(newer.filter(|run| wanted(run)).map(|run| RunRecord::clone(run)));
        }
        !inner.changes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{CycleId, JobKey, JobResult, RunId};

    fn run(id: i64, result: Option<JobResult>) -> Box<RunRecord> {
        let key = JobKey { server: "a".parse().unwrap(), job: format!("{id:024x}").parse().unwrap() };
        let record = RunRecord::new(RunId(id), key, "Accounts", Timestamp::UNIX_EPOCH, 60);
        Box::new(RunRecord { result, open: result.is_none(), ..record })
    }

    #[test]
    fn what_comes_while_others_are_written_stays_owed() {
        let owed = Owed::default();
        owed.add(Change::Turn(run(1, None)));
        let (number, first) = owed.all();
        owed.add(Change::Turn(run(2, None)));
        owed.written(number);
        assert_eq!((first.len(), owed.len()), (1, 1));
        owed.written(owed.all().0);
        assert_eq!(owed.len(), 0);
    }

    #[test]
    fn a_disk_that_fails_for_days_does_not_fill_the_memory() {
        let owed = Owed::default();
        for _ in 0..1000 {
            owed.add(Change::Turn(run(1, None)));
            owed.add(Change::Run(run(1, Some(JobResult::Failed))));
            owed.add(Change::Text("schedule", "one".into()));
        }
        assert!(owed.len() <= 3, "{}", owed.len());
        assert_eq!(owed.text("schedule").as_deref(), Some("one"));
    }

    #[test]
    fn the_newest_truth_is_shown_in_place_of_what_the_disk_has() {
        let owed = Owed::default();
        let mut runs = vec![*run(1, None), *run(3, None)];
        assert!(!owed.overlay(&mut runs, |_| true));
        owed.add(Change::Turn(run(2, None)));
        owed.add(Change::Run(run(1, Some(JobResult::Failed))));
        owed.add(Change::Withdrawn(RunId(3), None));
        assert!(owed.overlay(&mut runs, |_| true));
        let shown: Vec<_> = runs.iter().map(|run| (run.id.0, run.result)).collect();
        assert_eq!(shown, [(2, None), (1, Some(JobResult::Failed))]);
        owed.add(Change::Cycle(CycleRecord::begun(CycleId(7), Timestamp::UNIX_EPOCH, 1)));
        assert_eq!(owed.cycle().map(|cycle| cycle.id), Some(CycleId(7)));
    }
}
