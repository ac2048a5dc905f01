//! What is wrong on the other side.

use std::net::{Ipv4Addr, TcpListener};

use jetbackup_sim::id;
use serde_json::{Value, json};

use crate::certificates::Authority;
use crate::examine;
use crate::farm::{Farm, brief, job};
use crate::http::HttpServer;
use crate::mail_server::MailServer;
use crate::mosquitto::Broker;

#[test]
fn a_job_that_is_not_there_is_a_failure_and_one_that_is_disabled_a_warning() {
    let mut farm = Farm::new([vec![brief(), brief()]]);
    farm.change(|config| {
        let mut missing = config["jobs"][0].clone();
        missing["job_id"] = json!(id(777));
        missing["label"] = json!("Gone");
        config["jobs"].as_array_mut().unwrap().push(missing);
        config["jobs"][0]["type"] = json!("directories");
    });
    farm.world(0, |world, now| world.set_disabled_at(&job(0, 1), true, now));
    let report = examine(&farm);
    report.is("Server alpha", "job", "failure", "Gone");
    report.is("Server alpha", "job", "failure", "is not known there");
    report.is("Server alpha", "job", "warning", "is disabled there");
    report.is("Server alpha", "job", "warning", "backs up accounts and not directories");
}

#[test]
fn a_wrong_password_and_a_small_packet_size_of_the_broker_are_told() {
    let (guarded, small) = (
        Broker::with_password("pi", "right"),
        Broker::with(&["allow_anonymous true", "max_packet_size 2000"]),
    );
    for (mqtt, check, says) in [
        (
            json!({"port": guarded.port(), "username": "pi", "password": "wrong-horse"}),
            "connection",
            "check mqtt.username and mqtt.password",
        ),
        (json!({"port": small.port()}), "packet size", "max_packet_size"),
    ] {
        let mut farm = Farm::new([vec![brief()]]);
        farm.mqtt(&mqtt);
        let report = examine(&farm);
        report.is("MQTT", check, "failure", says);
        assert!(!report.report.to_string().contains("wrong-horse"), "{:#}", report.report);
    }
}

#[test]
fn a_mail_server_that_is_down_or_refuses_is_told() {
    let authority = Authority::new("authority");
    let (down, guarded) = (MailServer::absent(), MailServer::secure("tls", &authority, "here"));
    let mut wrong = guarded.notification();
    for (key, value) in [
        ("smtp_security", json!("tls")),
        ("smtp_user", json!("pi")),
        ("smtp_password", json!("wrong-horse")),
        ("smtp_ca_file", json!(authority.file("authority.pem"))),
    ] {
        wrong[key] = value;
    }
    let cases: [(Value, &str); 2] = [
        (down.notification(), "is a mail server running there?"),
        (wrong, "check notification.smtp_user and notification.smtp_password"),
    ];
    for (notification, says) in cases {
        let mut farm = Farm::new([vec![brief()]]);
        farm.change(move |config| config["notification"] = notification.clone());
        let report = examine(&farm);
        report.is("Mail", "mail server", "failure", says);
        assert!(!report.report.to_string().contains("wrong-horse"), "{:#}", report.report);
    }
    assert_eq!(guarded.letters().len(), 0);
}

#[test]
fn a_watcher_with_a_certificate_nobody_trusts_is_told() {
    let authority = Authority::new("authority");
    let watcher = HttpServer::encrypted(&authority.file("here.pem"), &authority.file("here.key"));
    let mut farm = Farm::new([vec![brief()]]);
    let url = watcher.url("/token");
    farm.change(move |config| config["notification"] = json!({"ping_url": url.clone()}));
    let report = examine(&farm);
    report.is("Outside", "ping_url", "failure", "certificate");
    assert!(!report.report.to_string().contains("/token"), "{:#}", report.report);
    assert_eq!(watcher.seen().len(), 0);
}

#[test]
fn a_server_that_hangs_does_not_hide_the_others() {
    // It takes the connection and says nothing.
    let hung = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = hung.local_addr().unwrap().port();
    let mut farm = Farm::new([vec![brief()], vec![brief()]]);
    farm.change(move |config| config["servers"]["alpha"]["port"] = json!(port));
    let report = examine(&farm);
    report.is("Server alpha", "connection", "failure", "no answer within 5 s");
    report.is("Server beta", "job", "ok", "is there");
}

#[test]
fn a_host_key_that_changed_is_a_failure_and_nobody_logs_in() {
    let mut farm = Farm::new([vec![brief()]]);
    farm.call(&["test"]).ended_with(0);
    let sshd = &mut farm.stations[0].sshd;
    sshd.stop();
    sshd.replace_host_key("ed25519");
    sshd.resume();
    let before = farm.stations[0].sshd.accepted();
    examine(&farm).is("Server alpha", "host key", "failure", "has CHANGED");
    assert_eq!(farm.stations[0].sshd.accepted(), before);
}

#[test]
fn a_key_that_the_server_does_not_know_is_told() {
    let farm = Farm::new([vec![brief()]]);
    farm.stations[0].sshd.forget_keys();
    examine(&farm).is("Server alpha", "login", "failure", "authorized_keys");
}

#[test]
fn a_pinned_host_key_is_told_as_such_and_an_unknown_one_is_refused_where_that_is_wanted() {
    let mut farm = Farm::new([vec![brief()]]).set("known_hosts", "strict");
    let report = examine(&farm);
    report.is("Server alpha", "host key", "failure", "the server presents ssh-ed25519 SHA256:");
    assert!(report.all("Server alpha", "login").is_empty());
    let key = farm.stations[0].sshd.host_key("ed25519");
    farm.change(move |config| config["servers"]["alpha"]["host_key"] = json!(key));
    examine(&farm).is("Server alpha", "host key", "ok", "as pinned");
}
