//! Configurations as people write them: the predecessor's, the documented ones, broken ones, hostile ones.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;
use std::time::Duration;

use jetbackup_remote::config::{self, Commands, Config, ConfigError, JobKind, OnTimeout, SmtpSecurity};
use proptest::prelude::*;
use support::golden;

fn sample(name: &str) -> String {
    std::fs::read_to_string(Path::new("tests/config").join(name)).unwrap()
}

fn valid(text: &str) -> (Config, Vec<String>) {
    let loaded = config::parse(text, "config.json".as_ref()).unwrap_or_else(|error| panic!("{error}"));
    (loaded.config, loaded.warnings.iter().map(ToString::to_string).collect())
}

/// What a person sees of a configuration: its problems, or that it has none, and its warnings.
fn seen(text: &str) -> String {
    let (mut seen, warnings) = match config::parse(text, "config.json".as_ref()) {
        Ok(loaded) => ("valid\n".to_owned(), loaded.warnings),
        Err(error) => {
            let seen = format!("{error}\n");
            let ConfigError::Invalid { warnings, .. } = error else { return seen };
            (seen, warnings)
        }
    };
    warnings.iter().for_each(|warning| seen.push_str(&format!("warning: {warning}\n")));
    seen
}

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
fn every_default_is_the_documented_one() {
    let smallest = r#"{"ssh_key": "/k", "servers": {"a": {"host": "h"}},
        "jobs": [{"job_id": "aaaaaaaaaaaaaaaaaaaaaaaa", "server": "a"}]}"#;
    let (config, _) = valid(smallest);
    let server = &config.servers[0];
    assert_eq!((server.port, server.user.as_str(), server.ssh_timeout.as_secs()), (51514, "root", 30));
    assert_eq!(config.jobs[0].priority, 0);
    assert_eq!(config.jobs[0].stale_after.as_secs(), 259_200);
    let queue = &config.orchestrator;
    assert_eq!((queue.poll_interval.as_secs(), queue.job_timeout.as_secs()), (30, 14_400));
    assert_eq!((queue.startup_timeout.as_secs(), queue.max_overruns), (120, 1));
    assert_eq!(queue.on_timeout, OnTimeout::Continue);
    assert_eq!(queue.state_dir, Path::new("/var/lib/jetbackup-remote"));
    assert_eq!(queue.control_socket, Path::new("/run/jetbackup-remote/control.sock"));
    assert_eq!(queue.known_hosts, config::KnownHostsPolicy::AcceptNew);
    assert_eq!(queue.lock_file, Path::new("/tmp/jetbackup-remote.lock"));
    assert_eq!(queue.log_file, Path::new("/var/log/jetbackup-remote.log"));
    assert_eq!((queue.log_max_bytes, queue.log_backup_count), (10_485_760, 5));
    let mail = &config.notification;
    assert_eq!((mail.enabled, mail.smtp_host.as_str(), mail.smtp_port), (false, "localhost", 25));
    assert!(mail.on_failure && mail.on_timeout && !mail.on_complete);
    assert!(mail.on_partial && mail.on_daemon_lifecycle);
    assert_eq!((mail.smtp_security, mail.digest), (SmtpSecurity::None, config::Digest::Weekly));
    assert!(!config.destination.force_activate && config.destination.skip_if_disabled);
    assert!(config.cycle_loop.is_none());
    let mqtt = &config.mqtt;
    assert_eq!((mqtt.enabled, mqtt.port, mqtt.base_topic.as_str()), (false, 1883, "jetbackup-remote"));
    assert_eq!((mqtt.discovery, mqtt.discovery_prefix.as_str()), (true, "homeassistant"));
    assert_eq!(mqtt.commands, Commands::All(true));
    assert_eq!((config.daemon.schedule.as_deref(), config.daemon.random_delay.as_secs()), (None, 300));
}

#[test]
fn tls_moves_the_port_and_one_word_restricts_the_commands() {
    let text =
        r#"{"ssh_key": "/k", "servers": {"a": {"host": "h"}}, "mqtt": {"tls": {}, "commands": "run"}}"#;
    let (config, warnings) = valid(text);
    assert_eq!(config.mqtt.port, 8883);
    assert_eq!(config.mqtt.commands, Commands::Only(config::OnlyRun::Run));
    assert_eq!(warnings.len(), 2, "no job at all, and none on a: {warnings:?}");
}

