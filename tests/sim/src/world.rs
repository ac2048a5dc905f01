//! One JetBackup server: its state, and the two doors through which it is called.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::api::{self, Answer};
use crate::calls::{Call, Effect};
use crate::clock::after;
use crate::destination::Destination;
use crate::fault::Fault;
use crate::gate::{self, Allow, Command};
use crate::group::{Group, Start};
use crate::job::Job;
use crate::params::Request;
use crate::render::{self, Dialect, Reply};
use crate::run::{Origin, Run};
use crate::timeline::Event;
use crate::truth::{self, RealRun};

/// One JetBackup server. Nothing in it moves by itself: each call brings the time along.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct World {
    pub(crate) name: String,
    /// The latest time seen.
    pub(crate) now: Timestamp,
    counter: u64,
    pub(crate) jobs: Vec<Job>,
    pub(crate) destinations: Vec<Destination>,
    pub(crate) groups: Vec<Group>,
    pub(crate) timeline: Vec<(Timestamp, Event)>,
    pub(crate) process: bool,
    pub(crate) licence_issue: bool,
    pub(crate) version: String,
    dialect: Dialect,
    faults: Vec<Fault>,
    calls: Vec<Call>,
    allow: Vec<Allow>,
    #[serde(default)]
    pub(crate) blurred: bool,
}

/// What can be seen of a run from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shown {
    /// Its group is listed.
    pub listed: bool,
    /// Its job says "running" on account of it.
    pub running: bool,
    /// It has a log.
    pub logged: bool,
    /// Its group was listed once and is no longer.
    pub cleared: bool,
}

