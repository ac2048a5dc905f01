//! The narrow places of the queue: what starts, breaks or is asked in the very moment in which a job gets its turn.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/night.rs"]
#[allow(dead_code)]
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
