//! Months of a daemon with random jobs, faults, lost connections, kills, reloads, restarts of the machine, wrong clocks,
//! full, slow, locked and damaged disks, hung servers, cleared queues, long lists, and a mail server and a broker that
//! come and go: whatever happens, the promises of the program are kept. They are held against what the simulated servers
//! know to be true, at every trigger, stop and end, and once more when all has settled.
//!
//! One thing alone nobody can know, and it is judged as such: a trigger goes on although the disk refused its intent, and
//! the program is killed before the disk takes anything again. Of that run nothing is on record, and until its server
//! shows it nothing is to be seen of it. Which runs that are is read from the database at the moment of the kill.
//!
//! The seed of each month is printed when it fails; `JETBACKUP_MONTH_SEED=n` repeats that month alone: the same servers,
//! faults and kills. Only ids, and the order of what happens in one moment, differ from one time to the next.
//! `JETBACKUP_MONTHS=n` lives through more of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../examples/demo/broker/mod.rs"]
#[allow(dead_code)]
mod broker;
#[path = "../support/dice.rs"]
mod dice;
mod disk;
mod door;
mod ends;
mod faults;
mod ledger;
mod letters;
mod life;
mod mess;
mod post;
mod sky;
mod spans;
mod stops;
mod tide;
mod triggers;
mod turns;
mod waits;
mod wire;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dice::Dice;
use disk::Disk;
use door::Door;
use jetbackup_remote::config;
use jetbackup_remote::history::{Filter, History};
use jetbackup_remote::model::view::QueuePhase;
use jetbackup_remote::model::{Command, RunRecord, Selection};
use jetbackup_sim::{Job, WhenRunning, World};
use jiff::{SignedDuration, Timestamp};
use ledger::Ledger;
use life::{Life, Next, Stage};
use mess::Mess;
use post::Post;
use serde_json::{Value, json};
use sky::{DAWN, Sky, Wall};
use tide::Tide;
use wire::Wire;

/// What must have been seen in all months together. A month in which nothing happens keeps every promise.
const KINDS: [&str; 31] = [
    "triggers",
    "kills",
    "reloads",
    "cycles",
    "cycles resumed",
    "overruns",
    "triggers behind an overrun",
    "stops",
    "stops accepted",
    "early stops",
    "letters",
    "ends",
    "skipped",
    "jumps",
    "crashes",
    "full disks",
    "readers",
    "locked disks",
    "locked starts",
    "slow disks",
    "damaged files",
    "readers over a trigger",
    "triggers not recorded",
    "gaps told",
    "ends recorded later",
    "queues cleared",
    "hung servers",
    "turns beside a hung server",
    "twins",
    "long lists",
    "blurred lists",
];

/// How many months there are, if nobody wants more.
const MONTHS: u64 = 6;
/// How many days a month has, before what is left of it settles.
const DAYS: i64 = 28;
/// How long that may take, in minutes.
const SETTLING: u32 = 5 * 24 * 60;

/// Where a month happens. In memory where that can be had: what a real disk costs is no matter here.
fn state_dir() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn a_stage(dice: &mut Dice, state_dir: &Path) -> Stage {
    let (sky, tide) = (Sky::new(), Tide::default());
    let wall = Wall::new(&sky);
    let disk = Disk::new(state_dir);
    let ledger = Ledger::new(&disk, &sky, &tide);
    // Cycles of some months take longer than half a day.
    let scale = if dice.chance(35) { 4 } else { 1 };
    let limit = u64::try_from(scale).unwrap() * (5400 + dice.below(3600));
    let mut wires = Vec::new();
    let mut jobs = Vec::new();
    for name in ["a", "b", "c"].iter().take(usize::try_from(1 + dice.below(3)).unwrap()) {
        let mut world = World::new(*name);
        for number in 1..=1 + dice.below(2) {
            let id = jetbackup_sim::id(number);
            let mut job = Job::new(&id, format!("Job {number}"));
            for _ in 0..40 {
                // Some run beyond every limit.
                let longest = if dice.chance(10) { 14_000 } else { 2400 };
                job = job.runs(dice.run(scale * longest));
            }
            if dice.chance(50) {
                job = job.when_running(WhenRunning::Queue);
            }
            world = world.job(job);
            jobs.push(json!({"server": name, "job_id": id, "label": format!("{name}/{number}")}));
        }
        wires.push(Wire::new(world, &sky, &tide, &ledger));
    }
    let servers: serde_json::Map<String, Value> =
        wires.iter().map(|wire| (wire.name.clone(), json!({"host": "sim.example.com"}))).collect();
    let (to_broker, to_mail) = (Door::new(&tide), Door::new(&tide));
    let text = json!({
        "ssh_key": "/k", "servers": servers, "jobs": jobs,
        "orchestrator": {
            "state_dir": state_dir, "job_timeout": limit, "poll_interval": 300,
            "on_timeout": dice.pick(&["continue", "continue", "wait"]), "max_overruns": dice.below(3),
        },
        "daemon": {"schedule": "0 2 * * *", "random_delay": 0},
        "mqtt": {"enabled": true, "host": "127.0.0.1", "port": to_broker.port()},
        "notification": {
            "enabled": true, "smtp_host": "127.0.0.1", "smtp_port": to_mail.port(), "smtp_security": "none",
            "from_address": "pi@example.com", "to_addresses": ["admin@example.com"],
            "on_complete": dice.chance(50),
        },
    });
    let config = config::parse(&text.to_string(), Path::new("month.json")).unwrap().config;
    let config = Arc::new(config);
    ledger.begin(&config, &wires);
    let retained = Mutex::new(BTreeMap::new());
    let post = Post::default();
    Stage { config, wires, sky, wall, tide, ledger, disk, to_broker, to_mail, post, retained }
}

