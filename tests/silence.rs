//! Nothing is silent: what is odd on the servers, starts that are missed, jobs without success and a clock that stays
//! wrong are each told once, over restarts too, and nothing is told that is not so.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/night.rs"]
mod night;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use jetbackup_remote::model::{Command, Event, Remark, RemarkKind, Selection, Snapshot, What};
use jetbackup_remote::orchestrator::{Duties, ScheduleRecord, Timetable, WallClock};
use jetbackup_remote::schedule::Schedule;
use jetbackup_sim::{Destination, Effect, Fault, Job, Run, Spoil, World};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use night::{Clock, Night, Runner, id, seconds};
use serde_json::json;

/// A job with this number.
fn job(number: u64) -> Job {
    Job::new(jetbackup_sim::id(number), format!("Job {number}"))
}

fn brief(number: u64) -> Job {
    job(number).runs(Run::completed().lasting(60))
}

fn world() -> World {
    World::new("sim")
}

/// The kinds and numbers of what is remarked: `job_disabled 2`.
fn said(remarks: &[Remark]) -> Vec<String> {
    let word = |kind: RemarkKind| serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned();
    let number = |id: &str| u128::from_str_radix(id, 16).unwrap();
    remarks.iter().map(|remark| format!("{} {}", word(remark.kind), number(&remark.id))).collect()
}

fn remarks(snapshot: &Snapshot) -> Vec<String> {
    said(&snapshot.servers()[0].remarks)
}

/// What is told next of a server's remarks: all of them, and the new ones.
async fn told(runner: &mut Runner) -> (Vec<String>, Vec<String>) {
    loop {
        if let What::Remarks { remarks, new, .. } = runner.events.recv().await.unwrap().what {
            return (said(&remarks), said(&new));
        }
    }
}

/// All that was told so far and not looked at yet.
fn heard(runner: &mut Runner) -> Vec<Event> {
    std::iter::from_fn(|| runner.events.try_recv().ok()).collect()
}

fn is_odd(event: &Event) -> bool {
    matches!(event.what, What::Remarks { .. } | What::CycleMissed { .. } | What::Alert { .. })
}

