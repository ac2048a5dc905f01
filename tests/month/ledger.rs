//! The promises, held against what the simulated servers know to be true.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use jetbackup_remote::config::{Config, OnTimeout};
use jetbackup_remote::model::{Event, GroupId, JobKey, JobResult, Reason, RunId, RunRecord, What};
use jetbackup_sim::{Call, Origin, Outcome, truth::RealRun};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::sky::Sky;
use crate::tide::Tide;
use crate::wire::Wire;

/// How long a run that others started may stay invisible, in seconds: its group may be listed a minute later.
const INVISIBLE: i64 = 62;
/// How exact time limits are kept, in seconds.
const TOLERANCE: i64 = 5;

/// Keeps account of what the program does, over all of its lives.
pub struct Ledger {
    config: OnceLock<Arc<Config>>,
    wires: OnceLock<Vec<Arc<Wire>>>,
    state_dir: PathBuf,
    sky: Sky,
    tide: Tide,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    breaches: Vec<String>,
    /// Whose overrun was told.
    overruns: HashSet<GroupId>,
    /// Runs whose limit was told while their group was not known.
    overrun_runs: HashMap<JobKey, Timestamp>,
    /// What a person asked, and when.
    stops: Vec<(JobKey, Timestamp)>,
    releases: Vec<(JobKey, Timestamp)>,
    /// Intents that a trigger arrived for.
    triggered: HashSet<RunId>,
    ended: HashMap<RunId, u32>,
    /// When the disk took nothing; the last of them may last.
    bad_disk: Vec<(Timestamp, Option<Timestamp>)>,
    /// When the wall was wrong, the same way.
    bad_wall: Vec<(Timestamp, Option<Timestamp>)>,
    /// When lives began.
    births: Vec<Timestamp>,
    counts: BTreeMap<&'static str, u64>,
}

impl Ledger {
    pub fn new(state_dir: &Path, sky: &Sky, tide: &Tide) -> Arc<Self> {
        Arc::new(Self {
            config: OnceLock::new(),
            wires: OnceLock::new(),
            state_dir: state_dir.to_owned(),
            sky: sky.clone(),
            tide: tide.clone(),
            inner: Mutex::default(),
        })
    }

    pub fn begin(&self, config: &Arc<Config>, wires: &[Arc<Wire>]) {
        assert!(self.config.set(Arc::clone(config)).is_ok() && self.wires.set(wires.to_vec()).is_ok());
    }

    fn config(&self) -> &Config {
        self.config.get().unwrap()
    }

    fn wires(&self) -> &[Arc<Wire>] {
        self.wires.get().unwrap()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// A promise is broken. The life ends at once.
    pub fn breach(&self, text: String) {
        self.inner().breaches.push(format!("{}: {text}", self.sky.now()));
        self.tide.kill();
    }

    pub fn breaches(&self) -> Vec<String> {
        self.inner().breaches.clone()
    }

    pub fn count(&self, what: &'static str) {
        *self.inner().counts.entry(what).or_default() += 1;
    }

    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.inner().counts.clone()
    }

    pub fn born(&self) {
        let now = self.sky.now();
        self.inner().births.push(now);
    }

    pub fn disk(&self, bad: bool) {
        let now = self.sky.now();
        mark(&mut self.inner().bad_disk, now, bad);
    }

    pub fn wall(&self, bad: bool) {
        let now = self.sky.now();
        mark(&mut self.inner().bad_wall, now, bad);
    }

    fn disk_was_bad(&self, from: Timestamp, to: Timestamp) -> bool {
        was_so(&self.inner().bad_disk, from, to)
    }

    fn wall_was_bad(&self, from: Timestamp, to: Timestamp) -> bool {
        was_so(&self.inner().bad_wall, from, to)
    }

    fn is_disk_bad(&self) -> bool {
        let now = self.sky.now();
        self.disk_was_bad(now, now)
    }

    /// A person asks to stop a job's run.
    pub fn ask_stop(&self, key: &JobKey) {
        let now = self.sky.now();
        self.inner().stops.push((key.clone(), now));
    }

    /// A person takes a job's run off the lane.
    pub fn ask_release(&self, key: &JobKey) {
        let now = self.sky.now();
        self.inner().releases.push((key.clone(), now));
    }

    /// A command is about to arrive at a server.
    pub fn arriving(&self, server: &str, command: &str, now: Timestamp) {
        if !command.contains("runBackupJobManually") {
            return;
        }
        let id = command.split("_id=").nth(1).unwrap().get(..24).unwrap();
        let key = JobKey { server: server.parse().unwrap(), job: id.parse().unwrap() };
        self.count("triggers");
        self.check_intent(&key);
        self.check_lane(&key, now);
    }

