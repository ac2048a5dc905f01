//! What stands between the program and the broker is told plainly, never with the password, and runs go on regardless.

use std::net::{Ipv4Addr, TcpListener};

use serde_json::{Value, json};

use crate::certificates::Authority;
use crate::farm::{Farm, Runner, brief};
use crate::mosquitto::{Broker, until};

const PASSWORD: &str = "correct horse battery staple";
const WRONG: &str = "wrong-horse-battery";

/// Starts a daemon.
fn daemon(farm: &Farm) -> Runner {
    let daemon = farm.start(&["daemon"]);
    farm.until("the daemon serves", |farm| farm.status()["runner"] == daemon.pid());
    daemon
}

#[test]
fn every_obstacle_is_told_plainly_and_a_run_goes_on_regardless() {
    let (ours, other) = (Authority::new("Ours"), Authority::new("Other"));
    let open = Broker::start();
    let guarded = Broker::with_password("pi", PASSWORD);
    let tls = Broker::with(&ours.listener("here"));
    let elsewhere = Broker::with(&ours.listener("elsewhere"));
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let files = |ca: &Authority, client: Option<&Authority>| {
        let mut tls = json!({"ca_file": ca.file("authority.pem")});
        if let Some(client) = client {
            tls["client_cert"] = json!(client.file("client.pem"));
            tls["client_key"] = json!(client.file("client.key"));
        }
        tls
    };
    let cases = [
        (json!({"port": nobody}), "nothing listens there"),
        (
            json!({"port": guarded.port(), "username": "pi", "password": WRONG}),
            "check mqtt.username and mqtt.password",
        ),
        (json!({"port": guarded.port()}), "check mqtt.username and mqtt.password"),
        (json!({"port": tls.port(), "tls": files(&other, Some(&ours))}), "mqtt.tls.ca_file"),
        (
            json!({"port": elsewhere.port(), "tls": files(&ours, Some(&ours))}),
            "is for another name; change mqtt.host",
        ),
        (json!({"port": tls.port(), "tls": files(&ours, None)}), "check mqtt.tls.client_cert and client_key"),
        (
            json!({"port": tls.port(), "tls": files(&ours, Some(&other))}),
            "check mqtt.tls.client_cert and client_key",
        ),
        (json!({"port": open.port(), "tls": files(&ours, Some(&ours))}), "is this its port for TLS?"),
        (json!({"port": tls.port()}), "does this port want TLS? Then set mqtt.tls"),
    ];
    let mut farm = Farm::new([vec![brief()]]);
    farm.mqtt(&cases[0].0);
    let daemon = daemon(&farm);
    for (number, (mqtt, told)) in cases.iter().enumerate() {
        farm.mqtt(mqtt);
        farm.status();
        daemon.signal("HUP");
        let broker = format!("localhost:{}", mqtt["port"]);
        let mut last = Value::Null;
        farm.until(&format!("{number}: {told}"), |farm| {
            last = farm.status()["broker"].take();
            last["broker"] == broker.as_str()
                && last["connected"] == false
                && last["error"].as_str().is_some_and(|error| error.contains(told))
        });
        farm.call(&["status"]).says(&format!("no connection to {broker} since")).says(told);
        farm.logs(&format!("no connection to the broker {broker}: "));
        farm.logs(told);
    }
    farm.call(&["run"]).ended_with(0);
    // Right at last.
    for mqtt in [
        json!({"port": guarded.port(), "username": "pi", "password": PASSWORD}),
        json!({"port": tls.port(), "tls": files(&ours, Some(&ours))}),
    ] {
        farm.mqtt(&mqtt);
        farm.status();
        daemon.signal("HUP");
        let broker = format!("localhost:{}", mqtt["port"]);
        farm.until("it is connected", |farm| {
            let state = farm.status()["broker"].take();
            state["broker"] == broker.as_str() && state["connected"] == true && state["error"].is_null()
        });
        farm.call(&["status"]).says(&format!("connected to {broker}"));
    }
    until("the broker with TLS has the truth", || {
        tls.holds("jetbackup-remote/availability").as_deref() == Some("online")
    });
    farm.call(&["run"]).ended_with(0);
    assert_eq!(farm.triggers(0, 0), 2);
    daemon.signal("TERM");
    daemon.wait().ended_with(0);
    let everything = farm.log();
    assert!(!everything.contains(WRONG) && !everything.contains(PASSWORD), "{everything}");
}

#[test]
fn a_single_run_with_a_wrong_password_runs_and_says_so() {
    let guarded = Broker::with_password("pi", PASSWORD);
    let mut farm = Farm::new([vec![brief()]]);
    farm.mqtt(&json!({"port": guarded.port(), "username": "pi", "password": WRONG}));
    let ran = farm.call(&["run"]).ended_with(0);
    let log = farm.log();
    assert!(log.contains("check mqtt.username and mqtt.password"), "{log}");
    assert!(![&log, &ran.stdout, &ran.stderr].iter().any(|text| text.contains(WRONG)), "{log}{ran:?}");
    assert_eq!(guarded.retained().len(), 0);
}