/// That nothing odd is told for so long.
async fn assert_silence(runner: &mut Runner, hours: u64) {
    for _ in 0..hours {
        tokio::time::sleep(seconds(3600)).await;
        let odd: Vec<Event> = heard(runner).into_iter().filter(is_odd).collect();
        assert!(odd.is_empty(), "{odd:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_odd_on_a_server_is_told_once_over_restarts_and_until_it_changes() {
    let [nas, other] = [id("70"), id("71")];
    let server = world()
        .job(brief(1).destination(&nas))
        .job(brief(2).disabled())
        .job(brief(4))
        .job(brief(5).disabled())
        .job(job(6).config())
        .destination(Destination::new(&nas, "NAS").disk(93, 7, 100))
        .destination(Destination::new(&other, "Other").disabled());
    let night = Night::new(vec![("a", server)], &["a/1", "a/2", "a/3"], json!({}));
    let mut daemon = night.serve().await;
    let all = ["job_in_no_queue 4", "job_disabled 2", "job_not_found 3", "destination_nearly_full 70"];
    let event = daemon.event("alert").await;
    let What::Remarks { remarks: found, new, .. } = &event.what else { panic!("{event:?}") };
    assert_eq!((said(found), said(new)), (all.map(String::from).to_vec(), all.map(String::from).to_vec()));
    assert!(found.iter().all(|remark| remark.since == Some(event.at)));
    assert_silence(&mut daemon, 5).await;
    daemon.leave().await;

    // A restart tells nothing again, and knows since when it is so.
    let mut daemon = night.serve().await;
    assert_eq!(remarks(&daemon.handle.snapshot.borrow()), all);
    assert_silence(&mut daemon, 2).await;
    let since = daemon.handle.snapshot.borrow().servers()[0].remarks[0].since;
    assert_eq!(since, Some(event.at));
    daemon.kill().await;

    // One goes away and another comes; what goes away alone is no alert.
    let now = night.clock.now();
    night.world("a").set_disabled_at(&id("4"), true, now);
    night.world("a").set_disabled_at(&nas, true, now);
    let mut daemon = night.serve().await;
    let left = ["job_disabled 2", "job_not_found 3", "destination_disabled 70", "destination_nearly_full 70"];
    assert_eq!(told(&mut daemon).await, (left.map(String::from).to_vec(), vec![left[2].to_owned()]));
    let now = night.clock.now();
    night.world("a").set_disabled_at(&nas, false, now);
    assert_eq!(told(&mut daemon).await.1, Vec::<String>::new());
    let calmed = heard(&mut daemon);
    assert!(!calmed.iter().any(|event| event.event_type() == Some("alert")), "{calmed:?}");
    let now = night.clock.now();
    night.world("a").set_disabled_at(&nas, true, now);
    assert_eq!(told(&mut daemon).await.1, ["destination_disabled 70"], "it has come back");
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_asked_changes_nothing() {
    let nas = id("70");
    let server = world()
        .job(brief(1).destination(&nas))
        .job(brief(2))
        .destination(Destination::new(&nas, "NAS").read_only());
    let night = Night::new(vec![("a", server), ("b", world().job(brief(9)))], &["a/1", "b/9"], json!({}));
    let mut daemon = night.serve().await;
    let both = ["job_in_no_queue 2", "destination_read_only 70"];
    assert_eq!(told(&mut daemon).await.0, both);
    night.cut("a", true);
    daemon.event("server_unreachable").await;
    assert_silence(&mut daemon, 2).await;
    assert_eq!(remarks(&daemon.handle.snapshot.borrow()), both);
    night.cut("a", false);
    daemon.event("server_reachable").await;
    assert_silence(&mut daemon, 2).await;

    // It answers, and its destinations do not.
    night.world("a").add_fault(Fault::new(Spoil::Garbage).on("getDestination"));
    assert_silence(&mut daemon, 2).await;
    assert_eq!(remarks(&daemon.handle.snapshot.borrow()), both);
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_lets_nobody_ask_about_destinations_is_asked_once() {
    let nas = id("70");
    let server = world()
        .job(brief(1).destination(&nas).destination(id("71")))
        .destination(Destination::new(&nas, "NAS").disabled())
        .allow(&[]);
    let night = Night::new(vec![("a", server)], &["a/1"], json!({}));
    let mut daemon = night.serve().await;
    assert_silence(&mut daemon, 3).await;
    assert_eq!(remarks(&daemon.handle.snapshot.borrow()), Vec::<String>::new());
    let refused = night.world("a").calls().iter().filter(|call| call.effect == Effect::Refused).count();
    assert_eq!(refused, 1);
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_single_run_tells_what_is_odd_and_no_turn_waits_for_it() {
    let nas = id("70");
    let server = world()
        .job(brief(1).destination(&nas))
        .job(brief(2))
        .destination(Destination::new(&nas, "NAS").read_only());
    let night = Night::new(vec![("a", server)], &["a/1"], json!({}));
    night.world("a").add_fault(Fault::new(Spoil::Hang(25)).on("getDestination"));
    let begun = tokio::time::Instant::now();
    let mut runner = night.start(Selection::default()).await;
    runner.until(|snapshot| snapshot.jobs()[0].running).await;
    assert!(begun.elapsed() < seconds(20), "the trigger does not wait for it: {:?}", begun.elapsed());
    let (all, new) = told(&mut runner).await;
    assert_eq!(
        (all.clone(), new),
        (all, vec!["job_in_no_queue 2".to_owned(), "destination_read_only 70".to_owned()])
    );
    assert_eq!(runner.end().await.completed, 1);
    // The next run has nothing new to tell; what is already told is not told by a daemon either.
    let mut runner = night.start(Selection::default()).await;
    runner.events = runner.handle.events.subscribe();
    assert_eq!(remarks(&runner.handle.snapshot.borrow()).len(), 2);
    let mut daemon_events = std::mem::replace(&mut runner.events, runner.handle.events.subscribe());
    assert_eq!(runner.end().await.completed, 1);
    let odd = std::iter::from_fn(|| daemon_events.try_recv().ok()).filter(is_odd).count();
    assert_eq!(odd, 0);
}

#[tokio::test(start_paused = true)]
async fn even_a_run_without_a_turn_tells_what_is_odd() {
    let night = Night::new(vec![("a", world().job(brief(1).disabled()))], &["a/1"], json!({}));
    let mut runner = night.start(Selection::default()).await;
    assert_eq!(told(&mut runner).await.0, ["job_disabled 1"]);
    assert_eq!(runner.end().await.completed, 0);
}

/// A clock that can be put forward and back, and that starts in 1970 if nobody has set it.
#[derive(Clone)]
struct Hands {
    clock: Clock,
    /// Seconds.
    off: Arc<AtomicI64>,
    unset: Arc<Mutex<bool>>,
}

impl Hands {
    fn of(night: &Night) -> Self {
        Self { clock: night.clock, off: Arc::default(), unset: Arc::default() }
    }

    fn put(&self, seconds: i64) {
        self.off.fetch_add(seconds, Ordering::SeqCst);
    }

    fn unset(&self, unset: bool) {
        *self.unset.lock().unwrap() = unset;
    }
}

impl WallClock for Hands {
    fn now(&self) -> Timestamp {
        let off = SignedDuration::from_secs(self.off.load(Ordering::SeqCst));
        if self.is_plausible() { self.clock.now() + off } else { Timestamp::UNIX_EPOCH }
    }

    fn is_plausible(&self) -> bool {
        !*self.unset.lock().unwrap()
    }
}

/// Starts a daemon with the schedule of its configuration, by this clock, as `daemon` does.
async fn scheduled(night: &Night, clock: &Hands) -> Runner {
    let config = night.config();
    let make = move |ScheduleRecord { memory, last_cycle }, now| {
        let memory = memory.map(|memory| serde_json::from_str(&memory).unwrap());
        Schedule::new(&config, TimeZone::UTC, memory, last_cycle.as_ref(), now)
    };
    let duties = Duties::new(Timetable::WaitsForClock(Box::new(make)), || (), None);
    night.serve_with(duties, Arc::new(clock.clone())).await
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A night with a start at three each day, and jobs as long as that. Dusk is at two.
fn daily(lasting: i64) -> Night {
    let server = world().job(job(1).runs(Run::completed().lasting(lasting)));
    let mut night =
        Night::new(vec![("a", server)], &["a/1"], json!({"stale_after": 8_640_000, "job_timeout": 80_000}));
    night.configure(|config| {
        config.daemon.schedule = Some("0 3 * * *".parse().unwrap());
        config.daemon.random_delay = seconds(300);
    });
    night
}

async fn missed(runner: &mut Runner) -> (Timestamp, Option<Timestamp>) {
    match runner.event("alert").await.what {
        What::CycleMissed { due, begins } => (due, begins),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_came_while_the_daemon_was_down_is_told_once() {
    let night = daily(600);
    let clock = Hands::of(&night);
    let mut daemon = scheduled(&night, &clock).await;
    assert_silence(&mut daemon, 30).await;
    assert_eq!(night.triggers("a/1"), 2);
    daemon.leave().await;
    tokio::time::sleep(seconds(2 * 86_400)).await;

    let mut daemon = scheduled(&night, &clock).await;
    let (due, begins) = missed(&mut daemon).await;
    assert_eq!(due, at("2026-01-12T03:00:00Z"), "the first of two");
    assert!(begins.is_some_and(|begins| begins > at("2026-01-13T07:00:00Z")), "{begins:?}");
    daemon.event("cycle_started").await;
    daemon.kill().await;
    let mut daemon = scheduled(&night, &clock).await;
    assert_silence(&mut daemon, 30).await;
    assert_eq!(night.triggers("a/1"), 4, "the one that was late, and the next one in time");
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_around_the_time_of_a_start_tells_nothing() {
    let night = daily(600);
    let clock = Hands::of(&night);
    for _ in 0..20 {
        let mut daemon = scheduled(&night, &clock).await;
        tokio::time::sleep(seconds(400)).await;
        let odd: Vec<Event> = heard(&mut daemon).into_iter().filter(is_odd).collect();
        assert!(odd.is_empty(), "{odd:?}");
        daemon.leave().await;
    }
    assert_eq!(night.triggers("a/1"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_waits_behind_a_long_cycle_is_told_while_it_waits_and_not_again() {
    let mut night = daily(6 * 3600);
    night.configure(|config| config.daemon.schedule = Some("0 3,5 * * *".parse().unwrap()));
    let clock = Hands::of(&night);
    let mut daemon = scheduled(&night, &clock).await;
    let (due, begins) = missed(&mut daemon).await;
    assert_eq!((due, begins), (at("2026-01-10T05:00:00Z"), None));
    assert!((60..68).contains(&night.clock.now().duration_since(due).as_mins()));
    daemon.kill().await;
    let mut daemon = scheduled(&night, &clock).await;
    assert_silence(&mut daemon, 5).await;
    assert_eq!(night.triggers("a/1"), 2, "it has begun after all");
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_a_person_drops_is_told() {
    let mut night = daily(6 * 3600);
    night.configure(|config| config.daemon.schedule = Some("0 3,5 * * *".parse().unwrap()));
    let clock = Hands::of(&night);
    let mut daemon = scheduled(&night, &clock).await;
    daemon.event("cycle_started").await;
    tokio::time::sleep(seconds(2 * 3600 + 600)).await;
    assert!(daemon.ask(Command::StopAfterCurrent).await.accepted);
    assert_eq!(missed(&mut daemon).await, (at("2026-01-10T05:00:00Z"), None));
    daemon.event("cycle_finished").await;
    assert_silence(&mut daemon, 12).await;
    assert_eq!(night.triggers("a/1"), 1);
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_past_a_start_is_told_of_and_one_that_jumps_back_is_not() {
    let night = daily(600);
    let clock = Hands::of(&night);
    let mut daemon = scheduled(&night, &clock).await;
    daemon.until(|snapshot| snapshot.queue().next_run.is_some()).await;
    clock.put(6 * 3600);
    let (due, begins) = missed(&mut daemon).await;
    assert_eq!(due, at("2026-01-10T03:00:00Z"));
    assert!(begins.is_some());
    daemon.event("cycle_finished").await;
    clock.put(-6 * 3600);
    assert_silence(&mut daemon, 10).await;
    clock.put(-400 * 86_400);
    assert_silence(&mut daemon, 2).await;
    clock.put(400 * 86_400);
    assert_silence(&mut daemon, 30).await;
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_stays_wrong_for_an_hour_is_told_once_until_it_was_set() {
    let night = daily(600);
    let clock = Hands::of(&night);
    clock.unset(true);
    let mut daemon = scheduled(&night, &clock).await;
    let begun = tokio::time::Instant::now();
    let alert = daemon.event("alert").await;
    assert!(matches!(&alert.what, What::Alert { job: None, text } if text.contains("clock")), "{alert:?}");
    assert!((3600..3700).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert_silence(&mut daemon, 5).await;
    daemon.leave().await;
    let mut daemon = scheduled(&night, &clock).await;
    assert_silence(&mut daemon, 5).await;

    // What the clock has cost so far is a start.
    clock.unset(false);
    tokio::time::sleep(seconds(300)).await;
    daemon.leave().await;
    clock.unset(true);
    let mut daemon = scheduled(&night, &clock).await;
    assert!(matches!(daemon.event("alert").await.what, What::Alert { job: None, .. }), "a new time of doubt");
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_within_the_hour_is_told_of_by_nobody() {
    let night = daily(600);
    let clock = Hands::of(&night);
    clock.unset(true);
    let mut daemon = scheduled(&night, &clock).await;
    tokio::time::sleep(seconds(3000)).await;
    clock.unset(false);
    tokio::time::sleep(seconds(600)).await;
    clock.unset(true);
    tokio::time::sleep(seconds(3000)).await;
    clock.unset(false);
    assert_silence(&mut daemon, 24).await;
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_stale_job_is_told_without_any_cycle_and_once_over_restarts_and_reloads() {
    let server = world().job(brief(1));
    let mut night = Night::new(vec![("a", server)], &["a/1"], json!({"stale_after": 7200}));
    let is_stale = |event: &Event| event.event_type() == Some("job_stale");
    let mut daemon = night.serve().await;
    daemon.event("job_stale").await;
    assert!(night.clock.now() > at("2026-01-10T04:00:00Z"));
    for how in ["leave", "kill", "stay"] {
        tokio::time::sleep(seconds(10 * 3600)).await;
        assert!(!heard(&mut daemon).iter().any(is_stale), "{how}");
        match how {
            "leave" => daemon.leave().await,
            "kill" => daemon.kill().await,
            _ => break,
        }
        daemon = night.serve().await;
        assert!(daemon.handle.snapshot.borrow().jobs()[0].stale);
    }
    assert_eq!(night.triggers("a/1"), 0, "no cycle has run");
    daemon.leave().await;

    // A limit that was raised makes it good again, and then it is told anew.
    night.configure(|config| config.jobs[0].stale_after = seconds(40 * 3600));
    let mut daemon = night.serve().await;
    assert!(!daemon.handle.snapshot.borrow().jobs()[0].stale);
    daemon.event("job_stale").await;
    daemon.leave().await;
}
