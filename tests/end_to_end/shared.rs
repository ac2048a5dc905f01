//! A `run` beside a daemon at work: what runs already is waited for, what does not is run once, nothing runs beside
//! anything else, and whatever becomes of the daemon meanwhile, the end is told as it was.

use crate::farm::{Farm, Runner, brief, lasting};

/// A daemon that can be asked.
fn daemon(farm: &Farm) -> Runner {
    let daemon = farm.start(&["daemon"]);
    farm.until("the daemon serves", |farm| farm.status()["runner"] == daemon.pid());
    daemon
}

#[test]
fn jobs_of_several_people_run_once_and_one_at_a_time() {
    let farm = Farm::new([vec![lasting(5)], vec![brief(), brief()]]);
    let daemon = daemon(&farm);
    let first = farm.start(&["run", "--server", "alpha"]);
    farm.until("the first job writes", |farm| farm.wrote(0).0);
    let ran = farm.call(&["run"]).ended_with(0).says("is already running").says("is queued at place 2");
    ran.says("3 of 3 jobs completed in time");
    first.wait().ended_with(0).says("1 of 1 job completed in time");
    let results = ["alpha 0, completed, -", "beta 0, completed, -", "beta 1, completed, -"];
    assert_eq!(farm.results(), results);
    assert_eq!([farm.triggers(0, 0), farm.triggers(1, 0), farm.triggers(1, 1)], [1, 1, 1]);
    farm.assert_one_writer();
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
}

/// What becomes of the daemon while a job that was handed over writes; answers the one that comes after it.
fn followed_beyond(replace: impl FnOnce(&Farm, Runner) -> Runner) {
    let farm = Farm::new([vec![lasting(6)], vec![brief()]]);
    let first = daemon(&farm);
    let runner = farm.start(&["run"]);
    farm.until("the start is seen", |_| runner.stdout().contains("Running: alpha 0 on alpha"));
    let _second = replace(&farm, first);
    let ran = runner.wait();
    assert!(ran.stderr.contains("the daemon is back"), "{ran:#?}");
    ran.ended_with(0).says("2 of 2 jobs completed in time");
    assert_eq!((farm.triggers(0, 0), farm.triggers(1, 0)), (1, 1));
    assert_eq!(farm.results(), ["alpha 0, completed, -", "beta 0, completed, -"]);
    farm.assert_one_writer();
}

#[test]
fn a_daemon_that_is_restarted_is_followed_on() {
    followed_beyond(|farm, daemon| {
        daemon.signal("TERM");
        daemon.wait().ended_with(0);
        farm.start(&["daemon"])
    });
}

#[test]
fn a_daemon_that_is_killed_and_started_again_is_followed_on() {
    followed_beyond(|farm, daemon| {
        daemon.kill();
        farm.start(&["daemon"])
    });
}

#[test]
fn a_daemon_that_reads_its_configuration_again_is_followed_on() {
    followed_beyond(|_, daemon| {
        daemon.signal("HUP");
        daemon
    });
}

#[test]
fn a_stop_of_the_queue_ends_what_was_handed_over() {
    let farm = Farm::new([vec![lasting(300).stop_after(1)], vec![brief()]]);
    let _daemon = daemon(&farm);
    let runner = farm.start(&["run"]);
    let mut group = None;
    farm.until("the group is shown", |farm| {
        let status = farm.status();
        group = status["jobs"][0]["current"]["group"].as_str().map(str::to_owned);
        group.is_some()
    });
    farm.call(&["stop", "--server", "alpha", &group.unwrap()]).ended_with(0);
    runner.wait().ended_with(2).says("aborted").says("1 of 2 jobs completed in time, 1 problem");
}
