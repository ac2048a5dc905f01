//! Configurations as people write them: the predecessor's, the documented ones, broken ones, hostile ones.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "config/predecessor.rs"]
mod predecessor;
mod support;

use std::path::Path;

use jetbackup_remote::config::{self, Commands, Config, ConfigError, OnTimeout, SmtpSecurity};
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
    assert_eq!(queue.log_file.as_deref(), Some(Path::new("/var/log/jetbackup-remote.log")));
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
    assert!(config.daemon.schedule.is_none());
    assert_eq!(config.daemon.random_delay.as_secs(), 300);
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

/// One server `a` and one job on it, with `more` beside them.
fn with(more: &str) -> String {
    format!(
        r#"{{"ssh_key": "/k", "servers": {{"a": {{"host": "h"}}}},
            "jobs": [{{"job_id": "aaaaaaaaaaaaaaaaaaaaaaaa", "server": "a"}}]{more}}}"#
    )
}

#[test]
fn a_url_to_be_told_at_is_looked_at_without_mail_too_and_never_shown() {
    for key in ["ping_url", "webhook_url"] {
        for wrong in
            ["hunter2", "ftp://example.com/hunter2", "https://", "http://:80/hunter2", "https://a b/hunter2"]
        {
            let seen = seen(&with(&format!(r#", "notification": {{"{key}": "{wrong}"}}"#)));
            assert!(seen.contains(&format!("notification.{key} is no URL")), "{wrong}: {seen}");
            assert!(!seen.contains("hunter2"), "{seen}");
        }
        for right in
            ["https://hc-ping.com/id", "HTTPS://example.com", "http://[::1]:3001/api/push/x?status=up"]
        {
            assert!(
                seen(&with(&format!(r#", "notification": {{"{key}": "{right}"}}"#))).starts_with("valid")
            );
        }
        let missing = seen(&with(&format!(r#", "notification": {{"{key}": "FROM_ENV:NO_SUCH_URL_HERE"}}"#)));
        assert!(
            missing.contains(&format!("notification.{key}")) && missing.contains("NO_SUCH_URL_HERE"),
            "{missing}"
        );
    }
}

#[test]
fn a_wrongly_shaped_value_shows_no_secret_within_it() {
    for more in [
        r#", "notification": [{"smtp_password": "hunter2"}]"#,
        r#", "notification": {"smtp_host": {"smtp_password": "hunter2"}, "from_address": ["hunter2"]}"#,
        r#", "mqtt": "mqtt://me:hunter2@broker""#,
        r#", "mqtt": {"tls": "hunter2", "host": "mqtt://me:hunter2@broker"}"#,
        r#", "mqtt": {"enabled": true, "host": "me:hunter2@broker"}"#,
        r#", "orchestrator": "hunter2", "daemon": ["hunter2"], "loop": "hunter2""#,
    ] {
        let seen = seen(&with(more));
        assert!(!seen.contains("hunter2"), "{seen}");
    }
    assert!(!seen(r#"["hunter2"]"#).contains("hunter2"));
    assert!(!seen(r#"{"jobs": "hunter2", "servers": {"a": "hunter2"}}"#).contains("hunter2"));
    let seen = seen(&with(r#", "mqtt": "mqtt://broker""#));
    assert!(seen.contains("mqtt is a text, but should be an object in { }"), "{seen}");
}

#[test]
fn a_missing_key_is_told_once_and_the_rest_is_checked() {
    let text = r#"{"ssh_key": "/k",
        "servers": {"a": {"port": 22}, "b": {"user": "u"}, "c": {"host": "c"}},
        "jobs": [{"job_id": "aaaaaaaaaaaaaaaaaaaaaaaa"}, {"server": "c"}, {"server": "d"}],
        "orchestrator": {"state_dir": "state"}}"#;
    golden("config/missing.txt", &seen(text));
}

#[test]
fn secrets_are_looked_for_only_where_they_are_used_and_every_server_without_a_job_is_named() {
    let off = r#", "notification": {"smtp_password": "FROM_FILE:/no/such"}, "mqtt": {"password": "FROM_ENV:NO_SUCH"}"#;
    assert_eq!(valid(&with(off)).1, [""; 0]);
    let (_, warnings) =
        valid(&with(&off.replace(": {", r#": {"enabled": true, "to_addresses": "a@b", "host": "h", "#)));
    let missing = |path: &str| warnings.iter().any(|warning| warning.starts_with(path));
    assert!(missing("notification.smtp_password") && missing("mqtt.password"), "{warnings:?}");
    let text = r#"{"ssh_key": "/k", "ssh_key_passphrase": "FROM_ENV:NO_SUCH", "servers": {"a": {"host": "a"}, "b": {"host": "b"}}}"#;
    let (_, warnings) = valid(text);
    let about = |words: &str| warnings.iter().filter(|warning| warning.contains(words)).count();
    assert_eq!((about("NO_SUCH"), about("has no job in the queue")), (1, 2), "{warnings:?}");
}

#[test]
fn mail_addresses_are_split_and_checked() {
    let mail = |to: &str, from: &str, enabled: bool| {
        with(&format!(
            r#", "notification": {{"enabled": {enabled}, "to_addresses": {to}, "from_address": "{from}"}}"#
        ))
    };
    let (config, _) = valid(&mail(r#""a@b, Me <c@d>""#, "Pi <pi@example.com>", true));
    assert_eq!(config.notification.to_addresses, ["a@b", "Me <c@d>"]);
    let (config, _) = valid(&mail(r#"["a@b,c@d", "e@f"]"#, "a@b", true));
    assert_eq!(config.notification.to_addresses.len(), 3);
    for (to, from, path) in [
        (r#""a b@c""#, "a@b", "to_addresses"),
        (r#"["a@b\nBcc: c@d"]"#, "a@b", "to_addresses"),
        (r#""a@b""#, "root", "from_address"),
        (r#""a@b""#, "a@b, c@d", "from_address"),
        (r#"", ""#, "a@b", "to_addresses is empty"),
    ] {
        let seen = seen(&mail(to, from, true));
        assert!(seen.starts_with("the configuration") && seen.contains(path), "{seen}");
        if !path.contains("empty") {
            let (config, warnings) = valid(&mail(to, from, false));
            assert!(
                warnings[0].contains(path) && !config.notification.from_address.is_empty(),
                "{warnings:?}"
            );
        }
    }
}

#[test]
fn a_host_is_a_host_and_nothing_more() {
    for host in ["root@h", "ssh://h", "h:22", "-oProxyCommand=x", "a b"] {
        let seen = seen(&with("").replace(r#""h""#, &format!("{host:?}")));
        assert!(seen.contains("servers.a.host ") && seen.contains("should be"), "{seen}");
    }
    assert_eq!(valid(&with("").replace(r#""h""#, r#""2001:db8::1""#)).0.servers[0].host, "2001:db8::1");
    assert!(
        seen(&with(r#", "notification": {"enabled": true, "to_addresses": "a@b", "smtp_host": "h:25"}"#))
            .contains("smtp_host")
    );
    assert_eq!(valid(&with(r#", "mqtt": {"host": "h:1883"}"#)).1.len(), 1, "only a warning while off");
}

#[test]
fn the_control_socket_must_fit_into_a_socket_address() {
    let socket = |length: usize| {
        with(&format!(r#", "orchestrator": {{"control_socket": "/{}"}}"#, "s".repeat(length - 1)))
    };
    assert_eq!(valid(&socket(107)).1, [""; 0]);
    assert!(seen(&socket(108)).contains("orchestrator.control_socket has 108 bytes"));
}

#[test]
fn a_schedule_that_never_comes_or_is_none_is_told_with_what_would_be_right() {
    let schedule = |text: &str| with(&format!(r#", "daemon": {{"schedule": "{text}"}}"#));
    let wrong = |text: &str| seen(&schedule(text)).lines().nth(1).unwrap_or_default().trim().to_owned();
    assert_eq!(
        wrong("61 2 * * *"),
        r#"daemon.schedule is "61 2 * * *", but should be five cron fields, and "61" is no minute: 0 to 59"#
    );
    assert!(
        wrong("0 2 31 2 *")
            .ends_with("five cron fields that come true at some time; there is never such a day")
    );
    assert!(wrong("@daily").ends_with(r#"but should be five cron fields, as in "0 2 * * *""#));
    assert!(valid(&schedule(" ")).0.daemon.schedule.is_none());
    let summary = |text: &str| config::summary(&valid(text).0);
    let night = summary(&schedule("0 2 * * 7"));
    assert!(
        night.contains("\n  cycles: 0 2 * * 7 (at 02:00, on Sunday), local time, up to 300 s later\n"),
        "{night}"
    );
    let night = summary(&schedule("0 2 * * 1,2,3,4,5"));
    assert!(night.contains("\n  cycles: 0 2 * * 1,2,3,4,5, local time, up to 300 s later\n"), "{night}");
    assert!(
        summary(&with(r#", "loop": {}"#)).contains("cycles: every 86400 s, with a pause of 3600 s at least")
    );
}

#[test]
fn two_names_of_one_sshd_and_names_with_dots_are_told_readably() {
    let text =
        r#"{"ssh_key": "/k", "servers": {"a": {"host": "H.example.com"}, "b.c": {"host": "h.example.com"}}}"#;
    let (_, warnings) = valid(text);
    let expected = r#"servers["b.c"] has the host and port of servers.a: is one server meant twice?"#;
    assert!(warnings.contains(&expected.to_owned()), "{warnings:?}");
    let apart = text.replacen(r#"com""#, r#"com", "port": 22"#, 1);
    assert!(!valid(&apart).1.iter().any(|warning| warning.contains("twice")));
    let wrong = r#"{"servers": {"web1.example.com": {"host": "h", "port": "x"}}}"#;
    assert!(seen(wrong).contains(r#"servers["web1.example.com"].port is "x""#));
}

#[test]
fn a_byte_order_mark_is_no_fault() {
    assert_eq!(valid(&format!("\u{feff}{}", with(""))).1, [""; 0]);
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

#[test]
fn a_key_passed_by_systemd_is_taken_and_a_blank_in_its_place_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.json");
    std::fs::write(&config, r#"{"servers": {"a": {"host": "h"}}, "jobs": []}"#).unwrap();
    let validate = |credential: Option<&str>| {
        let passed = dir.path().join("ssh_key");
        match credential {
            Some(text) => std::fs::write(&passed, text).unwrap(),
            None => assert!(!passed.exists()),
        }
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_jetbackup-remote"))
            .args(["validate", "-c"])
            .arg(&config)
            .env("CREDENTIALS_DIRECTORY", dir.path())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for credential in [None, Some(""), Some("\n")] {
        let (code, told) = validate(credential);
        assert!(code == Some(1) && told.contains("has no key to log in with"), "{credential:?}: {told}");
    }
    let (code, told) = validate(Some("a key"));
    assert_eq!(code, Some(0), "{told}");
}
