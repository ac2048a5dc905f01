//! What is odd on a server, from JetBackup's answer over a real gate to the broker, `list` and `status`.

use jetbackup_sim::Destination;
use serde_json::{Value, json};

use crate::farm::{Farm, brief, job};
use crate::mosquitto::{Broker, until};

const STATE: &str = "jetbackup-remote/servers/alpha/state";
const EVENTS: &str = "jetbackup-remote/events";

/// The remarks as `kind id`.
fn said(remarks: &Value) -> Vec<String> {
    let word = |remark: &Value, key: &str| remark[key].as_str().unwrap().to_owned();
    let remarks = remarks.as_array().unwrap().iter();
    remarks.map(|remark| format!("{} {}", word(remark, "kind"), word(remark, "id"))).collect()
}

#[test]
fn what_is_odd_on_a_server_is_told_once_and_shown_for_as_long_as_it_is_so() {
    let broker = Broker::start();
    let nas = jetbackup_sim::id(0x77);
    let farm = Farm::new([vec![brief(), brief(), brief()], vec![brief()]]);
    let sealed = Destination::new(&nas, "NAS").read_only();
    let mut farm = farm.destination(0, sealed, &["destination"]);
    farm.mqtt(&json!({"port": broker.port()}));
    farm.change(|config| {
        config["jobs"].as_array_mut().unwrap().retain(|entry| entry["job_id"] != job(0, 2));
    });
    let disable = |disabled| farm.world(0, |world, now| world.set_disabled_at(&job(0, 1), disabled, now));
    disable(true);
    let all = [
        format!("job_in_no_queue {}", job(0, 2)),
        format!("job_disabled {}", job(0, 1)),
        format!("destination_read_only {nas}"),
    ];
    let listed = farm.call(&["list", "--json"]).ended_with(0).json();
    assert_eq!(said(&listed["remarks"]["alpha"]), all, "{listed:#}");
    assert_eq!(listed["remarks"]["beta"], Value::Null);
    farm.call(&["list"]).ended_with(0).says("in no queue").says("Worth a look").says("NAS").says("read-only");

    let ear = broker.listen(&[EVENTS]);
    let daemon = farm.start(&["daemon"]);
    let held = || broker.holds(STATE).map_or(Value::Null, |state| serde_json::from_str(&state).unwrap());
    until("the broker holds the remarks", || held()["remarks"].as_array().is_some_and(|all| all.len() == 3));
    assert_eq!(said(&held()["remarks"]), all);
    let alerts = || -> Vec<Value> {
        ear.on(EVENTS).into_iter().filter(|event| event["event_type"] == "alert").collect()
    };
    until("it is told", || !alerts().is_empty());
    let alert = alerts().remove(0);
    let text = alert["text"].as_str().unwrap();
    assert_eq!(alert["server"], "alpha");
    assert!(text.contains(&job(0, 1)) && text.contains("disabled there"), "{text}");
    assert!(text.contains("NAS") && text.contains(&job(0, 2)), "{text}");
    let status = farm.status();
    assert_eq!(said(&status["servers"][0]["remarks"]), all, "{status:#}");
    assert_eq!(status["servers"][0]["remarks"][2]["since"], held()["remarks"][2]["since"]);
    farm.call(&["status"]).says("Worth a look").says("(since 20");
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
    // Without a runner it is as it was told, and what is seen now.
    disable(false);
    let status = farm.status();
    assert_eq!(said(&status["servers"][0]["remarks"]), [all[0].clone(), all[2].clone()]);

    let daemon = farm.start(&["daemon"]);
    until("what has gone is not shown", || held()["remarks"].as_array().is_some_and(|all| all.len() == 2));
    assert_eq!(alerts().len(), 1, "nothing new");
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
}
