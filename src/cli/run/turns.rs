//! The turns that were asked for, and how each of them ended: read off the daemon's snapshots, without I/O.
//!
//! Snapshots rather than events, because a follower may miss events, and a daemon that was restarted tells no old
//! ones: how things stand is enough to know whether a turn is over and how it went.

use crate::config::OnTimeout;
use crate::model::{JobKey, RunId, RunRecord, Selection, Snapshot};
use crate::orchestrator::Claim;

/// The turns of the jobs that were handed over.
#[derive(Debug)]
pub(super) struct Turns {
    turns: Vec<Turn>,
    on_timeout: OnTimeout,
}

/// A job's turn.
#[derive(Debug)]
pub(super) struct Turn {
    pub key: JobKey,
    pub label: String,
    /// The job's last run whose end was known while this turn was not over. A later one is this turn's end.
    before: Option<RunId>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing is seen of it yet: the daemon has just taken it, or has been restarted.
    Expected,
    /// It waits in the queue, or runs.
    UnderWay,
    Over(End),
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum End {
    /// With this run; or with it still `open`, where the queue no longer waits for it.
    Run(Box<RunRecord>),
    /// It never came.
    NotReached,
}

impl End {
    pub fn completed_in_time(&self) -> bool {
        matches!(self, Self::Run(run) if !run.open && run.result.is_some() && !run.is_problem())
    }
}

impl Turn {
    /// How it ended; nothing where that is not known.
    pub fn end(&self) -> Option<&End> {
        match &self.state {
            State::Over(end) => Some(end),
            State::Expected | State::UnderWay => None,
        }
    }

    fn look(&mut self, snapshot: &Snapshot, on_timeout: OnTimeout) {
        if self.end().is_some() {
            return;
        }
        let last = snapshot.last_run(&self.key);
        let ended = last.filter(|last| Some(last.id) != self.before);
        let open = snapshot.open_run(&self.key);
        // Whether its end is waited for: the queue itself goes on beside it otherwise.
        let held = open.is_some_and(|run| Claim::of(run, on_timeout) == Claim::Holds);
        if snapshot.is_queued(&self.key) || held {
            // The end of an older run, beside this turn, is not this turn's end.
            self.before = last.map(|last| last.id);
            self.state = State::UnderWay;
        } else if let Some(run) = ended.or(open) {
            self.state = State::Over(End::Run(Box::new(run.clone())));
        } else if matches!(self.state, State::UnderWay) {
            self.state = State::Over(End::NotReached);
        }
    }
}

impl Turns {
    /// The turns of the jobs that `selection` takes, as the daemon knows them; `snapshot` is from before it was asked.
    pub fn asked(snapshot: &Snapshot, selection: &Selection, on_timeout: OnTimeout) -> Self {
        let taken = snapshot.jobs().into_iter().filter(|job| selection.takes(&job.key));
        let turn = |key: JobKey, label| {
            let before = snapshot.last_run(&key).map(|run| run.id);
            Turn { key, label, before, state: State::Expected }
        };
        Self { turns: taken.map(|job| turn(job.key, job.label)).collect(), on_timeout }
    }

    /// A job that the daemon does not know, and so will not run.
    pub fn unknown(&mut self, key: JobKey, label: String) {
        self.turns.push(Turn { key, label, before: None, state: State::Over(End::NotReached) });
    }

    /// Takes in how things stand. Not to be called with a snapshot from before the daemon's answer.
    pub fn look(&mut self, snapshot: &Snapshot) {
        for turn in &mut self.turns {
            turn.look(snapshot, self.on_timeout);
        }
    }

    /// The cycle that had these turns is over, so no more of them come.
    pub fn cycle_is_over(&mut self, snapshot: &Snapshot) {
        for turn in &mut self.turns {
            if matches!(turn.state, State::UnderWay) {
                let open = snapshot.open_run(&turn.key);
                let end = open.map_or(End::NotReached, |run| End::Run(Box::new(run.clone())));
                turn.state = State::Over(end);
            }
        }
    }

