//! The promises, held against what the simulated servers know to be true. Here is what is remembered for that;
//! `triggers`, `ends`, `turns`, `stops` and `waits` judge.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use jetbackup_remote::config::Config;
use jetbackup_remote::model::{CycleId, Event, GroupId, JobKey, JobResult, RunId, RunRecord, What};
use jetbackup_sim::truth::RealRun;
use jiff::Timestamp;

use crate::disk::{Disk, Fault};
use crate::sky::Sky;
use crate::spans::Spans;
use crate::stops::Stop;
use crate::tide::Tide;
use crate::turns::Turns;
use crate::waits::Waits;
use crate::wire::Wire;

/// How soon after the disk works again what is owed to it has been written, in seconds.
pub const SETTLED: i64 = 65;

/// So much of what happened before a breach is shown.
const STORY: usize = 60;

/// Keeps account of what the program does, over all of its lives.
pub struct Ledger {
    config: OnceLock<Arc<Config>>,
    wires: OnceLock<Vec<Arc<Wire>>>,
    pub disk: Arc<Disk>,
    pub sky: Sky,
    tide: Tide,
    inner: Mutex<Inner>,
}

/// A trigger that has left.
#[derive(Debug, Clone)]
pub struct Sent {
    /// When it was on its way.
    pub at: Timestamp,
    /// The run that came of it.
    pub group: Option<GroupId>,
    pub cycle: Option<CycleId>,
    pub key: JobKey,
}

#[derive(Default)]
pub struct Inner {
    breaches: Vec<String>,
    /// What happened last.
    story: VecDeque<String>,
    counts: BTreeMap<&'static str, u64>,
    /// Whose overrun was told.
    pub overruns: HashSet<GroupId>,
    /// Runs that were told of.
    pub known: HashSet<GroupId>,
    /// Runs whose limit was told while their group was not known.
    pub overrun_runs: HashMap<JobKey, Timestamp>,
    /// What a person asked, and when.
    pub stops_asked: Vec<(JobKey, Timestamp)>,
    pub stops: Vec<Stop>,
    pub releases: Vec<(JobKey, Timestamp)>,
    /// The intent that was told last for each job.
    pub intents: HashMap<JobKey, RunRecord>,
    /// The triggers that left, by their intents.
    pub sent: HashMap<RunId, Sent>,
    /// Intents whose trigger had not left when the program was killed, and when that was.
    pub cut_off: HashMap<RunId, Timestamp>,
    /// The run of each job whose end was told last.
    pub last_told: HashMap<JobKey, RunId>,
    /// Runs of which nothing was on record when the program was killed, for the disk had refused it.
    pub forgotten: HashSet<GroupId>,
    /// The same by their intents, where nothing came of the trigger.
    pub forgotten_intents: HashSet<RunId>,
    /// How often the end of a run was told since it was last certain to be on record or lost.
    pub ended: HashMap<RunId, u32>,
    /// What ends were told last, when, and whether they were seen on record since.
    pub told: HashMap<RunId, (JobResult, Timestamp, bool)>,
    pub turns: Turns,
    pub waits: Waits,
    /// When the disk took nothing.
    pub bad_disk: Spans,
    /// When it was slow, full or locked.
    pub odd_disk: Spans,
    /// When the wall was wrong.
    pub bad_wall: Spans,
    /// When the program was at work.
    pub alive: Spans,
    /// It was told that something is not recorded, and nothing was said since.
    gap_told: Option<Timestamp>,
}

impl Ledger {
    pub fn new(disk: &Arc<Disk>, sky: &Sky, tide: &Tide) -> Arc<Self> {
        Arc::new(Self {
            config: OnceLock::new(),
            wires: OnceLock::new(),
            disk: Arc::clone(disk),
            sky: sky.clone(),
            tide: tide.clone(),
            inner: Mutex::default(),
        })
    }

    pub fn begin(&self, config: &Arc<Config>, wires: &[Arc<Wire>]) {
        assert!(self.config.set(Arc::clone(config)).is_ok() && self.wires.set(wires.to_vec()).is_ok());
    }

    pub fn config(&self) -> &Config {
        self.config.get().unwrap()
    }

    pub fn wires(&self) -> &[Arc<Wire>] {
        self.wires.get().unwrap()
    }

    pub fn wire(&self, server: &str) -> Option<&Arc<Wire>> {
        self.wires().iter().find(|wire| wire.name == server)
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// A promise is broken. The life ends at once.
    pub fn breach(&self, text: String) {
        self.inner().breaches.push(format!("{}: {text}", self.sky.now()));
        self.tide.kill();
    }

    /// For whoever has to find out how it came to that.
    fn tell(&self, text: String) {
        let mut inner = self.inner();
        inner.story.push_back(text);
        if inner.story.len() > STORY {
            inner.story.pop_front();
        }
    }

    /// What happened before the breach.
    pub fn story(&self) -> String {
        self.inner().story.iter().cloned().collect::<Vec<_>>().join("\n")
    }

    pub fn breaches(&self) -> Vec<String> {
        self.inner().breaches.clone()
    }

    pub fn count(&self, what: &'static str) {
        let text = format!("{}: one of the {what}", self.sky.now());
        self.tell(text);
        *self.inner().counts.entry(what).or_default() += 1;
    }

    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.inner().counts.clone()
    }

