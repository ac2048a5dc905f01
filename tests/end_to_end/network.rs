//! The network and the servers misbehave: connections are cut and frozen, host keys change, servers are down.

use serde_json::Value;

use crate::farm::{Farm, brief, lasting};

#[test]
fn a_connection_cut_while_a_job_runs_costs_nothing() {
    let farm = Farm::new([vec![lasting(6)], vec![brief()]]).proxied(0);
    let runner = farm.start(&["run"]);
    farm.until("the job writes", |farm| farm.wrote(0).0);
    for connections in 2..4 {
        farm.proxy(0).cut();
        farm.until("it connects again", |farm| farm.proxy(0).accepted() >= connections);
    }
    runner.wait().ended_with(0);
    assert_eq!((farm.triggers(0, 0), farm.triggers(1, 0)), (1, 1));
    farm.assert_one_writer();
}

#[test]
fn the_answer_to_the_trigger_is_lost_and_the_run_is_found_instead_of_triggered_again() {
    let farm = Farm::new([vec![lasting(3)], vec![brief()]]).proxied(0);
    // The server takes its time for the answer, so that the cut is certain to come before it.
    let slow = jetbackup_sim::Fault::new(jetbackup_sim::Spoil::Hang(3)).on("runBackupJobManually");
    farm.world(0, |world, _| *world = world.clone().fault(slow));
    let runner = farm.start(&["run"]);
    farm.until("the trigger arrives", |farm| farm.triggers(0, 0) == 1);
    farm.proxy(0).cut();
    runner.wait().ended_with(0);
    assert_eq!((farm.triggers(0, 0), farm.triggers(1, 0)), (1, 1));
    assert_eq!(farm.results(), ["alpha 0, completed, -", "beta 0, completed, -"]);
    farm.assert_one_writer();
}

#[test]
fn a_frozen_network_keeps_the_lane_until_the_run_is_seen_to_have_ended() {
    let farm = Farm::new([vec![lasting(4)], vec![brief()]]).proxied(0).set("startup_timeout", 30);
    let runner = farm.start(&["run"]);
    farm.until("the job writes", |farm| farm.wrote(0).0);
    farm.proxy(0).hold();
    farm.until("the loss is told", |_| runner.stdout().contains("Not reachable: alpha"));
    assert_eq!(farm.triggers(1, 0), 0, "nothing starts while the run may be writing");
    farm.proxy(0).release();
    runner.wait().ended_with(0);
    assert_eq!((farm.triggers(0, 0), farm.triggers(1, 0)), (1, 1));
    farm.assert_one_writer();
}

#[test]
fn cut_before_the_trigger_it_is_sent_over_a_new_connection() {
    let farm = Farm::new([vec![brief()], vec![lasting(3)]]).proxied(1);
    let runner = farm.start(&["run"]);
    farm.until("the first job writes", |farm| farm.wrote(0).0);
    farm.proxy(1).cut();
    runner.wait().ended_with(0);
    assert_eq!((farm.triggers(0, 0), farm.triggers(1, 0)), (1, 1));
    assert!(farm.proxy(1).accepted() >= 2);
    farm.assert_one_writer();
}

#[test]
fn a_changed_host_key_lets_nothing_through_and_shows_both_fingerprints() {
    let mut farm = Farm::new([vec![brief()], vec![brief()]]);
    farm.call(&["run"]).ended_with(0);
    let fingerprint = |farm: &Farm| {
        let key = farm.stations[0].sshd.path("host_ed25519.pub");
        let output = std::process::Command::new("ssh-keygen").arg("-lf").arg(key).output().unwrap();
        String::from_utf8(output.stdout).unwrap().split(' ').nth(1).unwrap().to_owned()
    };
    let known = fingerprint(&farm);
    let sshd = &mut farm.stations[0].sshd;
    sshd.stop();
    sshd.replace_host_key("ed25519");
    sshd.resume();
    let shown = fingerprint(&farm);
    farm.call(&["run"]).ended_with(2).says(&known).says(&shown);
    assert_eq!(farm.results()[2..], ["beta 0, completed, -", "alpha 0, skipped, unreachable"]);
    let error = farm.history()[3]["error"].as_str().unwrap().to_owned();
    assert!(error.contains(&known) && error.contains(&shown), "{error}");
    assert_eq!(farm.triggers(0, 0), 1);
    assert_eq!(farm.stations[0].sshd.accepted(), 1, "no login after the change");
}

#[test]
fn with_one_server_down_the_others_are_still_shown() {
    let mut farm = Farm::new([vec![brief()], vec![brief()]]);
    farm.call(&["test"]).ended_with(0).says("version 5.3.14");
    farm.call(&["list", "--json"]).ended_with(0);
    farm.stations[0].sshd.stop();
    farm.call(&["test"]).ended_with(1).says("FAILED");
    farm.call(&["test", "--server", "beta"]).ended_with(0);
    let listing = farm.call(&["list", "--json"]).ended_with(2).json();
    assert!(listing["errors"]["alpha"].is_string(), "{listing:#}");
    let standing: Vec<&Value> =
        listing["jobs"].as_array().unwrap().iter().map(|job| &job["standing"]).collect();
    assert_eq!(standing, ["unknown", "queued"]);
    let status = farm.call(&["status", "--json"]).ended_with(2).json();
    let reachable: Vec<&Value> =
        status["servers"].as_array().unwrap().iter().map(|server| &server["reachable"]).collect();
    assert_eq!(reachable, [false, true], "{status:#}");
    farm.call(&["status"]).ended_with(2).says("NO");
    farm.call(&["list"]).ended_with(2).says("not reached");
}
