//! What the manual shows as output was printed by the program: a night, a daemon at work, a late run, a first setup and
//! whatever else a command prints are played through, and every line shown has to be among what was printed then, but
//! for numbers, times and the widths of columns.
//!
//! `UPDATE_GOLDEN=1` writes all that was printed to `target/manual-outputs.txt`, to be copied from.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use jetbackup_sim::Run;
use serde_json::json;

use crate::certificates::Authority;
use crate::farm::{brief, job, lasting, quick};
use crate::mail_server::MailServer;
use crate::mosquitto::Broker;
use crate::pages::{Page, root};
use crate::play::Play;
use crate::support::program;

/// A night: one run of everything, and what can be asked after it.
fn a_night() -> String {
    let mut play = Play::of([quick(Run::partial()), brief(), brief()]);
    // The host keys are known then.
    play.farm.call(&["test"]).ended_with(0);
    play.call(&["run"]).ended_with(2);
    for arguments in [&["history"][..], &["status"], &["list"], &["test"], &["doctor"], &["destinations"]] {
        play.call(arguments);
    }
    play.printed
}

/// A daemon at work: jobs handed over to it, what it shows, a run that is stopped.
fn a_day() -> String {
    let mut play = Play::of([lasting(600), lasting(600), brief()]);
    play.farm.call(&["test"]).ended_with(0);
    let daemon = play.farm.start(&["daemon"]);
    play.farm.until("the daemon serves", |farm| farm.status()["runner"] == daemon.pid());
    let handed = play.farm.start(&["run"]);
    play.farm.until("the jobs are handed over", |_| play.job_state(0)["phase"] == "queued");
    let group = play.until_running(1);
    play.call(&["status"]).ended_with(0);
    play.call(&["run", "--job", &job(1, 0), "--dry-run"]).ended_with(0);
    play.call(&["stop", "--server", "web1", &group]).ended_with(0);
    let group = play.until_running(0);
    play.farm.call(&["stop", "--server", "web1", &group]).ended_with(0);
    let ran = handed.wait();
    play.take(&["run"], &ran);
    daemon.signal("TERM");
    daemon.wait();
    play.printed
}

/// A run beyond its limit, which the queue waits for until a person says otherwise.
fn a_late_run() -> String {
    let mut play = Play::of([lasting(600), brief(), lasting(600)]);
    play.farm.change(|config| {
        config["jobs"][0]["timeout"] = 2.into();
        config["orchestrator"]["on_timeout"] = "wait".into();
    });
    play.farm.call(&["test"]).ended_with(0);
    let run = play.farm.start(&["run"]);
    play.farm.until("the queue waits", |farm| farm.status()["queue"]["phase"] == "waiting");
    play.call(&["status"]).ended_with(0);
    play.call(&["run"]).ended_with(1);
    play.call(&["release", "--server", "web1", "--job", &job(0, 0)]).ended_with(0);
    play.farm.until("the queue goes on", |farm| farm.status()["jobs"][2]["phase"] == "running");
    play.call(&["status"]).ended_with(0);
    run.signal("TERM");
    let ran = run.wait();
    play.take(&["run"], &ran);
    play.printed
}

/// Mail, broker, and the first setup.
fn the_surroundings() -> String {
    let (authority, broker) = (Authority::new("authority"), Broker::start());
    let mail = MailServer::secure("starttls", &authority, "here");
    let mut play = Play::of([brief(), brief(), brief()]);
    play.farm.mqtt(&json!({"port": broker.port()}));
    let mut notification = mail.notification();
    for (key, value) in [
        ("smtp_security", json!("starttls")),
        ("smtp_user", json!("pi")),
        ("smtp_password", json!("gehëim")),
        ("smtp_ca_file", json!(authority.file("authority.pem"))),
    ] {
        notification[key] = value;
    }
    let mail_port = notification["smtp_port"].as_u64().unwrap();
    play.farm.change(move |config| config["notification"] = notification.clone());
    play.farm.call(&["run", "--server", "web2"]).ended_with(0);
    play.call(&["notify", "test"]).ended_with(0);
    play.call(&["doctor"]);
    play.call(&["mqtt", "discovery", "--clear"]).ended_with(0);

    let machine = tempfile::tempdir().unwrap();
    let path = |name: &str| machine.path().join(name).display().to_string();
    let port = |at: usize| play.farm.stations[at].sshd.port();
    let (first, second) = (format!("web1=127.0.0.1:{}", port(0)), format!("web2=127.0.0.1:{}", port(1)));
    let key = play.farm.path("key").display().to_string();
    let (config, state) = (path("etc/config.json"), path("state"));
    let mut init = Command::new(program::path());
    init.env_remove("SSH_AUTH_SOCK").env("TZ", "UTC");
    init.args(["-c", &config, "init", "--yes", "--key", &key, "--state-dir", &state]);
    init.args(["--server", &first, "--server", &second]);
    let ran = play.farm.launch(init).wait().ended_with(0);
    play.take(&["init", "--yes", "--server", "web1=…"], &ran);
    let (_, after) = play.printed.split_once("homeassistant/device/jetbackup_remote_").unwrap();
    let instance = after.split(['_', '/']).next().unwrap().to_owned();
    let mut printed = play.printed;
    for (here, name) in [
        (format!(" -c {config}"), ""),
        (config, "/etc/jetbackup-remote/config.json"),
        (state, "/var/lib/jetbackup-remote"),
        (format!("localhost:{}", broker.port()), "broker.example.com:1883"),
        (format!("localhost:{mail_port}"), "mail.example.com:587"),
        (instance, "1a2b3c4d"),
    ] {
        printed = printed.replace(&here, name);
    }
    printed
}