    /// What is triggered is on record as an intent of its own.
    fn check_intent(&self, key: &JobKey) {
        if self.is_disk_bad() {
            return;
        }
        let sql = "SELECT id FROM runs WHERE server = ?1 AND job = ?2 AND open = 1 AND origin = 'triggered' AND \
                   group_id IS NULL ORDER BY asked DESC LIMIT 1";
        let row = self
            .read()
            .query_row(sql, params![key.server.as_str(), key.job.to_string()], |row| row.get(0))
            .optional()
            .unwrap();
        match row {
            None => self.breach(format!("{key} is triggered with no intent on record")),
            Some(id) if !self.inner().triggered.insert(RunId(id)) => {
                self.breach(format!("{key} is triggered twice for one intent"));
            }
            Some(_) => {}
        }
    }

    /// Nothing is triggered beside another run.
    fn check_lane(&self, key: &JobKey, now: Timestamp) {
        let mut overruns = Vec::new();
        for wire in self.wires() {
            let runs = wire.world().runs_by(now);
            for run in runs.into_iter().filter(|run| run.managed && run.ended.is_none()) {
                if self.is_excused(wire, &run, now) {
                    continue;
                }
                if self.is_reported_overrun(&run, now) {
                    overruns.push(run);
                } else {
                    self.breach(format!("{key} is triggered while this is under way: {run:?}"));
                }
            }
        }
        let most = usize::try_from(self.config().orchestrator.max_overruns).unwrap();
        if !overruns.is_empty() {
            self.count("triggers behind an overrun");
        }
        if overruns.len() > most {
            self.breach(format!("{key} is triggered behind {} overruns: {overruns:?}", overruns.len()));
        }
    }

    fn is_excused(&self, wire: &Wire, run: &RealRun, now: Timestamp) -> bool {
        let key = key(run);
        let released = self.inner().releases.iter().any(|(job, at)| *job == key && *at >= run.triggered);
        // Others started it, and no answer since then could have told of it.
        let known_from = run.triggered + SignedDuration::from_secs(INVISIBLE);
        let unknown = run.origin != Origin::Api && wire.listed().is_none_or(|listed| listed < known_from);
        released || unknown || self.is_forgotten(run, now)
    }

    /// Nothing of it could be recorded, and who knew it is dead.
    fn is_forgotten(&self, run: &RealRun, now: Timestamp) -> bool {
        let around = SignedDuration::from_secs(300);
        let reborn = self.inner().births.iter().any(|at| *at >= run.triggered);
        reborn && self.disk_was_bad(run.triggered - around, (run.triggered + around).min(now))
    }

    fn is_reported_overrun(&self, run: &RealRun, now: Timestamp) -> bool {
        let orchestrator = &self.config().orchestrator;
        if orchestrator.on_timeout == OnTimeout::Wait {
            return false;
        }
        let key = key(run);
        let limit = self.config().job(&key).unwrap().timeout.as_secs();
        let begun = run.started.unwrap_or(run.triggered);
        let age = now.duration_since(begun).as_secs() + TOLERANCE;
        // A program that was started while its clock was wrong knows no better.
        let old = u64::try_from(age).is_ok_and(|age| age >= limit) || self.wall_was_bad(begun, now);
        let inner = self.inner();
        let told = inner.overruns.contains(&run.group.parse().unwrap())
            || inner.overrun_runs.get(&key).is_some_and(|at| *at >= run.triggered);
        old && told
    }

    /// A command has arrived.
    pub fn arrived(&self, server: &str, call: Option<&Call>) {
        let Some(call) = call.filter(|call| call.function == "stopQueueGroup") else { return };
        self.count("stops");
        let group = call.param("_id").unwrap_or_default();
        let wire = self.wires().iter().find(|wire| wire.name == server).unwrap();
        let runs = wire.world().runs_by(call.at);
        let Some(run) = runs.iter().find(|run| run.group == group) else {
            return self.breach(format!("a stop of {group} on {server}, which is no group"));
        };
        let key = key(run);
        if !self.inner().stops.iter().any(|(job, at)| *job == key && *at >= run.triggered) {
            self.breach(format!("{key} is stopped, and nobody asked for that"));
        }
    }

    /// Something is told.
    pub fn hear(&self, event: &Event) {
        self.note_overrun(&event.what);
        match &event.what {
            What::JobFinished { run, .. } => self.check_end(run),
            What::CycleFinished(_) => self.count("cycles"),
            What::JobTimeout { .. } => self.count("overruns"),
            What::JobSkipped(_) => self.count("skipped"),
            What::CycleMissed { .. } => self.count("missed"),
            What::Alert { text, .. } if text.contains("not recorded") => self.count("gaps told"),
            _ => {}
        }
    }

