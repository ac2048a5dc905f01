//! Ways in that are not as they should be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use jetbackup_sim::{Destination, id};
use serde_json::json;

use crate::examine;
use crate::farm::{Farm, brief};

/// Has the server start this script for the key.
fn force(farm: &Farm, script: &str) {
    let (sshd, path) = (&farm.stations[0].sshd, farm.path("forced.sh"));
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    sshd.forget_keys();
    sshd.authorize(&farm.path("key.pub"), &format!("restrict,command=\"{}\" ", path.display()));
}

/// The gate that the server starts, and its words.
fn gate(farm: &Farm) -> (String, String) {
    let line = fs::read_to_string(farm.stations[0].sshd.path("authorized_keys")).unwrap();
    let command = line.split('"').nth(1).unwrap();
    let (path, words) = command.split_once(' ').unwrap();
    (fs::read_to_string(path).unwrap(), words.to_owned())
}

#[test]
fn a_key_that_gives_a_shell_is_a_failure_and_nothing_more_is_tried() {
    let farm = Farm::new([vec![brief()]]);
    let sshd = &farm.stations[0].sshd;
    sshd.forget_keys();
    sshd.authorize(&farm.path("key.pub"), "");
    let report = examine(&farm);
    report.is("Server alpha", "gate", "failure", "the key gives a shell");
    report.is("Server alpha", "gate", "failure", "gate/install.sh");
    assert!(report.all("Server alpha", "gate refuses").is_empty());
}

#[test]
fn a_gate_that_hands_text_to_a_shell_is_found_out() {
    let farm = Farm::new([vec![brief()]]);
    force(
        &farm,
        "#!/bin/sh\ncase $SSH_ORIGINAL_COMMAND in\necho*|jetbackup5api*) exec sh -c \"$SSH_ORIGINAL_COMMAND\" ;;\n\
         *) echo 'ERROR: Command not allowed: no' >&2; exit 1 ;;\nesac\n",
    );
    let report = examine(&farm);
    for what in ["a second command", "a pipe", "a second line", "a substitution"] {
        report.is("Server alpha", "gate refuses", "failure", what);
    }
}

#[test]
fn an_older_gate_is_to_be_updated_and_what_it_opens_is_tried_out() {
    let mut farm =
        Farm::new([vec![brief()]]).destination(0, Destination::new(id(99), "NAS").disk(1, 99, 100), &["log"]);
    let (text, words) = gate(&farm);
    let old =
        text.replace("%s\\n%s %s%s\\n' \"$shown\" \"$TAG\" \"$VERSION\" \"$opened\"", "%s\\n' \"$shown\"");
    assert_ne!(old, text);
    // The words stand in authorized_keys, which `force` writes without them.
    let old = old.replacen("\nset -f -u\n", &format!("\nset -f -u\nset -- {words}\n"), 1);
    force(&farm, &old);
    let report = examine(&farm);
    report.is("Server alpha", "gate version", "warning", "older than");
    report.is("Server alpha", "gate refuses", "ok", "all of 7");
    report.is("Server alpha", "gate allows", "warning", "add --allow destination");
    assert_eq!(report.code, Some(0), "{:#}", report.report);

    farm.change(|config| config["destination"] = json!({"force_activate": true}));
    let report = examine(&farm);
    report.is("Server alpha", "gate allows", "failure", "add --allow destination");
}

#[test]
fn a_gate_that_opens_too_little_or_too_much_for_the_configuration_is_told() {
    let mut farm = Farm::new([vec![brief()]]).destination(
        0,
        Destination::new(id(99), "NAS").disk(1, 99, 100),
        &["destination", "switch"],
    );
    examine(&farm).is("Server alpha", "gate allows", "warning", "take --allow switch out");
    farm.change(|config| config["destination"] = json!({"force_activate": true}));
    examine(&farm).is("Server alpha", "gate allows", "ok", "destination, switch");
    let farm = farm.destination(0, Destination::new(id(98), "NAS").disk(1, 99, 100), &["destination"]);
    examine(&farm).is("Server alpha", "gate allows", "failure", "add --allow switch");
}

#[test]
fn a_gate_that_is_misconfigured_says_so() {
    let farm = Farm::new([vec![brief()]]);
    let (text, _) = gate(&farm);
    force(&farm, &text.replacen("\nset -f -u\n", "\nset -f -u\nset -- --allow logs\n", 1));
    let report = examine(&farm);
    report.is("Server alpha", "login", "ok", "");
    report.is("Server alpha", "gate", "failure", "misconfigured in authorized_keys");
}
