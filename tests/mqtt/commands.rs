//! Commands by MQTT to the real program, which runs the jobs for real; and a broker that does what it likes meanwhile.

use serde_json::{Value, json};

use crate::farm::{Farm, Runner, brief, job, lasting};
use crate::mosquitto::{Broker, until};

const RUN: &str = "jetbackup-remote/command/run";
const RESULT: &str = "jetbackup-remote/command/result";
const AVAILABILITY: &str = "jetbackup-remote/availability";

fn job_topic(server: usize, number: usize, rest: &str) -> String {
    format!("jetbackup-remote/jobs/{}/{}/{rest}", ["alpha", "beta"][server], job(server, number))
}

fn daemon(farm: &mut Farm, broker: &Broker) -> Runner {
    farm.mqtt(&json!({"port": broker.port()}));
    let daemon = farm.start(&["daemon"]);
    until("it is online", || broker.holds(AVAILABILITY).as_deref() == Some("online"));
    daemon
}

/// Waits until so many runs have ended, the daemon is at rest, and the broker shows it. The daemon is asked first: what
/// the broker holds may still be the rest of before.
fn idle(farm: &Farm, broker: &Broker, runs: usize) {
    farm.until("all have ended", |farm| {
        let history = farm.history();
        history.len() == runs && history.iter().all(|run| !run["result"].is_null())
    });
    let mut last = Value::Null;
    farm.until("the cycle is over", |farm| {
        let mut status = farm.status();
        last = status["queue"]["last_cycle"].take();
        status["queue"]["phase"] == "idle" && status["queue"]["cycle"].is_null()
    });
    until("the broker shows it", || {
        let state = broker.state("jetbackup-remote/state");
        state["phase"] == "idle" && state["cycle"].is_null() && state["last_cycle"] == last
    });
}

#[test]
fn commands_start_what_they_name_and_duplicates_are_merged() {
    let (broker, mut farm) = (Broker::start(), Farm::new([vec![lasting(6), brief()], vec![brief()]]));
    let daemon = daemon(&mut farm, &broker);
    let ear = broker.listen(&[RESULT]);
    let triggers = |farm: &Farm| [farm.triggers(0, 0), farm.triggers(0, 1), farm.triggers(1, 0)];

    broker.publish(&job_topic(0, 1, "command/run"), "PRESS", &[]);
    assert_eq!(ear.wait(RESULT, 1)[0]["accepted"], true);
    farm.until("the job ran", |farm| triggers(farm) == [0, 1, 0]);
    idle(&farm, &broker, 1);

    broker.publish("jetbackup-remote/servers/beta/command/run", "PRESS", &[]);
    assert_eq!(ear.wait(RESULT, 2)[1]["accepted"], true);
    farm.until("the server's job ran", |farm| triggers(farm) == [0, 1, 1]);
    idle(&farm, &broker, 2);

    // Everything, and some of it again while it runs or waits.
    broker.publish_lines(RUN, &["all", r#"{"server": "beta"}"#, "PRESS"]);
    let answers = ear.wait(RESULT, 5);
    assert!(answers[2]["accepted"] == true, "{answers:?}");
    farm.until("all ran", |farm| triggers(farm) == [1, 2, 2]);
    idle(&farm, &broker, 5);
    assert!(farm.results().iter().all(|row| row.contains("completed")), "{:?}", farm.results());
    assert_eq!(triggers(&farm), [1, 2, 2], "{answers:#?}");
    farm.assert_one_writer();
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
}

#[test]
fn a_retained_run_command_does_nothing_but_be_reported() {
    let (broker, mut farm) = (Broker::start(), Farm::new([vec![brief()]]));
    broker.publish(RUN, "all", &["-r"]);
    let ear = broker.listen(&[RESULT]);
    let first = daemon(&mut farm, &broker);
    ear.wait(RESULT, 1);
    broker.publish(RUN, "all", &["-r"]);
    ear.wait(RESULT, 2);
    first.signal("HUP");
    ear.wait(RESULT, 3);
    broker.clear(RUN);
    let answers = ear.wait(RESULT, 4);
    assert!(answers.iter().all(|answer| answer["accepted"] == false), "{answers:#?}");
    farm.logs("refused by MQTT: command/run: retained messages do nothing");
    farm.logs("refused by MQTT: command/run: an empty payload does nothing");
    // One that is meant: the queue takes it after all that came before, so that nothing of it can still come.
    broker.publish(RUN, "all", &[]);
    assert_eq!(ear.wait(RESULT, 5)[4]["accepted"], true);
    idle(&farm, &broker, 1);
    assert_eq!((farm.triggers(0, 0), farm.results().len()), (1, 1));
    first.signal("TERM");
    first.wait().ended_with(0);
}

#[test]
fn a_run_is_stopped_by_its_own_topic_and_the_queue_by_its() {
    let (broker, mut farm) =
        (Broker::start(), Farm::new([vec![lasting(300).stop_after(1), brief()], vec![brief()]]));
    let daemon = daemon(&mut farm, &broker);
    let ear = broker.listen(&[RESULT]);
    broker.publish(RUN, "all", &[]);
    until("the first job runs", || broker.state(&job_topic(0, 0, "state"))["phase"] == "running");
    // What does not run cannot be stopped.
    broker.publish(&job_topic(1, 0, "command/stop"), "PRESS", &[]);
    assert_eq!(ear.wait(RESULT, 2)[1]["accepted"], false);
    broker.publish("jetbackup-remote/command/stop", "after_current", &[]);
    assert_eq!(ear.wait(RESULT, 3)[2]["accepted"], true);
    broker.publish(&job_topic(0, 0, "command/stop"), "PRESS", &[]);
    assert_eq!(ear.wait(RESULT, 4)[3]["accepted"], true);
    until("it was stopped", || broker.state(&job_topic(0, 0, "state"))["last"]["result"] == "aborted");
    farm.until("the cycle is over", |_| broker.state("jetbackup-remote/state")["phase"] == "idle");
    assert_eq!([farm.triggers(0, 0), farm.triggers(0, 1), farm.triggers(1, 0)], [1, 0, 0]);
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
}

#[test]
fn a_run_goes_on_whatever_becomes_of_the_broker() {
    let (mut broker, mut farm) =
        (Broker::start(), Farm::new([vec![lasting(3), lasting(3), lasting(3), lasting(3)]]));
    let daemon = daemon(&mut farm, &broker);
    let run = farm.start(&["run"]);
    for number in 0..4 {
        farm.until("the next job is triggered", |farm| farm.triggers(0, number) == 1);
        match number {
            0 => broker.forget(),
            1 => broker.resume(),
            2 => broker.freeze(),
            _ => broker.kill(),
        }
    }
    run.wait().ended_with(0).says("4 of 4 jobs completed in time");
    broker.forget();
    broker.resume();
    until("it is online again", || broker.holds(AVAILABILITY).as_deref() == Some("online"));
    let mut status = Value::Null;
    farm.until("the program is connected", |farm| {
        status = farm.status();
        status["broker"]["connected"] == true
    });
    for number in 0..4 {
        let state = broker.state(&job_topic(0, number, "state"));
        assert_eq!(state["phase"], "idle");
        assert_eq!(state["last"]["result"], "completed");
        for word in ["started", "ended", "duration"] {
            assert_eq!(state["last"][word], status["jobs"][number]["last"][word], "{word}");
        }
    }
    assert_eq!(broker.state("jetbackup-remote/state")["phase"], "idle");
    farm.assert_one_writer();
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
}
