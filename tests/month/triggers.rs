//! What is judged when a trigger arrives at a server: it is on record, and nothing else is under way.

use jetbackup_remote::config::OnTimeout;
use jetbackup_remote::model::{JobKey, RunId};
use jetbackup_sim::{Call, Effect, Origin, truth::RealRun};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, params};

use crate::ledger::{Ledger, Sent, group, key};
use crate::wire::Wire;

/// How long a run may stay invisible, in seconds: its group may be listed a minute later.
const INVISIBLE: i64 = 62;
/// How exact time limits are kept, in seconds.
const TOLERANCE: i64 = 5;
/// How long ago a server may have been asked when something is triggered, in seconds.
const FRESH: i64 = 6;

impl Ledger {
    /// A trigger is on its way: it may arrive, whatever becomes of who sent it.
    pub fn leaving(&self, server: &str, command: &str) {
        let Some(key) = triggered(server, command) else { return };
        let at = self.sky.now();
        let mut inner = self.inner();
        if let Some(intent) = inner.intents.get(&key) {
            let (id, cycle) = (intent.id, intent.cycle);
            inner.sent.entry(id).or_insert(Sent { at, group: None, cycle, key });
        }
    }

    /// A command is about to arrive at a server.
    pub fn arriving(&self, server: &str, command: &str, now: Timestamp) {
        let Some(key) = triggered(server, command) else { return };
        self.count("triggers");
        self.check_intent(&key);
        self.check_lane(&key, now);
        self.check_looks(&key, now);
        self.check_turn(&key);
        self.check_wait(&key, now);
    }

    /// What is triggered is on record as an intent of its own.
    fn check_intent(&self, key: &JobKey) {
        if self.is_disk_bad() {
            self.count("triggers not recorded");
            return;
        }
        let sql = "SELECT id FROM runs WHERE server = ?1 AND job = ?2 AND open = 1 AND origin = 'triggered' AND \
                   group_id IS NULL ORDER BY asked DESC, id DESC LIMIT 1";
        let row: Option<i64> = self.disk.ask(|connection| {
            let row = connection
                .query_row(sql, params![key.server.as_str(), key.job.to_string()], |row| row.get(0));
            row.optional().unwrap()
        });
        let told = self.inner().intents.get(key).map(|intent| intent.id);
        if row.map(RunId) != told || told.is_none() {
            self.breach(format!("{key} is triggered for {told:?}, and on record is {row:?}"));
        }
    }

    /// Nothing is triggered beside another run.
    fn check_lane(&self, key: &JobKey, now: Timestamp) {
        let mut overruns = Vec::new();
        for wire in self.wires() {
            let runs = wire.world().runs_by(now);
            for run in runs.into_iter().filter(|run| run.managed && run.ended.is_none()) {
                if self.is_unknowable(wire, &run) || self.is_released(&run) {
                    continue;
                }
                if self.is_reported_overrun(&run, now) {
                    overruns.push(run);
                } else {
                    let shown = wire.listed().map(|at| (at, wire.world().shows(&run.group, at)));
                    self.breach(format!("{key} is triggered while this is under way: {run:?}, {shown:?}"));
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

    fn is_released(&self, run: &RealRun) -> bool {
        let key = key(run);
        self.inner().releases.iter().any(|(job, at)| *job == key && *at >= run.triggered)
    }

    /// Nothing that its server ever answered tells of it, and nothing is on record of it.
    fn is_unknowable(&self, wire: &Wire, run: &RealRun) -> bool {
        let Some(at) = wire.listed() else { return run.origin != Origin::Api };
        let shown = wire.world().shows(&run.group, at);
        let is_own = run.origin == Origin::Api && !self.inner().forgotten.contains(&group(run));
        if is_own {
            // An admin cleared the queue, and nothing else says that it goes on.
            return shown.cleared && !shown.listed && !shown.running && !shown.logged;
        }
        // The job may say "running" on account of the run before.
        let visible_from = run.triggered + SignedDuration::from_secs(INVISIBLE);
        let unknown = !shown.listed && (at < visible_from || !shown.running);
        if unknown && run.origin == Origin::Api {
            self.count("runs that nobody can know of");
        }
        unknown
    }

    fn is_reported_overrun(&self, run: &RealRun, now: Timestamp) -> bool {
        let orchestrator = &self.config().orchestrator;
        if orchestrator.on_timeout == OnTimeout::Wait {
            return false;
        }
        let key = key(run);
        let limit = self.config().job(&key).unwrap().timeout.as_secs();
        // While the wall is wrong nobody knows how long JetBackup let it wait before it began.
        let age = now.duration_since(run.triggered).as_secs() + TOLERANCE;
        let inner = self.inner();
        let told = inner.overruns.contains(&group(run))
            || inner.overrun_runs.get(&key).is_some_and(|at| *at >= run.triggered);
        told && u64::try_from(age).is_ok_and(|age| age >= limit)
    }

    /// Every server that can be asked was asked just now.
    fn check_looks(&self, key: &JobKey, now: Timestamp) {
        for wire in self.wires().iter().filter(|wire| wire.answers(now)) {
            let age = wire.tried().map(|at| now.duration_since(at).as_secs());
            if age.is_none_or(|age| age > FRESH) {
                let server = &wire.name;
                self.breach(format!("{key} is triggered, and {server} was asked {age:?} s ago"));
            }
        }
    }

    /// A command has arrived.
    pub fn arrived(&self, server: &str, call: Option<&Call>) {
        let Some(call) = call else { return };
        if call.function == "stopQueueGroup" {
            self.check_stop(server, call);
        }
        let Effect::Triggered(job) = &call.effect else { return };
        let key = JobKey { server: server.parse().unwrap(), job: job.parse().unwrap() };
        let runs = self.wire(server).unwrap().world().runs_by(call.at);
        let new = runs.iter().rev().find(|run| run.job == *job && run.triggered == call.at);
        let mut inner = self.inner();
        let Some(id) = inner.intents.get(&key).map(|intent| intent.id) else { return };
        if let (Some(sent), Some(new)) = (inner.sent.get_mut(&id), new) {
            sent.group = Some(group(new));
        }
    }
}

fn triggered(server: &str, command: &str) -> Option<JobKey> {
    command.contains("runBackupJobManually").then_some(())?;
    let id = command.split("_id=").nth(1)?.get(..24)?;
    Some(JobKey { server: server.parse().unwrap(), job: id.parse().unwrap() })
}
