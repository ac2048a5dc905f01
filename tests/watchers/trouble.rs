//! Those outside who are away, hang, refuse or send elsewhere.

use std::net::TcpListener;

use crate::farm::{Farm, Ran, brief};
use crate::http::{Answer, HttpServer};
use crate::{TOKEN, tell};

/// A farm of three jobs that tells both there.
fn farm(url: &dyn Fn(&str) -> String) -> Farm {
    let mut farm = Farm::new([vec![brief(), brief()], vec![brief()]]);
    tell(&mut farm, "ping_url", url(&format!("/ping/{TOKEN}")));
    tell(&mut farm, "webhook_url", url(&format!("/hook/{TOKEN}")));
    farm
}

/// Every backup was made, one at a time, and no URL was shown.
#[track_caller]
fn assert_all_is_well(farm: &Farm, ran: Option<&Ran>) {
    let completed =
        ["alpha 0, completed, -", "alpha 1, completed, -", "beta 0, completed, -"].map(str::to_owned);
    assert_eq!(farm.results(), completed);
    farm.assert_one_writer();
    let said = ran.map(|ran| format!("{}{}", ran.stdout, ran.stderr)).unwrap_or_default();
    assert!(!said.contains(TOKEN) && !farm.log().contains(TOKEN), "{said}\n{}", farm.log());
}

/// A port where nobody listens.
fn dead(target: &str) -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("http://localhost:{port}{target}")
}

#[test]
fn a_port_where_nobody_listens_is_only_warned_of() {
    let farm = farm(&dead);
    let daemon = farm.start(&["-v", "daemon"]);
    farm.until("it can be asked", |farm| farm.status()["queue"]["phase"] == "idle");
    farm.call(&["run"]).ended_with(0);
    for what in ["the ping for the outside watcher", "the webhook"] {
        let warning = format!("{what}: localhost cannot be reached: ");
        farm.until(&warning, |farm| farm.log().contains(&warning));
    }
    daemon.signal("TERM");
    let ran = daemon.wait().ended_with(0);
    assert_all_is_well(&farm, Some(&ran));
}

#[test]
fn a_server_that_hangs_delays_no_backup_and_no_end() {
    let server = HttpServer::start(|_| Answer::Never);
    let farm = farm(&|target| server.url(target));
    // It ends by itself, though nobody has ever been answered.
    let ran = farm.call(&["-v", "run"]).ended_with(0);
    assert_all_is_well(&farm, Some(&ran));
    let paths = server.paths();
    assert!(paths.contains(&format!("/ping/{TOKEN}/start")), "{paths:?}");
    assert!(paths.contains(&format!("/hook/{TOKEN}")), "the one does not wait for the other: {paths:?}");
}

#[test]
fn a_daemon_whose_watcher_hangs_goes_on_and_ends_when_told_to() {
    let server = HttpServer::start(|_| Answer::Never);
    let farm = farm(&|target| server.url(target));
    let daemon = farm.start(&["daemon"]);
    farm.until("it can be asked", |farm| farm.status()["queue"]["phase"] == "idle");
    farm.call(&["run"]).ended_with(0);
    server.wait(2);
    daemon.signal("TERM");
    let ran = daemon.wait().ended_with(0);
    assert_all_is_well(&farm, Some(&ran));
}

#[test]
fn an_error_of_the_server_is_followed_by_another_try_in_order() {
    let server = HttpServer::start(|number| Answer::Status(if number == 0 { 500 } else { 200 }));
    let mut farm = Farm::new([vec![brief()]]);
    tell(&mut farm, "ping_url", server.url("/id"));
    farm.call(&["run"]).ended_with(0);
    let seen = server.seen();
    assert_eq!(server.paths(), ["/id/start", "/id/start", "/id"]);
    assert_eq!(seen[0].target, seen[1].target);
}

#[test]
fn what_is_refused_is_not_tried_again() {
    let server = HttpServer::start(|_| Answer::Status(404));
    let mut farm = Farm::new([vec![brief()]]);
    tell(&mut farm, "ping_url", server.url(&format!("/{TOKEN}")));
    farm.call(&["run"]).ended_with(0);
    assert_eq!(server.paths(), [format!("/{TOKEN}/start"), format!("/{TOKEN}")]);
    let log = farm.log();
    let warning = "the ping for the outside watcher: localhost answered 404";
    assert_eq!(log.matches(warning).count(), 1, "once, until it works again: {log}");
    assert!(!log.contains(TOKEN), "{log}");
}

#[test]
fn nobody_is_sent_elsewhere() {
    let elsewhere = HttpServer::content();
    let target = elsewhere.url(&format!("/{TOKEN}"));
    let secure = target.replace("http://", "https://");
    for target in [target, secure] {
        let server = HttpServer::start(move |_| Answer::Redirect(target.clone()));
        let mut farm = Farm::new([vec![brief()]]);
        tell(&mut farm, "ping_url", server.url("/id"));
        farm.call(&["run"]).ended_with(0);
        assert_eq!(server.paths(), ["/id/start", "/id"]);
        let log = farm.log();
        assert!(log.contains("localhost answered 302, a redirect, which is not followed"), "{log}");
        assert!(!log.contains(TOKEN), "{log}");
    }
    assert_eq!(elsewhere.paths(), [""; 0]);
}

#[test]
fn a_url_that_stands_elsewhere_and_is_none_stops_no_run() {
    let farm = farm(&|_| "FROM_ENV:WATCHERS_URL".to_owned());
    let mut command = farm.command(&["run"]);
    command.env("WATCHERS_URL", format!("no url with {TOKEN}"));
    let ran = farm.launch(command).wait().ended_with(0);
    assert!(farm.log().contains("notification.ping_url holds no URL"), "{}", farm.log());
    assert!(farm.log().contains("notification.webhook_url holds no URL"), "{}", farm.log());
    assert!(!ran.stderr.contains(TOKEN) && !farm.log().contains(TOKEN));
}
