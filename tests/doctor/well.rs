//! All is well, and all stays as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jetbackup_sim::{Destination, id};
use serde_json::json;

use crate::certificates::Authority;
use crate::farm::{Farm, brief};
use crate::http::HttpServer;
use crate::mail_server::MailServer;
use crate::mosquitto::Broker;
use crate::{examine, found};

/// Every file below a folder, with what it holds and since when.
fn everything(folder: &Path) -> Vec<(String, Vec<u8>, std::time::SystemTime)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let changed = entry.metadata().unwrap().modified().unwrap();
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap(), changed)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn all_well_beside_a_daemon_at_work_that_is_not_disturbed() {
    let authority = Authority::new("authority");
    let (mail, broker) =
        (MailServer::secure("starttls", &authority, "here"), Broker::with_password("pi", "hunter2"));
    let watcher = HttpServer::encrypted(&authority.file("here.pem"), &authority.file("here.key"));
    let nas = Destination::new(id(99), "NAS").disk(10, 90, 100);
    let mut farm =
        Farm::new([vec![brief(), brief()], vec![brief()]]).destination(0, nas, &["log", "destination"]);
    farm.mqtt(&json!({"port": broker.port(), "username": "pi", "password": "hunter2"}));
    let mut notification = mail.notification();
    for (key, value) in [
        ("smtp_security", json!("starttls")),
        ("smtp_user", json!("pi")),
        ("smtp_password", json!("gehëim")),
        ("smtp_ca_file", json!(authority.file("authority.pem"))),
        ("ping_url", json!(watcher.url("/ping/token"))),
    ] {
        notification[key] = value;
    }
    farm.change(move |config| {
        config["notification"] = notification.clone();
        config["daemon"] = json!({"schedule": "0 2 1 1 *", "random_delay": 0});
    });
    // The host keys are on file then.
    farm.call(&["test"]).ended_with(0);
    let mut daemon = farm.command(&["daemon"]);
    daemon.env("SSL_CERT_FILE", authority.file("authority.pem"));
    let daemon = farm.launch(daemon);
    farm.until("the daemon serves", |farm| farm.status()["runner"] == daemon.pid());
    farm.until("it is online", |_| {
        broker.holds("jetbackup-remote/availability").as_deref() == Some("online")
    });

    let ear = broker.listen(&["#"]);
    let (heard, state) = (ear.heard().len(), everything(&farm.path("state")));
    let mut doctor = farm.command(&["doctor", "--json"]);
    fs::set_permissions(farm.path("config.json"), fs::Permissions::from_mode(0o600)).unwrap();
    doctor.env("SSL_CERT_FILE", authority.file("authority.pem"));
    let ran = farm.launch(doctor).wait();
    let report = found(&ran);
    assert_eq!(report.troubles(), [""; 0], "{:#}", report.report);
    assert_eq!(report.code, Some(0));
    for secret in ["hunter2", "gehëim", "token"] {
        assert!(!format!("{ran:?}").contains(secret), "a secret is shown: {ran:?}");
    }
    report.is("Configuration", "file", "ok", "2 servers, 3 jobs");
    report.is("Secrets", "ssh key", "ok", "key");
    report.is("State", "history", "ok", "sound");
    report.is("Runner", "lock", "ok", &format!("pid {}", daemon.pid()));
    report.is("Runner", "control socket", "ok", "the daemon (process");
    report.is("Runner", "lock_file", "ok", "the same runner");
    report.is("Clock", "schedule", "ok", "-01-01 02:00");
    for server in ["Server alpha", "Server beta"] {
        report.is(server, "host key", "ok", "as on file");
        report.is(server, "login", "ok", "");
        report.is(server, "gate version", "ok", "1");
        report.is(server, "gate refuses", "ok", "all of 7");
        report.is(server, "JetBackup", "ok", "version");
    }
    report.is("Server alpha", "gate allows", "ok", "log, destination");
    report.is("Server beta", "gate allows", "ok", "log");
    assert_eq!(report.all("Server alpha", "job").len(), 2);
    report.is("MQTT", "connection", "ok", "as pi");
    report.is("Mail", "mail server", "ok", "STARTTLS, logged in as pi");
    report.is("Outside", "ping_url", "ok", "localhost can be reached");

    // Nothing was sent, triggered or changed, and the daemon's session goes on.
    assert_eq!(mail.letters().len(), 0);
    assert_eq!(watcher.seen().len(), 0);
    assert_eq!(ear.heard().len(), heard, "{:?}", ear.heard());
    assert_eq!(everything(&farm.path("state")), state);
    assert_eq!((farm.triggers(0, 0), farm.triggers(0, 1), farm.triggers(1, 0)), (0, 0, 0));
    assert_eq!(broker.holds("jetbackup-remote/availability").as_deref(), Some("online"));
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
}

#[test]
fn before_the_first_run_the_host_key_is_told_and_not_put_on_file() {
    let farm = Farm::new([vec![brief()]]);
    let report = examine(&farm);
    report.is("Server alpha", "host key", "warning", "is NEW");
    report.is("Server alpha", "host key", "warning", "SHA256:");
    report.is("Server alpha", "job", "ok", "is there");
    report.is("State", "directory", "ok", "not there yet");
    assert_eq!(report.code, Some(0), "warnings alone");
    assert!(!farm.path("state").exists(), "looking makes nothing");
    // Only `test` does that.
    farm.call(&["test"]).ended_with(0);
    examine(&farm).is("Server alpha", "host key", "ok", "as on file");
}

#[test]
fn the_text_says_the_same_as_the_json() {
    let farm = Farm::new([vec![brief()]]);
    farm.call(&["doctor"])
        .ended_with(0)
        .says("\nServer alpha (127.0.0.1:")
        .says("\n  ok       connection: sshd answers\n")
        .says("\n  warning  host key: ssh-ed25519 SHA256:")
        .says("\n           -> compare it on the server")
        .says(" 1 warning, 0 failures\n");
}
