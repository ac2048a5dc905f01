//! After the jobs: disabled as soon as nothing writes to it, and never before.

use jetbackup_remote::model::{Command, Selection, What};
use jetbackup_remote::orchestrator::{Duties, Timetable, WallClock as _};
use jetbackup_sim::{Destination, Fault, Job, Spoil};
use serde_json::json;

use crate::night::{Night, id, seconds};
use crate::*;

#[tokio::test(start_paused = true)]
async fn it_is_enabled_before_a_servers_first_job_and_disabled_after_its_last() {
    let night = forced(
        vec![("a", server(vec![completed(600), completed(600)])), ("b", server(vec![completed(600)]))],
        &["a/1", "a/2", "b/1"],
    );
    let mut runner = night.start(Selection::default()).await;
    let mut order = Vec::new();
    while let Ok(event) = runner.events.recv().await {
        match event.what {
            What::DestinationEnabled { server, .. } => order.push(format!("{server} enabled")),
            What::DestinationDisabled { server, recovered: false, .. } => {
                order.push(format!("{server} disabled"))
            }
            What::JobStarting(run) => order.push(format!("{} starts", run.label)),
            What::JobFinished { run, .. } => order.push(format!("{} ends", run.label)),
            What::Leaving => break,
            What::Alert { text, .. } => panic!("{text}"),
            _ => {}
        }
    }
    assert_eq!(runner.end().await.completed, 3);
    // That of `a` is disabled while the queue goes on.
    order.retain(|what| what != "b enabled");
    let a: Vec<_> = order.iter().filter(|what| what.starts_with('a')).collect();
    assert_eq!(a, ["a enabled", "a/1 starts", "a/1 ends", "a/2 starts", "a/2 ends", "a disabled"]);
    let place = |what: &str| order.iter().position(|said| said == what).unwrap();
    assert!(place("a disabled") < place("b/1 ends"), "{order:?}");
    for server in ["a", "b"] {
        assert_eq!(switched(&night, server), ["manageDestination 0", "manageDestination 1"]);
        assert!(is_disabled(&night, server));
        assert_never_disabled_under_a_backup(&night, server);
    }
    night.assert_one_writer();
}

