//! The turns that were asked for, and how each of them ended: read off the daemon's snapshots, without I/O.
//!
//! Snapshots rather than events, because a follower may miss events, and a daemon that was restarted tells no old
//! ones: how things stand is enough to know whether a turn is over and how it went.

use crate::config::OnTimeout;
use crate::model::{JobKey, RunId, RunRecord, Selection, Snapshot};

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
        let held = open.is_some_and(|run| !run.released && (!run.overrun || on_timeout == OnTimeout::Wait));
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