impl World {
    /// A server without jobs, called `name`. Its gate lets everything through that any `--allow` word permits.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            now: Timestamp::UNIX_EPOCH,
            counter: 0,
            jobs: Vec::new(),
            destinations: Vec::new(),
            groups: Vec::new(),
            timeline: Vec::new(),
            process: true,
            licence_issue: false,
            version: "5.3.14".to_owned(),
            dialect: Dialect::default(),
            faults: Vec::new(),
            calls: Vec::new(),
            allow: vec![Allow::Log, Allow::Destination, Allow::Switch],
            blurred: false,
        }
    }

    /// Adds a job.
    pub fn job(mut self, job: Job) -> Self {
        self.jobs.push(job);
        self
    }

    /// Adds a destination.
    pub fn destination(mut self, destination: Destination) -> Self {
        self.destinations.push(destination);
        self
    }

    /// Adds a fault; of several that fit a call the first added counts.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// The way values are written in all answers.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// The `--allow` words of the gate that [`exec`](Self::exec) goes through.
    pub fn allow(mut self, words: &[Allow]) -> Self {
        self.allow = words.to_vec();
        self
    }

    /// The version that answers carry.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Fills the lists with `count` finished runs of `job`, an hour apart, the newest ending an hour before `before`.
    pub fn old_groups(mut self, job: &str, count: u32, before: Timestamp) -> Self {
        self.add_old_groups(job, count, before);
        self
    }

    /// Adds a group that is no backup, such as an integrity check (64) or a snapshot delete (128), created at
    /// `created` and started 3 s later; `lasting` of `None` means for ever.
    pub fn other_group(mut self, kind: i64, created: Timestamp, lasting: Option<i64>) -> Self {
        let mut script = Run::completed().group_after(0);
        script.lasting = lasting;
        let subject = (format!("{kind:024x}"), format!("queue type {kind}"));
        let group = self.new_group(kind, subject, script, Origin::Schedule, created);
        self.groups.push(group);
        self
    }

    /// JetBackup's own scheduler starts `job` at this time. A job that is disabled or running then is left alone.
    pub fn start_by_schedule(&mut self, job: &str, at: Timestamp) {
        self.timeline.push((at, Event::Start { job: job.to_owned(), origin: Origin::Schedule }));
    }

    /// A person starts `job` in JetBackup's own interface at this time.
    pub fn start_by_person(&mut self, job: &str, at: Timestamp) {
        self.timeline.push((at, Event::Start { job: job.to_owned(), origin: Origin::Person }));
    }

    /// A person has the failed items of `job`'s latest finished group run again at this time. JetBackup reopens that
    /// group: its id and its `created` are old, its status is 1 again.
    pub fn rerun_by_person(&mut self, job: &str, at: Timestamp) {
        self.timeline.push((at, Event::Rerun { job: job.to_owned() }));
    }

    /// From now on `job` writes to this destination, too.
    pub fn write_to(&mut self, job: &str, destination: &str) {
        for job in self.jobs.iter_mut().filter(|known| known.id == job) {
            job.destinations.push(destination.to_owned());
        }
    }

    /// Somebody enables or disables a job or destination at this time.
    pub fn set_disabled_at(&mut self, id: &str, disabled: bool, at: Timestamp) {
        self.timeline.push((at, Event::SetDisabled { id: id.to_owned(), disabled }));
    }

    /// JetBackup dies at this time: groups freeze, `getInfo` says `process: false`, triggers are refused.
    pub fn crash_at(&mut self, at: Timestamp) {
        self.timeline.push((at, Event::Crash));
    }

    /// JetBackup is restarted at this time: what was under way becomes 104 (never finished).
    pub fn restart_at(&mut self, at: Timestamp) {
        self.timeline.push((at, Event::Restart));
    }

    /// An admin clears the queue at this time: no group of before is listed any more. Runs go on, logs stay.
    pub fn clear_queue_at(&mut self, at: Timestamp) {
        self.timeline.push((at, Event::ClearQueue));
    }

    /// As [`old_groups`](Self::old_groups), in a world that is in use.
    pub fn add_old_groups(&mut self, job: &str, count: u32, before: Timestamp) {
        let name = self.jobs.iter().find(|known| known.id == job).map_or("", |known| &known.name).to_owned();
        for age in 0..i64::from(count) {
            let at = after(before, -3600 * age - 5400);
            let script = Run::completed().group_after(0).pending(0).lasting(1800);
            let group = self.new_group(1, (job.to_owned(), name.clone()), script, Origin::History, at);
            self.groups.push(group);
        }
    }

    /// Removes the groups that only filled the lists.
    pub fn remove_old_groups(&mut self) {
        let is_old = |group: &Group| group.origin == Origin::History;
        let old: Vec<usize> = (0..self.groups.len()).filter(|at| is_old(&self.groups[*at])).collect();
        self.groups.retain(|group| !is_old(group));
        for group in &mut self.groups {
            if let Start::Behind(at) = &mut group.start {
                *at -= old.partition_point(|old| old < at);
            }
        }
    }

    /// From now on lists do not say which jobs the groups belong to; or they do again.
    pub fn blur(&mut self, blurred: bool) {
        self.blurred = blurred;
    }

    /// How the group of a run shows at this time.
    pub fn shows(&self, group: &str, at: Timestamp) -> Shown {
        let group = self.groups.iter().find(|known| known.id == group);
        group.map_or_else(Shown::default, |group| Shown {
            listed: group.listed(at),
            running: group.running(at),
            logged: group.script.logged && group.started(at).is_some(),
            cleared: group.created <= at && group.hidden_at.is_some_and(|hidden| hidden <= at),
        })
    }

    /// Lists no longer show the groups that ended before `time`. Logs stay.
    pub fn forget_groups(&mut self, time: Timestamp) {
        for group in self.groups.iter_mut().filter(|group| group.finished(time)) {
            group.hidden_at = Some(group.hidden_at.map_or(time, |hidden| hidden.min(time)));
        }
    }

    /// Whether the licence is refused: `licenseIssue` is set and triggers fail.
    pub fn set_licence_issue(&mut self, issue: bool) {
        self.licence_issue = issue;
    }

    /// Adds a fault to a world that is in use.
    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Removes all faults.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Replaces the dialect of a world that is in use.
    pub fn set_dialect(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// The server's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command line as it arrives over SSH, through a gate that obeys the same closed grammar as the real one.
    pub fn exec(&mut self, now: Timestamp, command_line: &str) -> Reply {
        let call = |function: &str, effect| Call {
            at: now,
            function: function.to_owned(),
            params: Vec::new(),
            effect,
            spoiled: false,
        };
        match gate::parse(command_line, &self.allow) {
            Some(Command::Echo) => {
                self.calls.push(call("echo", Effect::None));
                Reply { stdout: b"jetbackup-remote-ok\n".to_vec(), ..Reply::default() }
            }
            Some(Command::Api(arguments)) => self.call(now, &arguments),
            None => {
                self.calls.push(call("", Effect::Refused));
                let stderr = format!("ERROR: Command not allowed: {command_line}\n");
                Reply { stderr, exit: 1, ..Reply::default() }
            }
        }
    }

    /// A call of `jetbackup5api` with these arguments (the program's name left out).
    pub fn call<S: AsRef<str>>(&mut self, now: Timestamp, argv: &[S]) -> Reply {
        let now = self.advance(now);
        let request = Request::parse(argv);
        let Some(function) = request.function else {
            let stdout = b"Usage: jetbackup5api -F FUNCTION [-D DATA] [-O json|plain]\n".to_vec();
            return Reply { stdout, exit: 1, ..Reply::default() };
        };
        let fault = self.faults.iter_mut().find_map(|fault| fault.strikes(&function, now));
        let (answer, effect) = match &fault {
            Some(fault) if !fault.takes_effect() => (Answer::acknowledged(), Effect::None),
            _ => api::dispatch(self, now, &function, &request.params),
        };
        self.calls.push(Call {
            at: now,
            function,
            params: request.params.0,
            effect,
            spoiled: fault.is_some(),
        });
        let dialect = fault.as_ref().and_then(Fault::dialect).unwrap_or(self.dialect);
        let reply = render::reply(answer, &self.system(), dialect, request.json);
        fault.iter().fold(reply, |reply, fault| fault.spoil(reply))
    }

    /// All calls so far, in order.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// How many calls of this function have arrived.
    pub fn count(&self, function: &str) -> usize {
        self.calls.iter().filter(|call| call.function == function).count()
    }

    /// How many requests to run `job` have arrived, whatever came of them.
    pub fn triggers(&self, job: &str) -> usize {
        let asked = |call: &&Call| call.function == "runBackupJobManually" && call.param("_id") == Some(job);
        self.calls.iter().filter(asked).count()
    }

    /// What really ran, as of the latest call; [`truth`] has more.
    pub fn runs(&self) -> Vec<RealRun> {
        truth::runs(self, self.now)
    }

    /// The same at a later time.
    pub fn runs_at(&self, now: Timestamp) -> Vec<RealRun> {
        truth::runs(self, now)
    }

    /// The same, and this world goes on until `now`.
    pub fn runs_by(&mut self, now: Timestamp) -> Vec<RealRun> {
        truth::runs_now(self, now)
    }

    /// All calls since this was last asked, in order; they are forgotten here.
    pub fn take_calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.calls)
    }

    /// Whether a job or destination is disabled.
    pub fn is_disabled(&self, id: &str) -> bool {
        self.jobs.iter().any(|job| job.id == id && job.disabled)
            || self.destinations.iter().any(|destination| destination.id == id && destination.disabled)
    }

    /// The next id, in the form MongoDB gives them: seconds, then machine, then a counter.
    pub(crate) fn new_id(&mut self, created: Timestamp) -> String {
        self.counter += 1;
        let machine = self
            .name
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        format!("{:08x}{machine:08x}{:08x}", created.as_second().unsigned_abs() & 0xffff_ffff, self.counter)
    }
}
