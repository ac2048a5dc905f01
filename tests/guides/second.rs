//! A second instance as the guide sets it up: valid, at work beside the first one, and never in its way.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::farm::{Farm, brief};
use crate::mosquitto::{Broker, until};
use crate::text::{block, blocks, guide, section};

/// The guide's samples for the first and the second instance.
fn samples() -> [Value; 2] {
    let guide = guide("scaling.md");
    let samples = blocks(section(&guide, "## A second NAS"), "json");
    let [first, second] = samples.as_slice() else { panic!("{samples:#?}") };
    [first, second].map(|sample| serde_json::from_str(sample).unwrap())
}

/// `more` on top of `config`.
fn merge(config: &mut Value, more: &Value) {
    for (key, value) in more.as_object().unwrap() {
        match value {
            Value::Object(_) if config[key].is_object() => merge(&mut config[key], value),
            value => config[key] = value.clone(),
        }
    }
}

fn below<'a>(topics: impl IntoIterator<Item = &'a String>, base: &str) -> BTreeSet<String> {
    let base = format!("{base}/");
    topics.into_iter().filter(|topic| topic.starts_with(&base)).cloned().collect()
}

#[test]
fn both_configurations_are_valid_as_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    for (number, sample) in samples().iter().enumerate() {
        let mut config = json!({
            "ssh_key": "/etc/jetbackup-remote/id_ed25519",
            "servers": {"web1": {"host": "web1.example.com"}},
            "jobs": [{"server": "web1", "job_id": format!("{number:024x}")}],
        });
        merge(&mut config, sample);
        let path = folder.path().join("config.json");
        fs::write(&path, config.to_string()).unwrap();
        let mut validate = std::process::Command::new(env!("CARGO_BIN_EXE_jetbackup-remote"));
        let output = validate.arg("-c").arg(&path).arg("validate").output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn the_second_units_directories_are_those_of_its_configuration() {
    let unit = block(&guide("scaling.md"), "ini", "StateDirectory");
    let value = |key: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap();
        line.to_owned()
    };
    let queue = samples()[1]["orchestrator"].clone();
    let is = |key: &str, path: String| assert_eq!(queue[key].as_str(), Some(path.as_str()), "{key}");
    is("state_dir", format!("/var/lib/{}", value("StateDirectory")));
    is("control_socket", format!("/run/{}/control.sock", value("RuntimeDirectory")));
    is("log_file", format!("/var/log/{}/jetbackup-remote.log", value("LogsDirectory")));
    assert!(
        Path::new(queue["lock_file"].as_str().unwrap()).starts_with(queue["state_dir"].as_str().unwrap())
    );
    assert!(value("ExecStart").contains(&format!("-c {} daemon", value("ConditionPathExists"))));
}

#[test]
fn two_instances_work_side_by_side_and_their_topics_and_ids_do_not_meet() {
    let broker = Broker::start();
    let root = tempfile::tempdir().unwrap();
    let farms: Vec<Farm> = samples()
        .into_iter()
        .map(|mut sample| {
            let mut farm = Farm::new([vec![brief()]]);
            sample["mqtt"]["host"] = json!("localhost");
            sample["mqtt"]["port"] = json!(broker.port());
            // The guide's paths below the test's own folder; the first instance has the defaults.
            let defaults = json!({
                "state_dir": "/var/lib/jetbackup-remote",
                "control_socket": "/run/jetbackup-remote/control.sock",
                "lock_file": "/tmp/jetbackup-remote.lock",
                "log_file": "/var/log/jetbackup-remote.log",
            });
            let mut queue = defaults;
            if sample["orchestrator"].is_object() {
                merge(&mut queue, &sample["orchestrator"]);
            }
            for (_, path) in queue.as_object_mut().unwrap() {
                let below = root.path().join(path.as_str().unwrap().trim_start_matches('/'));
                fs::create_dir_all(below.parent().unwrap()).unwrap();
                *path = json!(below);
            }
            sample["orchestrator"] = queue;
            farm.change(move |config| merge(config, &sample));
            farm
        })
        .collect();
    let daemons: Vec<_> = farms.iter().map(|farm| farm.start(&["daemon"])).collect();
    for (farm, daemon) in farms.iter().zip(&daemons) {
        farm.until("each daemon serves and is connected", |farm| {
            let status = farm.status();
            status["runner"] == daemon.pid() && status["broker"]["connected"] == true
        });
    }
    let bases = ["jetbackup-remote", "jetbackup-remote-nas2"];
    until("both are online", || {
        bases.iter().all(|base| broker.holds(&format!("{base}/availability")).as_deref() == Some("online"))
    });

    // Of each there is all, and nothing of it is the other's.
    let retained = broker.retained();
    let own = bases.map(|base| below(retained.keys(), base));
    assert!(own.iter().all(|topics| topics.len() == 4), "{own:#?}");
    let discovery = below(retained.keys(), "homeassistant");
    assert_eq!(discovery.len(), 6, "the queue, a server and a job of each");
    let ids = |base: &str| {
        let mut ids = BTreeSet::new();
        for topic in &discovery {
            let payload = &retained[topic];
            if payload.contains(&format!("\"{base}/availability\"")) {
                let payload: Value = serde_json::from_str(payload).unwrap();
                let components = payload["cmps"].as_object().unwrap().values();
                ids.extend(components.filter_map(|one| Some(one["uniq_id"].as_str()?.to_owned())));
            }
        }
        ids
    };
    let [first, second] = bases.map(ids);
    assert!(
        first.len() > 30 && first.len() == second.len() && first.is_disjoint(&second),
        "{first:?} {second:?}"
    );
    until("the broker's log has both by names of their own", || {
        let log = broker.log();
        let clients: BTreeSet<&str> = log
            .lines()
            .filter(|line| line.contains("New client connected"))
            .filter_map(|line| line.split(" as ").nth(1)?.split(' ').next())
            .filter(|client| client.starts_with("jetbackup-remote-"))
            .collect();
        clients.len() == 2
    });

    // Both run at the same time: one NAS does not wait for the other.
    let name = |farm: usize| format!("{}/command/run", bases[farm]);
    (0..2).for_each(|farm| broker.publish(&name(farm), "all", &[]));
    for farm in &farms {
        until("each has run its job", || farm.results() == ["alpha 0, completed, -"]);
    }
    assert_eq!(broker.log().matches("already connected, closing old connection").count(), 0);
}
