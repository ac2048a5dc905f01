//! The program ends, in whatever way, while a destination is enabled.

use jetbackup_remote::model::{Selection, What};
use jetbackup_sim::{Fault, Spoil};
use serde_json::json;

use crate::night::seconds;
use crate::*;

#[tokio::test(start_paused = true)]
async fn what_a_single_run_could_not_disable_the_next_start_does_and_tells() {
    let night = forced(vec![("a", stuck(vec![completed(60)]))], &["a/1"]);
    let mut runner = night.start(Selection::default()).await;
    until(&mut runner, |what| matches!(what, What::DestinationStuck { .. })).await;
    runner.end().await;
    night.world("a").clear_faults();
    let mut daemon = night.serve().await;
    until(&mut daemon, |what| matches!(what, What::DestinationDisabled { recovered: true, .. })).await;
    daemon.leave().await;
    assert_eq!(night.triggers("a/1"), 1);
}

#[tokio::test(start_paused = true)]
async fn killed_between_enabling_and_the_trigger_the_next_start_disables_it() {
    let night = forced(vec![("a", server(vec![completed(60)]))], &["a/1"]);
    let mut runner = night.start(Selection::default()).await;
    until(&mut runner, |what| matches!(what, What::DestinationEnabled { .. })).await;
    runner.kill().await;
    assert_eq!((night.triggers("a/1"), is_disabled(&night, "a")), (0, false));
    let mut daemon = night.serve().await;
    // The daemon takes the cycle up; a destination it finds enabled is its own.
    until(&mut daemon, |what| matches!(what, What::DestinationDisabled { .. })).await;
    daemon.leave().await;
    assert_eq!((night.triggers("a/1"), is_disabled(&night, "a")), (1, true));
    assert_eq!(switched(&night, "a"), ["manageDestination 0", "manageDestination 1"]);
    assert_never_disabled_under_a_backup(&night, "a");
}

#[tokio::test(start_paused = true)]
async fn killed_while_the_request_to_enable_is_under_way_it_is_on_record() {
    let slow = Fault::new(Spoil::Hang(10)).on("manageDestination").times(1);
    let night = forced(vec![("a", server(vec![completed(60)]).fault(slow))], &["a/1"]);
    let runner = night.start(Selection::default()).await;
    while is_disabled(&night, "a") {
        tokio::time::sleep(seconds(1)).await;
    }
    runner.kill().await;
    // Another server's job alone: nothing of this one's is queued.
    let mut other = night;
    other.configure(|config| config.jobs.clear());
    let mut daemon = other.serve().await;
    until(&mut daemon, |what| matches!(what, What::DestinationDisabled { .. })).await;
    daemon.leave().await;
    assert!(is_disabled(&other, "a"));
}

#[tokio::test(start_paused = true)]
async fn killed_before_disabling_the_next_start_does_it_when_the_run_has_ended() {
    let night = forced(vec![("a", server(vec![completed(3600)]))], &["a/1"]);
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    until(&mut daemon, |what| matches!(what, What::JobStarted(_))).await;
    daemon.kill().await;
    tokio::time::sleep(seconds(60)).await;
    let mut daemon = night.serve().await;
    tokio::time::sleep(seconds(600)).await;
    assert!(!is_disabled(&night, "a"), "it still writes");
    until(&mut daemon, |what| matches!(what, What::DestinationDisabled { .. })).await;
    daemon.leave().await;
    assert!(is_disabled(&night, "a"));
    assert_never_disabled_under_a_backup(&night, "a");
}

