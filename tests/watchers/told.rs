//! What those outside are told when all is as it should be with them.

use jetbackup_sim::Run;
use serde_json::Value;

use crate::certificates::Authority;
use crate::farm::{Farm, Ran, brief, quick};
use crate::http::{HttpServer, Request};
use crate::{TOKEN, tell};

/// A night told to the watcher there.
fn night(server: &HttpServer, target: &str, runs: Vec<Run>, code: i32) -> Vec<Request> {
    let mut farm = Farm::new([runs]);
    tell(&mut farm, "ping_url", server.url(target));
    farm.call(&["run"]).ended_with(code);
    server.seen()
}

#[test]
fn a_good_night_is_a_start_and_a_success() {
    let server = HttpServer::content();
    let seen = night(&server, "/ping/id?create=1", vec![brief()], 0);
    assert_eq!(server.paths(), ["/ping/id/start", "/ping/id"]);
    for request in &seen {
        assert_eq!(request.method, "POST");
        assert_eq!(request.parameter("create"), Some("1"));
        assert_eq!(request.header("content-type"), Some("text/plain; charset=utf-8"));
        let version = concat!("jetbackup-remote/", env!("CARGO_PKG_VERSION"));
        assert_eq!(request.header("user-agent"), Some(version));
    }
    assert_eq!(seen[0].parameter("rid"), seen[1].parameter("rid"), "they belong together");
    assert_eq!(seen[0].parameter("rid").unwrap().len(), 36);
    assert_eq!(seen[0].body, "Cycle started: 1 job");
    assert!(seen[1].body.contains(": 1 of 1 job completed\nCompleted: alpha 0 on alpha"), "{}", seen[1].body);
}

#[test]
fn a_bad_night_is_a_start_and_a_failure_that_says_of_what() {
    let server = HttpServer::content();
    let seen = night(&server, "/id", vec![brief(), quick(Run::failed()), quick(Run::partial())], 2);
    assert_eq!(server.paths(), ["/id/start", "/id/fail"]);
    let body = &seen[1].body;
    for said in [
        "1 of 3 jobs completed, 2 problems\n",
        "\nCompleted: alpha 0 on alpha",
        "\nFailed: alpha 1 on alpha",
        "\nPartly completed: alpha 2 on alpha",
    ] {
        assert!(body.contains(said), "{said:?} is missing: {body}");
    }
}

#[test]
fn uptime_kuma_is_told_by_its_parameters() {
    let target = "/api/push/id?status=up&msg=OK&ping=";
    let server = HttpServer::content();
    let seen = night(&server, target, vec![brief()], 0);
    assert_eq!(server.paths(), ["/api/push/id"], "it knows no start");
    assert_eq!((seen[0].method.as_str(), seen[0].parameter("status")), ("GET", Some("up")));
    assert!(seen[0].parameter("msg").unwrap().ends_with("1%20of%201%20job%20completed"), "{seen:?}");
    assert_eq!((seen[0].parameter("ping"), seen[0].target.matches("status=").count()), (None, 1));

    let server = HttpServer::content();
    let seen = night(&server, target, vec![quick(Run::failed())], 2);
    assert_eq!(seen[0].parameter("status"), Some("down"));
    assert!(seen[0].parameter("msg").unwrap().contains("Failed%3A%20alpha%200%20on%20alpha"), "{seen:?}");
}

#[test]
fn a_webhook_hears_every_event_as_json() {
    let server = HttpServer::content();
    let mut farm = Farm::new([vec![brief(), quick(Run::failed())]]);
    tell(&mut farm, "webhook_url", server.url("/hook"));
    farm.call(&["run"]).ended_with(2);
    let seen = server.seen();
    assert!(seen.iter().all(|request| request.method == "POST" && request.target == "/hook"), "{seen:#?}");
    assert!(seen.iter().all(|request| request.header("content-type") == Some("application/json")));
    let events: Vec<Value> = seen.iter().map(|seen| serde_json::from_str(&seen.body).unwrap()).collect();
    let types = events.iter().map(|event| event["event_type"].as_str().unwrap());
    // Whether the server is told to be reachable is another matter.
    let types: Vec<&str> = types.filter(|word| !word.starts_with("server_")).collect();
    let expected =
        ["cycle_started", "job_started", "job_completed", "job_started", "job_failed", "cycle_finished"];
    assert_eq!(types, expected);
    let failed = events.iter().find(|event| event["event_type"] == "job_failed").unwrap();
    assert_eq!((&failed["server"], &failed["result"]), (&"alpha".into(), &"failed".into()));
    assert!(failed["text"].as_str().unwrap().starts_with("Failed: alpha 1 on alpha"), "{failed}");
}

#[test]
fn a_daemon_tells_both_of_every_cycle() {
    let (watcher, hook) = (HttpServer::content(), HttpServer::content());
    let mut farm = Farm::new([vec![brief()]]);
    tell(&mut farm, "ping_url", watcher.url("/id"));
    tell(&mut farm, "webhook_url", hook.url("/hook"));
    let daemon = farm.start(&["daemon"]);
    farm.until("it can be asked", |farm| farm.status()["queue"]["phase"] == "idle");
    for _ in 0..2 {
        farm.call(&["run"]).ended_with(0);
    }
    let seen = watcher.wait(4);
    assert_eq!(watcher.paths(), ["/id/start", "/id", "/id/start", "/id"]);
    assert_ne!(seen[0].parameter("rid"), seen[2].parameter("rid"), "each cycle has its own");
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
    let finished = hook.seen().iter().filter(|seen| seen.body.contains("cycle_finished")).count();
    assert_eq!(finished, 2);
}

/// A night of a farm whose watcher has a certificate of this authority.
fn over_tls(authority: &Authority, leaf: &str, trusted: &Authority) -> (HttpServer, Farm, Ran) {
    let file = |end: &str| authority.file(&format!("{leaf}.{end}"));
    let server = HttpServer::encrypted(&file("pem"), &file("key"));
    let mut farm = Farm::new([vec![brief()]]);
    tell(&mut farm, "ping_url", server.url(&format!("/{TOKEN}")));
    let mut command = farm.command(&["run"]);
    command.env("SSL_CERT_FILE", trusted.file("authority.pem")).env_remove("SSL_CERT_DIR");
    let ran = farm.launch(command).wait();
    (server, farm, ran)
}

#[test]
fn a_certificate_of_an_authority_that_is_trusted_here_is_enough() {
    let authority = Authority::new("ours");
    let (server, _, ran) = over_tls(&authority, "here", &authority);
    ran.ended_with(0);
    assert_eq!(server.paths(), [format!("/{TOKEN}/start"), format!("/{TOKEN}")]);
}

#[test]
fn nobody_else_is_told_anything() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    for (leaf, trusted) in [("here", &theirs), ("elsewhere", &ours)] {
        let (server, farm, ran) = over_tls(&ours, leaf, trusted);
        ran.ended_with(0);
        assert_eq!(server.paths(), [""; 0], "{leaf}");
        assert!(!farm.log().contains(TOKEN), "{}", farm.log());
    }
}
