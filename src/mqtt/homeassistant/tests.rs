//! The messages as they are, and what must hold for any configuration.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Value, json};

use super::*;
use crate::config::OnlyRun;
use crate::model::view::{JobPhase, QueuePhase};
use crate::mqtt::states::states;
use crate::mqtt::testing::{busy, config, fresh, golden, parse};

const INSTANCE: &str = "0a1b2c3d";

fn announced(config: &Config) -> Vec<(String, Value)> {
    let messages = discovery(config, INSTANCE);
    messages.map(|(topic, text)| (topic, serde_json::from_slice::<Value>(&text).unwrap())).collect()
}

fn components(device: &Value) -> impl Iterator<Item = (&String, &Value)> {
    device["cmps"].as_object().unwrap().iter()
}

/// What the messages are for `config`, as one value.
fn all(config: &Config) -> Value {
    announced(config).into_iter().collect()
}

/// Servers that slug to the same, to each other's second name, to nothing, and to a job of another; labels that do.
fn nasty() -> Config {
    let servers = [
        "web-1",
        "web.1",
        "WEB_1",
        "web_1_2",
        "...",
        "---",
        "next",
        "a",
        "a_000000000000000000000001",
        "a_b",
    ];
    let servers: serde_json::Map<String, Value> =
        (0..).zip(servers).map(|(at, name)| (name.to_owned(), json!({ "host": format!("h{at}") }))).collect();
    let job = |server: &str, number: u32, label: &str| json!({ "server": server, "job_id": format!("{number:024x}"), "label": label });
    let jobs = [
        job("a", 1, "Copias diarias"),
        job("a", 2, "Copias Diarías"),
        job("a", 3, "日本"),
        job("a", 4, "x"),
        job("a", 5, "b c"),
        job("a_b", 5, "c"),
        job("a", 6, "'\"}}{%\n\t{{ 1/0 }}\\"),
        job("web-1", 1, ""),
        job("web.1", 1, &"ñ".repeat(2000)),
        job("...", 1, "run"),
        job("a_000000000000000000000001", 1, "state"),
    ];
    parse(&json!({ "ssh_key": "/k", "servers": servers, "jobs": jobs }).to_string())
}

#[test]
fn the_messages_of_each_device() {
    let messages = announced(&config());
    for (name, (topic, message)) in
        ["hub", "server", "server-bare", "job", "job-2", "job-3"].iter().zip(messages)
    {
        if !matches!(*name, "job-2" | "job-3") {
            golden(&format!("discovery-{name}.json"), &json!({ "topic": topic, "payload": message }));
        }
    }
}

#[test]
fn buttons_follow_what_is_permitted_and_leave_a_stub() {
    let offered = |commands| {
        let mut config = config();
        config.mqtt.commands = commands;
        let mut offered = Vec::new();
        let mut stubs = Vec::new();
        for (_, device) in announced(&config) {
            for (key, component) in components(&device).filter(|(_, component)| component["p"] == "button") {
                let there = component.as_object().unwrap().len() > 1;
                let list = if there { &mut offered } else { &mut stubs };
                list.push(key.clone());
            }
        }
        (offered.join(" "), stubs.join(" "))
    };
    let all = "run_all stop_after_current run run run stop run stop run stop";
    assert_eq!(offered(Commands::All(true)), (all.to_owned(), String::new()));
    assert_eq!(offered(Commands::All(false)), (String::new(), all.to_owned()));
    let (runs, stops) = offered(Commands::Only(OnlyRun::Run));
    assert_eq!(runs, "run_all run run run run run");
    assert_eq!(stops, "stop_after_current stop stop stop");
}

#[test]
fn names_stay_apart_whatever_things_are_called() {
    let config = nasty();
    let mut topics = HashSet::new();
    let mut devices = HashSet::new();
    let mut unique = HashSet::new();
    let mut entities = HashSet::new();
    for (topic, device) in announced(&config) {
        let id = topic.strip_prefix("homeassistant/device/").unwrap().strip_suffix("/config").unwrap();
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{id}");
        assert!(topics.insert(topic.clone()), "{topic}");
        let via = &device["dev"]["via_device"];
        assert!(via.is_null() || devices.contains(via.as_str().unwrap()), "{topic} is before what it is via");
        let id = device["dev"]["ids"][0].as_str().unwrap().to_owned();
        assert!(devices.insert(id.clone()), "{id}");
        let name = device["dev"]["name"].as_str().unwrap();
        assert!(name.chars().count() <= 120 && !name.chars().any(char::is_control), "{name}");
        for (key, component) in components(&device) {
            let platform = component["p"].as_str().unwrap();
            if platform == "device_automation" || component.as_object().unwrap().len() == 1 {
                continue;
            }
            let unique_id = component["uniq_id"].as_str().unwrap();
            assert!(unique.insert((platform.to_owned(), unique_id.to_owned())), "{platform} {unique_id}");
            let entity = component["def_ent_id"].as_str().unwrap();
            assert!(entities.insert(entity.to_owned()), "{entity}");
            let (domain, object) = entity.split_once('.').unwrap();
            assert_eq!(domain, platform);
            assert!(entity.len() <= 255, "{entity}");
            assert!(object.ends_with(key.as_str()) && super::naming::slug(object) == object, "{entity}");
        }
    }
}

