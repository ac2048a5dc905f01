//! What is asked over MQTT, and the answers: what is a command arrives at the queue, what is not never does.

use std::time::Instant;

use jetbackup_remote::model::{Command, Selection};
use serde_json::{Value, json};

use crate::mosquitto::{Broker, Ear};
use crate::queue::{Queue, id, key};

const RUN: &str = "jetbackup-remote/command/run";
const RESULT: &str = "jetbackup-remote/command/result";
const EVENTS: &str = "jetbackup-remote/events";
const AVAILABILITY: &str = "jetbackup-remote/availability";

/// The answers from this one on, as command, accepted, and reason.
fn answers(ear: &Ear, from: usize, count: usize) -> Vec<(String, bool, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let heard = ear.wait(RESULT, from + count).split_off(from);
    for answer in &heard {
        answer["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert_eq!(answer.as_object().unwrap().len(), 4, "{answer}");
    }
    heard
        .iter()
        .map(|answer| {
            (text(&answer["command"]), answer["accepted"].as_bool().unwrap(), text(&answer["reason"]))
        })
        .collect()
}

fn run(server: Option<&str>, job: Option<u8>) -> Command {
    Command::Run(Selection {
        server: server.map(|name| name.parse().unwrap()),
        job: job.map(|number| id(number).parse().unwrap()),
    })
}

#[test]
fn every_command_arrives_as_what_it_says_and_is_answered() {
    let (broker, queue) = (Broker::start(), Queue::new());
    let session = queue.connected(&broker, &json!({}));
    let ear = broker.listen(&[RESULT]);
    let job = id(1);
    let commands = [
        ("command/run", "all".to_owned(), run(None, None)),
        ("command/run", "PRESS".to_owned(), run(None, None)),
        ("command/run", r#"{"server": "beta"}"#.to_owned(), run(Some("beta"), None)),
        ("command/run", format!(r#"{{"job": "{job}"}}"#), run(None, Some(1))),
        ("servers/alpha/command/run", "PRESS".to_owned(), run(Some("alpha"), None)),
        (&format!("jobs/alpha/{job}/command/run"), "PRESS".to_owned(), run(Some("alpha"), Some(1))),
        ("command/stop", "after_current".to_owned(), Command::StopAfterCurrent),
        ("command/stop", "PRESS".to_owned(), Command::StopAfterCurrent),
        (&format!("jobs/alpha/{job}/command/stop"), "PRESS".to_owned(), Command::StopJob(key(1))),
        ("command/release", format!(r#"{{"server": "alpha", "job": "{job}"}}"#), Command::Release(key(1))),
    ];
    for (number, (topic, payload, command)) in commands.iter().enumerate() {
        broker.publish(&format!("jetbackup-remote/{topic}"), payload, &[]);
        let answer = answers(&ear, number, 1).pop().unwrap();
        assert_eq!(answer, ((*topic).to_owned(), true, "noted".to_owned()));
        assert_eq!(queue.asked().last(), Some(command));
    }
    assert_eq!(queue.asked().len(), commands.len());
    queue.close(session);
}

#[test]
fn what_is_no_command_is_refused_with_the_reason_and_does_nothing() {
    let (broker, queue) = (Broker::start(), Queue::new());
    let session = queue.connected(&broker, &json!({}));
    let ear = broker.listen(&[RESULT]);
    let unknown = "f".repeat(24);
    let unknown_run = format!("jobs/alpha/{unknown}/command/run");
    let unknown_payload = format!(r#"{{"server": "alpha", "job": "{unknown}"}}"#);
    let refused = [
        ("command/run", "", "an empty payload does nothing"),
        ("command/stop", "", "an empty payload does nothing"),
        ("servers/alpha/command/run", "", "an empty payload does nothing"),
        ("command/run", "{", "JSON"),
        ("command/run", r#"{"server": 1}"#, "server"),
        ("command/run", r#"{"server": "alpha", "serer": "beta"}"#, "serer"),
        ("command/run", r#"{"server": "alhpa"}"#, "did you mean alpha?"),
        ("command/run", "everything", "all, PRESS"),
        ("servers/gamma/command/run", "PRESS", "gamma"),
        ("command/run", &unknown_payload, &unknown),
        (&unknown_run, "PRESS", &unknown),
        ("command/release", "PRESS", "server"),
    ];
    for (number, (topic, payload, reason)) in refused.iter().enumerate() {
        broker.publish(&format!("jetbackup-remote/{topic}"), payload, &[]);
        let (command, accepted, said) = answers(&ear, number, 1).pop().unwrap();
        assert_eq!((command.as_str(), accepted), (*topic, false), "{payload}: {said}");
        assert!(said.contains(reason), "{payload}: {said}");
    }
    assert_eq!(queue.asked(), []);
    queue.close(session);
}

#[test]
fn retained_commands_do_nothing_but_be_reported_whenever_they_come() {
    let (mut broker, queue) = (Broker::start(), Queue::new());
    let session = queue.connected(&broker, &json!({}));
    let ear = broker.listen(&[RESULT]);
    // Live.
    broker.publish(RUN, "all", &["-r"]);
    let (command, accepted, reason) = answers(&ear, 0, 1).pop().unwrap();
    assert!(!accepted && command == "command/run" && reason.contains("retain"), "{reason}");
    // By the next connection, which comes upon it.
    queue.close(session);
    let session = queue.connected(&broker, &json!({}));
    let (_, accepted, reason) = answers(&ear, 1, 1).pop().unwrap();
    assert!(!accepted && reason.contains("retain"), "{reason}");
    // When it is cleared.
    broker.clear(RUN);
    let (_, accepted, reason) = answers(&ear, 2, 1).pop().unwrap();
    assert!(!accepted && reason.contains("empty"), "{reason}");
    // When the broker is killed and comes back with it.
    broker.publish(RUN, "all", &["-r"]);
    answers(&ear, 3, 1);
    broker.stop();
    broker.resume();
    let ear = broker.listen(&[RESULT, AVAILABILITY]);
    let again = ear.wait(RESULT, 1);
    assert!(
        again[0]["accepted"] == false && again[0]["reason"].as_str().unwrap().contains("retain"),
        "{again:?}"
    );
    // And now one that counts.
    broker.publish(RUN, "all", &[]);
    assert!(answers(&ear, 1, 1)[0].1);
    assert_eq!(queue.asked(), [run(None, None)]);
    queue.close(session);
}

#[test]
fn a_flood_is_refused_and_the_connection_stays() {
    let (broker, queue) = (Broker::start(), Queue::new());
    let session = queue.connected(&broker, &json!({}));
    let ear = broker.listen(&[RESULT, EVENTS, AVAILABILITY]);
    let begun = Instant::now();
    broker.publish_lines(RUN, &["all"; 100]);
    let answers = answers(&ear, 0, 100);
    let taken = answers.iter().filter(|(_, accepted, _)| *accepted).count();
    // Twenty at once, and five for each second that it took.
    let most = 20 + 5 * (begun.elapsed().as_secs() as usize + 1);
    assert!((20..=most).contains(&taken), "{taken}, {most} at most");
    let refused: Vec<&str> =
        answers.iter().filter(|(_, accepted, _)| !accepted).map(|(.., reason)| reason.as_str()).collect();
    assert!(refused.iter().all(|reason| reason.contains("too many commands")), "{refused:#?}");
    assert_eq!(queue.asked().len(), taken);
    // More than a connection can take in at a time: it passes over some and lives.
    broker.publish_lines(RUN, &["all"; 3000]);
    queue.alert("alive");
    assert_eq!(ear.wait(EVENTS, 1)[0]["text"], "alive");
    assert!(never_offline(&ear));
    assert!(session.broker().borrow().connected);
    queue.close(session);
}

/// Whether the program was online all the time.
fn never_offline(ear: &Ear) -> bool {
    ear.heard()
        .iter()
        .filter(|message| message.topic == AVAILABILITY)
        .all(|message| message.payload == b"online")
}

#[test]
fn large_messages_do_not_cost_the_connection() {
    let (broker, queue) = (Broker::start(), Queue::new());
    let session = queue.connected(&broker, &json!({}));
    let since = session.broker().borrow().since;
    let ear = broker.listen(&[RESULT, AVAILABILITY]);
    broker.publish(RUN, " ".repeat(5000), &[]);
    let (_, accepted, reason) = answers(&ear, 0, 1).pop().unwrap();
    assert!(!accepted && reason.contains("4096"), "{reason}");
    // The broker keeps these back.
    for size in [100_000, 5_000_000] {
        broker.publish(RUN, "a".repeat(size), &[]);
    }
    broker.publish(RUN, "all", &[]);
    assert!(answers(&ear, 1, 1)[0].1);
    assert_eq!(queue.asked(), [run(None, None)]);
    assert!(never_offline(&ear));
    let state = session.broker().borrow().clone();
    assert!(state.connected && state.since == since, "{state:?}");
    queue.close(session);
}

#[test]
fn only_what_is_permitted_is_taken() {
    let (broker, queue, other) = (Broker::start(), Queue::new(), Queue::new());
    let (only_run, none) = (
        json!({"commands": "run", "base_topic": "run", "discovery": false, "client_id": "one"}),
        json!({"commands": false, "base_topic": "none", "discovery": false, "client_id": "two"}),
    );
    let sessions = [queue.connected(&broker, &only_run), other.connected(&broker, &none)];
    let ear = broker.listen(&["+/command/result"]);
    broker.publish("run/command/run", r#"{"server": "beta"}"#, &[]);
    assert_eq!(ear.wait("run/command/result", 1)[0]["accepted"], true);
    for (number, topic) in ["stop", "release"].iter().enumerate() {
        broker.publish(&format!("run/command/{topic}"), "after_current", &[]);
        let answer = &ear.wait("run/command/result", 2 + number)[1 + number];
        assert_eq!(answer["accepted"], false);
        assert!(answer["reason"].as_str().unwrap().contains("mqtt.commands"), "{answer}");
    }
    // Who takes none does not even listen.
    for topic in ["none/command/run", "none/command/stop", "none/servers/alpha/command/run"] {
        broker.publish(topic, "PRESS", &[]);
    }
    broker.publish("run/command/run", r#"{"server": "alpha"}"#, &[]);
    ear.wait("run/command/result", 4);
    assert_eq!(queue.asked(), [run(Some("beta"), None), run(Some("alpha"), None)]);
    assert_eq!(ear.on("none/command/result"), [Value::Null; 0]);
    assert_eq!(other.asked(), []);
    let [first, second] = sessions;
    queue.close(first);
    other.close(second);
}