/// Whether nothing is left to be done or told.
fn is_settled(life: &Life, now: Timestamp) -> bool {
    let queue = life.handle.snapshot.borrow().queue();
    let is_idle = queue.phase == QueuePhase::Idle && queue.cycle.is_none() && queue.writers == 0;
    let waits = queue.outbox.is_none_or(|outbox| outbox.waiting > 0);
    let over = |wire: &Arc<Wire>| wire.world().runs_by(now).iter().all(|run| run.ended.is_some());
    is_idle && !waits && life.stage.wires.iter().all(over) && life.untold().is_empty()
}

/// Everything works again: the rest is done, and nothing is left over.
async fn settle(life: &Life<'_>) -> Next {
    let stage = life.stage;
    tokio::time::sleep(Duration::from_secs(600)).await;
    life.ask(Command::Run(Selection::default())).await;
    let mut minutes = 0;
    // Twice, so that nothing was only just about to come.
    let mut settled = 0;
    while settled < 2 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        settled = if is_settled(life, stage.sky.now()) { settled + 1 } else { 0 };
        stage.ledger.patrol();
        minutes += 1;
        if minutes > SETTLING {
            let queue = life.handle.snapshot.borrow().queue();
            stage.ledger.breach(format!("it never settles: {queue:#?}, untold {:#?}", life.untold()));
            return Next::End;
        }
    }
    agree(life).await;
    Next::End
}

/// What is shown of each job is the end that was told last, as it is on record.
async fn agree(life: &Life<'_>) {
    let stage = life.stage;
    let history = History::read_only(&stage.config.orchestrator.state_dir).unwrap();
    let records = history.runs(&Filter::default()).await.unwrap();
    for job in life.handle.snapshot.borrow().jobs() {
        let told = stage.ledger.inner().last_told.get(&job.key).copied();
        let newest = records.iter().find(|run| Some(run.id) == told);
        let shown = job.last.as_ref().map(|last| (last.result, last.reason, last.ended));
        let recorded = newest.and_then(|run| Some((run.result?, run.reason, run.ended)));
        if shown != recorded {
            stage.ledger.breach(format!("{} shows {shown:?}, and on record is {newest:?}", job.key));
        }
    }
}

/// Lives a month; answers what was counted.
fn month(seed: u64) -> BTreeMap<&'static str, u64> {
    let mut dice = Dice(seed);
    let state_dir = state_dir();
    let stage = a_stage(&mut dice, state_dir.path());
    let end = DAWN.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * DAYS);
    let mut mess = Mess::new(dice, end);
    let mut after = 0;
    while stage.sky.now() < end && stage.ledger.breaches().is_empty() {
        stage.ledger.count("lives");
        if !stage.live(after, async |life| mess.make(life).await) {
            stage.ledger.count("kills");
        }
        after = mess.clean(&stage);
    }
    mess.end(&stage);
    if stage.ledger.breaches().is_empty() {
        stage.live(60, settle);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let history = History::read_only(state_dir.path()).unwrap();
    let records = runtime.block_on(history.runs(&Filter::default())).unwrap();
    if stage.ledger.breaches().is_empty() {
        let old = stage.disk.old_runs();
        let is_gone = |old: &RunRecord| records.iter().all(|run| run.id != old.id);
        let mut all: Vec<_> = old.into_iter().filter(is_gone).collect();
        // What was open in a file that is set aside is open in the next one, or lost.
        all.extend(records.iter().cloned());
        stage.ledger.settle(&all);
        stage.ledger.settle_stops();
        letters::check(&stage.ledger, &stage.disk.notes(), &stage.post.taken());
    }
    let breaches = stage.ledger.breaches();
    if !breaches.is_empty() {
        let kept = state_dir.keep();
        panic!(
            "{}\nJETBACKUP_MONTH_SEED={seed} breaks promises; its state is in {}:\n{}\n{:?}",
            stage.ledger.story(),
            kept.display(),
            breaches.join("\n"),
            stage.ledger.counts()
        );
    }
    stage.ledger.counts()
}

#[test]
fn no_month_breaks_a_promise() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let one = number("JETBACKUP_MONTH_SEED");
    let seeds = one.map_or(0..number("JETBACKUP_MONTHS").unwrap_or(MONTHS), |seed| seed..seed + 1);
    let mut total = BTreeMap::<_, u64>::new();
    for seed in seeds {
        let begun = std::time::Instant::now();
        let told = Told(seed);
        let counts = month(seed);
        std::mem::forget(told);
        eprintln!("month {seed} took {:.1} s: {counts:?}", begun.elapsed().as_secs_f32());
        for (what, count) in counts {
            *total.entry(what).or_default() += count;
        }
    }
    for what in KINDS {
        assert!(one.is_some() || total.contains_key(what), "nothing was seen of {what}: {total:?}");
    }
}

/// Says which month it was when a test panics.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        eprintln!("this was the month of JETBACKUP_MONTH_SEED={}", self.0);
    }
}