/// What needs no server: the configuration that the manual shows.
fn at_a_desk() -> String {
    let manual = Page::read("docs/manual.en.md");
    let whole = |text: &&String| text.contains("\"jobs\"") && text.contains("\"servers\"");
    let Some(config) = manual.blocks_of("json").iter().find(whole).cloned() else { return String::new() };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    fs::write(&file, config).unwrap();
    let mut printed = String::new();
    for arguments in [&["validate"][..], &["run", "--dry-run"]] {
        let mut command = Command::new(program::path());
        let output = command.arg("-c").arg(&file).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let text = text.replace(&file.display().to_string(), "/etc/jetbackup-remote/config.json");
        printed.push_str(&format!("$ jetbackup-remote {}\n{text}\n", arguments.join(" ")));
    }
    printed
}

/// A line without what differs from one time to the next: numbers with their units, ids, and the widths of columns.
fn essence(line: &str) -> String {
    const UNITS: [&str; 12] = ["s", "min", "h", "d", "%", "B", "kB", "MB", "GB", "TB", "Z", "ms"];
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let hex = word.chars().filter(char::is_ascii_hexdigit).count() >= 24;
        let digits = word.chars().any(|c| c.is_ascii_digit());
        let bare = word.trim_end_matches([',', ')', ';', '.', ':']);
        let unit = UNITS.contains(&bare) && words.last().is_some_and(|last| last.starts_with('#'));
        if unit {
            continue;
        }
        let plain = if let Some(kind) = ["SHA256:", "AAAA"].into_iter().find(|kind| word.starts_with(kind)) {
            kind.to_owned()
        } else if hex {
            "#".to_owned()
        } else if digits && !word.starts_with("web") {
            squeezed(word)
        } else {
            word.to_owned()
        };
        // `1 h 23 min` is as good as `3 s`.
        let after_number = words.last().is_some_and(|last| last == "#") && plain == "#";
        if !after_number {
            words.push(plain);
        }
    }
    words.join(" ").replace([',', ')', ';'], "")
}

/// The digits, and what stands between them, as one mark.
fn squeezed(word: &str) -> String {
    let kept: String = word.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
    let mut squeezed = kept.replace("#-#", "##").replace("#:#", "##").replace("#.#", "##");
    while squeezed.contains("##") {
        squeezed = squeezed.replace("##", "#");
    }
    squeezed.trim_end_matches([',', ')', ';']).to_owned()
}

#[test]
fn what_the_manual_shows_was_printed() {
    let parts = std::thread::scope(|scope| {
        let parts: [fn() -> String; 5] = [at_a_desk, a_night, a_day, a_late_run, the_surroundings];
        let parts = parts.map(|part| scope.spawn(part));
        parts.map(|part| part.join().unwrap())
    });
    let printed = parts.concat();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let file: PathBuf = root().join("target/manual-outputs.txt");
        fs::write(file, &printed).unwrap();
    }
    let known: HashSet<String> = printed.lines().map(essence).collect();
    let mut missing = Vec::new();
    for page in ["docs/manual.en.md", "docs/manual.es.md"] {
        for block in Page::read(page).blocks_of("text") {
            let shown = block.lines().filter(|line| !line.trim().is_empty());
            missing.extend(shown.filter(|line| !known.contains(&essence(line))).map(str::to_owned));
        }
    }
    assert!(missing.is_empty(), "these lines were never printed:\n{}\n\nbut:\n{printed}", missing.join("\n"));
}

#[test]
fn lines_are_the_same_but_for_numbers() {
    let same = [
        (
            "2026-11-23 03:46:46  Completed: A on web3 after 7 s",
            "2026-03-01 02:15:07  Completed: A on web3 after 1 h 23 min",
        ),
        ("web1    64a1b2c3d4e5f60718293a4b  x", "web1 64a1b2c3d4e5f60718293aff   x"),
        ("42 %, 1 h 23 min, about 30 min left", "7 %, 3 s, about 2 s left"),
    ];
    for (one, other) in same {
        assert_eq!(essence(one), essence(other));
    }
    for (one, other) in
        [("Accounts on web1", "Accounts on web2"), ("after 7 s", "after 7 s, late"), ("limit 4", "limit")]
    {
        assert_ne!(essence(one), essence(other));
    }
}