    /// The daemon is gone. One that comes back has to show first what it still knows.
    pub fn lose_sight(&mut self) {
        for turn in &mut self.turns {
            if matches!(turn.state, State::UnderWay) {
                turn.state = State::Expected;
            }
        }
    }

    /// What was not seen again by now will not come.
    pub fn give_up_unseen(&mut self) {
        for turn in &mut self.turns {
            if matches!(turn.state, State::Expected) {
                turn.state = State::Over(End::NotReached);
            }
        }
    }

    /// Whether something is still to be seen for the first time.
    pub fn some_unseen(&self) -> bool {
        self.turns.iter().any(|turn| matches!(turn.state, State::Expected))
    }

    pub fn are_over(&self) -> bool {
        self.turns.iter().all(|turn| turn.end().is_some())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Turn> {
        self.turns.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AfterTimeout, CycleId, CycleRecord, Event, JobFacts, JobResult, Reason, What};

    fn key(n: u8) -> JobKey {
        JobKey { server: "web1".parse().unwrap(), job: format!("{n:024}").parse().unwrap() }
    }

    fn run(id: i64, n: u8) -> RunRecord {
        let asked = jiff::Timestamp::UNIX_EPOCH;
        RunRecord {
            cycle: Some(CycleId(1)),
            ..RunRecord::new(RunId(id), key(n), format!("job {n}"), asked, 60)
        }
    }

    fn ended(run: RunRecord, result: JobResult) -> RunRecord {
        RunRecord { open: false, result: Some(result), ..run }
    }

    fn finished(run: RunRecord) -> What {
        What::JobFinished { run: ended(run, JobResult::Completed), recovered: false }
    }

    fn facts(n: u8, last: Option<RunRecord>) -> JobFacts {
        let label = format!("job {n}");
        JobFacts { key: key(n), label, limit: 60, last, last_success: None, usual: None, stale: false }
    }

    /// A daemon at work, and what is waited for.
    struct Night {
        snapshot: Snapshot,
        turns: Turns,
    }

    impl Night {
        /// Jobs 1 and 2, both asked for and seen in the queue.
        fn asked(on_timeout: OnTimeout) -> Self {
            let mut snapshot = Snapshot::new(&[], vec![facts(1, None), facts(2, None)]);
            let cycle = CycleRecord::begun(CycleId(1), jiff::Timestamp::UNIX_EPOCH, 0);
            apply(&mut snapshot, What::CycleStarted { cycle, jobs: vec![], resumed: false });
            let turns = Turns::asked(&snapshot, &Selection::default(), on_timeout);
            let mut night = Self { snapshot, turns };
            night.tell(What::JobQueued { job: key(1) });
            night.tell(What::JobQueued { job: key(2) });
            night
        }

        fn tell(&mut self, what: What) {
            apply(&mut self.snapshot, what);
            self.turns.look(&self.snapshot);
        }

        /// How the turns ended: the run's number and result, or what else is to be said.
        fn ends(&self) -> Vec<String> {
            let end = |turn: &Turn| match turn.end() {
                None => "waited for".to_owned(),
                Some(End::NotReached) => "not reached".to_owned(),
                Some(End::Run(run)) if run.open => format!("{} open", run.id.0),
                Some(End::Run(run)) => format!("{} {}", run.id.0, run.result.unwrap().word()),
            };
            self.turns.iter().map(end).collect()
        }
    }

    fn apply(snapshot: &mut Snapshot, what: What) {
        snapshot.apply(&Event { at: jiff::Timestamp::UNIX_EPOCH, what });
    }

    #[test]
    fn a_turn_is_over_with_its_run_or_when_it_passes() {
        let mut night = Night::asked(OnTimeout::Continue);
        night.tell(What::JobStarting(run(1, 1)));
        assert_eq!(night.ends(), ["waited for", "waited for"]);
        night.tell(finished(run(1, 1)));
        let skipped = RunRecord { reason: Some(Reason::Disabled), ..ended(run(2, 2), JobResult::Skipped) };
        night.tell(What::JobSkipped(skipped));
        assert_eq!(night.ends(), ["1 completed", "2 skipped"]);
        // Whatever comes later is somebody else's.
        night.tell(What::JobQueued { job: key(1) });
        assert!(night.turns.are_over());
        let in_time: Vec<_> =
            night.turns.iter().map(|turn| turn.end().unwrap().completed_in_time()).collect();
        assert_eq!(in_time, [true, false]);
    }

    #[test]
    fn a_run_beyond_its_limit_ends_the_wait_only_where_the_queue_goes_on() {
        let late = RunRecord { overrun: true, ..run(1, 1) };
        for (policy, next, seen) in [
            (OnTimeout::Continue, AfterTimeout::GoesOn, "1 open"),
            (OnTimeout::Wait, AfterTimeout::WaitsForRelease, "waited for"),
        ] {
            let mut night = Night::asked(policy);
            night.tell(What::JobStarted(run(1, 1)));
            night.tell(What::JobTimeout { run: late.clone(), elapsed: 60, next });
            assert_eq!(night.ends(), [seen, "waited for"]);
            night.tell(What::Released(RunRecord { released: true, ..late.clone() }));
            assert_eq!(night.ends()[0], "1 open");
            assert!(!night.turns.iter().next().unwrap().end().unwrap().completed_in_time());
        }
    }

    #[test]
    fn the_end_of_an_older_run_is_not_the_end_of_the_turn() {
        let mut night = Night::asked(OnTimeout::Continue);
        let older = RunRecord { overrun: true, cycle: None, ..run(7, 1) };
        night.tell(What::JobStarted(older.clone()));
        night.tell(finished(older.clone()));
        assert_eq!(night.ends()[0], "waited for", "its turn is to come");
        night.tell(What::JobStarted(older.clone()));
        night.tell(What::JobStarted(run(8, 1)));
        night.tell(finished(older));
        assert_eq!(night.ends()[0], "waited for", "its own run goes on");
        night.tell(finished(run(8, 1)));
        assert_eq!(night.ends()[0], "8 completed");
    }

    #[test]
    fn the_end_of_the_cycle_ends_what_is_left() {
        let mut night = Night::asked(OnTimeout::Continue);
        night.tell(What::JobStarted(run(1, 1)));
        let over = CycleRecord::begun(CycleId(1), jiff::Timestamp::UNIX_EPOCH, 2);
        night.tell(What::CycleFinished(over));
        night.turns.cycle_is_over(&night.snapshot);
        assert_eq!(night.ends(), ["1 open", "not reached"]);
    }

    #[test]
    fn a_daemon_that_leaves_ends_no_turn_and_one_that_comes_back_shows_them_again() {
        let mut night = Night::asked(OnTimeout::Continue);
        night.tell(What::JobStarted(run(1, 1)));
        night.tell(What::Leaving);
        assert_eq!(night.ends(), ["waited for", "waited for"]);
        night.turns.lose_sight();

        // The end of the first one was found on record; of the second one nothing is seen at first.
        let last = Some(ended(run(1, 1), JobResult::Partial));
        night.snapshot = Snapshot::new(&[], vec![facts(1, last), facts(2, None)]);
        night.turns.look(&night.snapshot);
        assert_eq!(night.ends(), ["1 partial", "waited for"]);
        assert!(night.turns.some_unseen());
        night.tell(What::JobQueued { job: key(2) });
        assert!(!night.turns.some_unseen());

        night.turns.lose_sight();
        night.turns.give_up_unseen();
        assert_eq!(night.ends(), ["1 partial", "not reached"]);
    }

    #[test]
    fn a_turn_that_is_over_before_the_first_look_counts() {
        let mut snapshot = Snapshot::new(&[], vec![facts(1, Some(ended(run(1, 1), JobResult::Failed)))]);
        let mut turns = Turns::asked(&snapshot, &Selection::default(), OnTimeout::Continue);
        turns.look(&snapshot);
        assert!(turns.some_unseen(), "the last run was known before");
        apply(&mut snapshot, finished(run(2, 1)));
        turns.look(&snapshot);
        assert!(matches!(turns.iter().next().unwrap().end(), Some(End::Run(run)) if run.id == RunId(2)));
    }
}