#[tokio::test(start_paused = true)]
async fn leaving_leaves_it_enabled_and_on_record() {
    let night = forced(vec![("a", server(vec![completed(600)]))], &["a/1"]);
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    until(&mut daemon, |what| matches!(what, What::JobStarted(_))).await;
    tokio::time::sleep(seconds(30)).await;
    daemon.leave().await;
    assert!(!is_disabled(&night, "a") && night.is_writing("a"));
    let mut daemon = night.serve().await;
    until(&mut daemon, |what| matches!(what, What::DestinationDisabled { .. })).await;
    daemon.leave().await;
    assert_never_disabled_under_a_backup(&night, "a");

    // A single run that is told to end says so.
    let night = forced(vec![("a", server(vec![completed(600)]))], &["a/1"]);
    let mut runner = night.start(Selection::default()).await;
    until(&mut runner, |what| matches!(what, What::JobStarted(_))).await;
    runner.leave.cancel();
    until(&mut runner, |what| matches!(what, What::Alert { text, .. } if text.contains("stays enabled until the next start: a backup may be writing"))).await;
    runner.end().await;
    assert!(!is_disabled(&night, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_single_run_leaves_it_to_the_run_that_still_writes() {
    let settings = json!({"job_timeout": 1000});
    let night = night(vec![("a", server(vec![completed(5000)]))], &["a/1"], settings, true, true);
    let mut runner = night.start(Selection::default()).await;
    until(&mut runner, |what| matches!(what, What::Alert { text, .. } if text.contains("stays enabled")))
        .await;
    runner.end().await;
    assert!(night.is_writing("a") && !is_disabled(&night, "a"));
    tokio::time::sleep(seconds(5000)).await;
    let mut daemon = night.serve().await;
    until(&mut daemon, |what| matches!(what, What::DestinationDisabled { .. })).await;
    daemon.leave().await;
    assert_never_disabled_under_a_backup(&night, "a");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_left_the_configuration_is_told_of() {
    let mut night =
        forced(vec![("a", server(vec![completed(60)])), ("b", server(vec![completed(60)]))], &["a/1", "b/1"]);
    let mut runner = night.start(Selection::default()).await;
    until(&mut runner, |what| matches!(what, What::DestinationEnabled { .. })).await;
    runner.kill().await;
    night.configure(|config| {
        config.servers.retain(|server| server.name.as_str() != "a");
        config.jobs.clear();
    });
    for stuck in [true, false] {
        let mut daemon = night.serve().await;
        daemon.until(|snapshot| snapshot.servers()[0].answers().is_some()).await;
        let told = told(&mut daemon);
        assert_eq!(told.iter().any(|text| text.contains("no longer configured")), stuck, "{told:?}");
        daemon.leave().await;
    }
}

/// Makes the small texts of the history unreadable, or readable again.
fn hide_texts(night: &Night, hide: bool) {
    let database = rusqlite::Connection::open(night.state.path().join("history.db")).unwrap();
    let sql = if hide { "ALTER TABLE meta RENAME TO hidden" } else { "ALTER TABLE hidden RENAME TO meta" };
    database.execute_batch(sql).unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_enabled_is_remembered_as_soon_as_the_record_can_be_read() {
    let worlds = vec![("a", server(vec![completed(60)])), ("b", server(vec![completed(60)]))];
    let mut night = forced(worlds, &["a/1", "b/1"]);
    let mut runner = night.start(Selection::default()).await;
    until(&mut runner, |what| matches!(what, What::DestinationEnabled { .. })).await;
    runner.kill().await;
    night.configure(|config| config.jobs.retain(|job| job.key.server.as_str() == "b"));
    let mut daemon = night.serve().await;
    hide_texts(&night, true);
    until(&mut daemon, |what| matches!(what, What::Alert { text, .. } if text.contains("is not known")))
        .await;
    hide_texts(&night, false);
    // What is enabled meanwhile takes nothing from the record.
    daemon.ask(all()).await;
    until(&mut daemon, |what| matches!(what, What::DestinationEnabled { .. })).await;
    daemon.kill().await;
    let mut daemon = night.serve().await;
    while !is_disabled(&night, "a") || !is_disabled(&night, "b") {
        let disabled = until(&mut daemon, |what| matches!(what, What::DestinationDisabled { .. }));
        tokio::time::timeout(seconds(3600), disabled).await.expect("both are disabled after all");
    }
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_could_not_read_the_record_reads_it_later() {
    let night = forced(vec![("a", server(vec![completed(60)]))], &["a/1"]);
    let mut runner = night.start(Selection::default()).await;
    until(&mut runner, |what| matches!(what, What::DestinationEnabled { .. })).await;
    runner.kill().await;
    let mut other = night;
    other.configure(|config| config.jobs.clear());
    let mut daemon = other.serve().await;
    hide_texts(&other, true);
    until(&mut daemon, |what| matches!(what, What::Alert { text, .. } if text.contains("is not known")))
        .await;
    hide_texts(&other, false);
    let disabled = until(&mut daemon, |what| matches!(what, What::DestinationDisabled { .. }));
    tokio::time::timeout(seconds(3600), disabled).await.expect("it is disabled after all");
    daemon.leave().await;
    assert!(is_disabled(&other, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_single_run_whose_server_falls_silent_at_the_end_tells_that_it_could_not_disable_it() {
    let night = forced(vec![("a", server(vec![completed(600)]))], &["a/1"]);
    let mut runner = night.start(Selection::default()).await;
    until(&mut runner, |what| matches!(what, What::JobFinished { .. })).await;
    night.world("a").add_fault(Fault::new(Spoil::Hang(100)));
    until(&mut runner, |what| match what {
        What::DestinationStuck { error, .. } => error.contains("connection lost"),
        What::Leaving => panic!("it was not told"),
        _ => false,
    })
    .await;
    runner.end().await;
}
