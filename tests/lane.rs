//! The narrow places of the queue: what starts, breaks or is asked in the very moment in which a job gets its turn.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/night.rs"]
mod night;

use jetbackup_remote::model::{Command, Selection};
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
