//! What the predecessor takes is taken, and means what it means to it.

use std::path::Path;
use std::time::Duration;

use jetbackup_remote::config::{JobKind, SmtpSecurity};

use super::{sample, seen, valid, with};

#[test]
fn the_predecessors_file_works_unchanged_with_its_defaults() {
    let (config, warnings) = valid(&sample("predecessor.json"));
    assert_eq!(warnings, [""; 0]);
    assert_eq!(config.servers[0].name.as_str(), "server1");
    assert_eq!(config.servers[1].ssh_key.path, Path::new("/root/.ssh/id_ed25519"));
    assert_eq!((config.jobs[0].kind, config.jobs[1].kind), (JobKind::Accounts, JobKind::Database));
    assert_eq!(config.jobs[0].timeout, Duration::from_secs(14400));
}

#[test]
fn the_predecessors_newer_keys_are_taken() {
    let (config, warnings) = valid(&sample("predecessor-newer.json"));
    assert_eq!(warnings.len(), 1, "only that the password is not to be had here: {warnings:?}");
    let server = &config.servers[0];
    assert_eq!(server.ssh_key.path, Path::new("/root/.ssh/server1"));
    assert_eq!(server.ssh_timeout, Duration::from_secs(20));
    assert!(server.destination_id.is_some());
    assert_eq!(config.jobs[0].timeout, Duration::from_secs(7200));
    assert_eq!(
        (config.jobs[0].kind, config.jobs[0].label.as_str()),
        (JobKind::Other, "aaaaaaaaaaaaaaaaaaaaaaaa")
    );
    assert_eq!(config.orchestrator.startup_timeout, Duration::from_secs(90));
    assert_eq!(config.notification.smtp_security, SmtpSecurity::Starttls);
    assert_eq!(config.notification.to_addresses, ["admin@example.com"]);
    assert!(!config.notification.on_partial && !config.notification.on_daemon_lifecycle);
    assert!(config.destination.force_activate && !config.destination.skip_if_disabled);
    let repeat = config.cycle_loop.unwrap();
    assert_eq!((repeat.target_interval.as_secs(), repeat.min_pause.as_secs()), (43_200, 3_600));
}

