//! The broker with real clients of other people's making: `mosquitto_pub` and `mosquitto_sub`.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::*;

const VERSIONS: [&str; 2] = ["mqttv311", "mqttv5"];

/// A broker with a runtime of its own.
fn broker() -> (tokio::runtime::Runtime, Broker) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let broker = runtime.block_on(Broker::start(([127, 0, 0, 1], 0).into())).unwrap();
    (runtime, broker)
}

fn client(program: &str, broker: &Broker, version: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(["-h", "127.0.0.1", "-p", &broker.address().port().to_string(), "-V", version]);
    command.args(arguments).stdin(Stdio::null());
    command
}

fn publish(broker: &Broker, version: &str, arguments: &[&str]) {
    let status = client("mosquitto_pub", broker, version, arguments).status();
    assert!(status.expect("start mosquitto_pub; tests/run.sh installs it").success(), "{arguments:?}");
}

/// A subscriber whose first message has come: it is retained, so that the subscription is in place.
fn listen(broker: &Broker, version: &str, arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
    publish(broker, version, &["-r", "-t", "marker", "-m", "here"]);
    let mut command = client("mosquitto_sub", broker, version, &["-F", "%r %t %p", "-t", "marker"]);
    let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().expect("start mosquitto_sub");
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    assert_eq!(line(&mut lines), "1 marker here");
    (child, lines)
}

fn line(lines: &mut impl BufRead) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn what_is_retained_is_said_to_whoever_comes() {
    let (_runtime, broker) = broker();
    for version in VERSIONS {
        publish(&broker, version, &["-q", "1", "-r", "-t", "a/1/state", "-m", version]);
        publish(&broker, version, &["-r", "-t", "a/2/state", "-m", "gone"]);
        publish(&broker, version, &["-r", "-t", "a/2/state", "-n"]);
        let arguments = ["-C", "1", "-q", "1", "-F", "%r %t %p", "-t", "a/+/state"];
        let said = client("mosquitto_sub", &broker, version, &arguments).output().unwrap();
        assert_eq!(String::from_utf8(said.stdout).unwrap(), format!("1 a/1/state {version}\n"));
    }
}

#[test]
fn only_who_asks_for_it_sees_that_a_live_message_is_retained() {
    let (_runtime, broker) = broker();
    for (version, asks, retained) in [("mqttv311", false, 0), ("mqttv5", false, 0), ("mqttv5", true, 1)] {
        let arguments = if asks {
            &["-C", "2", "-t", "b/#", "--retain-as-published"][..]
        } else {
            &["-C", "2", "-t", "b/#"]
        };
        let (mut child, mut lines) = listen(&broker, version, arguments);
        publish(&broker, version, &["-q", "1", "-r", "-t", "b/live", "-m", "news"]);
        assert_eq!(line(&mut lines), format!("{retained} b/live news"), "{version}");
        assert!(child.wait().unwrap().success());
        publish(&broker, version, &["-r", "-t", "b/live", "-n"]);
    }
}

#[test]
fn messages_carry_what_their_subscription_is_called() {
    let (_runtime, broker) = broker();
    publish(&broker, "mqttv5", &["-q", "1", "-r", "-t", "e", "-m", "kept"]);
    let called = ["-D", "subscribe", "subscription-identifier", "200"];
    let mut command = client("mosquitto_sub", &broker, "mqttv5", &called);
    let said = command.args(["-C", "1", "-F", "%S %t %p", "-t", "e"]).output().unwrap();
    assert_eq!(String::from_utf8(said.stdout).unwrap(), "200 e kept\n");
}

#[test]
fn the_last_will_of_a_client_that_is_killed_is_said() {
    let (_runtime, broker) = broker();
    for version in VERSIONS {
        let will = ["--will-topic", "c/will", "--will-payload", "offline"];
        // It is read from, for it must not end before it is killed.
        let (mut mortal, _its_lines) = listen(&broker, version, &will);
        let (mut child, mut lines) = listen(&broker, version, &["-C", "2", "-t", "c/will"]);
        mortal.kill().unwrap();
        mortal.wait().unwrap();
        assert_eq!(line(&mut lines), "0 c/will offline", "{version}");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn who_listens_has_everything_before_the_broker_closes() {
    let (runtime, broker) = broker();
    let (mut child, mut lines) = listen(&broker, "mqttv5", &["-t", "d"]);
    broker.post().publish(&Publication { topic: "d".into(), payload: "last words".into(), retain: false });
    runtime.block_on(broker.close());
    assert_eq!(line(&mut lines), "0 d last words");
    child.kill().unwrap();
    child.wait().unwrap();
}
