//! The daemon's queue on the paused clock: it takes what it is asked for, survives its own restarts, and knows how
//! things stand while it has nothing to do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/night.rs"]
mod night;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use jetbackup_remote::model::view::{JobPhase, QueuePhase};
use jetbackup_remote::model::{Command, CycleRecord, Event, JobKey, Selection, Snapshot, What};
use jetbackup_remote::orchestrator::{Duties, Timetable, WallClock};
use jetbackup_remote::schedule::Schedule;
use jetbackup_sim::{Destination, Fault, Job, Run, Spoil, World};
use jiff::Timestamp;
use night::{Clock, Night, Runner, id, seconds};
use serde_json::json;

/// A server with these jobs, numbered from 1, each behaving as its run says.
fn server(runs: Vec<Run>) -> World {
    let numbered = runs.into_iter().zip(1..);
    numbered.fold(World::new("sim"), |world, (run, number)| {
        world.job(Job::new(jetbackup_sim::id(number), format!("Job {number}")).runs(run))
    })
}

fn completed(lasting: i64) -> Run {
    Run::completed().lasting(lasting)
}

/// Three jobs of ten minutes.
fn three() -> Night {
    let runs = vec![completed(600), completed(600), completed(600)];
    Night::new(vec![("a", server(runs))], &["a/1", "a/2", "a/3"], json!({}))
}

fn all() -> Command {
    Command::Run(Selection::default())
}

fn key(job: &str) -> JobKey {
    let (server, number) = job.split_once('/').unwrap();
    JobKey { server: server.parse().unwrap(), job: id(number).parse().unwrap() }
}

fn only(job: &str) -> Command {
    let JobKey { server, job } = key(job);
    Command::Run(Selection { server: Some(server), job: Some(job) })
}

fn phase_of(snapshot: &Snapshot, job: &str) -> JobPhase {
    snapshot.jobs().iter().find(|state| state.key == key(job)).unwrap().phase
}

fn is_idle(snapshot: &Snapshot) -> bool {
    snapshot.queue().phase == QueuePhase::Idle && snapshot.queue().last_cycle.is_some()
}

