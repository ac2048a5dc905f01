//! The broker is not there, killed, forgetful or hangs: soon after it is back it has the truth.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use jetbackup_remote::model::{JobResult, What};
use serde_json::json;

use crate::mosquitto::Broker;
use crate::queue::{Queue, ended, job_topic, key, until_state, writing};
use crate::support::proxy::{Direction, Proxy};

const EVENTS: &str = "jetbackup-remote/events";

/// Numbers that look random and come again with the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn is_online(truth: &BTreeMap<String, String>) -> bool {
    truth.get("jetbackup-remote/availability").is_some_and(|word| word == "online")
}

/// A night in which something happens every few milliseconds, for about this long.
fn busy_night(queue: &Queue, dice: &mut Dice, first: i64, time: Duration) {
    let end = Instant::now() + time;
    let mut run = first;
    while Instant::now() < end {
        run += 1;
        let number = u8::try_from(run % 3 + 1).unwrap();
        queue.tell(What::JobQueued { job: key(number) });
        let record = writing(number, run);
        queue.tell(What::JobStarted(record.clone()));
        thread::sleep(Duration::from_millis(dice.below(60)));
        let result = [JobResult::Completed, JobResult::Failed][usize::from(dice.below(2) == 0)];
        queue.tell(What::JobFinished { run: ended(&record, result), recovered: false });
        thread::sleep(Duration::from_millis(dice.below(60)));
    }
}

#[test]
fn killed_at_any_moment_and_robbed_of_its_memory_it_has_the_truth_again() {
    thread::scope(|scope| {
        for seed in 1..=4 {
            scope.spawn(move || killed_at_random(seed));
        }
    });
}

fn killed_at_random(seed: u64) {
    let mut dice = Dice(seed);
    let (mut broker, queue) = (Broker::start(), Queue::new());
    let reference = queue.reference();
    let session = queue.session(broker.port(), &json!({}));
    for round in 0..2 {
        // While it connects, or says everything, or later.
        let time = Duration::from_millis(dice.below(700));
        busy_night(&queue, &mut dice, 1000 * round, time);
        let lossy = dice.below(3) > 0;
        if lossy {
            broker.forget()
        } else {
            broker.kill()
        }
        let time = Duration::from_millis(dice.below(700));
        busy_night(&queue, &mut dice, 1000 * round + 500, time);
        let last = writing(1, 1000 * round + 999);
        queue.tell(What::JobStarted(last.clone()));
        queue.tell(What::JobFinished { run: ended(&last, JobResult::Partial), recovered: false });
        broker.resume();
        let started = format!("\"started\":\"{}\"", last.started.unwrap());
        reference.until_equal(&format!("all is true, seed {seed}, round {round}"), &broker, |truth| {
            is_online(truth) && truth[&job_topic(1)].contains(&started)
        });
    }
    until_state(&session, "the connection is told", |state| state.connected && state.error.is_none());
    queue.close(session);
}

#[test]
fn cut_in_the_middle_of_any_packet_it_says_everything_again() {
    let (broker, queue) = (Broker::start(), Queue::new());
    let reference = queue.reference();
    let mut dice = Dice(7);
    thread::scope(|scope| {
        for bytes in [3, 60, 200].into_iter().chain((0..5).map(|_| dice.below(20_000) as usize)) {
            let (queue, reference) = (&queue, &reference);
            let broker = Broker::start();
            scope.spawn(move || {
                let proxy = Proxy::to(broker.port());
                proxy.cut_after(Direction::ToServer, bytes, 1);
                let session = queue.session(proxy.port(), &json!({}));
                reference.until_equal(&format!("all is true, cut after {bytes}"), &broker, is_online);
                assert!(!proxy.spare() && proxy.accepted() > 1, "it was never cut after {bytes}");
                queue.close(session);
            });
        }
    });
    drop(broker);
}

