//! Nights with everything that can go wrong, and the letters about them.

use jetbackup_sim::{Job, Run, World};
use serde_json::{Value, json};

use crate::farm::{Farm, brief, job, lasting, quick};
use crate::serve;
use crate::server::{MailServer, subject};

/// A farm that sends its mail there.
fn farm<const N: usize>(server: &MailServer, servers: [Vec<Run>; N], more: &[(&'static str, Value)]) -> Farm {
    let mut farm = Farm::new(servers);
    let mut notification = server.notification();
    more.iter().for_each(|(key, value)| notification[*key] = value.clone());
    farm.change(move |config| config["notification"] = notification.clone());
    farm
}

fn limit(farm: &mut Farm, server: usize, number: usize, seconds: u64) {
    farm.change(move |config| {
        let jobs = config["jobs"].as_array_mut().unwrap();
        let entry = jobs.iter_mut().find(|entry| entry["job_id"] == job(server, number)).unwrap();
        entry["timeout"] = seconds.into();
    });
}

/// One job ends as partial, one fails, one runs beyond its limit.
fn bad_night(server: &MailServer) -> Farm {
    let runs = vec![quick(Run::partial()), quick(Run::failed()), lasting(600), brief()];
    let mut farm = farm(server, [runs], &[]);
    limit(&mut farm, 0, 2, 3);
    farm
}

fn sorted(letters: &[Value]) -> Vec<String> {
    let mut subjects: Vec<String> = letters.iter().map(subject).collect();
    subjects.sort();
    subjects
}

const BAD_NIGHT: [&str; 2] = [
    "FAILED: 1 of 4 jobs completed, 1 failed, 1 partial, 1 beyond the time limit",
    "TIMEOUT: alpha 2 on alpha runs beyond its time limit",
];

/// The bad night's two letters. Where it took longer than letters are gathered, the failure has left by itself before.
#[track_caller]
fn of_the_bad_night(server: &MailServer) -> Vec<Value> {
    BAD_NIGHT.iter().for_each(|subject| server.wait_for(subject));
    let early = |letter: &Value| subject(letter) == "FAILED: alpha 1 on alpha failed";
    let (early, letters): (Vec<Value>, Vec<Value>) = server.letters().into_iter().partition(early);
    assert!(early.len() <= 1, "{:?}", server.subjects());
    assert_eq!(sorted(&letters), BAD_NIGHT);
    letters
}

#[test]
fn a_one_shot_tells_of_its_night_before_it_ends() {
    let server = MailServer::start();
    let farm = bad_night(&server);
    farm.call(&["run"]).ended_with(2);
    let letters = of_the_bad_night(&server);
    let summary = letters.iter().find(|letter| subject(letter).starts_with("FAILED")).unwrap();
    for part in ["text", "html"] {
        let said = summary[part].as_str().unwrap();
        for words in [
            "alpha 0 on alpha",
            "partly completed",
            "alpha 1 on alpha",
            "failed",
            "Still running",
            "alpha 2 on alpha",
            "alpha 3 on alpha",
        ] {
            assert!(said.contains(words), "{words:?} is missing from {part}: {said}");
        }
        // JetBackup's own log, which this gate lets through.
        assert!(said.contains("connection to the destination lost"), "{part}: {said}");
    }
    // A thread for the cycle.
    let thread = |letter: &Value| letter["headers"]["References"].clone();
    assert_eq!(thread(&letters[0]), thread(&letters[1]));
    assert!(thread(&letters[0]).is_string());
    assert_eq!(farm.status()["queue"]["outbox"], json!({"waiting": 0, "given_up": 0, "last_error": null}));
}

#[test]
fn a_good_night_is_told_of_only_if_asked_for() {
    let server = MailServer::start();
    let quiet = farm(&server, [vec![brief()]], &[]);
    quiet.call(&["run"]).ended_with(0);
    assert_eq!(server.subjects(), [""; 0]);
    let told = farm(&server, [vec![brief()]], &[("on_complete", true.into())]);
    told.call(&["run"]).ended_with(0);
    assert_eq!(sorted(&server.wait(1)), ["OK: 1 of 1 job completed"]);
}

#[test]
fn what_a_server_that_is_down_misses_it_gets_when_it_is_back_and_nothing_twice() {
    let mut server = MailServer::absent();
    let farm = bad_night(&server);
    farm.call(&["run"]).ended_with(2);
    let outbox = farm.status()["queue"]["outbox"].take();
    assert!(outbox["waiting"].as_u64().unwrap() >= 2, "{outbox}");
    assert!(outbox["last_error"].as_str().unwrap().contains("connecting"), "{outbox}");
    farm.call(&["status"]).says("to be sent: mail server localhost:");
    server.resume();
    let daemon = serve(&farm);
    assert_eq!(sorted(&server.wait(2)), BAD_NIGHT);
    farm.until("nothing waits", |farm| farm.status()["queue"]["outbox"]["waiting"] == 0);
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
    let again = farm.start(&["daemon"]);
    farm.until("it is at rest", |farm| farm.status()["queue"]["outbox"]["waiting"] == 0);
    again.kill();
    assert_eq!(server.subjects().len(), 2, "{:?}", server.subjects());
}

#[test]
fn a_daemon_tries_again_by_itself() {
    let mut server = MailServer::absent();
    let farm = farm(&server, [vec![quick(Run::failed())]], &[]);
    let daemon = serve(&farm);
    farm.call(&["run"]).ended_with(2);
    farm.until("a mail waits", |farm| {
        let outbox = farm.status()["queue"]["outbox"].take();
        outbox["waiting"] == 1 && outbox["last_error"].is_string()
    });
    server.resume();
    assert_eq!(sorted(&server.wait(1)), ["FAILED: 0 of 1 job completed, 1 failed"]);
    farm.until("nothing waits", |farm| {
        farm.status()["queue"]["outbox"] == json!({"waiting": 0, "given_up": 0, "last_error": null})
    });
    drop(daemon);
}

#[test]
fn power_that_fails_between_a_run_and_its_mail_costs_nothing() {
    let mut server = MailServer::start();
    // The answer to the text never comes: it was taken, and the program does not know.
    server.set(json!({"hang": "answer"}));
    let farm = farm(&server, [vec![quick(Run::failed())]], &[]);
    let run = farm.start(&["run"]);
    let first = server.wait(1).remove(0);
    run.kill();
    server.set(json!({"hang": null}));
    let daemon = serve(&farm);
    let both = server.wait(2);
    drop(daemon);
    // Twice is once for who reads it: a mail program shows it as one.
    assert_eq!(both[1]["headers"]["Message-ID"], first["headers"]["Message-ID"]);
    assert_eq!(subject(&both[1]), subject(&first));
}

#[test]
fn greylisting_only_delays() {
    let mut server = MailServer::start();
    server.set(json!({"greylist": 1}));
    let farm = farm(&server, [vec![quick(Run::failed())]], &[]);
    let daemon = serve(&farm);
    farm.call(&["run"]).ended_with(2);
    assert_eq!(server.wait(1).len(), 1);
    drop(daemon);
}

#[test]
fn a_mail_server_that_hangs_delays_no_backup() {
    let mut server = MailServer::start();
    server.set(json!({"hang": "data"}));
    let mut farm = farm(&server, [vec![lasting(4), brief(), brief()]], &[]);
    limit(&mut farm, 0, 0, 1);
    farm.settings.insert("on_timeout".into(), "wait".into());
    let daemon = serve(&farm);
    farm.call(&["run"]).ended_with(2);
    farm.assert_one_writer();
    farm.until("the queue is at rest", |farm| farm.status()["queue"]["phase"] == "idle");
    assert_eq!(server.letters().len(), 0, "the mail about the time limit still hangs");
    assert_eq!(farm.history().len(), 3);
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
}

#[test]
fn a_job_that_succeeds_again_is_told_of_once() {
    let server = MailServer::start();
    let farm = farm(&server, [vec![quick(Run::failed())]], &[]);
    farm.call(&["run"]).ended_with(2);
    server.wait(1);
    // Somebody mended it.
    let mended = || World::new("alpha").job(Job::new(job(0, 0), "job 0").runs(brief()));
    farm.world(0, |world, _| *world = mended());
    farm.call(&["run"]).ended_with(0);
    assert_eq!(sorted(&server.wait(2))[1], "OK: alpha 0 on alpha succeeds again");
    farm.call(&["run"]).ended_with(0);
    assert_eq!(server.letters().len(), 2);
}

#[test]
fn twenty_failures_in_a_row_are_not_twenty_letters() {
    let server = MailServer::start();
    let runs = (0..16).map(|_| quick(Run::failed())).collect();
    let farm = farm(&server, [runs], &[]);
    farm.call(&["run"]).ended_with(2);
    let subjects = server.subjects();
    assert!((1..=3).contains(&subjects.len()), "{subjects:?}");
    assert_eq!(subjects.last().unwrap(), "FAILED: 0 of 16 jobs completed, 16 failed");
}

#[test]
fn a_full_disk_delays_no_letter() {
    let server = MailServer::start();
    let farm = farm(&server, [vec![quick(Run::failed())]], &[]);
    farm.call(&["run"]).ended_with(2);
    // From now on nothing of a run or a letter can be written, as on a full disk.
    let database = rusqlite::Connection::open(farm.path("state/history.db")).unwrap();
    for table in ["runs", "cycles", "queue", "outbox"] {
        let refuse = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
        let sql = format!("CREATE TRIGGER full_{table} BEFORE INSERT ON {table} {refuse}");
        database.execute_batch(&sql).unwrap();
    }
    farm.call(&["run"]).ended_with(2);
    let subjects = server.subjects();
    assert!(subjects.iter().any(|subject| subject.contains("not recorded")), "{subjects:?}");
}