#[test]
fn names_are_those_that_others_rely_on() {
    let naming = Naming::new(&nasty(), INSTANCE);
    let server = |name: &str| naming.server_id(&name.parse().unwrap());
    assert_eq!(server("web-1"), "0a1b2c3d_web_1");
    assert_eq!(server("web.1"), "0a1b2c3d_web_1_2");
    assert_eq!(server("WEB_1"), "0a1b2c3d_web_1_3");
    assert_eq!(server("web_1_2"), "0a1b2c3d_web_1_2_2");
    assert_eq!(server("---"), "0a1b2c3d_x_2");
    assert_eq!(server("a_000000000000000000000001"), "0a1b2c3d_a_000000000000000000000001_2");
    let job = |number| crate::mqtt::testing::key("a", number);
    assert_eq!(naming.job_id(&job(1)), "0a1b2c3d_a_000000000000000000000001");
    assert_eq!(naming.job_stem(&job(1)), "jetbackup_remote_a_copias_diarias_000001");
    assert_eq!(naming.job_stem(&job(5)), "jetbackup_remote_a_b_c_000005");
    assert_eq!(naming.job_stem(&crate::mqtt::testing::key("a_b", 5)), "jetbackup_remote_a_b_c_000005_2");
    assert_eq!(
        naming.job_stem(&crate::mqtt::testing::key("web-1", 1)).len(),
        "jetbackup_remote_web_1_".len() + 24
    );
    assert_eq!(naming.hub_stem(), "jetbackup_remote");
}

#[test]
fn a_new_label_changes_names_and_no_identity() {
    let before = announced(&config());
    let mut renamed = config();
    renamed.jobs[0].label = "Something else".into();
    for ((topic, old), (other, new)) in before.iter().zip(announced(&renamed)) {
        assert_eq!(*topic, other);
        assert_eq!(old["dev"]["ids"], new["dev"]["ids"]);
        for ((key, old), (other, new)) in components(old).zip(components(&new)) {
            assert_eq!((key, &old["uniq_id"], &old["stype"]), (other, &new["uniq_id"], &new["stype"]));
        }
    }
}

/// The paths that `template` reads: `value_json.a['b']` gives `a.b`.
fn paths(template: &str) -> Vec<String> {
    let path = |rest: &str| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.')));
        rest[..end.unwrap_or(rest.len())].to_owned()
    };
    template.replace("['", ".").split("value_json.").skip(1).map(path).collect()
}

fn has(state: &Value, path: &str) -> bool {
    let mut value = Some(state);
    for key in path.split('.') {
        value = value.and_then(|value| value.as_object()?.get(key));
    }
    value.is_some()
}

#[test]
fn every_value_that_a_template_reads_is_in_the_state() {
    let topics = Topics::new("jetbackup-remote");
    let said = |snapshot| -> Value {
        let said = states(&topics, &snapshot).into_iter();
        said.map(|(topic, text)| (topic, serde_json::from_slice::<Value>(&text).unwrap())).collect()
    };
    let (fresh, busy) = (said(fresh()), said(busy()));
    // A job runs in the one, and none has ever run in the other.
    let running = topics.job_state(&crate::mqtt::testing::key("web1", 1));
    let mut read = 0;
    for (topic, device) in announced(&config()) {
        let own = device["stat_t"].as_str().unwrap();
        for (key, component) in components(&device) {
            if component["p"] == "device_automation" {
                continue;
            }
            for template in [&component["val_tpl"], &component["json_attr_tpl"]] {
                for path in template.as_str().map(paths).unwrap_or_default() {
                    let (first, rest) = path.split_once('.').unwrap_or((&path, ""));
                    assert!(has(&fresh[own], first), "{topic} {key} reads {path}");
                    let guard = format!("if value_json.{first}");
                    assert!(rest.is_empty() || template.as_str().unwrap().contains(&guard), "{topic} {key}");
                    let full = if own.contains("/jobs/") { &busy[&running] } else { &busy[own] };
                    assert!(has(full, &path), "{topic} {key} reads {path}");
                    // Templates know the methods of Python's objects, and would answer with one of them.
                    for method in ["items", "keys", "values", "get", "pop", "copy", "clear", "update"] {
                        assert!(!template.as_str().unwrap().contains(&format!(".{method}")), "{topic} {key}");
                    }
                    read += 1;
                }
            }
        }
    }
    assert!(read > 80, "{read} paths were found in the templates");
}

