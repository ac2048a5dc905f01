//! What is wrong on this machine.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::examine;
use crate::farm::{Farm, brief, lasting};

#[test]
fn a_configuration_with_problems_is_told_whole_and_nothing_else_is_tried() {
    let mut farm = Farm::new([vec![brief()]]);
    farm.change(|config| {
        config["servers"]["alpha"]["port"] = json!("high");
        config["jobs"][0]["job_id"] = json!("abc");
        config["orchestrator"]["poll_intervall"] = json!(3);
    });
    let report = examine(&farm);
    report.is("Configuration", "problem", "failure", "servers.alpha.port");
    report.is("Configuration", "problem", "failure", "jobs[0].job_id");
    report.is("Configuration", "warning", "warning", "did you mean poll_interval?");
    assert_eq!(report.report["subjects"].as_array().unwrap().len(), 1);
    fs::write(farm.path("config.json"), "{").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_jetbackup-remote"));
    command.arg("-c").arg(farm.path("config.json")).arg("doctor");
    farm.launch(command).wait().ended_with(1).says("is no JSON");
}

#[test]
fn a_key_that_others_can_read_is_a_failure_here_and_at_the_login() {
    let farm = Farm::new([vec![brief()]]);
    fs::set_permissions(farm.path("key"), fs::Permissions::from_mode(0o644)).unwrap();
    let report = examine(&farm);
    report.is("Secrets", "ssh key", "failure", "chmod 600");
    report.is("Server alpha", "login", "failure", "is open to others (mode 0644)");
}

#[test]
fn secrets_that_others_can_read_are_failures() {
    let mut farm = Farm::new([vec![brief()]]);
    let file = farm.path("hook");
    fs::write(&file, "http://localhost:9/x").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let named = format!("FROM_FILE:{}", file.display());
    farm.change(move |config| {
        config["notification"] =
            json!({"ping_url": "http://localhost:9/secret", "webhook_url": named.clone()});
    });
    let report = examine(&farm);
    report.is("Secrets", "configuration", "failure", "holds a secret and can be read by everyone");
    report.is("Secrets", "secret file", "failure", "chmod 640");
    report.is("Outside", "ping_url", "failure", "no connection");
    assert!(!report.report.to_string().contains("/secret"), "{:#}", report.report);
}

#[test]
fn a_damaged_history_is_found_and_left_alone() {
    let farm = Farm::new([vec![brief()]]);
    farm.call(&["run"]).ended_with(0);
    examine(&farm).is("State", "history", "ok", "sound, 1 run on record");
    let file = farm.path("state/history.db");
    let mut bytes = fs::read(&file).unwrap();
    assert!(bytes.len() > 2048);
    // The head stays: it still looks like a database.
    bytes[1024..].iter_mut().for_each(|byte| *byte = 0xA5);
    fs::write(&file, &bytes).unwrap();
    examine(&farm).is("State", "history", "failure", "is damaged");
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn a_lock_that_is_held_is_told_with_its_holder() {
    let farm = Farm::new([vec![lasting(60)]]);
    let run = farm.start(&["run"]);
    farm.until("the job writes", |farm| farm.wrote(0).0);
    let report = examine(&farm);
    report.is("Runner", "lock", "ok", &format!("pid {}, since ", run.pid()));
    report.is("Runner", "control socket", "ok", "answers");
    run.kill();

    let report = examine(&farm);
    report.is("Runner", "lock", "ok", "free");
    let python = File::open(farm.path("python.lock")).unwrap();
    python.lock().unwrap();
    let report = examine(&farm);
    report.is("Runner", "lock_file", "failure", "held by another program");
    report.is("Runner", "lock_file", "failure", &format!("pid {}", std::process::id()));
}

#[test]
fn a_runner_that_cannot_be_asked_is_told() {
    let mut farm = Farm::new([vec![lasting(60)]]);
    let _run = farm.start(&["run"]);
    farm.until("the job writes", |farm| farm.wrote(0).0);
    let elsewhere = farm.path("elsewhere.sock");
    farm.change(move |config| config["orchestrator"]["control_socket"] = json!(elsewhere));
    examine(&farm).is("Runner", "control socket", "warning", "does not answer");
}
