//! Everything on the command line, nothing asked.

use std::fs;

use jetbackup_sim::{Job, id};

use crate::farm::{Farm, brief};
use crate::site::{Site, mode};
use crate::support::golden;

#[test]
fn a_configuration_is_made_that_everything_else_takes() {
    let site = Site::new(Farm::new([vec![brief()], vec![brief(), brief()]]));
    site.farm.world(1, |world, _| {
        let more = world.clone();
        *world = more
            .job(Job::new(id(100), "Databases").databases())
            .job(Job::new(id(101), "Old").disabled())
            .job(Job::new(id(102), "JetBackup Config").config());
    });
    fs::write(site.path("secret"), "hunter2\n").unwrap();
    let secret = site.path("secret").display().to_string();
    let (key, first, second) = (site.known_key(), site.server(0), site.server(1));
    let made = site.init(&[
        "--server",
        &first,
        "--server",
        &second,
        "--key",
        &key,
        "--schedule",
        "30 3 * * 1-5",
        "--broker",
        "homeassistant.local:1884",
        "--broker-user",
        "pi",
        "--broker-password-file",
        &secret,
        "--mail-to",
        "admin@example.com",
        "--smtp-host",
        "mail.example.com:587",
    ]);
    let made = made.ended_with(0).says("JetBackup's own").says("disabled there").says("run --dry-run");
    assert!(!made.stdout.contains("hunter2") && made.stderr.is_empty(), "{made:#?}");

    let text = fs::read_to_string(site.config()).unwrap();
    let ports = site.farm.stations.iter().map(|station| station.sshd.port());
    let known = ports.enumerate().fold(text.clone(), |text, (at, port)| {
        text.replace(&format!("\"port\": {port}"), &format!("\"port\": {}", 2201 + at))
    });
    let known = known.replace(&key, "KEY").replace(&site.path("").display().to_string(), "/");
    golden("init/config.json", &known);
    assert_eq!(mode(&site.config()), 0o640);
    let password = site.path("etc/mqtt-password");
    assert_eq!(fs::read_to_string(&password).unwrap(), "hunter2\n");
    assert_eq!(mode(&password) & 0o037, 0, "nobody else reads it");
    // Both host keys were met and written down, as the program itself does.
    assert_eq!(fs::read_to_string(site.path("state/known_hosts")).unwrap().lines().count(), 2);
    site.assert_usable();
}

#[test]
fn an_unreachable_server_is_written_without_its_jobs_which_are_added_later() {
    let mut site = Site::new(Farm::new([vec![brief()], vec![brief()]]));
    let (key, first, second) = (site.known_key(), site.server(0), site.server(1));
    site.farm.stations[1].sshd.stop();
    let made = site.init(&["--server", &first, "--server", &second, "--key", &key]).ended_with(2);
    let made = made.says("connection refused").says("the jobs of beta are missing").says("init --add");
    assert!(made.stdout.contains("gate --key"), "how to install the gate is told: {made:#?}");
    assert_eq!(site.labels(), ["job 0"]);
    assert_eq!(site.written()["servers"].as_object().unwrap().len(), 2);
    site.call(&["run", "--dry-run"]).ended_with(0);

    site.farm.stations[1].sshd.resume();
    site.call(&["init", "--yes", "--add"]).ended_with(0);
    assert_eq!(site.labels(), ["job 0", "job 0 (beta)"]);
    site.assert_usable();
}

#[test]
fn what_is_missing_is_named_before_anything_is_done() {
    let site = Site::new(Farm::new([vec![]]));
    let first = site.server(0);
    for (arguments, hint) in [
        (&["init"][..], "give --yes, and --server"),
        (&["init", "--server", &first], "--yes"),
        (&["init", "--yes"], "--server NAME=HOST[:PORT]"),
        (&["init", "--yes", "--server", "web 1=h"], "is not NAME=HOST[:PORT]"),
        (&["init", "--yes", "--server", "a=h", "--server", "a=i"], "the name a is given twice"),
        (&["init", "--yes", "--server", "a=-oProxyCommand=x"], "is not NAME=HOST"),
        (&["init", "--yes", "--server", &first, "--schedule", "at noon"], "daemon.schedule"),
        (&["init", "--yes", "--server", &first, "--mail-to", "nobody"], "notification.to_addresses"),
        (&["init", "--yes", "--server", &first, "--broker", "mqtt://h"], "HOST or HOST:PORT"),
        (
            &[
                "init",
                "--yes",
                "--server",
                &first,
                "--broker",
                "h",
                "--broker-user",
                "u",
                "--broker-password-file",
                "/no/such",
            ],
            "reading the password from /no/such",
        ),
        (&["init", "--yes", "--add", "--server", &first], "no configuration"),
        (&["init", "--yes", "--server", &first, "--broker-password", "x"], "unexpected argument"),
    ] {
        let ran = site.call(arguments).ended_with(1).says(hint);
        assert!(ran.stdout.is_empty(), "{arguments:?}: {ran:#?}");
        assert!(!site.path("etc").exists(), "{arguments:?} has left something behind");
    }
}

#[test]
fn a_host_key_that_has_changed_stops_at_that_server() {
    let mut site = Site::new(Farm::new([vec![brief()]]));
    let (key, first) = (site.known_key(), site.server(0));
    site.init(&["--server", &first, "--key", &key]).ended_with(0);
    let sshd = &mut site.farm.stations[0].sshd;
    sshd.stop();
    sshd.replace_host_key("ed25519");
    sshd.resume();
    let made = site.init(&["--server", &first, "--key", &key, "--force"]).ended_with(2);
    made.says("the host key has CHANGED").says("Kept the old configuration");
    assert_eq!(site.farm.stations[0].sshd.accepted(), 1, "nobody logged in there again");
}
