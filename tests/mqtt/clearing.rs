//! What was published and is not wanted any more goes; what is not provably ours stays.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::farm::{Farm, brief, job};
use crate::mosquitto::{Broker, until};
use crate::queue::{Queue, config};

const FOREIGN: [(&str, &str); 3] = [
    ("jetbackup-remote/jobs/alpha/000000000000000000000099/state", "someone else's"),
    ("jetbackup-remote/notes", "a person's"),
    ("homeassistant/device/jetbackup_remote_someone/config", "another program's"),
];

fn foreign(broker: &Broker) {
    FOREIGN.iter().for_each(|(topic, text)| broker.publish(topic, text, &["-r"]));
}

#[track_caller]
fn assert_foreign_left_alone(broker: &Broker) {
    let held = broker.retained();
    FOREIGN.iter().for_each(|(topic, text)| assert_eq!(held.get(*topic).map(String::as_str), Some(*text)));
}

#[test]
fn changed_names_and_switched_off_discovery_leave_nothing_behind() {
    let (broker, queue) = (Broker::start(), Queue::new());
    foreign(&broker);
    let count = |start: &str| broker.retained().keys().filter(|topic| topic.starts_with(start)).count();
    let session = queue.connected(&broker, &json!({}));
    assert_eq!((count("jetbackup-remote/"), count("homeassistant/")), (9, 7));
    queue.close(session);

    let session = queue.connected(&broker, &json!({"base_topic": "home/backups"}));
    assert_eq!((count("jetbackup-remote/"), count("home/backups/"), count("homeassistant/")), (2, 7, 7));
    queue.close(session);

    let session = queue.connected(&broker, &json!({"base_topic": "home/backups", "discovery_prefix": "ha"}));
    assert_eq!((count("home/backups/"), count("homeassistant/"), count("ha/")), (7, 1, 6));
    queue.close(session);

    let session = queue.connected(&broker, &json!({"discovery": false}));
    assert_eq!((count("jetbackup-remote/"), count("home/backups/"), count("ha/")), (9, 0, 0));
    assert_eq!(count("homeassistant/"), 1);
    assert_foreign_left_alone(&broker);
    queue.close(session);
}

#[test]
fn what_could_not_be_cleared_at_once_is_cleared_later() {
    let (mut broker, queue) = (Broker::start(), Queue::new());
    let session = queue.connected(&broker, &json!({"base_topic": "first"}));
    queue.close(session);
    broker.stop();
    // Configured meanwhile, and given up before the broker is back.
    let session = queue.session(broker.port(), &json!({"base_topic": "second"}));
    crate::queue::until_state(&session, "the trouble is told", |state| state.error.is_some());
    queue.drop_session(session);
    broker.resume();
    let session = queue.connected(&broker, &json!({"base_topic": "third"}));
    let held = broker.retained();
    assert!(
        held.keys().all(|topic| topic.starts_with("third/") || topic.starts_with("homeassistant/")),
        "{held:?}"
    );
    queue.close(session);
}

#[test]
fn all_is_taken_back_when_asked() {
    let (broker, queue) = (Broker::start(), Queue::new());
    foreign(&broker);
    let session = queue.connected(&broker, &json!({}));
    queue.close(session);
    let config = Arc::new(config(broker.port(), &json!({})));
    assert_eq!(queue.clear(&config).topics.len(), 13);
    assert_eq!(broker.retained().len(), FOREIGN.len());
    assert_foreign_left_alone(&broker);
}

#[test]
fn a_job_removed_from_the_configuration_disappears_upon_sighup_and_upon_restart() {
    let broker = Broker::start();
    let mut farm = Farm::new([vec![brief(), brief(), brief()]]);
    farm.mqtt(&json!({"port": broker.port()}));
    foreign(&broker);
    let states = |number| format!("jetbackup-remote/jobs/alpha/{}/state", job(0, number));
    let told = |number| {
        broker.retained().iter().any(|(topic, payload)| {
            *topic == states(number)
                || (topic.starts_with("homeassistant/") && payload.contains(&states(number)))
        })
    };
    let daemon = farm.start(&["daemon"]);
    until("all jobs are there", || (0..3).all(told));
    let remove = |number| {
        move |config: &mut Value| {
            config["jobs"].as_array_mut().unwrap().retain(|entry| entry["job_id"] != job(0, number));
        }
    };
    farm.change(remove(2));
    farm.status();
    daemon.signal("HUP");
    until("the third job is gone", || {
        !told(2) && broker.holds("jetbackup-remote/availability").unwrap() == "online"
    });
    assert!(told(0) && told(1));
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
    farm.change(remove(1));
    let daemon = farm.start(&["daemon"]);
    until("the second job is gone", || {
        !told(1) && broker.holds("jetbackup-remote/availability").unwrap() == "online"
    });
    assert!(told(0));
    assert_foreign_left_alone(&broker);
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
}
