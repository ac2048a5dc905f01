//! A configuration that is there is never lost.

use std::fs;

use jetbackup_sim::{Job, id};
use serde_json::json;

use crate::farm::{Farm, brief};
use crate::site::{Site, mode};
use crate::support::sshd::keygen;

#[test]
fn it_is_left_alone_unless_told_otherwise_and_a_copy_is_kept() {
    let site = Site::new(Farm::new([vec![brief()]]));
    let (key, first) = (site.known_key(), site.server(0));
    fs::create_dir(site.path("etc")).unwrap();
    fs::write(site.config(), "precious").unwrap();
    let refused = site.init(&["--server", &first, "--key", &key]).ended_with(1);
    refused.says("is there already").says("--add").says("--force");
    site.init(&["--server", &first, "--key", &key, "--add"]).ended_with(1).says("is no JSON");
    assert_eq!(fs::read_to_string(site.config()).unwrap(), "precious");
    assert!(!site.path("state").exists());

    site.init(&["--server", &first, "--key", &key, "--force"]).ended_with(0);
    site.init(&["--server", &first, "--key", &key, "--force"]).ended_with(0).says("config.json.bak2");
    assert_eq!(fs::read_to_string(site.path("etc/config.json.bak")).unwrap(), "precious");
    assert_eq!(mode(&site.path("etc/config.json.bak")), 0o640);
    site.assert_usable();
}

#[test]
fn what_is_added_leaves_everything_else_as_it_is() {
    let site = Site::new(Farm::new([vec![brief(), brief()], vec![brief()]]));
    let (key, first, second) = (site.known_key(), site.server(0), site.server(1));
    site.init(&["--server", &first, "--key", &key]).ended_with(0);
    // A person has taken one job out and written something down.
    let mut edited = site.written();
    edited["_why"] = "the second job is too large".into();
    edited["jobs"].as_array_mut().unwrap().pop();
    edited["jobs"][0]["timeout"] = 7200.into();
    fs::write(site.config(), edited.to_string()).unwrap();

    let added = site.call(&["init", "--yes", "--add", "--server", &second]).ended_with(0);
    assert!(!added.stdout.contains("alpha ("), "only the new server is asked: {added:#?}");
    let now = site.written();
    assert_eq!(
        (&now["_why"], &now["jobs"][0], &now["daemon"]),
        (&edited["_why"], &edited["jobs"][0], &edited["daemon"])
    );
    assert_eq!(site.labels(), ["job 0", "job 0 (beta)"]);

    // Without a server those that are configured are looked at: what was left out is shown, and left out.
    let again = site.call(&["init", "--yes", "--add"]).ended_with(0).says("not chosen");
    assert!(again.stdout.contains("job 1"), "{again:#?}");
    assert_eq!(site.labels().len(), 2);
    site.farm.world(0, |world, _| *world = world.clone().job(Job::new(id(100), "Mail")));
    site.call(&["init", "--yes", "--add", "--jobs", "enabled"]).ended_with(0);
    assert_eq!(site.labels(), ["job 0", "job 0 (beta)", "job 1", "Mail"]);
    site.call(&["init", "--yes", "--add", "--server", &second]).ended_with(1).says("configured already");
    site.assert_usable();
}

#[test]
fn a_key_with_a_passphrase_that_is_configured_is_used() {
    let site = Site::new(Farm::new([vec![brief()]]));
    let (key, first) = (site.path("etc/locked"), site.server(0));
    fs::create_dir(site.path("etc")).unwrap();
    keygen(&key, "ed25519", "correct horse");
    site.farm.stations[0].allow(&site.path("etc/locked.pub"), &[]);
    let path = key.display().to_string();
    site.init(&["--server", &first, "--key", &path]).ended_with(1).says("is encrypted");
    let config = json!({
        "ssh_key": path, "ssh_key_passphrase": "correct horse",
        "servers": {"alpha": {"host": "127.0.0.1", "port": site.farm.stations[0].sshd.port()}},
        "orchestrator": {"state_dir": site.path("state")},
    });
    fs::write(site.config(), config.to_string()).unwrap();
    site.call(&["init", "--yes", "--add"]).ended_with(0);
    assert_eq!(site.labels(), ["job 0"]);
    site.call(&["gate"]).ended_with(0).says("ssh-ed25519 AAAA");
    // Who may not read the private key finds the public one beside it.
    fs::write(&key, "").unwrap();
    site.call(&["gate"]).ended_with(0).says("ssh-ed25519 AAAA");
}