#[test]
fn all_problems_are_told_at_once_with_path_value_and_what_would_be_right() {
    golden("config/broken.txt", &seen(&sample("broken.json")));
    golden("config/inconsistent.txt", &seen(&sample("inconsistent.json")));
    golden("config/syntax.txt", &seen("{\n  \"servers\": {},\n  \"jobs\": [],\n}\n"));
}

#[test]
fn the_example_is_valid_and_uses_known_keys_only() {
    let text = std::fs::read_to_string("config.example.json").unwrap();
    let (config, warnings) = valid(&text);
    assert_eq!(warnings, [""; 0]);
    golden("config/example-summary.txt", &config::summary(&config));
}

#[test]
fn the_schema_is_made_from_the_types() {
    let schema = config::json_schema();
    golden("config/schema.json", &format!("{}\n", serde_json::to_string_pretty(&schema).unwrap()));
}

#[test]
fn an_unreadable_file_is_named() {
    let error = config::load("/no/such/config.json".as_ref()).unwrap_err().to_string();
    assert!(error.contains("/no/such/config.json") && error.contains("-c"), "{error}");
}

#[test]
fn a_secret_in_a_file_for_everyone_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let file = tempfile::NamedTempFile::new().unwrap();
    let text =
        r#"{"ssh_key": "/k", "servers": {"a": {"host": "h"}}, "mqtt": {"password": "hunter2hunter2"}}"#;
    std::fs::write(file.path(), text).unwrap();
    let warned = |mode| {
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        let warnings = config::load(file.path()).unwrap().warnings;
        warnings.iter().any(|warning| warning.message.contains("chmod"))
    };
    assert!(warned(0o644));
    assert!(!warned(0o640));
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Value, json};
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9:/_ -]{0,30}".prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec![
        "ssh_key",
        "servers",
        "jobs",
        "orchestrator",
        "notification",
        "mqtt",
        "host",
        "port",
        "job_id",
        "server",
        "timeout",
        "poll_interval",
        "tls",
        "commands",
        "to_addresses",
        "loop",
        "daemon",
        "schedule",
        "x",
    ]);
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((keys.clone(), inner), 0..6).prop_map(|entries| {
                let mut object = json!({});
                entries.into_iter().for_each(|(key, value)| object[key] = value);
                object
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_it_panic_or_lose_its_words(value in any_json()) {
        match config::parse(&value.to_string(), "config.json".as_ref()) {
            Ok(loaded) => prop_assert!(!loaded.config.servers.is_empty()),
            Err(error) => prop_assert!(error.to_string().contains("config.json")),
        }
    }

    #[test]
    fn a_secret_is_never_shown(secret in "[A-Za-z0-9]{16,40}", broken in any::<bool>()) {
        let port = if broken { "\"x\"" } else { "1883" };
        let text = format!(
            r#"{{"ssh_key": "/k", "ssh_key_passphrase": "{secret}",
                "servers": {{"a": {{"host": "h", "ssh_key_passphrase": "{secret}"}}}},
                "mqtt": {{"enabled": true, "port": {port}, "password": {{"oops": "{secret}"}}}},
                "notification": {{"enabled": true, "smtp_password": "{secret}",
                    "ping_url": "https://ping.example.com/{secret}", "webhook_url": ["{secret}"]}}}}"#
        );
        prop_assert!(!seen(&text).contains(&secret));
        let text = text.replace(&format!(r#"{{"oops": "{secret}"}}"#), &format!("\"{secret}\""))
            .replace(&format!("[\"{secret}\"]"), "null")
            .replace("\"enabled\": true", "\"enabled\": false");
        if let Ok(loaded) = config::parse(&text, "config.json".as_ref()) {
            let debug = format!("{:?}", loaded.config);
            prop_assert!(!debug.contains(&secret));
            prop_assert!(!config::summary(&loaded.config).contains(&secret));
        } else {
            prop_assert!(broken);
        }
    }
}
