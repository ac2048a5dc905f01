//! What is told of ends, and what is on record of them in the end.

use jetbackup_remote::model::{GroupId, JobResult, Origin as Asker, Reason, RunId, RunRecord};
use jetbackup_sim::{Origin, Outcome, World, truth::RealRun};
use jiff::{SignedDuration, Timestamp};
use rusqlite::OptionalExtension;

use crate::ledger::{Ledger, SETTLED, group, key};

/// How soon a run may be given up as not started, in seconds.
const STARTUP: i64 = 115;
/// For how long a server was in trouble of which a skipped job is told, in seconds.
const RECENT: i64 = 900;

impl Ledger {
    /// What is told of an end is true, on record, and told once.
    pub(crate) fn check_end(&self, run: &RunRecord) {
        self.count("ends");
        let now = self.sky.now();
        self.inner().last_told.insert(run.key.clone(), run.id);
        let on_record = self.is_on_record(run);
        if !on_record && !self.is_disk_bad() {
            self.breach(format!("told, and not on record: {run:?}"));
        }
        if let Some(result) = run.result {
            self.inner().told.insert(run.id, (result, now, on_record));
        }
        // One that did not start may start later, and end.
        if run.result != Some(JobResult::DidNotStart) {
            let times = {
                let mut inner = self.inner();
                let times = inner.ended.entry(run.id).or_default();
                *times += 1;
                *times
            };
            if times > 1 {
                self.breach(format!("its end is told {times} times: {run:?}"));
            }
        }
        if run.result == Some(JobResult::DidNotStart) && run.reason == Some(Reason::NothingStarted) {
            let (sent, cut_off) = {
                let inner = self.inner();
                (inner.sent.get(&run.id).map(|sent| sent.at), inner.cut_off.get(&run.id).copied())
            };
            // Who was killed between the intent and the trigger may have sent it, as far as anybody knows.
            let age = sent.or(cut_off).map(|at| now.duration_since(at).as_secs());
            if age.is_none_or(|age| age < STARTUP) {
                self.breach(format!("given up {age:?} s after its trigger left: {run:?}"));
            }
        }
        self.check_truth(run, now);
    }

    fn is_on_record(&self, run: &RunRecord) -> bool {
        if self.is_disk_bad() {
            return false;
        }
        let row = self.row(run.id);
        row == Some((false, run.result.map(|result| result.word().to_owned())))
    }

    fn row(&self, id: RunId) -> Option<(bool, Option<String>)> {
        let sql = "SELECT open, result FROM runs WHERE id = ?1";
        self.disk.ask(|connection| {
            let row = connection.query_row(sql, [id.0], |row| Ok((row.get(0)?, row.get(1)?)));
            row.optional().unwrap()
        })
    }

    /// What was told of ends while the disk took nothing is on record soon after it works again.
    pub(crate) fn check_told_ends(&self) {
        let waiting: Vec<_> = {
            let inner = self.inner();
            let waiting = inner.told.iter().filter(|(_, (.., on_record))| !on_record);
            waiting.map(|(id, (result, at, _))| (*id, *result, *at)).collect()
        };
        for (id, result, at) in waiting {
            match self.row(id) {
                Some((false, Some(word))) if word == result.word() => {
                    self.count("ends recorded later");
                    self.inner().told.insert(id, (result, at, true));
                }
                row => self.breach(format!(
                    "{id:?} was told as {result:?} at {at} and is not on record, though the disk works: {row:?}"
                )),
            }
        }
    }

    /// The program is dead. What it sent and told is on record, unless the disk refused that until now.
    pub(crate) fn check_what_is_left(&self, now: Timestamp) {
        let (sent, told) = {
            let inner = self.inner();
            let sent: Vec<_> = inner.sent.iter().map(|(id, sent)| (*id, sent.clone())).collect();
            let told: Vec<_> = (inner.told.iter())
                .filter(|(_, (.., on_record))| !on_record)
                .map(|(id, (result, at, _))| (*id, *result, *at))
                .collect();
            (sent, told)
        };
        let old = self.disk.old_runs();
        for (id, sent) in sent {
            if self.row(id).is_some() || old.iter().any(|run| run.id == id) {
                continue;
            }
            let mut inner = self.inner();
            let new = match sent.group {
                Some(group) => inner.forgotten.insert(group),
                None => inner.forgotten_intents.insert(id),
            };
            let excused = inner.bad_disk.cover(sent.at, now, SETTLED);
            drop(inner);
            if new && !excused {
                self.breach(format!("nothing is on record of a trigger, and the disk works: {sent:?}"));
            }
        }
        for (id, result, at) in told {
            let row = self.row(id);
            if matches!(&row, Some((false, Some(word))) if word == result.word()) {
                continue;
            }
            if !self.inner().bad_disk.cover(at, now, SETTLED) {
                self.breach(format!("{id:?} was told as {result:?} at {at}, and on record is {row:?}"));
            }
            // The next life finds out again.
            self.count("ends told twice");
            let mut inner = self.inner();
            inner.told.remove(&id);
            inner.ended.remove(&id);
        }
    }

