//! The daemon as a service manager sees it: ready, alive, reloaded and ended by signals, started again.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Duration;

use serde_json::{Value, json};

use crate::farm::{Farm, Runner, brief, job, lasting};

/// The service manager's end of the line.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    fn of(farm: &Farm) -> Self {
        let socket = UnixDatagram::bind(farm.path("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { socket, heard: Vec::new() }
    }

    /// Starts the daemon as a service with a watchdog of this many seconds.
    fn start(&self, farm: &Farm, watchdog: u64) -> Runner {
        let mut command = farm.command(&["daemon"]);
        command.env("NOTIFY_SOCKET", farm.path("notify"));
        command.env("WATCHDOG_USEC", (watchdog * 1_000_000).to_string());
        farm.launch(command)
    }

    /// Waits until it is told something that begins like this.
    #[track_caller]
    fn hears(&mut self, what: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let length = match self.socket.recv(&mut buffer) {
                Ok(length) => length,
                // A child of another test has ended: with a time limit, no call goes on by itself after a signal.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => panic!("{what:?} was never told ({error}), but {:?}", self.heard),
            };
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            self.heard.push(text.clone());
            if text.starts_with(what) {
                return text;
            }
        }
    }
}

#[test]
fn a_service_manager_knows_how_it_is() {
    let farm = Farm::new([vec![lasting(4)]]);
    let mut manager = Manager::of(&farm);
    let daemon = manager.start(&farm, 6);
    manager.hears("READY=1");
    // Ready means that it can be asked.
    assert_eq!(farm.status()["runner"], daemon.pid());
    manager.hears("WATCHDOG=1");
    let run = farm.start(&["run"]);
    manager.hears("STATUS=alpha 0 on alpha");
    manager.hears("WATCHDOG=1");
    run.wait().ended_with(0);
    manager.hears("STATUS=idle");
    daemon.signal("HUP");
    let reloading = manager.hears("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading:?}");
    manager.hears("READY=1");
    daemon.signal("TERM");
    manager.hears("STOPPING=1");
    daemon.wait().ended_with(0);
}

/// Changes the configuration's text on disk.
fn rewrite(farm: &Farm, change: impl FnOnce(&mut Value)) {
    let path = farm.path("config.json");
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut config);
    let draft = farm.path("config.draft");
    fs::write(&draft, config.to_string()).unwrap();
    fs::rename(draft, path).unwrap();
}

fn labels(farm: &Farm, manager: &mut Manager) -> Vec<String> {
    manager.hears("READY=1");
    let socket = farm.path("control/control.sock");
    // What the daemon says, not what is asked for by a command with a configuration of its own.
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(b"{\"version\":1,\"ask\":\"status\"}\n").unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    let status: Value = serde_json::from_str(&line).unwrap();
    let jobs = status["status"]["jobs"].as_array().unwrap();
    jobs.iter().map(|job| job["label"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_reload_takes_over_the_new_configuration_or_keeps_the_old_one() {
    let farm = Farm::new([vec![lasting(6), brief()]]);
    let mut manager = Manager::of(&farm);
    let daemon = manager.start(&farm, 60);
    assert_eq!(labels(&farm, &mut manager), ["alpha 0", "alpha 1"]);
    let run = farm.start(&["run"]);
    farm.until("the first job writes", |farm| farm.wrote(0).0);

    rewrite(&farm, |config| config["jobs"][0]["server"] = json!("nowhere"));
    daemon.signal("HUP");
    manager.hears("RELOADING=1");
    manager.hears("READY=1");
    farm.logs("the configuration stays as it was");
    farm.logs("jobs[0].server");

    rewrite(&farm, |config| {
        config["jobs"][0]["server"] = json!("alpha");
        config["jobs"][0]["label"] = json!("Accounts");
        config["orchestrator"]["state_dir"] = json!(farm.path("elsewhere"));
    });
    daemon.signal("HUP");
    assert_eq!(labels(&farm, &mut manager), ["Accounts", "alpha 1"]);
    farm.logs("orchestrator.state_dir changes with the next restart");
    // The run that was under way goes on, and the queue behind it.
    run.wait().ended_with(0);
    rewrite(&farm, |config| config["orchestrator"]["state_dir"] = json!(farm.path("state")));
    assert_eq!([farm.triggers(0, 0), farm.triggers(0, 1)], [1, 1]);
    farm.assert_one_writer();
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
}

#[test]
fn killed_with_jobs_in_its_queue_it_goes_on_with_them() {
    let farm = Farm::new([vec![lasting(4), brief()], vec![brief()]]);
    let daemon = farm.start(&["daemon"]);
    farm.until("the daemon serves", |farm| farm.status()["runner"] == daemon.pid());
    let _run = farm.start(&["run"]);
    farm.until("the first job writes", |farm| farm.wrote(0).0);
    daemon.kill();
    let daemon = farm.start(&["daemon"]);
    farm.until("the queue is done", |farm| farm.triggers(1, 0) == 1 && farm.wrote(1).1);
    farm.until("all is recorded", |farm| farm.results().len() == 3);
    assert_eq!([farm.triggers(0, 0), farm.triggers(0, 1), farm.triggers(1, 0)], [1, 1, 1]);
    farm.until("the end of the last is recorded", |farm| {
        farm.results().iter().all(|result| result.contains("completed"))
    });
    farm.assert_one_writer();
    daemon.signal("INT");
    daemon.wait().ended_with(0);
}

#[test]
fn a_second_daemon_and_a_daemon_beside_a_run_are_refused() {
    let farm = Farm::new([vec![lasting(4)]]);
    let daemon = farm.start(&["daemon"]);
    farm.until("the daemon serves", |farm| farm.status()["runner"] == daemon.pid());
    farm.call(&["daemon"])
        .ended_with(1)
        .says("the daemon is at work already")
        .says(&daemon.pid().to_string());
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
    let run = farm.start(&["run"]);
    farm.until("the job writes", |farm| farm.wrote(0).0);
    farm.call(&["daemon"]).ended_with(1).says("a one-shot `run` is at work already");
    run.wait().ended_with(0);
}

#[test]
fn a_stopped_run_is_stopped_through_the_daemon() {
    let farm = Farm::new([vec![lasting(60)]]);
    let daemon = farm.start(&["daemon"]);
    farm.until("the daemon serves", |farm| farm.status()["runner"] == daemon.pid());
    let run = farm.start(&["run"]);
    let mut group = None;
    farm.until("the daemon knows its group", |farm| {
        let current = &farm.status()["jobs"][0]["current"];
        group = current["group"].as_str().filter(|_| current["started"].is_string()).map(str::to_owned);
        group.is_some() && farm.log().contains("Running: alpha 0")
    });
    farm.call(&["stop", "--server", "alpha", &group.unwrap()]).ended_with(0);
    run.wait().ended_with(2).says("aborted");
    assert_eq!(farm.results(), ["alpha 0, aborted, -"]);
    assert_eq!(farm.history()[0]["job_id"], job(0, 0));
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
}
