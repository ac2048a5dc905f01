//! Every payload on every topic: what it means, or why it means nothing.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::config::OnlyRun;
use crate::mqtt::testing::{config, golden, key, parse};

const ONE: &str = "000000000000000000000001";
const THREE: &str = "000000000000000000000003";

fn ask_in(config: &Config, tail: &str, payload: &[u8], retain: bool) -> Result<Command, String> {
    let topic = format!("jetbackup-remote/{tail}");
    read(&Topics::new("jetbackup-remote"), config, &Incoming { topic: &topic, payload, retain })
}

fn ask(tail: &str, payload: &str) -> Result<Command, String> {
    ask_in(&config(), tail, payload.as_bytes(), false)
}

fn selection(server: Option<&str>, job: Option<&str>) -> Command {
    Command::Run(Selection {
        server: server.map(|name| name.parse().unwrap()),
        job: job.map(|id| id.parse().unwrap()),
    })
}

#[test]
fn run_takes_all_a_server_a_job_or_both() {
    for payload in ["all", "PRESS"] {
        assert_eq!(ask("command/run", payload), Ok(selection(None, None)));
    }
    assert_eq!(ask("command/run", r#"{"server": "web1"}"#), Ok(selection(Some("web1"), None)));
    assert_eq!(ask("command/run", &format!(r#" {{"job": "{ONE}"}} "#)), Ok(selection(None, Some(ONE))));
    let both = format!(r#"{{"job":"{ONE}","server":"web1"}}"#);
    assert_eq!(ask("command/run", &both), Ok(selection(Some("web1"), Some(ONE))));
    assert_eq!(ask("servers/web2/command/run", "PRESS"), Ok(selection(Some("web2"), None)));
    assert_eq!(
        ask(&format!("jobs/web2/{THREE}/command/run"), "PRESS"),
        Ok(selection(Some("web2"), Some(THREE)))
    );
}

#[test]
fn stop_and_release_take_a_job_and_stop_a_group() {
    for payload in ["after_current", "PRESS"] {
        assert_eq!(ask("command/stop", payload), Ok(Command::StopAfterCurrent));
    }
    let job = format!(r#"{{"server": "web1", "job": "{ONE}"}}"#);
    assert_eq!(ask("command/stop", &job), Ok(Command::StopJob(key("web1", 1))));
    assert_eq!(ask("command/release", &job), Ok(Command::Release(key("web1", 1))));
    assert_eq!(ask(&format!("jobs/web1/{ONE}/command/stop"), "PRESS"), Ok(Command::StopJob(key("web1", 1))));
    let group = r#"{"server": "web2", "queue_group": "ABCDEFabcdef0123456789ab"}"#;
    let stop =
        Command::Stop { server: "web2".parse().unwrap(), group: "abcdefabcdef0123456789ab".parse().unwrap() };
    assert_eq!(ask("command/stop", group), Ok(stop));
}

/// What is refused, and how it is told.
#[test]
fn every_refusal_says_what_would_be_right() {
    let long = format!("{{\"server\": \"{}\"}}", "x".repeat(5000));
    let deep = format!("{{\"server\": {}1{}}}", "[".repeat(1000), "]".repeat(1000));
    let both = format!(r#"{{"server": "web1", "job": "{ONE}", "queue_group": "{ONE}"}}"#);
    let elsewhere = format!(r#"{{"server": "web1", "job": "{THREE}"}}"#);
    let unknown_job = "jobs/web1/0000000000000000000000ff/command/run";
    let cases: Vec<(&str, &[u8])> = vec![
        ("command/run", b"ALL"),
        ("command/run", b"PRESS\n"),
        ("command/run", b"after_current"),
        ("command/run", b"{}"),
        ("command/run", b"null"),
        ("command/run", br#""all""#),
        ("command/run", br#"["web1"]"#),
        ("command/run", br#"{"server": "web1"} {}"#),
        ("command/run", br#"{"server": "web1""#),
        ("command/run", br#"{"server": "web1", "server": "web2"}"#),
        ("command/run", br#"{"servr": "web1"}"#),
        ("command/run", br#"{"queue_group": "web1"}"#),
        ("command/run", br#"{"server": null}"#),
        ("command/run", br#"{"job": 1}"#),
        ("command/run", br#"{"server": ["web1"]}"#),
        ("command/run", br#"{"server": "web3"}"#),
        ("command/run", br#"{"server": "nonesuch"}"#),
        ("command/run", br#"{"job": "Databases"}"#),
        ("command/run", br#"{"job": "zzz"}"#),
        ("command/run", elsewhere.as_bytes()),
        ("command/run", b"\xff\xfe"),
        ("command/run", long.as_bytes()),
        ("command/run", deep.as_bytes()),
        ("command/run", "{\"server\": \"\u{202e}\u{0}\r\n\"}".as_bytes()),
        ("command/run", "{\"server\": \"\\u202e\\u0000\\r\\n\"}".as_bytes()),
        ("command/stop", b"all"),
        ("command/stop", br#"{"server": "web1"}"#),
        ("command/stop", br#"{"job": "000000000000000000000001"}"#),
        ("command/stop", br#"{"server": "web1", "queue_group": "7"}"#),
        ("command/stop", both.as_bytes()),
        ("command/release", b"PRESS"),
        ("command/release", br#"{"server": "web1"}"#),
        ("servers/web1/command/run", b"all"),
        ("servers/web9/command/run", b"PRESS"),
        (unknown_job, b"PRESS"),
        (unknown_job, b"{}"),
        ("servers/a b/command/run", b"PRESS"),
        ("command/result", b"PRESS"),
    ];
    let config = config();
    let mut told: Vec<Value> = cases
        .into_iter()
        .map(|(tail, payload)| {
            let reason = ask_in(&config, tail, payload, false).unwrap_err();
            let shown: String = String::from_utf8_lossy(payload).chars().take(80).collect();
            json!({ "topic": tail, "payload": shown, "reason": reason })
        })
        .collect();
    for (payload, retain) in [("", false), ("", true), ("PRESS", true)] {
        let reason = ask_in(&config, "command/run", payload.as_bytes(), retain).unwrap_err();
        told.push(json!({ "topic": "command/run", "payload": payload, "retain": retain, "reason": reason }));
    }
    golden("refusals.json", &Value::Array(told));
}

#[test]
fn only_what_the_configuration_permits_is_done() {
    let mut config = config();
    let run =
        |config: &Config, tail: &str, payload: &str| ask_in(config, tail, payload.as_bytes(), false).is_ok();
    let release = format!(r#"{{"server": "web1", "job": "{ONE}"}}"#);
    let job_run = format!("jobs/web1/{ONE}/command/run");
    let job_stop = format!("jobs/web1/{ONE}/command/stop");
    let runs = [("command/run", "all"), ("servers/web1/command/run", "PRESS"), (job_run.as_str(), "PRESS")];
    let stops =
        [("command/stop", "PRESS"), ("command/release", release.as_str()), (job_stop.as_str(), "PRESS")];
    for (commands, may_run, may_stop) in [
        (Commands::All(true), true, true),
        (Commands::Only(OnlyRun::Run), true, false),
        (Commands::All(false), false, false),
    ] {
        config.mqtt.commands = commands;
        assert!(runs.iter().all(|(tail, payload)| run(&config, tail, payload) == may_run), "{commands:?}");
        assert!(stops.iter().all(|(tail, payload)| run(&config, tail, payload) == may_stop), "{commands:?}");
    }
    let reason = ask_in(&config, "command/stop", b"PRESS", false).unwrap_err();
    assert_eq!(reason, "the configuration takes no commands: mqtt.commands is false");
}

#[test]
fn a_job_alone_means_it_on_every_server() {
    let config = parse(
        r#"{"ssh_key": "/k", "servers": {"a": {"host": "a"}, "b": {"host": "b"}}, "jobs": [
            {"server": "a", "job_id": "000000000000000000000001"},
            {"server": "b", "job_id": "000000000000000000000001"}]}"#,
    );
    let payload = format!(r#"{{"job": "{ONE}"}}"#);
    assert_eq!(ask_in(&config, "command/run", payload.as_bytes(), false), Ok(selection(None, Some(ONE))));
}

#[test]
fn answers_to_commands() {
    let at = "2026-01-02T03:04:05Z".parse().unwrap();
    let said =
        |tail: &str, answer: &Answer| -> Value { serde_json::from_slice(&result(tail, answer, at)).unwrap() };
    let answers = [
        said("command/run", &Answer::accepted("3 jobs queued")),
        said("servers/web9/command/run", &Answer::refused("no server \"web9\" is configured")),
        said(&"x\n".repeat(300), &Answer::refused("y\r\n".repeat(300))),
    ];
    golden("answers.json", &Value::Array(answers.into()));
}

fn tails() -> impl Strategy<Value = String> {
    let level = prop_oneof!["web1", "web2", "web[0-9]", "0{23}[0-9a-fA-F]", "[a-z0-9]{0,4}", ".{0,6}"];
    prop_oneof![
        "command/(run|stop|release|result)",
        level.clone().prop_map(|server| format!("servers/{server}/command/run")),
        (level.clone(), level, "(run|stop|release)")
            .prop_map(|(server, job, verb)| format!("jobs/{server}/{job}/command/{verb}")),
        ".{0,40}",
    ]
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        "\"web[0-3]\"",
        "\"0{23}[0-9a-f]\"",
        "\"[0-9a-fA-F]{24}\"",
        "null|1|true|\\[\\]|\\{\\}|\"\"",
        any::<String>().prop_map(|text| Value::from(text).to_string()),
    ];
    let entry =
        ("(server|job|queue_group|[a-z]{1,4})", value).prop_map(|(key, value)| format!("{key:?}: {value}"));
    let object = prop::collection::vec(entry, 0..4).prop_map(|entries| format!("{{{}}}", entries.join(", ")));
    prop_oneof![
        Just("PRESS".to_owned()).prop_map(String::into_bytes),
        "(all|after_current|PRESS)[ \n]?".prop_map(String::into_bytes),
        object.prop_map(String::into_bytes),
        r#"[{}"a-z:,\[\] ]{0,40}"#.prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..80),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn whatever_arrives_means_something_configured_or_is_refused_in_a_line(
        tail in tails(),
        payload in payloads(),
        retain in prop::bool::weighted(0.1),
    ) {
        crate::mqtt::fuzzing::check(&config(), &tail, &payload, retain);
    }
}