    /// What is on record of a run is what really became of it.
    pub(crate) fn check_truth(&self, run: &RunRecord, now: Timestamp) {
        let Some(wire) = self.wire(run.key.server.as_str()) else { return };
        let runs = wire.world().runs_by(now);
        let own = self.inner().sent.get(&run.id).and_then(|sent| sent.group);
        if let (Some(own), Some(group)) = (own, run.group)
            && own != group
            && run.origin == Asker::Triggered
        {
            let real: Vec<_> = runs.iter().filter(|real| key(real) == run.key).collect();
            if are_twins(&wire.world(), &real, &own.to_string(), &group.to_string()) {
                return self.count("twins that nobody can tell apart");
            }
            return self.breach(format!("{run:?} is told of another group than its own, {own}: {real:#?}"));
        }
        let Some(id) = run.group.or(own) else { return self.check_groupless(run, &runs) };
        let Some(real) = runs.iter().find(|real| real.group == id.to_string()) else {
            return self.breach(format!("there is no such run: {run:?}"));
        };
        let is_true = match run.result {
            // Not an end but the lack of one.
            None | Some(JobResult::LostContact | JobResult::Unknown | JobResult::Skipped) => true,
            Some(JobResult::DidNotStart) => run.reason == Some(Reason::Refused) || real.started.is_none(),
            Some(result) => real.outcome.is_some_and(|outcome| is_said(result, outcome)),
        };
        let shown = wire.world().shows(&real.group, now);
        let unseen = run.result == Some(JobResult::DidNotStart) && shown.cleared;
        if !is_true && !unseen || real.job != run.key.job.to_string() {
            self.breach(format!("{run:?} was really {real:?}"));
        }
    }

    /// Of a run whose group was never seen only its job's word and its log may tell.
    fn check_groupless(&self, run: &RunRecord, runs: &[RealRun]) {
        let Some(result) = run.result.filter(|result| is_definite(*result)) else { return };
        let end = run.ended.unwrap_or_else(|| self.sky.now());
        let around = SignedDuration::from_secs(180);
        let could_be = |real: &&RealRun| {
            key(real) == run.key
                && real.triggered <= end
                && real.ended.is_none_or(|ended| ended >= run.asked - around)
                && real.outcome.is_some_and(|outcome| is_said(result, outcome))
        };
        if run.origin == Asker::Triggered || !runs.iter().any(|real| could_be(&real)) {
            self.breach(format!("no run of that job ended so: {run:?}"));
        }
    }

    /// A turn passed because its server cannot be asked: it really cannot.
    pub(crate) fn check_skip(&self, run: &RunRecord) {
        self.inner().last_told.insert(run.key.clone(), run.id);
        if run.reason != Some(Reason::Unreachable) {
            return;
        }
        let now = self.sky.now();
        let from = now - SignedDuration::from_secs(RECENT);
        if self.wire(run.key.server.as_str()).is_some_and(|wire| !wire.was_in_trouble(from, now)) {
            self.breach(format!("skipped as out of reach, and its server answers: {run:?}"));
        }
    }

    /// The month is over: what ran is on record, once and as it was.
    pub fn settle(&self, records: &[RunRecord]) {
        let now = self.sky.now();
        for record in records {
            if record.open {
                self.breach(format!("left open: {record:?}"));
            }
            self.check_truth(record, now);
        }
        let told: Vec<_> = self.inner().told.iter().map(|(id, (result, ..))| (*id, *result)).collect();
        for (id, result) in told {
            let record = records.iter().find(|record| record.id == id);
            let later = result == JobResult::DidNotStart || result == JobResult::LostContact;
            if record.is_none_or(|record| record.result != Some(result) && !later) {
                self.breach(format!("{id:?} was told as {result:?}, and on record is {record:?}"));
            }
        }
        let of_group = |group: GroupId| records.iter().filter(move |record| record.group == Some(group));
        for wire in self.wires() {
            for run in wire.world().runs_by(now).iter().filter(|run| run.managed) {
                let id = group(run);
                let times = of_group(id).count();
                let (is_forgotten, intent) = {
                    let inner = self.inner();
                    let intent =
                        inner.sent.iter().find(|(_, sent)| sent.group == Some(id)).map(|(id, _)| *id);
                    (inner.forgotten.contains(&id), intent)
                };
                let by_intent = records.iter().any(|record| Some(record.id) == intent);
                // Others' runs may have come and gone unseen.
                let wanted = run.origin == Origin::Api && !is_forgotten;
                if times > 1 || wanted && times == 0 && !by_intent {
                    self.breach(format!("on record {times} times: {run:?}"));
                }
            }
        }
    }
}

fn is_definite(result: JobResult) -> bool {
    matches!(
        result,
        JobResult::Completed
            | JobResult::Partial
            | JobResult::Failed
            | JobResult::Aborted
            | JobResult::NeverFinished
    )
}

fn is_said(result: JobResult, outcome: Outcome) -> bool {
    matches!(
        (result, outcome),
        (JobResult::Completed, Outcome::Completed)
            | (JobResult::Partial, Outcome::Partial)
            | (JobResult::Aborted, Outcome::Aborted)
            | (JobResult::NeverFinished, Outcome::NeverFinished)
            | (JobResult::Failed, Outcome::Failed | Outcome::Code(_))
    )
}

/// Two runs of one job that were asked for within the time a group may take to be listed, the other one listed first: no
/// answer of the server tells which is whose.
fn are_twins(world: &World, real: &[&RealRun], own: &str, other: &str) -> bool {
    let find = |group: &str| real.iter().find(|run| run.group == group);
    let (Some(first), Some(second)) = (find(own), find(other)) else { return false };
    let apart = second.triggered.duration_since(first.triggered).abs();
    let listed = (0..120)
        .map(|second_later| second.triggered + SignedDuration::from_secs(second_later))
        .find(|at| world.shows(other, *at).listed);
    apart <= SignedDuration::from_secs(120) && listed.is_some_and(|at| !world.shows(own, at).listed)
}
