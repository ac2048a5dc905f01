//! What is told although nothing happens.

use serde_json::json;

use crate::farm::{Farm, brief};
use crate::serve;
use crate::server::{MailServer, subject};

#[test]
fn a_job_without_success_for_too_long_is_told_of_without_any_cycle() {
    let server = MailServer::start();
    let mut farm = Farm::new([vec![brief()]]);
    let notification = server.notification();
    farm.change(move |config| {
        config["notification"] = notification.clone();
        config["jobs"][0]["stale_after"] = 1.into();
    });
    let daemon = serve(&farm);
    let letter = server.wait(1).remove(0);
    assert_eq!(subject(&letter), "FAILED: alpha 0 on alpha has not completed for too long");
    farm.until("it is on record that it was taken", |farm| farm.status()["queue"]["outbox"]["waiting"] == 0);
    drop(daemon);
    assert_eq!(farm.history().len(), 0);
    let again = farm.start(&["daemon"]);
    farm.until("it is at rest", |farm| farm.status()["queue"]["outbox"]["waiting"] == 0);
    drop(again);
    assert_eq!(server.letters().len(), 1, "{:?}", server.subjects());
}

#[test]
fn a_daemon_tells_of_its_start_and_its_end() {
    let server = MailServer::start();
    let mut farm = Farm::new([vec![brief()]]);
    let mut notification = server.notification();
    notification["on_daemon_lifecycle"] = json!(true);
    farm.change(move |config| config["notification"] = notification.clone());
    let daemon = serve(&farm);
    server.wait(1);
    farm.status();
    // A reload is neither.
    daemon.signal("HUP");
    farm.until("it was reloaded", |farm| farm.log().contains("the configuration was read again"));
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
    server.wait(2);
    assert_eq!(server.subjects(), ["OK: the daemon is at work", "OK: the daemon was told to end"]);
}

#[test]
fn told_to_end_while_its_configuration_is_read_again_a_daemon_ends_as_always() {
    let mut server = MailServer::start();
    server.set(json!({"hang": "greeting"}));
    let mut farm = Farm::new([vec![brief()]]);
    let mut notification = server.notification();
    notification["on_daemon_lifecycle"] = json!(true);
    farm.change(move |config| config["notification"] = notification.clone());
    let daemon = serve(&farm);
    daemon.signal("HUP");
    // Its letter hangs, so that winding up takes some seconds.
    farm.until("it is being reloaded", |farm| farm.log().contains("the configuration was read again"));
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
    assert!(farm.log().contains("told to end: what runs goes on"));
}