#[test]
fn absent_at_the_start_it_hears_the_newest_500_events_later_with_their_own_times() {
    let (mut broker, queue) = (Broker::absent(), Queue::new());
    let proxy = Proxy::to(broker.port());
    let session = queue.session(proxy.port(), &json!({}));
    let state = until_state(&session, "the trouble is told", |state| state.error.is_some());
    assert!(!state.connected, "{state:?}");
    let before = jiff::Timestamp::now();
    for number in 0..520 {
        queue.alert(number.to_string());
    }
    let after = jiff::Timestamp::now();
    // Until someone listens.
    proxy.hold();
    broker.resume();
    let ear = broker.listen(&[EVENTS]);
    proxy.release();
    let heard = ear.wait(EVENTS, 500);
    let texts: Vec<&str> = heard.iter().map(|event| event["text"].as_str().unwrap()).collect();
    assert_eq!(texts, (20..520).map(|number| number.to_string()).collect::<Vec<_>>());
    for event in &heard {
        let time = event["time"].as_str().unwrap().parse().unwrap();
        assert!((before..=after).contains(&time), "{event}");
    }
    queue.alert("now");
    assert_eq!(ear.wait(EVENTS, 501).pop().unwrap()["text"], "now");
    assert_eq!(ear.on(EVENTS).len(), 501, "and none twice");
    queue.close(session);
}

#[test]
fn events_under_way_when_the_connection_is_lost_are_said_again_and_none_is_missing() {
    let (broker, queue) = (Broker::start(), Queue::new());
    let proxy = Proxy::to(broker.port());
    let session = queue.session(proxy.port(), &json!({"discovery": false}));
    until_state(&session, "it is connected", |state| state.connected);
    let ear = broker.listen(&[EVENTS]);
    queue.alert("first");
    ear.wait(EVENTS, 1);
    proxy.cut_after(Direction::ToServer, 5000, usize::MAX);
    for number in 0..100 {
        queue.alert(number.to_string());
    }
    let wanted: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let mut texts = Vec::new();
    crate::mosquitto::until("every event is heard", || {
        texts = ear.on(EVENTS)[1..].iter().map(|event| event["text"].as_str().unwrap().to_owned()).collect();
        wanted.iter().all(|text| texts.contains(text))
    });
    assert!(!proxy.spare(), "it was never cut");
    // In order, but for what had to be said twice.
    let mut once = texts.clone();
    let mut seen = std::collections::BTreeSet::new();
    once.retain(|text| seen.insert(text.clone()));
    assert_eq!(once, wanted);
    queue.close(session);
}

#[test]
fn hanging_and_going_on_it_has_the_truth() {
    let (mut broker, queue) = (Broker::start(), Queue::new());
    let reference = queue.reference();
    let session = queue.connected(&broker, &json!({}));
    broker.freeze();
    busy_night(&queue, &mut Dice(3), 0, Duration::from_millis(500));
    broker.thaw();
    reference.until_equal("all is true after the hang", &broker, is_online);
    broker.freeze();
    busy_night(&queue, &mut Dice(4), 500, Duration::from_millis(500));
    // Someone lost patience with it.
    broker.forget();
    broker.resume();
    reference.until_equal("all is true after the restart", &broker, is_online);
    queue.close(session);
}
#[test]
fn a_client_that_takes_its_place_is_told_as_the_trouble_it_is() {
    let (broker, queue, other) = (Broker::start(), Queue::new(), Queue::new());
    let session = queue.connected(&broker, &json!({"client_id": "same"}));
    let usurper = other.connected(&broker, &json!({"client_id": "same", "base_topic": "other"}));
    let state = until_state(&session, "the trouble is told", |state| state.error.is_some());
    let error = state.error.unwrap();
    assert!(error.contains("give each its own mqtt.client_id"), "{error}");
    other.close(usurper);
    until_state(&session, "it is back", |state| state.connected);
    queue.close(session);
}

#[test]
fn the_broker_says_goodbye_and_that_is_told() {
    let (mut broker, queue) = (Broker::start(), Queue::new());
    let session = queue.connected(&broker, &json!({}));
    broker.stop();
    let state = until_state(&session, "the trouble is told", |state| state.error.is_some());
    let error = state.error.unwrap();
    assert!(
        error.contains("shutting down") || error.contains("closed") || error.contains("refused"),
        "{error}"
    );
    queue.close(session);
}
