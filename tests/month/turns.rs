//! Turns: each job of a cycle has one, whatever ends the program meanwhile, and none has two.

use std::collections::HashMap;

use jetbackup_remote::model::{CycleId, CycleRecord, GroupId, JobKey, What};
use jiff::Timestamp;

use crate::ledger::Ledger;

/// How long nobody may have been at work for a cycle to go on, in seconds; give or take an hour, for it is on record
/// once an hour only that somebody is.
const RESUMED_WITHIN: i64 = 12 * 3600;
const HOUR: i64 = 3600;

/// What is known of the cycle under way.
#[derive(Default)]
pub struct Turns {
    cycle: Option<CycleRecord>,
    /// Who had a turn in it, by which run if that was seen, and how often.
    had: HashMap<JobKey, Option<GroupId>>,
    left: Option<Left>,
}

/// What an earlier process left.
#[derive(Debug, Clone)]
struct Left {
    cycle: CycleId,
    jobs: Vec<JobKey>,
    at: Timestamp,
}

impl Ledger {
    /// A reload leaves this queue.
    pub fn reloading(&self, jobs: Vec<JobKey>) {
        let at = self.sky.now();
        let mut inner = self.inner();
        let cycle = inner.turns.cycle.filter(|cycle| cycle.ended.is_none());
        inner.turns.left = cycle.map(|cycle| Left { cycle: cycle.id, jobs, at });
    }

    /// What is on record of the queue is what the next life goes on with.
    pub(crate) fn remember_queue(&self, at: Timestamp) {
        let left = self.disk.ask(|connection| {
            let sql = "SELECT id FROM cycles WHERE ended IS NULL AND id = \
                       (SELECT id FROM cycles ORDER BY started DESC, id DESC LIMIT 1)";
            let cycle = connection.query_row(sql, [], |row| row.get(0)).ok().map(CycleId)?;
            let mut queue = connection.prepare("SELECT server, job FROM queue ORDER BY place").unwrap();
            let rows = queue.query_map([], |row| {
                let (server, job): (String, String) = (row.get(0)?, row.get(1)?);
                Ok(JobKey { server: server.parse().unwrap(), job: job.parse().unwrap() })
            });
            let jobs = rows.unwrap().map(Result::unwrap).collect();
            Some(Left { cycle, jobs, at })
        });
        self.inner().turns.left = left;
    }

    /// Something happens to the cycle or its turns.
    pub(crate) fn follow_turns(&self, what: &What) {
        match what {
            What::CycleStarted { cycle, jobs, resumed } => {
                self.check_resumed(cycle.id, jobs, *resumed);
                let mut inner = self.inner();
                let turns = &mut inner.turns;
                if turns.cycle.is_none_or(|known| known.id != cycle.id) {
                    turns.had.clear();
                }
                turns.cycle = Some(*cycle);
            }
            What::CycleFinished(cycle) => {
                self.check_resumed(cycle.id, &[], true);
                let mut inner = self.inner();
                if inner.turns.cycle.is_some_and(|known| known.id == cycle.id) {
                    inner.turns.cycle = Some(*cycle);
                    inner.turns.had.clear();
                }
            }
            // Whoever asks again gets another turn.
            What::JobQueued { job } => drop(self.inner().turns.had.remove(job)),
            What::JobStarted(run) => {
                let mut inner = self.inner();
                if run.cycle.is_some() && run.cycle == inner.turns.cycle.map(|cycle| cycle.id) {
                    inner.turns.had.insert(run.key.clone(), run.group);
                }
            }
            _ => {}
        }
    }

    /// The cycle that was left goes on with all of its jobs, if nobody was away for long.
    fn check_resumed(&self, cycle: CycleId, jobs: &[JobKey], resumed: bool) {
        let now = self.sky.now();
        let Some(left) = self.inner().turns.left.take() else { return };
        let away = now.duration_since(left.at).as_secs();
        let clock_tells = !self.inner().bad_wall.touch(left.at, now);
        if resumed && cycle == left.cycle && !jobs.is_empty() {
            self.count("cycles resumed");
            if away > RESUMED_WITHIN + HOUR && clock_tells {
                self.breach(format!("a cycle is taken up after {away} s: {left:?}"));
            }
        }
        let lost: Vec<_> = left.jobs.iter().filter(|job| !jobs.contains(job)).collect();
        let goes_on = away < RESUMED_WITHIN - HOUR && (clock_tells || away < HOUR);
        let known = self.config();
        if goes_on && !lost.is_empty() && lost.iter().any(|job| known.job(job).is_some()) {
            self.breach(format!("after {away} s these turns are dropped: {lost:?}, of {left:?}"));
        }
    }

    /// A job is triggered once in a cycle for one turn.
    pub(crate) fn check_turn(&self, key: &JobKey) {
        let again = {
            let mut inner = self.inner();
            let cycle = inner.turns.cycle.filter(|cycle| cycle.ended.is_none()).map(|cycle| cycle.id);
            let intent = inner.intents.get(key).cloned();
            let Some(intent) = intent.filter(|intent| intent.cycle.is_some() && intent.cycle == cycle) else {
                return;
            };
            let before = inner.turns.had.insert(key.clone(), intent.group).map(|group| (group, intent.id));
            // What was sent before for the same cycle, without its being asked for again, is known by its trigger.
            let sent = inner
                .sent
                .iter()
                .filter(|(id, sent)| **id != intent.id && sent.key == *key && sent.cycle == cycle);
            let sent: Vec<_> = sent.map(|(id, sent)| (*id, sent.clone())).collect();
            before.map(|_| {
                let is_forgotten = sent.iter().any(|(id, sent)| {
                    inner.forgotten_intents.contains(id)
                        || sent.group.is_some_and(|group| inner.forgotten.contains(&group))
                });
                (sent, is_forgotten)
            })
        };
        if let Some((sent, is_forgotten)) = again {
            if is_forgotten {
                self.count("turns that nobody can know of");
            } else {
                self.breach(format!("{key} is triggered again in the same cycle: {sent:?}"));
            }
        }
    }
}