#[test]
fn numbers_beyond_what_can_be_meant_are_problems_and_whole_ones_may_have_a_point() {
    for (section, key) in [
        ("orchestrator", "max_overruns"),
        ("orchestrator", "log_backup_count"),
        ("orchestrator", "log_max_bytes"),
        ("orchestrator", "job_timeout"),
        ("loop", "min_pause"),
        ("daemon", "random_delay"),
        ("destination", "alert_days_without_jobs"),
    ] {
        for number in ["4294967296000000", "18446744073709551615", "1e30", "-1", "0.5"] {
            let seen = seen(&with(&format!(r#", "{section}": {{"{key}": {number}}}"#)));
            assert!(
                seen.contains(&format!("{section}.{key} is ")) && seen.contains("a whole number from"),
                "{seen}"
            );
        }
    }
    let text = with("").replace(r#""server""#, r#""priority": 18446744073709551615, "server""#);
    assert!(seen(&text).contains("jobs[0].priority is 18446744073709551615"));
    let (config, _) = valid(&with(r#", "orchestrator": {"poll_interval": 45.0}"#));
    assert_eq!(config.orchestrator.poll_interval.as_secs(), 45);
}

#[test]
fn zero_means_what_it_means_to_the_predecessor() {
    let text = with(
        r#", "orchestrator": {"job_timeout": 100, "startup_timeout": 9, "log_max_bytes": 0, "log_backup_count": 0}"#,
    );
    let (config, warnings) = valid(&text.replace(r#""server""#, r#""timeout": 0, "server""#));
    assert_eq!(config.jobs[0].timeout.as_secs(), 100);
    assert_eq!((config.orchestrator.log_max_bytes, config.orchestrator.log_backup_count), (0, 0));
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn an_empty_text_is_not_set() {
    let text = r#"{"ssh_key": "/k", "ssh_key_passphrase": "", "servers": {"a": {"host": "h", "ssh_key": "",
        "ssh_key_passphrase": "", "destination_id": "", "host_key": " "}},
        "jobs": [{"job_id": "aaaaaaaaaaaaaaaaaaaaaaaa", "server": "a", "label": "", "type": "DataBase"}],
        "orchestrator": {"state_file": ""}, "daemon": {"schedule": ""},
        "mqtt": {"username": "", "client_id": "", "tls": ""},
        "notification": {"enabled": true, "smtp_user": "", "smtp_password": "", "smtp_security": "", "ping_url": "",
            "webhook_url": "", "from_address": "", "to_addresses": "a@b"}}"#;
    let (config, warnings) = valid(text);
    assert_eq!(warnings, [""; 0]);
    let server = &config.servers[0];
    assert_eq!(server.ssh_key.path, Path::new("/k"));
    assert!(
        server.ssh_key.passphrase.is_none() && server.destination_id.is_none() && server.host_key.is_none()
    );
    assert_eq!(config.jobs[0].label, "aaaaaaaaaaaaaaaaaaaaaaaa");
    assert_eq!(config.jobs[0].kind, JobKind::Database, "its case does not count");
    let mail = &config.notification;
    assert!(mail.smtp_user.is_none() && mail.smtp_password.is_none() && mail.ping_url.is_none());
    assert_eq!(mail.from_address, "jetbackup-remote@localhost");
    assert!(config.mqtt.username.is_none() && config.daemon.schedule.is_none());
}

#[test]
fn the_predecessors_days_without_jobs_are_the_default_of_stale_after() {
    let days = |more: &str| valid(&with(more)).0.jobs[0].stale_after.as_secs() / 86_400;
    assert_eq!(days(r#", "destination": {"alert_days_without_jobs": 5}"#), 5);
    assert_eq!(days(r#", "destination": {"alert_days_without_jobs": 0}"#), 3);
    let both = r#", "destination": {"alert_days_without_jobs": 5}, "orchestrator": {"stale_after": 86400}"#;
    assert_eq!(days(both), 1);
}

#[test]
fn a_key_may_stand_twice_only_if_it_is_a_comment() {
    let twice = |text: &str| seen(text).matches("stands twice").count();
    assert_eq!(twice(&with(r#", "_comment": "1", "_comment": "2""#)), 0);
    assert_eq!(twice(r#"{"servers": {"a": {"host": "h", "host": "i"}, "a": {"host": "h"}}}"#), 2);
    assert_eq!(twice(&with("").replace(r#""server""#, r#""job_id": "x", "server""#)), 1);
    assert_eq!(twice(&with(r#", "ssh_key": "/l""#)), 1);
}

#[test]
fn a_comment_among_the_servers_is_none_of_them() {
    let text =
        with("").replace(r#"{"a":"#, r#"{"_comment": "text", "_list": [1], "_a": {"host": "i"}, "a":"#);
    let (config, _) = valid(&text);
    let names: Vec<&str> = config.servers.iter().map(|server| server.name.as_str()).collect();
    assert_eq!(names, ["_a", "a"]);
}

#[test]
fn keys_and_passphrases_find_each_other_and_the_home_folder() {
    let text = r#"{"ssh_key": "~/k", "ssh_key_passphrase": "common", "servers": {
        "a": {"host": "a"},
        "b": {"host": "b", "ssh_key_passphrase": "own of b"},
        "c": {"host": "c", "ssh_key": "~/c"}}}"#;
    let (config, _) = valid(text);
    let key = |at: usize| {
        let key = &config.servers[at].ssh_key;
        (key.path.clone(), key.passphrase.as_ref().map(|secret| secret.read().unwrap()))
    };
    let home = Path::new(&std::env::var("HOME").unwrap()).to_owned();
    assert_eq!(key(0), (home.join("k"), Some("common".into())));
    assert_eq!(key(1), (home.join("k"), Some("own of b".into())));
    assert_eq!(key(2), (home.join("c"), None));
}