    fn note_overrun(&self, what: &What) {
        let (What::JobStarted(run)
        | What::RunNoted(run)
        | What::Released(run)
        | What::JobTimeout { run, .. }
        | What::JobFinished { run, .. }) = what
        else {
            return;
        };
        if run.overrun {
            let now = self.sky.now();
            let mut inner = self.inner();
            inner.overruns.extend(run.group);
            if run.group.is_none() {
                inner.overrun_runs.insert(run.key.clone(), now);
            }
        }
    }

    /// What is told of an end is true, on record, and told once.
    fn check_end(&self, run: &RunRecord) {
        self.count("ends");
        if !self.is_disk_bad() {
            let sql = "SELECT open, result FROM runs WHERE id = ?1";
            let row: Option<(bool, Option<String>)> = self
                .read()
                .query_row(sql, [run.id.0], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
                .unwrap();
            let wanted = Some((false, run.result.map(|result| result.word().to_owned())));
            if row != wanted {
                self.breach(format!("told, and not on record: {run:?}; on record is {row:?}"));
            }
        }
        // What could not be recorded is found again by the next life.
        if run.result != Some(JobResult::DidNotStart) && !self.is_disk_bad() {
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
        self.check_truth(run);
    }

    /// What is on record of a run is what really became of it.
    fn check_truth(&self, run: &RunRecord) {
        let Some(wire) = self.wires().iter().find(|wire| wire.name == run.key.server.as_str()) else {
            return;
        };
        let runs = wire.world().runs_by(self.sky.now());
        let Some(group) = run.group else {
            let completed = |real: &RealRun| key(real) == run.key && real.outcome == Some(Outcome::Completed);
            if run.result == Some(JobResult::Completed) && !runs.iter().any(completed) {
                self.breach(format!("nothing of that job ever completed: {run:?}"));
            }
            return;
        };
        let Some(real) = runs.iter().find(|real| real.group == group.to_string()) else {
            return self.breach(format!("there is no such run: {run:?}"));
        };
        let is_true = match (run.result, real.outcome) {
            // Not an end but the lack of one.
            (None | Some(JobResult::LostContact | JobResult::DidNotStart | JobResult::Unknown), _) => true,
            (Some(JobResult::Completed), Some(Outcome::Completed))
            | (Some(JobResult::Partial), Some(Outcome::Partial))
            | (Some(JobResult::Aborted), Some(Outcome::Aborted))
            | (Some(JobResult::NeverFinished), Some(Outcome::NeverFinished))
            | (Some(JobResult::Failed), Some(Outcome::Failed | Outcome::Code(_))) => true,
            (Some(result), _) => result != JobResult::Completed && run.reason == Some(Reason::GroupVanished),
        };
        if !is_true || real.job != run.key.job.to_string() {
            self.breach(format!("{run:?} was really {real:?}"));
        }
    }

    /// The month is over: what ran is on record, once and as it was.
    pub fn settle(&self, records: &[RunRecord]) {
        for record in records {
            if record.open {
                self.breach(format!("left open: {record:?}"));
            }
            self.check_truth(record);
        }
        let now = self.sky.now();
        for wire in self.wires() {
            for run in wire.world().runs_by(now).iter().filter(|run| run.managed) {
                let group: GroupId = run.group.parse().unwrap();
                let times = records.iter().filter(|record| record.group == Some(group)).count();
                let (begun, ended) = (run.triggered, run.ended.unwrap_or(now));
                // The disk may have been bad when it was found, too, which is some time after its end.
                let unrecorded = self.disk_was_bad(begun, ended + SignedDuration::from_hours(24));
                // What never wrote may never have been listed. Others' runs may have come and gone unseen.
                let wanted = run.origin == Origin::Api && run.started.is_some() && !unrecorded;
                if times > 1 || wanted && times != 1 {
                    self.breach(format!("on record {times} times: {run:?}"));
                }
            }
        }
    }

    fn read(&self) -> Connection {
        let path = self.state_dir.join("history.db");
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap()
    }
}

fn key(run: &RealRun) -> JobKey {
    JobKey { server: run.server.parse().unwrap(), job: run.job.parse().unwrap() }
}

fn mark(spans: &mut Vec<(Timestamp, Option<Timestamp>)>, now: Timestamp, bad: bool) {
    let lasting = spans.last_mut().filter(|(_, to)| to.is_none());
    match (lasting, bad) {
        (Some(span), false) => span.1 = Some(now),
        (None, true) => spans.push((now, None)),
        _ => {}
    }
}

fn was_so(spans: &[(Timestamp, Option<Timestamp>)], from: Timestamp, to: Timestamp) -> bool {
    spans.iter().any(|(begun, ended)| *begun <= to && ended.is_none_or(|ended| ended >= from))
}
