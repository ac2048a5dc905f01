//! A server's destination around its jobs, hour by hour on the paused clock: enabled before the first, disabled after
//! the last, whatever fails in between, and never while something writes to it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod disabling;
mod enabling;
#[path = "../support/night.rs"]
mod night;
mod restarts;

use jetbackup_remote::model::{Command, JobKey, Selection, What};
use jetbackup_sim::{Destination, Fault, Job, Run, Spoil, World};
use night::{Night, Runner, id};
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

/// Enabling works, and then nothing does.
fn stuck(runs: Vec<Run>) -> World {
    let refusing = |function: &str, skip| {
        Fault::new(Spoil::Replace(REFUSED.into())).on(function).skip(skip).without_effect()
    };
    server(runs).fault(refusing("manageDestination", 1)).fault(refusing("manageDestinationState", 0))
}
