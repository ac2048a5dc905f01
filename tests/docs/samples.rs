//! Every JSON sample that is a configuration, or a part of one, is valid and gives no warning.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::pages::{Page, pages};
use crate::support::program;

/// Pages whose other JSON is what the program says; it is compared with that elsewhere.
const SAID: [&str; 2] = ["docs/mqtt.md", "docs/json.md"];

/// A configuration that the samples are put into.
fn base() -> Value {
    json!({
        "ssh_key": "/etc/jetbackup-remote/id_ed25519",
        "servers": {"web1": {"host": "web1.example.com"}, "web2": {"host": "web2.example.com"}},
        "jobs": [
            {"job_id": "64a1b2c3d4e5f60718293a4b", "server": "web1"},
            {"job_id": "64a1b2c3d4e5f60718293a4d", "server": "web2"},
        ],
    })
}

/// The configurations of a page. On pages that show only configurations, all JSON is one.
fn configurations(page: &Page) -> Vec<Value> {
    let known = config_keys();
    let blocks = page.blocks_of("json");
    let values = blocks.iter().map(|text| -> Value {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{}: {error}:\n{text}", page.name))
    });
    let is_one = |value: &Value| {
        !SAID.contains(&page.name.as_str())
            || value.as_object().is_some_and(|keys| keys.keys().all(|key| known.contains(key)))
    };
    values.filter(is_one).collect()
}

fn config_keys() -> Vec<String> {
    let schema = jetbackup_remote::config::json_schema();
    let properties = schema["properties"].as_object().unwrap();
    // What the page of JSON shows begins with `queue`, `jobs`, …: only those that are nothing else count there.
    properties.keys().filter(|key| !matches!(key.as_str(), "jobs" | "servers")).cloned().collect()
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// The sample as a part of a whole: every server gets a job, and what it names as secrets is there.
fn whole(sample: Value, folder: &Path) -> Value {
    let mut whole = base();
    merge(&mut whole, sample);
    let servers: Vec<String> =
        whole["servers"].as_object().into_iter().flat_map(Map::keys).cloned().collect();
    if let Some(jobs) = whole["jobs"].as_array_mut() {
        for (number, server) in servers.into_iter().enumerate() {
            if !jobs.iter().any(|job| job["server"] == server.as_str()) {
                jobs.push(json!({"job_id": format!("{number:024x}"), "server": server}));
            }
        }
    }
    supply(&mut whole, folder);
    whole
}

/// Puts secrets where the sample says they are.
fn supply(value: &mut Value, folder: &Path) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| supply(value, folder)),
        Value::Array(list) => list.iter_mut().for_each(|value| supply(value, folder)),
        Value::String(text) => {
            let name = text.strip_prefix("FROM_FILE:/").or(text.strip_prefix("FROM_CREDENTIAL:"));
            if let Some(name) = name {
                let file = folder.join(name.replace('/', "-"));
                fs::write(&file, "secret").unwrap();
                *text = format!("FROM_FILE:{}", file.display());
            }
        }
        _ => {}
    }
}

/// What `validate` complains of.
fn complaints(sample: Value) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    let config = whole(sample, folder.path());
    // A secret in it is for nobody else.
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file).unwrap();
    opened.write_all(config.to_string().as_bytes()).unwrap();
    let mut command = Command::new(program::path());
    command.arg("-c").arg(&file).arg("validate").env("HOME", folder.path());
    for name in variables(&config) {
        command.env(name, "secret");
    }
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (!output.status.success() || !said.is_empty()).then_some(said)
}

/// The environment variables that hold secrets.
fn variables(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map.values().flat_map(variables).collect(),
        Value::Array(list) => list.iter().flat_map(variables).collect(),
        Value::String(text) => text.strip_prefix("FROM_ENV:").map(str::to_owned).into_iter().collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_configuration_shown_is_valid() {
    let mut seen = 0;
    for page in pages() {
        for sample in configurations(&page) {
            seen += 1;
            let complaints = complaints(sample.clone());
            assert_eq!(complaints, None, "{}:\n{sample:#}", page.name);
        }
    }
    assert!(seen > 15, "only {seen} samples were found");
}

#[test]
fn a_sample_with_a_fault_is_seen() {
    for wrong in [
        json!({"mqtt": {"enabled": true}}),
        json!({"mqtt": {"hots": "x"}}),
        json!({"orchestrator": {"on_timeout": "kill"}}),
        json!({"jobs": [{"job_id": "64a1b2c3d4e5f60718293a4b", "server": "web9"}]}),
        json!({"demon": {}}),
    ] {
        assert!(complaints(wrong.clone()).is_some(), "{wrong}");
    }
    assert_eq!(complaints(json!({"mqtt": {"enabled": true, "host": "h", "password": "FROM_FILE:/x"}})), None);
}