/// The end of the cycle under way.
async fn cycle(runner: &mut Runner) -> CycleRecord {
    match runner.event("cycle_finished").await.what {
        What::CycleFinished(cycle) => cycle,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_gives_turns_as_they_are_asked_for_and_stays() {
    let night = three();
    let mut daemon = night.serve().await;
    daemon.until(|snapshot| snapshot.servers()[0].answers() == Some(true)).await;
    assert_eq!(night.triggers("a/1"), 0, "nothing runs unasked");

    let answer = daemon.ask(only("a/2")).await;
    assert!(answer.accepted && answer.reason.ends_with("is queued at place 1"), "{answer:?}");
    let answer = daemon.ask(all()).await;
    assert!(answer.accepted && answer.reason.contains("already queued at place 1"), "{answer:?}");
    let first = cycle(&mut daemon).await;
    assert_eq!((first.total, first.completed), (3, 3));
    assert_eq!(night.results().await, ["a/2 completed", "a/1 completed", "a/3 completed"]);
    assert!(first.duration.is_some_and(|took| (1800..1900).contains(&took)), "{first:?}");

    assert!(daemon.ask(only("a/3")).await.accepted);
    let second = cycle(&mut daemon).await;
    assert_ne!(first.id, second.id);
    assert_eq!((second.total, second.completed), (1, 1));
    daemon.leave().await;
    night.assert_one_writer();
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_ends_and_comes_back_goes_on_where_it_stood() {
    for how in ["leave", "kill"] {
        let night = three();
        let mut daemon = night.serve().await;
        daemon.ask(all()).await;
        daemon.until(|snapshot| phase_of(snapshot, "a/2") == JobPhase::Running).await;
        let before = daemon.handle.snapshot.borrow().queue().cycle.unwrap();
        if how == "leave" {
            daemon.leave().await;
        } else {
            daemon.kill().await;
        }
        tokio::time::sleep(seconds(30)).await;

        let mut daemon = night.serve().await;
        let resumed = daemon.until(|snapshot| snapshot.queue().cycle.is_some()).await;
        assert_eq!(resumed.queue().cycle, Some(before), "the same cycle, as far as it was ({how})");
        let over = cycle(&mut daemon).await;
        assert_eq!((over.total, over.done, over.completed), (3, 3, 3), "{how}");
        assert_eq!(over.duration, None, "nobody watched all of it");
        assert_eq!(night.results().await, ["a/1 completed", "a/2 completed", "a/3 completed"]);
        for job in ["a/1", "a/2", "a/3"] {
            assert_eq!(night.triggers(job), 1, "{job} ({how})");
        }
        daemon.leave().await;
        night.assert_one_writer();
    }
}

#[tokio::test(start_paused = true)]
async fn a_cycle_left_for_half_a_day_is_not_taken_up() {
    let night = three();
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    daemon.until(|snapshot| phase_of(snapshot, "a/1") == JobPhase::Running).await;
    daemon.kill().await;
    tokio::time::sleep(seconds(12 * 3600)).await;

    let mut daemon = night.serve().await;
    // That it did not come to its end is told: nobody was told how far it came.
    let over = tokio::time::timeout(seconds(60), cycle(&mut daemon)).await.expect("its end is told");
    assert_eq!((over.total, over.completed, over.problems), (3, 0, 3));
    daemon.until(|snapshot| snapshot.servers()[0].answers() == Some(true)).await;
    tokio::time::sleep(seconds(3600)).await;
    assert_eq!(
        night.results().await,
        ["a/1 completed"],
        "what ended meanwhile is recorded, nothing is started"
    );
    assert_eq!(daemon.handle.snapshot.borrow().queue().phase, QueuePhase::Idle);
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_single_run_after_a_daemon_begins_anew() {
    let night = three();
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    daemon.until(|snapshot| phase_of(snapshot, "a/2") == JobPhase::Running).await;
    daemon.leave().await;
    let over = night.run().await;
    assert_eq!((over.total, over.completed), (3, 3));
    assert_eq!((night.triggers("a/1"), night.triggers("a/2"), night.triggers("a/3")), (2, 1, 1));
    night.assert_one_writer();
}

#[tokio::test(start_paused = true)]
async fn a_job_that_left_the_configuration_is_not_run_when_its_cycle_is_taken_up() {
    let mut night = three();
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    daemon.until(|snapshot| phase_of(snapshot, "a/1") == JobPhase::Running).await;
    daemon.leave().await;
    night.configure(|config| config.jobs.retain(|job| job.label != "a/2"));
    let mut daemon = night.serve().await;
    let over = cycle(&mut daemon).await;
    assert_eq!((over.total, over.completed), (3, 2));
    assert_eq!(night.triggers("a/2"), 0);
    assert!(night.records().await.iter().any(|run| {
        run.key == key("a/2") && run.reason.is_some_and(|reason| reason.word() == "not_configured")
    }));
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn stop_after_current_ends_the_cycle_and_not_the_daemon() {
    let night = three();
    let mut daemon = night.serve().await;
    assert_eq!(daemon.ask(Command::StopAfterCurrent).await.reason, "nothing is queued");
    daemon.ask(all()).await;
    daemon.until(|snapshot| phase_of(snapshot, "a/1") == JobPhase::Running).await;
    assert!(daemon.ask(Command::StopAfterCurrent).await.accepted);
    let refused = daemon.ask(only("a/3")).await;
    assert!(!refused.accepted && refused.reason.contains("stopping"), "{refused:?}");
    let over = cycle(&mut daemon).await;
    assert_eq!((over.total, over.completed), (3, 1));
    assert!(daemon.ask(only("a/3")).await.accepted, "the next cycle is not stopping");
    assert_eq!(cycle(&mut daemon).await.completed, 1);
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_is_stopped_by_its_job() {
    let night = three();
    let mut daemon = night.serve().await;
    let refused = daemon.ask(Command::StopJob(key("a/1"))).await;
    assert!(!refused.accepted && refused.reason.ends_with("is not running"), "{refused:?}");
    daemon.ask(only("a/1")).await;
    daemon.group().await;
    assert!(daemon.ask(Command::StopJob(key("a/1"))).await.accepted);
    cycle(&mut daemon).await;
    assert_eq!(night.results().await, ["a/1 aborted"]);
    // Before its group is listed there is nothing to stop it by: the stop waits for that.
    daemon.ask(only("a/2")).await;
    daemon.until(|snapshot| phase_of(snapshot, "a/2") == JobPhase::Starting).await;
    let answer = daemon.ask(Command::StopJob(key("a/2"))).await;
    assert!(answer.accepted && answer.reason.contains("as soon as"), "{answer:?}");
    cycle(&mut daemon).await;
    assert_eq!(night.results().await, ["a/1 aborted", "a/2 aborted"]);
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_without_success_for_too_long_is_told_once_over_restarts_and_until_it_completes() {
    let runs = vec![completed(60), Run::failed().lasting(60)];
    let settings = json!({"stale_after": 7200});
    let night = Night::new(vec![("a", server(runs))], &["a/1", "a/2"], settings);
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    cycle(&mut daemon).await;
    let stale: Event = daemon.event("job_stale").await;
    assert_eq!(stale.what, What::JobStale { job: key("a/2"), last_success: None });
    let after: Timestamp = night::DUSK.parse().unwrap();
    assert!(stale.at.duration_since(after).as_secs() >= 7200, "counted from when it was first known");
    daemon.leave().await;

    let mut daemon = night.serve().await;
    let snapshot = daemon.until(|snapshot| snapshot.servers()[0].answers().is_some()).await;
    assert!(snapshot.jobs()[1].stale && snapshot.queue().problem, "it is still so");
    let What::JobStale { job, last_success } = daemon.event("job_stale").await.what else { panic!() };
    assert_eq!(job, key("a/1"), "the other one comes next; this one was told");
    assert!(last_success.is_some());
    daemon.ask(only("a/1")).await;
    cycle(&mut daemon).await;
    assert!(!daemon.handle.snapshot.borrow().jobs()[0].stale);
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_daemon_notices_what_others_start_and_servers_that_come_and_go() {
    let runs = vec![completed(600), completed(600), completed(3600)];
    let night = Night::new(vec![("a", server(runs))], &["a/1", "a/2", "a/3"], json!({}));
    let mut daemon = night.serve().await;
    daemon.until(|snapshot| snapshot.servers()[0].answers() == Some(true)).await;
    night.cut("a", true);
    daemon.event("server_unreachable").await;
    night.cut("a", false);
    daemon.event("server_reachable").await;
    let seen = daemon.handle.snapshot.borrow().servers()[0].checked_at.unwrap();

    let now = night.clock.now();
    night.world("a").start_by_schedule(&id("3"), now);
    let running = daemon.until(|snapshot| phase_of(snapshot, "a/3") == JobPhase::Running).await;
    assert_eq!((running.queue().cycle, running.queue().writers), (None, 1), "it is nobody's turn here");
    assert!(running.servers()[0].checked_at.unwrap() > seen);
    daemon.event("job_completed").await;
    assert_eq!(night.results().await, ["a/3 completed"]);
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn the_wheel_shows_that_it_turns_when_idle_and_while_a_server_is_silent() {
    let night = three();
    let turns = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&turns);
    let alive = move || {
        counted.fetch_add(1, Ordering::SeqCst);
    };
    let daemon = night
        .serve_with(Duties::new(Timetable::Never, alive, Some(seconds(20))), Arc::new(night.clock))
        .await;
    tokio::time::sleep(seconds(3600)).await;
    let idle = turns.swap(0, Ordering::SeqCst);
    assert!((180..400).contains(&idle), "{idle} turns in an idle hour");

    night.world("a").add_fault(Fault::new(Spoil::Hang(29)));
    assert!(daemon.ask(all()).await.accepted);
    tokio::time::sleep(seconds(1)).await;
    turns.store(0, Ordering::SeqCst);
    tokio::time::sleep(seconds(25)).await;
    assert_eq!(night.triggers("a/1"), 0, "it still looks");
    assert!(turns.load(Ordering::SeqCst) > 0, "a slow server does not hold up the wheel");
    daemon.leave().await;
}

/// A clock that nobody has set yet.
struct Unset(Clock, Arc<AtomicBool>);

impl WallClock for Unset {
    fn now(&self) -> Timestamp {
        if self.is_plausible() { self.0.now() } else { "1970-01-01T00:05:00Z".parse().unwrap() }
    }

    fn is_plausible(&self) -> bool {
        self.1.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_clock_is_set_commands_work_and_nothing_grows_stale() {
    let night = Night::new(vec![("a", server(vec![completed(60)]))], &["a/1"], json!({"stale_after": 3600}));
    let set = Arc::new(AtomicBool::new(false));
    let clock = Arc::new(Unset(night.clock, Arc::clone(&set)));
    let mut daemon = night.serve_with(Duties::new(Timetable::Never, || (), None), clock).await;
    tokio::time::sleep(seconds(7200)).await;
    assert!(daemon.ask(all()).await.accepted);
    assert_eq!(cycle(&mut daemon).await.completed, 1);
    daemon.until(is_idle).await;
    set.store(true, Ordering::SeqCst);
    tokio::time::sleep(seconds(1800)).await;
    assert!(
        !daemon.handle.snapshot.borrow().jobs()[0].stale,
        "its age counts from the moment the clock was set"
    );
    daemon.leave().await;
}

/// Duties with the schedule of a configuration that says this.
fn scheduled(night: &mut Night, expression: &str) -> Duties {
    night.configure(|config| {
        config.daemon.schedule = Some(expression.parse().unwrap());
        config.daemon.random_delay = std::time::Duration::ZERO;
    });
    let config = night.config();
    let make = move |_, now| Schedule::new(&config, jiff::tz::TimeZone::UTC, None, None, now);
    Duties::new(Timetable::WaitsForClock(Box::new(make)), || (), None)
}

#[tokio::test(start_paused = true)]
async fn the_schedule_starts_cycles_and_an_overlapping_start_runs_once_after_the_one_under_way() {
    let mut night = Night::new(vec![("a", server(vec![completed(5400)]))], &["a/1"], json!({}));
    // Dusk is at two.
    let duties = scheduled(&mut night, "0 3,4 * * *");
    let mut daemon = night.serve_with(duties, Arc::new(night.clock)).await;
    let three: Timestamp = "2026-01-10T03:00:00Z".parse().unwrap();
    let snapshot = daemon.until(|snapshot| snapshot.queue().next_run.is_some()).await;
    assert_eq!(snapshot.queue().next_run, Some(three));
    let first = cycle(&mut daemon).await;
    assert!((0..120).contains(&first.started.duration_since(three).as_secs()), "{first:?}");
    let second = cycle(&mut daemon).await;
    assert!((0..120).contains(&second.started.duration_since(first.ended.unwrap()).as_secs()), "{second:?}");
    let tomorrow = daemon.handle.snapshot.borrow().queue().next_run;
    assert_eq!(tomorrow, Some("2026-01-11T03:00:00Z".parse().unwrap()));
    tokio::time::sleep(seconds(3600)).await;
    assert_eq!(night.triggers("a/1"), 2);
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn stop_after_current_drops_the_start_that_waits_for_the_cycles_end() {
    let mut night = Night::new(vec![("a", server(vec![completed(5400)]))], &["a/1"], json!({}));
    let duties = scheduled(&mut night, "0 3,4 * * *");
    let mut daemon = night.serve_with(duties, Arc::new(night.clock)).await;
    daemon.event("cycle_started").await;
    tokio::time::sleep(seconds(4000)).await;
    assert!(daemon.ask(Command::StopAfterCurrent).await.accepted);
    cycle(&mut daemon).await;
    tokio::time::sleep(seconds(3600)).await;
    assert_eq!(night.triggers("a/1"), 1);
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_schedule_waits_for_the_clock() {
    let mut night = Night::new(vec![("a", server(vec![completed(60)]))], &["a/1"], json!({}));
    let set = Arc::new(AtomicBool::new(false));
    let clock = Arc::new(Unset(night.clock, Arc::clone(&set)));
    let duties = scheduled(&mut night, "*/5 * * * *");
    let mut daemon = night.serve_with(duties, clock).await;
    let waiting = |snapshot: &Snapshot| snapshot.queue().phase == QueuePhase::WaitingForClock;
    daemon.until(waiting).await;
    tokio::time::sleep(seconds(3600)).await;
    assert_eq!(night.triggers("a/1"), 0);
    set.store(true, Ordering::SeqCst);
    cycle(&mut daemon).await;
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_daemon_knows_the_room_at_the_destinations_that_are_configured() {
    let destination = id("77");
    let world =
        server(vec![completed(60)]).destination(Destination::new(&destination, "NAS").disk(10, 90, 100));
    let mut night = Night::new(vec![("a", world), ("b", server(vec![completed(60)]))], &["a/1"], json!({}));
    night.configure(|config| config.servers[0].destination_id = Some(destination.parse().unwrap()));
    let mut daemon = night.serve().await;
    let known = |snapshot: &Snapshot| snapshot.servers()[0].destination_free.is_some();
    daemon.until(known).await;
    assert_eq!(daemon.handle.snapshot.borrow().servers()[1].destination_free, None);
    daemon.leave().await;
}
