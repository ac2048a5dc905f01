//! How the program leaves: killed, told to go, at the end of its run.

use serde_json::{Value, json};

use crate::farm::{Farm, Runner, brief, job, lasting};
use crate::mosquitto::{Broker, until};

const AVAILABILITY: &str = "jetbackup-remote/availability";
const EVENTS: &str = "jetbackup-remote/events";

fn state(number: usize) -> String {
    format!("jetbackup-remote/jobs/alpha/{}/state", job(0, number))
}

/// A daemon that the broker knows to be online.
fn daemon(farm: &mut Farm, broker: &Broker) -> Runner {
    farm.mqtt(&json!({"port": broker.port()}));
    let daemon = farm.start(&["daemon"]);
    until("it is online", || broker.holds(AVAILABILITY).as_deref() == Some("online"));
    daemon
}

#[test]
fn killed_it_is_offline_at_once_and_tells_the_truth_when_it_is_back() {
    let (broker, mut farm) = (Broker::start(), Farm::new([vec![lasting(6)]]));
    let first = daemon(&mut farm, &broker);
    let ear = broker.listen(&[EVENTS]);
    broker.publish("jetbackup-remote/command/run", "all", &[]);
    until("the job is shown as running", || broker.state(&state(0))["running"] == true);
    first.kill();
    until("it is offline", || broker.holds(AVAILABILITY).as_deref() == Some("offline"));
    let second = daemon(&mut farm, &broker);
    until("the end is told", || broker.state(&state(0))["last"]["result"] == "completed");
    assert_eq!(broker.state(&state(0))["running"], false);
    until("the end of the cycle is told", || {
        ear.on(EVENTS).iter().any(|event| event["event_type"] == "cycle_finished")
    });
    second.signal("TERM");
    second.wait().ended_with(0);
}

#[test]
fn told_to_go_it_leaves_nothing_unsaid() {
    let (broker, mut farm) = (Broker::start(), Farm::new([vec![lasting(30).stop_after(1), brief()]]));
    let daemon = daemon(&mut farm, &broker);
    let ear = broker.listen(&["jetbackup-remote/#"]);
    broker.publish("jetbackup-remote/command/run", "all", &[]);
    until("the job is shown as running", || broker.state(&state(0))["running"] == true);
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
    // Nobody watches the run any more, so nobody may say that it runs; and this was no last will, which comes after a
    // connection's end: it is there now.
    let held = broker.retained();
    assert_eq!(held[AVAILABILITY], "offline");
    let last: Value = serde_json::from_str(&held[&state(0)]).unwrap();
    assert_eq!((&last["running"], &last["phase"]), (&json!(false), &json!("unknown")), "{last}");
    until("the goodbye is heard", || {
        ear.heard()
            .last()
            .is_some_and(|message| message.topic == AVAILABILITY && message.payload == b"offline")
    });
    let goodbyes = ear.heard().iter().filter(|message| message.payload == b"offline").count();
    assert_eq!(goodbyes, 1, "the will was not needed");
}

#[test]
fn told_to_go_it_goes_also_when_the_broker_hangs() {
    let (broker, mut farm) = (Broker::start(), Farm::new([vec![brief()]]));
    let daemon = daemon(&mut farm, &broker);
    broker.freeze();
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
    assert!(farm.log().contains("the broker did not take the last messages in time"), "{}", farm.log());
    broker.thaw();
    until("it is offline", || broker.holds(AVAILABILITY).as_deref() == Some("offline"));
}

#[test]
fn a_single_run_publishes_and_ends_offline_with_nothing_left_running() {
    let (broker, mut farm) = (Broker::start(), Farm::new([vec![lasting(3), brief()]]));
    farm.mqtt(&json!({"port": broker.port()}));
    let ear = broker.listen(&["jetbackup-remote/#"]);
    farm.call(&["run"]).ended_with(0);
    let held = broker.retained();
    assert_eq!(held[AVAILABILITY], "offline");
    for number in 0..2 {
        let state: Value = serde_json::from_str(&held[&state(number)]).unwrap();
        assert_eq!((&state["running"], &state["phase"]), (&json!(false), &json!("idle")), "{state}");
        assert_eq!(state["last"]["result"], "completed");
        assert!(ear.on(&self::state(0)).iter().any(|state| state["running"] == true));
    }
    assert_eq!(broker.state("jetbackup-remote/state")["last_cycle"]["result"], "completed");
    until("the last event is heard", || {
        ear.on(EVENTS).last().is_some_and(|event| event["event_type"] == "cycle_finished")
    });
    let types: Vec<Value> = ear.on(EVENTS).iter().map(|event| event["event_type"].clone()).collect();
    let mut ordered = types.clone();
    ordered.retain(|kind| kind != "server_reachable");
    let wanted =
        ["cycle_started", "job_started", "job_completed", "job_started", "job_completed", "cycle_finished"];
    assert_eq!(ordered, wanted, "{types:?}");
}

#[test]
fn a_run_told_to_end_leaves_no_running_behind() {
    let (broker, mut farm) = (Broker::start(), Farm::new([vec![lasting(20), brief()]]));
    farm.mqtt(&json!({"port": broker.port()}));
    let run = farm.start(&["run"]);
    until("the job is shown as running", || broker.state(&state(0))["running"] == true);
    run.signal("TERM");
    run.wait().ended_with(2);
    let held = broker.retained();
    assert_eq!(held[AVAILABILITY], "offline");
    assert!(!held.values().any(|payload| payload.contains("\"running\":true")), "{held:#?}");
}