#[test]
fn nothing_is_null_and_no_key_is_one_that_home_assistant_does_not_know() {
    // Those of the platforms' schemas, abbreviated; an unknown key is dropped there without a word.
    let common = "p name uniq_id def_ent_id avty ent_cat en ic stat_t val_tpl json_attr_t json_attr_tpl";
    let known = |platform: &str| match platform {
        "sensor" => "dev_cla ops unit_of_meas stat_cla sug_dsp_prc",
        "binary_sensor" => "dev_cla pl_on pl_off",
        "button" => "cmd_t pl_prs",
        "event" => "evt_typ",
        "device_automation" => "atype type stype t pl",
        other => panic!("{other}"),
    };
    fn no_null(value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::Object(map) => map.values().all(no_null),
            Value::Array(list) => list.iter().all(no_null),
            _ => true,
        }
    }
    for (topic, device) in announced(&config()).into_iter().chain(announced(&nasty())) {
        assert!(no_null(&device), "{topic}");
        let root: Vec<&str> = device.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(root, ["dev", "o", "avty", "stat_t", "qos", "cmps"]);
        for (key, component) in components(&device) {
            let known = known(component["p"].as_str().unwrap());
            for field in component.as_object().unwrap().keys() {
                let mut words = common.split(' ').chain(known.split(' '));
                assert!(words.any(|word| word == field), "{topic} {key} has {field}");
            }
        }
    }
}

#[test]
fn every_phase_is_among_the_options() {
    use QueuePhase as Q;
    // Whoever adds a phase is led here by the compiler.
    let queue = |phase| match phase {
        Q::Idle | Q::Running | Q::Waiting | Q::Stopping | Q::WaitingForClock => json!(phase),
    };
    let words = [Q::Idle, Q::Running, Q::Waiting, Q::Stopping, Q::WaitingForClock].map(queue);
    assert_eq!(words.map(|word| word.as_str().unwrap().to_owned()), hub::PHASES);
    use JobPhase as J;
    let job = |phase| match phase {
        J::Idle | J::Queued | J::Starting | J::Running | J::Stopping | J::Overrun | J::Unknown => {
            json!(phase)
        }
    };
    let words = [J::Idle, J::Queued, J::Starting, J::Running, J::Stopping, J::Overrun, J::Unknown].map(job);
    assert_eq!(words.map(|word| word.as_str().unwrap().to_owned()), job::PHASES);
}

#[test]
fn another_base_topic_names_its_hub_and_moves_every_topic() {
    let mut config = config();
    config.mqtt.base_topic = "home/Copias".into();
    config.mqtt.discovery_prefix = "ha".into();
    let messages = all(&config);
    let hub = &messages["ha/device/jetbackup_remote_0a1b2c3d/config"];
    assert_eq!(hub["dev"]["name"], "JetBackup Remote (home/Copias)");
    assert_eq!(hub["cmps"]["state"]["def_ent_id"], "sensor.home_copias_state");
    for text in ["jetbackup-remote/", "jetbackup_remote_web1"] {
        let entity_or_topic = |(_, device): (String, Value)| {
            let own = json!([device["cmps"], device["avty"], device["stat_t"]]);
            own.to_string().contains(text)
        };
        assert!(!announced(&config).into_iter().any(entity_or_topic), "{text}");
    }
}

#[test]
fn five_hundred_jobs_are_five_hundred_small_messages() {
    let jobs: Vec<Value> = (0..500)
        .map(|n| {
            let label = format!("Accounts of the customers whose names begin with {n}");
            json!({ "server": format!("web{}.example.com", n % 10), "job_id": format!("{n:024x}"), "label": label })
        })
        .collect();
    let servers: serde_json::Map<String, Value> =
        (0..10).map(|n| (format!("web{n}.example.com"), json!({ "host": format!("h{n}") }))).collect();
    let config = parse(&json!({ "ssh_key": "/k", "servers": servers, "jobs": jobs }).to_string());
    let messages: Vec<_> = discovery(&config, INSTANCE).collect();
    assert_eq!(messages.len(), 511);
    let largest = messages.iter().map(|(_, payload)| payload.len()).max().unwrap();
    assert!(largest < 12_000, "{largest} bytes");
    let distinct: BTreeSet<&String> = messages.iter().map(|(topic, _)| topic).collect();
    assert_eq!(distinct.len(), 511);
}
