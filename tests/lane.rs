//! The narrow places of the queue: what starts, breaks or is asked in the very moment in which a job gets its turn.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/night.rs"]
mod night;

use jetbackup_remote::model::view::JobPhase;
use jetbackup_remote::model::{AfterTimeout, Command, JobKey, Selection, What};
use jetbackup_sim::{Fault, Job, Run, Spoil, World};
use night::{DUSK, Night, id, seconds};
use serde_json::json;

fn at(second: i64) -> jiff::Timestamp {
    let dusk: jiff::Timestamp = DUSK.parse().unwrap();
    dusk + jiff::SignedDuration::from_secs(second)
}

fn server(runs: Vec<Run>) -> World {
    let numbered = runs.into_iter().zip(1..);
    numbered.fold(World::new("sim"), |world, (run, number)| {
        world.job(Job::new(jetbackup_sim::id(number), format!("Job {number}")).runs(run))
    })
}

fn completed(lasting: i64) -> Run {
    Run::completed().lasting(lasting)
}

fn only(server: &str) -> Selection {
    Selection { server: Some(server.parse().unwrap()), job: None }
}

/// A server that takes each request and never answers it.
fn silent() -> World {
    server(vec![completed(60)]).fault(Fault::new(Spoil::Hang(3600)).on("listQueueGroups"))
}

#[tokio::test(start_paused = true)]
async fn what_starts_while_a_silent_server_is_waited_for_is_seen_before_the_trigger() {
    let mut world = server(vec![completed(60), completed(900)]);
    world.start_by_schedule(&id("2"), at(30));
    let night = Night::new(vec![("a", world), ("b", silent())], &["a/1", "a/2", "b/1"], json!({}));
    night.run().await;
    night.assert_one_writer();
    assert_eq!((night.triggers("a/1"), night.triggers("a/2")), (1, 0), "{:?}", night.results().await);
}

