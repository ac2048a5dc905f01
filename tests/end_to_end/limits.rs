//! Time limits under both policies, and what a person can do about a run: watch it, stop it, release it.

use serde_json::Value;

use crate::farm::{Farm, brief, job, lasting};

/// A job's part of `status --json`.
fn state(status: &Value, label: &str) -> Value {
    let jobs = status["jobs"].as_array().unwrap();
    jobs.iter().find(|job| job["label"] == label).unwrap_or_else(|| panic!("{status:#}")).clone()
}

#[test]
fn beyond_its_limit_a_job_goes_on_and_the_queue_continues_beside_it() {
    let farm = Farm::new([vec![lasting(15)], vec![brief()]]).set("job_timeout", 2);
    let ran = farm.call(&["run"]).ended_with(2);
    assert_eq!((farm.triggers(0, 0), farm.triggers(1, 0)), (1, 1), "{ran:#?}");
    assert_eq!(farm.world(0, |world, _| world.count("stopQueueGroup")), 0, "nobody stops a backup");
    let late = farm.history().remove(0);
    assert_eq!((&late["overrun"], &late["open"]), (&Value::Bool(true), &Value::Bool(true)), "{late}");
    // The next start takes it up and records how it really ended.
    farm.until("its end", |farm| farm.wrote(0).1);
    farm.call(&["run", "--server", "beta"]).ended_with(0);
    let late = farm.history().remove(0);
    assert_eq!((&late["result"], &late["overrun"]), (&"completed".into(), &Value::Bool(true)), "{late}");
    assert_eq!(late["duration"], 15);
    assert_eq!(farm.triggers(0, 0), 1);
}

#[test]
fn a_queue_that_waits_goes_on_when_a_person_releases_the_run() {
    let farm = Farm::new([vec![lasting(40)], vec![brief()]]).set("job_timeout", 2).set("on_timeout", "wait");
    let release = ["release", "--server", "alpha", "--job", &job(0, 0)];
    farm.call(&release).ended_with(1).says("nothing is running");
    let runner = farm.start(&["run"]);
    farm.until("the job writes", |farm| farm.wrote(0).0);
    farm.call(&release).ended_with(1);
    farm.until("the limit is told", |farm| state(&farm.status(), "alpha 0")["phase"] == "overrun");
    let status = farm.status();
    assert_eq!(status["runner"], runner.pid());
    assert_eq!(status["queue"]["phase"], "waiting", "{status:#}");
    assert_eq!(state(&status, "beta 0")["queue_position"], 1, "{status:#}");
    assert_eq!(farm.triggers(1, 0), 0, "the lane is kept");
    farm.call(&release).ended_with(0);
    runner.wait().ended_with(2);
    assert_eq!(farm.triggers(1, 0), 1);
    assert!(!farm.wrote(0).1, "the released run goes on");
    let late = farm.history().remove(0);
    assert_eq!((&late["released"], &late["open"]), (&Value::Bool(true), &Value::Bool(true)), "{late}");
}

#[test]
fn status_shows_the_queue_and_how_far_a_run_is() {
    let farm = Farm::new([vec![lasting(8)], vec![brief()]]);
    let idle = farm.call(&["status", "--json"]).ended_with(0).json();
    assert_eq!(idle["runner"], Value::Null);
    let runner = farm.start(&["run"]);
    farm.until("the first of three items is done", |farm| {
        state(&farm.status(), "alpha 0")["current"]["progress"].as_u64().is_some_and(|done| done > 0)
    });
    let status = farm.status();
    assert_eq!(status["runner"], runner.pid());
    assert_eq!(status["queue"]["phase"], "running", "{status:#}");
    assert_eq!(status["queue"]["current"]["label"], "alpha 0");
    assert_eq!(status["queue"]["queue"][0]["label"], "beta 0");
    let run = state(&status, "alpha 0");
    assert_eq!((&run["phase"], &run["running"]), (&"running".into(), &Value::Bool(true)), "{run}");
    assert_eq!(run["current"]["items"], 3);
    farm.call(&["status"])
        .ended_with(0)
        .says("alpha 0")
        .says("to stop it: jetbackup-remote stop --server alpha");
    runner.wait().ended_with(0);
}

#[test]
fn a_stop_by_the_command_line_ends_the_run_as_aborted_and_the_queue_goes_on() {
    let farm = Farm::new([vec![lasting(300).stop_after(1)], vec![brief()]]);
    let runner = farm.start(&["run"]);
    let mut group = None;
    farm.until("the group is shown", |farm| {
        group = state(&farm.status(), "alpha 0")["current"]["group"].as_str().map(str::to_owned);
        group.is_some()
    });
    let group = group.unwrap();
    farm.call(&["stop", "--server", "alpha", &group]).ended_with(0).says("it has ended");
    runner.wait().ended_with(2);
    assert_eq!(farm.results(), ["alpha 0, aborted, -", "beta 0, completed, -"]);
    assert_eq!(farm.world(0, |world, _| world.count("stopQueueGroup")), 1, "asked once");
    farm.call(&["stop", "--server", "alpha", &group]).ended_with(1).says("has ended already");
    farm.assert_one_writer();
}

#[test]
fn a_stop_without_a_runner_works_as_well() {
    let farm = Farm::new([vec![lasting(300).stop_after(1)]]);
    farm.world(0, |world, now| world.start_by_person(&job(0, 0), now));
    let status = farm.status();
    let group = state(&status, "alpha 0")["current"]["group"].as_str().unwrap().to_owned();
    farm.call(&["stop", "--server", "alpha", &group]).ended_with(0);
    assert!(farm.wrote(0).1);
}
