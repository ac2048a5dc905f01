//! A server's destination around its jobs, hour by hour on the paused clock: enabled before the first, disabled after
//! the last, whatever fails in between, and never while something writes to it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/night.rs"]
mod night;

use jetbackup_remote::model::{Command, JobKey, Selection, What};
use jetbackup_remote::orchestrator::WallClock as _;
use jetbackup_sim::{Allow, Destination, Fault, Job, Run, Spoil, World};
use night::{Lost, Night, Runner, id, seconds};
use serde_json::{Value, json};

/// The destination of every server here.
const NAS: &str = "77";
/// What JetBackup says of a function that it does not have.
const UNKNOWN: &str = r#"{"success":0,"message":"Function not found","data":[],"system":{}}"#;
const REFUSED: &str = r#"{"success":0,"message":"the NAS sleeps","data":[],"system":{}}"#;

fn completed(lasting: i64) -> Run {
    Run::completed().lasting(lasting)
}

/// A server whose jobs, numbered from 1, write to a destination that is disabled.
fn server(runs: Vec<Run>) -> World {
    with(runs, Destination::new(id(NAS), "NAS").disabled())
}

fn with(runs: Vec<Run>, nas: Destination) -> World {
    let numbered = runs.into_iter().zip(1..);
    numbered.fold(World::new("sim").destination(nas), |world, (run, number)| {
        let job = Job::new(jetbackup_sim::id(number), format!("Job {number}"));
        world.job(job.destination(id(NAS)).runs(run))
    })
}

/// A night whose servers all have their destination configured, with these rules.
fn night(worlds: Vec<(&str, World)>, jobs: &[&str], settings: Value, force: bool, skip: bool) -> Night {
    let mut night = Night::new(worlds, jobs, settings);
    night.configure(|config| {
        for server in &mut config.servers {
            server.destination_id = Some(id(NAS).parse().unwrap());
        }
        config.destination.force_activate = force;
        config.destination.skip_if_disabled = skip;
    });
    night
}

fn forced(worlds: Vec<(&str, World)>, jobs: &[&str]) -> Night {
    night(worlds, jobs, json!({}), true, true)
}

/// The functions of a server's calls that are about destinations, in order; switches with what they ask for.
fn asked(night: &Night, server: &str) -> Vec<String> {
    let world = night.world(server);
    let about = world.calls().iter().filter(|call| call.function.contains("Destination"));
    about
        .map(|call| match call.param("disabled") {
            Some(disabled) => format!("{} {disabled}", call.function),
            None => call.function.clone(),
        })
        .collect()
}

/// The switches among them.
fn switched(night: &Night, server: &str) -> Vec<String> {
    asked(night, server).into_iter().filter(|call| call.starts_with("manage")).collect()
}

fn is_disabled(night: &Night, server: &str) -> bool {
    night.world(server).is_disabled(&id(NAS))
}

/// Nothing was ever disabled under a backup's hands.
fn assert_never_disabled_under_a_backup(night: &Night, server: &str) {
    let runs = night.real_runs(server);
    let world = night.world(server);
    let disabling = world
        .calls()
        .iter()
        .filter(|call| call.function.starts_with("manageDestination") && call.param("disabled") == Some("1"));
    for call in disabling {
        let writing = |run: &jetbackup_sim::truth::RealRun| {
            run.started.is_some_and(|at| at <= call.at) && run.ended.is_none_or(|at| at > call.at)
        };
        assert!(!runs.iter().any(writing), "disabled at {} beside {runs:?}", call.at);
    }
}