    pub fn counted(&self, what: &'static str) -> u64 {
        self.inner().counts.get(what).copied().unwrap_or_default()
    }

    /// What is wrong with the disk from now on.
    pub fn set_disk(&self, fault: Option<Fault>) {
        let now = self.sky.now();
        self.tell(format!("{now}: the disk: {fault:?}"));
        {
            let mut inner = self.inner();
            inner.bad_disk.mark(now, fault.is_some_and(Fault::is_bad));
            inner.odd_disk.mark(now, fault.is_some());
        }
        self.disk.set(fault);
    }

    pub fn is_disk_bad(&self) -> bool {
        self.disk.fault().is_some_and(Fault::is_bad)
    }

    pub fn disk_was_ever_bad(&self) -> bool {
        !self.inner().bad_disk.until(self.sky.now()).is_empty()
    }

    pub fn wall(&self, bad: bool) {
        let now = self.sky.now();
        self.inner().bad_wall.mark(now, bad);
    }

    /// A person takes a job's run off the lane.
    pub fn ask_release(&self, key: &JobKey) {
        let now = self.sky.now();
        self.inner().releases.push((key.clone(), now));
    }

    /// The program is at work from now on.
    pub fn born(&self) {
        let now = self.sky.now();
        let mut inner = self.inner();
        inner.alive.mark(now, true);
        inner.gap_told = None;
        inner.waits.free(now);
    }

    /// The program was killed, or has ended: from now on only what is on record is known to it.
    pub fn died(&self, in_peace: bool) {
        let now = self.sky.now();
        if !in_peace {
            let mut inner = self.inner();
            let intents: Vec<_> = inner.intents.values().map(|intent| intent.id).collect();
            for id in intents {
                inner.cut_off.entry(id).or_insert(now);
            }
        }
        self.inner().alive.mark(now, false);
        self.check_what_is_left(now);
        self.remember_queue(now);
        self.inner().intents.clear();
    }

    /// Something is told.
    pub fn hear(&self, event: &Event) {
        if !matches!(event.what, What::Progress { .. } | What::Outbox(_) | What::ServerSeen { .. }) {
            self.tell(format!("{}: {:?}", self.sky.now(), event.what));
        }
        self.note_run(&event.what);
        self.follow_turns(&event.what);
        match &event.what {
            What::JobStarting(run) => {
                self.inner().intents.insert(run.key.clone(), run.clone());
            }
            What::JobFinished { run, .. } => self.check_end(run),
            What::CycleFinished(_) => self.count("cycles"),
            What::JobTimeout { .. } => self.count("overruns"),
            What::JobSkipped(run) => {
                self.count("skipped");
                self.check_skip(run);
            }
            What::CycleMissed { .. } => self.count("missed"),
            What::Alert { text, .. } => self.hear_alert(text),
            _ => {}
        }
        let frees = matches!(
            event.what,
            What::JobFinished { .. }
                | What::JobTimeout { .. }
                | What::Released(_)
                | What::CycleStarted { .. }
                | What::JobQueued { .. }
        );
        if frees {
            let now = self.sky.now();
            self.inner().waits.free(now);
        }
    }

    fn hear_alert(&self, text: &str) {
        let now = self.sky.now();
        if text.contains("not recorded") {
            self.count("gaps told");
            self.inner().gap_told = Some(now);
        } else if text.contains("takes records again") {
            self.count("gaps closed");
            self.inner().gap_told = None;
        }
    }

    /// Looks after what has to become true some time later.
    pub fn patrol(&self) {
        let now = self.sky.now();
        let (gap, recent) = {
            let inner = self.inner();
            let from = now - jiff::SignedDuration::from_secs(SETTLED);
            (inner.gap_told, inner.odd_disk.touch(from, now))
        };
        if recent {
            return;
        }
        if let Some(at) = gap {
            self.breach(format!(
                "it was told at {at} that something is not recorded, and never that it is: the disk works again"
            ));
        }
        self.check_told_ends();
    }

    fn note_run(&self, what: &What) {
        let (What::JobStarted(run)
        | What::RunNoted(run)
        | What::Released(run)
        | What::JobTimeout { run, .. }
        | What::JobFinished { run, .. }) = what
        else {
            return;
        };
        self.inner().known.extend(run.group);
        if run.overrun {
            let now = self.sky.now();
            let mut inner = self.inner();
            inner.overruns.extend(run.group);
            if run.group.is_none() {
                inner.overrun_runs.insert(run.key.clone(), now);
            }
        }
    }
}

pub fn key(run: &RealRun) -> JobKey {
    JobKey { server: run.server.parse().unwrap(), job: run.job.parse().unwrap() }
}

pub fn group(run: &RealRun) -> GroupId {
    run.group.parse().unwrap()
}