#[tokio::test(start_paused = true)]
async fn a_failure_to_disable_is_tried_again_before_anybody_is_told() {
    let busy = Fault::new(Spoil::Garbage).on("manageDestination").skip(1).times(2).without_effect();
    let older = Fault::new(Spoil::Replace(UNKNOWN.into())).on("manageDestinationState").without_effect();
    let night = forced(vec![("a", server(vec![completed(60)]).fault(busy).fault(older))], &["a/1"]);
    let mut runner = night.start(Selection::default()).await;
    until(&mut runner, |what| matches!(what, What::DestinationDisabled { recovered: false, .. })).await;
    assert_eq!(told(&mut runner), [""; 0]);
    runner.end().await;
    assert!(is_disabled(&night, "a"));
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_disabled_is_told_once_shown_and_tried_until_it_works() {
    let night = forced(vec![("a", stuck(vec![completed(60)]))], &["a/1"]);
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    until(
        &mut daemon,
        |what| matches!(what, What::DestinationStuck { error, .. } if error.contains("the NAS sleeps")),
    )
    .await;
    let shown =
        |snapshot: &jetbackup_remote::model::Snapshot| snapshot.servers()[0].destination_stuck.clone();
    assert!(shown(&daemon.handle.snapshot.borrow()).unwrap().contains("the NAS sleeps"));
    assert!(daemon.handle.snapshot.borrow().queue().problem);
    let tries = |night: &Night| switched(night, "a").len();
    let before = tries(&night);
    tokio::time::sleep(seconds(3600)).await;
    assert_eq!(told(&mut daemon), [""; 0], "it was told");
    assert!((3..=4).contains(&((tries(&night) - before) / 2)), "a try in a quarter of an hour");

    night.world("a").clear_faults();
    until(&mut daemon, |what| matches!(what, What::DestinationDisabled { recovered: true, .. })).await;
    assert_eq!(shown(&daemon.handle.snapshot.borrow()), None);
    assert!(is_disabled(&night, "a"));
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_beyond_its_limit_or_released_still_writes() {
    for (policy, release) in [("continue", false), ("wait", true)] {
        let settings = json!({"job_timeout": 1000, "on_timeout": policy});
        let worlds = vec![("a", server(vec![completed(5000)])), ("b", server(vec![completed(60)]))];
        let night = night(worlds, &["a/1", "b/1"], settings, true, true);
        let mut daemon = night.serve().await;
        daemon.ask(all()).await;
        until(&mut daemon, |what| matches!(what, What::JobTimeout { .. })).await;
        if release {
            assert!(daemon.ask(Command::Release(key("a/1"))).await.accepted);
        }
        until(&mut daemon, |what| matches!(what, What::CycleFinished(_))).await;
        tokio::time::sleep(seconds(600)).await;
        assert!(night.is_writing("a") && !is_disabled(&night, "a"), "{policy}");
        assert!(is_disabled(&night, "b"), "{policy}");
        until(&mut daemon, |what| matches!(what, What::JobFinished { .. })).await;
        until(&mut daemon, |what| matches!(what, What::DestinationDisabled { .. })).await;
        daemon.leave().await;
        assert!(is_disabled(&night, "a"), "{policy}");
        assert_never_disabled_under_a_backup(&night, "a");
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_started_there_is_waited_for_unless_it_writes_elsewhere() {
    // Job 2 is in no queue of ours; job 3 writes elsewhere.
    let mut world = server(vec![completed(600), completed(7200)]);
    world = world
        .destination(Destination::new(id("78"), "Other"))
        .job(Job::new(id("3"), "Job 3").destination(id("78")).runs(completed(80_000)));
    let night = forced(vec![("a", world)], &["a/1"]);
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    until(&mut daemon, |what| matches!(what, What::JobStarted(_))).await;
    let now = night.clock.now();
    night.world("a").start_by_person(&id("2"), now);
    night.world("a").start_by_schedule(&id("3"), now);
    until(&mut daemon, |what| matches!(what, What::CycleFinished(_))).await;
    tokio::time::sleep(seconds(3600)).await;
    assert!(!is_disabled(&night, "a"), "job 2 writes to it");
    until(&mut daemon, |what| matches!(what, What::DestinationDisabled { .. })).await;
    let third = night.real_runs("a").into_iter().find(|run| run.job == id("3")).unwrap();
    assert!(third.ended.is_none_or(|at| at > night.clock.now()), "job 3 was not waited for");
    daemon.leave().await;
    let ended = night.real_runs("a").into_iter().find(|run| run.job == id("2")).unwrap().ended.unwrap();
    let disabled =
        night.world("a").calls().iter().rfind(|call| call.param("disabled") == Some("1")).unwrap().at;
    assert!(ended <= disabled);
}

#[tokio::test(start_paused = true)]
async fn the_running_flag_that_outlives_its_run_delays_a_single_run_and_no_more() {
    let night = forced(vec![("a", server(vec![completed(60).running_ends_late(30)]))], &["a/1"]);
    night.run().await;
    assert!(is_disabled(&night, "a"));
    assert_eq!(night.results().await, ["a/1 completed"]);
}

#[tokio::test(start_paused = true)]
async fn a_job_asked_for_while_it_is_disabled_has_it_enabled_again() {
    let slow = Fault::new(Spoil::Hang(10)).on("manageDestination").skip(1).times(1);
    let night = forced(vec![("a", server(vec![completed(60), completed(60)]).fault(slow))], &["a/1", "a/2"]);
    let mut daemon = night.serve().await;
    daemon.ask(only("a/1")).await;
    until(&mut daemon, |what| matches!(what, What::CycleFinished(_))).await;
    while switched(&night, "a").len() < 2 {
        tokio::time::sleep(seconds(1)).await;
    }
    assert!(daemon.ask(only("a/2")).await.accepted, "while the request to disable is under way");
    until(&mut daemon, |what| matches!(what, What::CycleFinished(_))).await;
    until(&mut daemon, |what| matches!(what, What::DestinationDisabled { .. })).await;
    daemon.leave().await;
    assert_eq!(night.results().await, ["a/1 completed", "a/2 completed"]);
    let twice = ["manageDestination 0", "manageDestination 1"];
    assert_eq!(switched(&night, "a"), [twice, twice].concat());
}

#[tokio::test(start_paused = true)]
async fn a_server_out_of_reach_at_the_end_is_not_forgotten() {
    let night = forced(vec![("a", server(vec![completed(600)]))], &["a/1"]);
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    until(&mut daemon, |what| matches!(what, What::JobFinished { .. })).await;
    night.cut("a", true);
    until(&mut daemon, |what| matches!(what, What::DestinationStuck { .. })).await;
    night.cut("a", false);
    until(&mut daemon, |what| matches!(what, What::DestinationDisabled { recovered: true, .. })).await;
    daemon.leave().await;
    assert!(is_disabled(&night, "a"));
}

#[tokio::test(start_paused = true)]
async fn what_writes_to_it_for_hours_is_told_once() {
    let night = forced(vec![("a", server(vec![completed(600), completed(80_000)]))], &["a/1"]);
    let mut daemon = night.serve().await;
    daemon.ask(only("a/1")).await;
    until(&mut daemon, |what| matches!(what, What::JobStarted(_))).await;
    let now = night.clock.now();
    night.world("a").start_by_person(&id("2"), now);
    until(&mut daemon, |what| matches!(what, What::Alert { text, .. } if text.contains("for hours: job")))
        .await;
    assert!(!is_disabled(&night, "a") && night.is_writing("a"));
    tokio::time::sleep(seconds(40_000)).await;
    assert_eq!(told(&mut daemon), [""; 0]);
    daemon.leave().await;
}

#[tokio::test(start_paused = true)]
async fn the_wheel_does_not_spin_while_a_job_waits_for_an_attempt_to_disable() {
    let slow = Fault::new(Spoil::Hang(25)).on("manageDestination").skip(1).times(1);
    let worlds = vec![("a", server(vec![completed(60)])), ("b", server(vec![completed(60)]).fault(slow))];
    let night = forced(worlds, &["a/1", "b/1"]);
    let mut turns = 0;
    let duties = Duties::new(
        Timetable::Never,
        move || {
            turns += 1;
            assert!(turns < 2000, "it spins");
        },
        None,
    );
    let mut daemon = night.serve_with(duties, std::sync::Arc::new(night.clock)).await;
    night.cut("a", true);
    daemon.ask(only("b/1")).await;
    until(&mut daemon, |what| matches!(what, What::CycleFinished(_))).await;
    // One that cannot be asked is to be tried again, and is called off before that.
    daemon.ask(only("a/1")).await;
    until(&mut daemon, |what| matches!(what, What::Waiting { reason: Some(_) })).await;
    assert!(daemon.ask(Command::StopAfterCurrent).await.accepted);
    until(&mut daemon, |what| matches!(what, What::CycleFinished(_))).await;
    daemon.ask(only("b/1")).await;
    let over = until(&mut daemon, |what| matches!(what, What::CycleFinished(_)));
    tokio::time::timeout(seconds(3600), over).await.expect("the daemon is at work");
    daemon.leave().await;
}