#[tokio::test(start_paused = true)]
async fn commands_are_answered_while_a_silent_server_is_waited_for() {
    let night =
        Night::new(vec![("a", server(vec![completed(60)])), ("b", silent())], &["a/1", "b/1"], json!({}));
    let runner = night.start(Selection::default()).await;
    tokio::time::sleep(seconds(2)).await;
    let stop = tokio::time::timeout(seconds(5), runner.ask(Command::StopAfterCurrent)).await;
    assert!(stop.expect("the look takes a minute; the answer must not").accepted);
    runner.end().await;
    assert_eq!((night.triggers("a/1"), night.triggers("b/1")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_said_running_before_contact_was_lost_keeps_the_lane() {
    let mut world = server(vec![completed(900).group_after(50)]);
    world.start_by_person(&id("1"), at(-5));
    let night =
        Night::new(vec![("a", world), ("b", server(vec![completed(600)]))], &["a/1", "b/1"], json!({}));
    let runner = night.start(only("b")).await;
    tokio::time::sleep(seconds(3)).await;
    night.cut("a", true);
    tokio::time::sleep(seconds(300)).await;
    assert_eq!(night.triggers("b/1"), 0, "a/1 may be running");
    night.cut("a", false);
    runner.end().await;
    night.assert_one_writer();
    assert_eq!(night.results().await, ["a/1 completed", "b/1 completed"]);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_never_stops_saying_running_does_not_keep_the_lane_for_hours() {
    let stuck = completed(300).running_ends_late(1_000_000);
    let night = Night::new(
        vec![("a", server(vec![stuck, completed(60), completed(60)]))],
        &["a/1", "a/2", "a/3"],
        json!({}),
    );
    night.run().await;
    assert_eq!(night.results().await, ["a/1 completed", "a/2 completed", "a/3 completed"]);
    let records = night.records().await;
    let gap = |at: usize| records[at + 1].asked.duration_since(records[at].ended.unwrap()).as_secs();
    assert!(gap(0) < 180, "{} s until the word was no longer believed", gap(0));
    assert!(gap(1) < 30, "{} s, although the word was found wrong before", gap(1));
}

#[tokio::test(start_paused = true)]
async fn logs_that_cannot_be_had_do_not_keep_the_lane() {
    for spoil in [Spoil::Hang(3600), Spoil::Garbage] {
        let what = format!("{spoil:?}");
        let world = server(vec![Run::hook_abort().no_group()]).fault(Fault::new(spoil).on("listLogs"));
        let night =
            Night::new(vec![("a", world), ("b", server(vec![completed(60)]))], &["a/1", "b/1"], json!({}));
        night.run().await;
        let results = night.results().await;
        assert_eq!(results, ["a/1 did_not_start nothing_started", "b/1 completed"], "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn told_to_leave_it_does_not_wait_for_logs() {
    let world =
        server(vec![Run::hook_abort().no_group()]).fault(Fault::new(Spoil::Hang(3600)).on("listLogs"));
    let night = Night::new(vec![("a", world)], &["a/1"], json!({}));
    let runner = night.start(Selection::default()).await;
    while night.world("a").count("listLogs") == 0 {
        tokio::time::sleep(seconds(1)).await;
    }
    runner.leave.cancel();
    tokio::time::timeout(seconds(2), runner.end()).await.expect("a log takes half a minute to say nothing");
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_a_person_called_off_is_nothing_to_recover_from() {
    let night = Night::new(
        vec![("a", server(vec![completed(600)])), ("b", server(vec![completed(60)]))],
        &["a/1", "b/1"],
        json!({}),
    );
    night.start(only("b")).await.end().await;
    let mut runner = night.start(Selection::default()).await;
    runner.event("job_started").await;
    runner.ask(Command::StopAfterCurrent).await;
    runner.end().await;
    let mut runner = night.start(only("b")).await;
    let recovered = loop {
        if let What::JobFinished { recovered, .. } = runner.events.recv().await.unwrap().what {
            break recovered;
        }
    };
    runner.end().await;
    assert!(!recovered);
}

#[tokio::test(start_paused = true)]
async fn a_stop_names_the_right_server_and_shows_at_once() {
    let world = || server(vec![completed(600).stop_after(60)]);
    let night = Night::new(vec![("a", world()), ("b", world())], &["a/1", "b/1"], json!({}));
    let mut runner = night.start(Selection::default()).await;
    let group = runner.group().await;
    let wrong = runner.ask(Command::Stop { server: "b".parse().unwrap(), group }).await;
    assert!(!wrong.accepted, "{}", wrong.reason);
    assert_eq!(night.world("b").count("stopQueueGroup"), 0, "b was not even asked");
    assert!(runner.ask(Command::Stop { server: "a".parse().unwrap(), group }).await.accepted);
    assert_eq!(runner.handle.snapshot.borrow().jobs()[0].phase, JobPhase::Stopping);
    runner.leave.cancel();
    runner.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_limit_reached_after_a_release_does_not_claim_that_the_lane_waits() {
    let night = Night::new(
        vec![("a", server(vec![completed(50_000)])), ("b", server(vec![completed(5_000)]))],
        &["a/1", "b/1"],
        json!({"job_timeout": 3000, "on_timeout": "wait"}),
    );
    let mut runner = night.start(Selection::default()).await;
    runner.event("job_started").await;
    night.cut("a", true);
    runner.event("server_unreachable").await;
    let key = JobKey { server: "a".parse().unwrap(), job: id("1").parse().unwrap() };
    assert!(runner.ask(Command::Release(key)).await.accepted);
    let What::JobTimeout { run, next, .. } = runner.event("job_timeout").await.what else { panic!() };
    assert_eq!((run.label.as_str(), next), ("a/1", AfterTimeout::GoesOn));
    runner.leave.cancel();
    runner.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_finished_run_that_a_person_starts_over_is_waited_for() {
    let twice = Job::new(id("1"), "Job").runs(completed(60)).runs(completed(900));
    let mut world = World::new("sim").job(twice);
    // In the middle of b/1: the group that was a/1's run is unfinished again.
    world.rerun_by_person(&id("1"), at(200));
    let night = Night::new(
        vec![("a", world), ("b", server(vec![completed(300), completed(60)]))],
        &["a/1", "b/1", "b/2"],
        json!({}),
    );
    let mut runner = night.start(Selection::default()).await;
    runner.event("job_started").await;
    runner.end().await;
    assert_eq!((night.triggers("a/1"), night.triggers("b/1"), night.triggers("b/2")), (1, 1, 1));
    let records = night.records().await;
    let (again, last) = (&records[2], &records[3]);
    assert_eq!((again.label.as_str(), last.label.as_str()), ("a/1", "b/2"), "{:?}", night.results().await);
    assert!(last.asked >= again.ended.unwrap(), "b/2 waited");
}

#[tokio::test(start_paused = true)]
async fn with_no_overrun_allowed_the_lane_waits_for_the_end() {
    let night = Night::new(
        vec![("a", server(vec![completed(5000)])), ("b", server(vec![completed(60)]))],
        &["a/1", "b/1"],
        json!({"job_timeout": 1000, "max_overruns": 0}),
    );
    let cycle = night.run().await;
    assert_eq!(night.results().await, ["a/1 completed overrun", "b/1 completed"]);
    assert_eq!((cycle.done, cycle.completed, cycle.problems), (2, 1, 1));
    night.assert_one_writer();
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_counts_as_the_cycle_does() {
    let mut world = server(vec![completed(400), Run::hook_abort().no_group(), Run::partial().lasting(30)]);
    world.start_by_schedule(&id("1"), at(-20));
    let night = Night::new(
        vec![("a", world), ("b", server(vec![completed(60)]))],
        &["a/1", "a/2", "a/3", "b/1", "a/9"],
        json!({}),
    );
    let mut runner = night.start(Selection::default()).await;
    let mut events = std::mem::replace(&mut runner.events, runner.handle.events.subscribe());
    let mut snapshot = runner.handle.snapshot.clone();
    let follow = tokio::spawn(async move {
        let mut last = None;
        while snapshot.changed().await.is_ok() {
            let queue = snapshot.borrow_and_update().queue();
            last = queue.cycle.or(last);
            if queue.last_cycle.is_some() {
                return last.unwrap();
            }
        }
        panic!("no end")
    });
    let cycle = runner.end().await;
    let shown = follow.await.unwrap();
    assert_eq!((cycle.total, cycle.done, cycle.completed, cycle.problems), (5, 5, 2, 3));
    assert_eq!((shown.total, shown.done), (cycle.total, cycle.done));
    let ends = std::iter::from_fn(|| events.try_recv().ok());
    let ends = ends.filter(|event| matches!(event.what, What::JobFinished { .. } | What::JobSkipped(_)));
    assert_eq!(ends.count(), 5, "each end is told once");
}
