//! What is said while all is well.

use std::time::Duration;

use jetbackup_remote::model::{JobResult, What};
use serde_json::{Value, json};

use crate::mosquitto::{Broker, until};
use crate::queue::{Queue, config, ended, job_topic, key, writing};

const BASE: &str = "jetbackup-remote";

#[test]
fn after_connecting_the_broker_holds_availability_every_state_and_discovery() {
    let (broker, queue) = (Broker::start(), Queue::new());
    let session = queue.connected(&broker, &json!({}));
    let mut held = broker.retained();
    assert_eq!(held.remove("jetbackup-remote/availability").unwrap(), "online");
    let mut states: Vec<String> = (1..=3).map(job_topic).collect();
    states
        .extend(["servers/alpha/state", "servers/beta/state", "state"].map(|tail| format!("{BASE}/{tail}")));
    for topic in states {
        let state: Value =
            serde_json::from_str(&held.remove(&topic).unwrap_or_else(|| panic!("{topic}"))).unwrap();
        assert!(state.is_object(), "{topic}: {state}");
    }
    let config = config(broker.port(), &json!({}));
    let discovery = jetbackup_remote::mqtt::discovery(&config, &queue.instance());
    let discovery =
        discovery.into_iter().map(|(topic, payload)| (topic, String::from_utf8(payload).unwrap()));
    // The hub, two servers, three jobs; and nothing beside.
    assert_eq!(held.len(), 6);
    assert_eq!(held, discovery.collect());
    queue.close(session);
}

#[test]
fn without_discovery_there_is_none() {
    let (broker, queue) = (Broker::start(), Queue::new());
    let session = queue.connected(&broker, &json!({"discovery": false}));
    let held = broker.retained();
    assert_eq!(held.len(), 7);
    assert!(held.keys().all(|topic| topic.starts_with("jetbackup-remote/")), "{held:?}");
    queue.close(session);
}

#[test]
fn what_happens_is_told_in_order_and_each_event_finds_the_state_that_belongs_to_it() {
    let (broker, queue) = (Broker::start(), Queue::new());
    let session = queue.connected(&broker, &json!({}));
    let ear = broker.listen(&["jetbackup-remote/#"]);
    let phase_at = |number: usize| {
        // The state that was heard last before the event with this number.
        let (mut seen, mut last) = (0, Value::Null);
        for message in ear.heard() {
            if message.topic == job_topic(1) {
                last = message.json();
            } else if message.topic == "jetbackup-remote/events" {
                seen += 1;
                if seen == number {
                    return [last["phase"].clone(), last["last"]["result"].clone()];
                }
            }
        }
        panic!("no event {number}");
    };
    let mut last = Value::Null;
    for round in 0..12 {
        let run = writing(1, 100 + round);
        queue.tell(What::JobStarted(run.clone()));
        let count = 2 * usize::try_from(round).unwrap() + 1;
        ear.wait("jetbackup-remote/events", count);
        assert_eq!(phase_at(count), [json!("running"), last]);
        let result = if round % 2 == 0 { JobResult::Failed } else { JobResult::Completed };
        queue.tell(What::JobFinished { run: ended(&run, result), recovered: false });
        let event = ear.wait("jetbackup-remote/events", count + 1).pop().unwrap();
        last = json!(result);
        assert_eq!(event["result"], last);
        assert_eq!(phase_at(count + 1), [json!("idle"), last.clone()]);
    }

    // As quickly as may be.
    for number in 0..200 {
        queue.alert(number.to_string());
    }
    let heard = ear.wait("jetbackup-remote/events", 224);
    let texts: Vec<&str> = heard[24..].iter().map(|event| event["text"].as_str().unwrap()).collect();
    assert_eq!(texts, (0..200).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(ear.heard().iter().all(|message| message.retain != (message.topic == "jetbackup-remote/events")));
    queue.close(session);
}

#[test]
fn home_assistants_birth_has_everything_said_again_and_nothing_else_has() {
    let (broker, queue) = (Broker::start(), Queue::new());
    let session = queue.connected(&broker, &json!({"discovery_prefix": "ha"}));
    let all = broker.retained();
    let discovery = all.keys().find(|topic| topic.starts_with("ha/device/")).unwrap().clone();
    let lost = [discovery, job_topic(2), "jetbackup-remote/availability".to_owned()];
    let ear = broker.listen(&["jetbackup-remote/#", "ha/#"]);
    lost.iter().for_each(|topic| broker.clear(topic));
    let before = broker.retained();
    for (payload, flags) in [("offline", &[][..]), ("online", &["-r"]), ("ONLINE", &[]), ("", &[])] {
        broker.publish("ha/status", payload, flags);
    }
    broker.publish("homeassistant/status", "online", &[]);
    broker.clear("ha/status");
    // It takes up to 3 s to answer a birth, so there is nothing else to wait for.
    std::thread::sleep(Duration::from_millis(3500));
    assert_eq!(broker.retained(), before, "{:#?}", ear.heard());
    broker.publish("ha/status", "online", &[]);
    until("all is there again", || broker.retained() == all);
    queue.close(session);
}

#[test]
fn two_installations_share_a_broker() {
    let broker = Broker::start();
    let (one, two) = (Queue::new(), Queue::new());
    let (here, there) = (json!({"base_topic": "home/one"}), json!({"base_topic": "home/two"}));
    let first = one.connected(&broker, &here);
    let held = broker.retained();
    let ear = broker.listen(&["home/#"]);
    let second = two.connected(&broker, &there);
    assert_eq!(broker.retained().len(), 2 * held.len());
    broker.publish("home/two/command/run", "all", &[]);
    ear.wait("home/two/command/result", 1);
    assert_eq!((one.asked().len(), two.asked().len()), (0, 1));
    two.tell(What::JobQueued { job: key(1) });
    ear.wait("home/two/events", 1);
    two.close(second);
    let both = broker.retained();
    assert!(held.iter().all(|(topic, payload)| both.get(topic) == Some(payload)), "{both:#?}");
    assert_eq!(both["home/two/availability"], "offline");
    assert_eq!(ear.on("home/one/events"), [Value::Null; 0]);
    one.close(first);
}