/// Collects what was told so far about destinations and alerts.
fn told(runner: &mut Runner) -> Vec<String> {
    let mut told = Vec::new();
    while let Ok(event) = runner.events.try_recv() {
        match event.what {
            What::DestinationEnabled { server, .. } => told.push(format!("{server} enabled")),
            What::DestinationDisabled { server, recovered: false, .. } => {
                told.push(format!("{server} disabled"))
            }
            What::DestinationDisabled { server, recovered: true, .. } => {
                told.push(format!("{server} recovered"))
            }
            What::DestinationStuck { server, error, .. } => told.push(format!("{server} stuck: {error}")),
            What::Alert { text, .. } => told.push(text),
            _ => {}
        }
    }
    told
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

/// Waits for an event and what it leaves behind.
async fn until(runner: &mut Runner, mut wanted: impl FnMut(&What) -> bool) {
    while !wanted(&runner.events.recv().await.unwrap().what) {}
}

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
async fn without_a_word_about_it_no_destination_is_asked_about() {
    let world = || with(vec![completed(60)], Destination::new(id(NAS), "NAS"));
    let unconfigured = Night::new(vec![("a", world())], &["a/1"], json!({}));
    let mut unforced = Night::new(vec![("a", world())], &["a/1"], json!({}));
    unforced.configure(|config| config.destination.force_activate = true);
    let indifferent = night(vec![("a", world())], &["a/1"], json!({}), false, false);
    for night in [unconfigured, unforced, indifferent] {
        assert_eq!(night.run().await.completed, 1);
        assert_eq!(asked(&night, "a"), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_enabled_already_is_not_ours_to_disable() {
    let world = with(vec![completed(60)], Destination::new(id(NAS), "NAS"));
    let night = forced(vec![("a", world)], &["a/1"]);
    night.run().await;
    assert_eq!(asked(&night, "a"), ["getDestination"]);
    assert!(!is_disabled(&night, "a"));
}

#[tokio::test(start_paused = true)]
async fn jobs_are_skipped_while_it_is_disabled_and_nobody_is_to_enable_it() {
    let night = night(vec![("a", server(vec![completed(60)]))], &["a/1"], json!({}), false, true);
    night.run().await;
    assert_eq!(night.results().await, ["a/1 skipped destination_disabled"]);
    assert_eq!((night.triggers("a/1"), switched(&night, "a")), (0, vec![]));
    let error = night.records().await[0].error.clone().unwrap();
    assert!(error.contains("force_activate"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn not_to_know_is_no_reason_to_skip() {
    for force in [false, true] {
        for spoil in [None, Some(Spoil::Garbage), Some(Spoil::Empty)] {
            let mut world = with(vec![completed(60)], Destination::new(id(NAS), "NAS"));
            world = match spoil {
                None => world.allow(&[Allow::Log]),
                Some(spoil) => world.fault(Fault::new(spoil).on("getDestination")),
            };
            let night = night(vec![("a", world)], &["a/1"], json!({}), force, true);
            let mut runner = night.start(Selection::default()).await;
            until(&mut runner, |what| matches!(what, What::JobStarting(_))).await;
            runner.end().await;
            assert_eq!(night.results().await, ["a/1 completed"]);
            assert_eq!(switched(&night, "a"), [""; 0], "what is not known to be disabled is left alone");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_gate_has_to_allow_is_told_once() {
    let world = with(vec![completed(60), completed(60)], Destination::new(id(NAS), "NAS")).allow(&[]);
    let night = forced(vec![("a", world)], &["a/1", "a/2"]);
    let mut runner = night.serve().await;
    runner.ask(all()).await;
    until(&mut runner, |what| matches!(what, What::Alert { text, .. } if text.contains("`--allow destination --allow switch`")))
        .await;
    until(&mut runner, |what| matches!(what, What::CycleFinished(_))).await;
    assert_eq!(told(&mut runner), [""; 0]);
    runner.leave().await;

    // With the word for looking alone, it is known to be disabled, and cannot be enabled.
    let world = server(vec![completed(60)]).allow(&[Allow::Destination]);
    let night = forced(vec![("a", world)], &["a/1"]);
    night.run().await;
    assert_eq!(night.results().await, ["a/1 skipped destination_disabled"]);
    let error = night.records().await[0].error.clone().unwrap();
    assert!(error.contains("--allow switch"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_enabled_costs_its_servers_jobs_and_no_others() {
    let refusing = || Fault::new(Spoil::Replace(REFUSED.into())).without_effect();
    let refused = server(vec![completed(60), completed(60)])
        .fault(refusing().on("manageDestination"))
        .fault(refusing().on("manageDestinationState"));
    let sticky =
        with(vec![completed(60), completed(60)], Destination::new(id(NAS), "NAS").disabled().sticky());
    for (world, why) in [(refused, "the NAS sleeps"), (sticky, "still disabled")] {
        let night = forced(vec![("a", world), ("b", server(vec![completed(60)]))], &["a/1", "a/2", "b/1"]);
        let mut runner = night.start(Selection::default()).await;
        until(&mut runner, |what| matches!(what, What::CycleFinished(_))).await;
        assert_eq!(told(&mut runner), [""; 0], "what was never enabled is nothing to disable");
        runner.end().await;
        assert_eq!(
            night.results().await,
            ["a/1 skipped destination_disabled", "a/2 skipped destination_disabled", "b/1 completed"]
        );
        let error = night.records().await[0].error.clone().unwrap();
        assert!(error.contains(why), "{error}");
        assert!(!switched(&night, "a").iter().any(|switch| switch.ends_with('1')));
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_jetbackup_is_asked_by_its_own_function() {
    let unknown = Fault::new(Spoil::Replace(UNKNOWN.into())).on("manageDestination").without_effect();
    let night = forced(vec![("a", server(vec![completed(60)]).fault(unknown))], &["a/1"]);
    night.run().await;
    assert_eq!(night.results().await, ["a/1 completed"]);
    let both = |flag| [format!("manageDestination {flag}"), format!("manageDestinationState {flag}")];
    assert_eq!(switched(&night, "a"), [both(0), both(1)].concat());
    assert!(is_disabled(&night, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_lost_while_enabling_is_tried_again_and_nothing_is_left_enabled() {
    for lost in [Lost::Command, Lost::Answer] {
        let night = forced(vec![("a", server(vec![completed(60)]))], &["a/1"]);
        night.lose("a", "manageDestination", lost);
        night.run().await;
        assert_eq!(night.results().await, ["a/1 completed"], "{lost:?}");
        assert!(is_disabled(&night, "a"), "{lost:?}");
    }
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

/// Enabling works, and then nothing does.
fn stuck(runs: Vec<Run>) -> World {
    let refusing = |function: &str, skip| {
        Fault::new(Spoil::Replace(REFUSED.into())).on(function).skip(skip).without_effect()
    };
    server(runs).fault(refusing("manageDestination", 1)).fault(refusing("manageDestinationState", 0))
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
async fn a_stop_that_arrives_while_it_is_enabled_comes_before_the_trigger() {
    let slow = Fault::new(Spoil::Hang(10)).on("manageDestination").times(1);
    let night = forced(vec![("a", server(vec![completed(60)]).fault(slow))], &["a/1"]);
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    while switched(&night, "a").is_empty() {
        tokio::time::sleep(seconds(1)).await;
    }
    assert!(daemon.ask(Command::StopAfterCurrent).await.accepted);
    until(&mut daemon, |what| matches!(what, What::DestinationDisabled { .. })).await;
    daemon.leave().await;
    assert_eq!((night.triggers("a/1"), is_disabled(&night, "a")), (0, true));
    assert_eq!(night.results().await, ["a/1 skipped stopped_by_user"]);
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
