//! Proves the SSH room against a real OpenSSH server: commands, failures, host keys, private keys.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use jetbackup_remote::ssh::{
    Connection, Exec as _, ExecError, HostKeyPolicy, KeyFile, Output, Passphrase, Sent, Target,
};
use support::proxy::Proxy;
use support::sshd::{Options, Sshd, eventually, keygen};

/// Far longer than anything here takes; a test that needs all of it has failed.
const LIMIT: Duration = Duration::from_secs(60);

fn target(sshd: &Sshd) -> Target {
    Target {
        name: "web1".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: sshd.port(),
        user: "root".to_owned(),
        key: KeyFile { path: sshd.client_key(), passphrase: None },
        connect_timeout: LIMIT,
        host_key: HostKeyPolicy::KnownHosts { file: sshd.path("known_hosts"), accept_new: true },
    }
}

fn strict(sshd: &Sshd, known_hosts: &str) -> Target {
    let file = sshd.path("known_hosts");
    fs::write(&file, known_hosts).unwrap();
    Target { host_key: HostKeyPolicy::KnownHosts { file, accept_new: false }, ..target(sshd) }
}

fn pinned(sshd: &Sshd, pin: &str) -> Target {
    Target { host_key: HostKeyPolicy::Pinned(pin.parse().unwrap()), ..target(sshd) }
}

fn fingerprint(sshd: &Sshd, kind: &str) -> String {
    let listed =
        Command::new("ssh-keygen").arg("-lf").arg(sshd.path(&format!("host_{kind}.pub"))).output().unwrap();
    String::from_utf8(listed.stdout).unwrap().split(' ').nth(1).unwrap().to_owned()
}

async fn run(connection: &Connection, command: &str) -> Result<Output, ExecError> {
    connection.exec(command.to_owned(), LIMIT).await
}

/// Waits until a command has created a file.
async fn begins(file: PathBuf) {
    tokio::task::spawn_blocking(move || eventually("the command begins", || file.exists())).await.unwrap();
}

/// Runs `echo ok` on a new connection.
async fn greet(target: Target) -> Result<(), ExecError> {
    let output = run(&Connection::new(target), "echo ok").await?;
    assert_eq!(output, Output { stdout: b"ok\n".to_vec(), stderr: String::new(), exit: 0 });
    Ok(())
}

/// The message of a failure that nothing but a person can mend.
async fn refusal(target: Target) -> String {
    let error = greet(target).await.expect_err("the connection must be refused");
    assert_eq!((error.sent, error.transient), (Sent::No, false), "{error}");
    assert!(!error.message.contains('\n'), "{error}");
    error.message
}

fn assert_mentions(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

#[tokio::test]
async fn output_errors_and_exit_status_come_back() {
    let sshd = Sshd::start();
    let connection = Connection::new(target(&sshd));
    let output = run(&connection, "echo out; echo err >&2; exit 7").await.unwrap();
    assert_eq!(output, Output { stdout: b"out\n".to_vec(), stderr: "err\n".to_owned(), exit: 7 });
    // Standard input is empty, not open for ever.
    assert_eq!(run(&connection, "cat").await.unwrap().stdout, b"");
    assert_eq!(run(&connection, "head -c 5000000 /dev/zero").await.unwrap().stdout.len(), 5_000_000);
    assert_eq!(run(&connection, "head -c 100000 /dev/zero >&2").await.unwrap().stderr.len(), 4096);
    assert_eq!(sshd.accepted(), 1);
}

#[tokio::test]
async fn forced_commands_see_what_was_asked() {
    let options =
        Options { forced_command: Some("echo got $SSH_ORIGINAL_COMMAND".to_owned()), ..Options::default() };
    let sshd = Sshd::with(&options);
    let output = run(&Connection::new(target(&sshd)), "listJobs").await.unwrap();
    assert_eq!(output.stdout, b"got listJobs\n");
}

#[tokio::test]
async fn endless_output_is_an_error_and_the_next_command_works() {
    let sshd = Sshd::start();
    let connection = Connection::new(target(&sshd));
    let error = run(&connection, "exec cat /dev/zero").await.unwrap_err();
    assert_eq!((error.sent, error.transient), (Sent::Maybe, false));
    assert_mentions(&error.message, &["web1", "more than 8 MiB"]);
    assert_eq!(run(&connection, "echo ok").await.unwrap().stdout, b"ok\n");
    assert_eq!(sshd.accepted(), 2);
}

#[tokio::test]
async fn a_signal_is_named_and_the_connection_stays() {
    let sshd = Sshd::start();
    let connection = Connection::new(target(&sshd));
    let error = run(&connection, "kill -KILL $$").await.unwrap_err();
    assert_eq!(error.sent, Sent::Maybe);
    assert_mentions(&error.message, &["signal KILL"]);
    assert_eq!(run(&connection, "echo ok").await.unwrap().exit, 0);
    assert_eq!(sshd.accepted(), 1);
}

#[tokio::test]
async fn a_background_child_does_not_hold_the_answer_or_a_slot() {
    let sshd = Sshd::with(&Options { config: vec!["MaxSessions 1".to_owned()], ..Options::default() });
    let connection = Connection::new(target(&sshd));
    for _ in 0..2 {
        let output = run(&connection, "sleep 300 & echo $!").await.unwrap();
        assert_eq!(output.exit, 0);
        let child = String::from_utf8(output.stdout).unwrap();
        assert!(
            run(&connection, &format!("kill {child}")).await.unwrap().exit == 0,
            "the child was gone already"
        );
    }
    assert_eq!(sshd.accepted(), 1);
}

#[tokio::test]
async fn many_calls_share_one_connection() {
    for sessions in [4, 1] {
        let sshd =
            Sshd::with(&Options { config: vec![format!("MaxSessions {sessions}")], ..Options::default() });
        let connection = Arc::new(Connection::new(target(&sshd)));
        let calls: Vec<_> = (0..30)
            .map(|number| {
                let connection = Arc::clone(&connection);
                tokio::spawn(async move { run(&connection, &format!("echo {number}; sleep 0.01")).await })
            })
            .collect();
        for (number, call) in calls.into_iter().enumerate() {
            let output = call.await.unwrap().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{number}\n"));
        }
        assert_eq!(sshd.accepted(), 1, "{}", sshd.log());
    }
}

#[tokio::test]
async fn a_server_killed_during_a_command_may_have_run_it() {
    let mut sshd = Sshd::start();
    let connection = Connection::new(target(&sshd));
    let call = connection.exec(format!("touch {}; sleep 300", sshd.path("begun").display()), LIMIT);
    let kill = async {
        begins(sshd.path("begun")).await;
        sshd.stop();
    };
    let (result, ()) = tokio::join!(call, kill);
    let error = result.unwrap_err();
    assert_eq!((error.sent, error.transient), (Sent::Maybe, true));
    assert_mentions(&error.message, &["web1", "lost"]);
    let error = run(&connection, "echo ok").await.unwrap_err();
    assert_eq!((error.sent, error.transient), (Sent::No, true));
    assert_mentions(
        &error.message,
        &["connecting to web1 (127.0.0.1:", "connection refused; is sshd listening on that port?"],
    );
    // The first pause is a second; the call waits for its end by itself.
    sshd.resume();
    assert_eq!(run(&connection, "echo ok").await.unwrap().stdout, b"ok\n");
    assert_eq!(sshd.accepted(), 2);
}

#[tokio::test]
async fn a_connection_cut_while_idle_is_replaced_unnoticed() {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.port());
    let connection = Connection::new(Target { port: proxy.port(), ..target(&sshd) });
    for round in 1..=3 {
        assert_eq!(run(&connection, "echo ok").await.unwrap().stdout, b"ok\n");
        assert_eq!(proxy.accepted(), round);
        proxy.cut();
    }
}

#[tokio::test]
async fn a_frozen_peer_costs_no_more_than_the_limit() {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.port());
    let connection = Connection::new(Target { port: proxy.port(), ..target(&sshd) });
    assert_eq!(run(&connection, "echo ok").await.unwrap().exit, 0);
    let call =
        connection.exec(format!("touch {}; sleep 300", sshd.path("begun").display()), Duration::from_secs(2));
    let freeze = async {
        begins(sshd.path("begun")).await;
        proxy.hold();
    };
    let (result, ()) = tokio::join!(call, freeze);
    let error = result.unwrap_err();
    assert_eq!((error.sent, error.transient), (Sent::Maybe, true));
    assert_mentions(&error.message, &["no answer within 2 s"]);
    // Still frozen: connecting anew gets nowhere either, and nothing is sent.
    let error = connection.exec("echo ok".to_owned(), Duration::from_millis(300)).await.unwrap_err();
    assert_eq!((error.sent, error.transient), (Sent::No, true));
    proxy.release();
    assert_eq!(run(&connection, "echo ok").await.unwrap().stdout, b"ok\n");
    assert_eq!(proxy.accepted(), 2, "the abandoned attempt is used by the next call");
}

#[tokio::test]
async fn a_silent_server_is_given_up_and_left_alone_for_a_while() {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.port());
    proxy.hold();
    let connect_timeout = Duration::from_millis(300);
    let connection = Connection::new(Target { port: proxy.port(), connect_timeout, ..target(&sshd) });
    let results = tokio::join!(run(&connection, "a"), run(&connection, "b"), run(&connection, "c"));
    for result in [results.0, results.1, results.2] {
        let error = result.unwrap_err();
        assert_eq!((error.sent, error.transient), (Sent::No, true));
        assert_mentions(&error.message, &["connecting to web1", "no answer within 0.3 s (SSH handshake)"]);
    }
    assert_eq!(proxy.accepted(), 1, "a burst shares one attempt");
    // The pause is at least a second, longer than this call has: it fails with the last error and bothers nobody.
    let error = connection.exec("d".to_owned(), Duration::from_millis(1)).await.unwrap_err();
    assert_mentions(&error.message, &["no answer within 0.3 s"]);
    assert_eq!(proxy.accepted(), 1);
}

#[tokio::test]
async fn a_dropped_call_does_not_disturb_the_others() {
    let sshd = Sshd::start();
    let connection = Connection::new(target(&sshd));
    assert_eq!(run(&connection, "echo ok").await.unwrap().exit, 0);
    let other = connection.exec("sleep 1; echo other".to_owned(), LIMIT);
    let abandoned = async {
        let begun = sshd.path("begun");
        let call = connection.exec(format!("touch {}; exec cat /dev/zero", begun.display()), LIMIT);
        tokio::select! {
            biased;
            () = begins(begun.clone()) => {}
            _ = call => {}
        }
    };
    let (other, ()) = tokio::join!(other, abandoned);
    assert_eq!(other.unwrap().stdout, b"other\n");
    // Its channel is lost to the old connection, so the next call makes a new one.
    assert_eq!(run(&connection, "echo ok").await.unwrap().exit, 0);
    assert_eq!(sshd.accepted(), 2);
}

#[tokio::test]
async fn an_unused_connection_closes_and_comes_back() {
    let sshd = Sshd::start();
    let connection = Connection::new(target(&sshd)).with_idle_limit(Duration::from_millis(100));
    // Longer than the limit, but not unused.
    assert_eq!(run(&connection, "sleep 0.5; echo ok").await.unwrap().stdout, b"ok\n");
    assert_eq!(sshd.accepted(), 1);
    let sshd = tokio::task::spawn_blocking(move || {
        sshd.wait_for("Disconnected from user", 1);
        sshd
    });
    let sshd = sshd.await.unwrap();
    assert_eq!(run(&connection, "echo ok").await.unwrap().stdout, b"ok\n");
    assert_eq!(sshd.accepted(), 2);
    connection.close().await;
}

#[tokio::test]
async fn the_first_host_key_is_recorded_and_a_changed_one_refused() {
    let mut sshd = Sshd::start();
    greet(target(&sshd)).await.unwrap();
    let known_hosts = fs::read_to_string(sshd.path("known_hosts")).unwrap();
    assert_eq!(known_hosts, format!("[127.0.0.1]:{} {}\n", sshd.port(), sshd.host_key("ed25519")));
    let old = fingerprint(&sshd, "ed25519");
    sshd.stop();
    sshd.replace_host_key("ed25519");
    sshd.resume();
    let message = refusal(target(&sshd)).await;
    let new = fingerprint(&sshd, "ed25519");
    let file = sshd.path("known_hosts").display().to_string();
    assert_mentions(
        &message,
        &["connecting to web1", &old, &new, &file, "line 1", "ssh-keygen -R '[127.0.0.1]:"],
    );
    assert_eq!(sshd.accepted(), 1);
}

#[tokio::test]
async fn a_refusal_is_not_repeated_against_the_server_at_once() {
    let sshd = Sshd::start();
    let other = sshd.path("other");
    keygen(&other, "ed25519", "");
    let key = KeyFile { path: other, passphrase: None };
    let connection = Connection::new(Target { key, ..target(&sshd) });
    let first = run(&connection, "echo ok").await.unwrap_err();
    let second = run(&connection, "echo ok").await.unwrap_err();
    assert_eq!((first.sent, first.transient), (Sent::No, false));
    assert_mentions(&first.message, &["web1 refused the key", "user root, SHA256:", "authorized_keys"]);
    assert_eq!(first.message, second.message);
    assert_eq!(sshd.count("Connection from"), 1, "{}", sshd.log());
}

#[tokio::test]
async fn strict_wants_the_key_on_file() {
    let sshd = Sshd::with(&Options { host_keys: vec!["ed25519", "ecdsa", "rsa"], ..Options::default() });
    let (port, shown) = (sshd.port(), fingerprint(&sshd, "ed25519"));
    assert_mentions(&refusal(strict(&sshd, "")).await, &["unknown", &shown, "known_hosts"]);
    // Each type on file is asked for, though the server prefers another.
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let line = format!("127.0.0.2,[127.0.0.?]:{port}\t{}\n", sshd.host_key(kind));
        greet(strict(&sshd, &line)).await.unwrap();
    }
    let revoked = format!("[127.0.0.1]:{port} {key}\n@revoked * {key}\n", key = sshd.host_key("ed25519"));
    assert_mentions(&refusal(strict(&sshd, &revoked)).await, &["revoked", "line 2", &shown]);
    let negated = format!("*,![127.0.0.1]:* {}\n", sshd.host_key("ed25519"));
    assert_mentions(&refusal(strict(&sshd, &negated)).await, &["unknown"]);
    assert_mentions(&refusal(strict(&sshd, "nonsense\n")).await, &["known_hosts", "line 1"]);
}

#[tokio::test]
async fn hashed_entries_are_obeyed() {
    let mut sshd = Sshd::start();
    greet(target(&sshd)).await.unwrap();
    let hashed =
        Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(sshd.path("known_hosts")).output().unwrap();
    assert!(hashed.status.success());
    assert!(fs::read_to_string(sshd.path("known_hosts")).unwrap().starts_with("|1|"));
    greet(target(&sshd)).await.unwrap();
    sshd.stop();
    sshd.replace_host_key("ed25519");
    sshd.resume();
    assert_mentions(&refusal(target(&sshd)).await, &["CHANGED", "line 1"]);
}

#[tokio::test]
async fn a_type_the_server_no_longer_has_is_a_changed_key() {
    let (old, new) = (
        Sshd::with(&Options { host_keys: vec!["ecdsa"], ..Options::default() }),
        Sshd::with(&Options { host_keys: vec!["ed25519"], ..Options::default() }),
    );
    let line = format!("[127.0.0.1]:{} {}\n", new.port(), old.host_key("ecdsa"));
    fs::write(new.path("known_hosts"), &line).unwrap();
    let message = refusal(target(&new)).await;
    assert_mentions(
        &message,
        &["no host key of the type expected", &fingerprint(&old, "ecdsa"), "ssh-ed25519"],
    );
    assert_eq!(fs::read_to_string(new.path("known_hosts")).unwrap(), line);
}

#[tokio::test]
async fn pinned_keys_decide_alone() {
    let (sshd, other) = (Sshd::start(), Sshd::start());
    let shown = fingerprint(&sshd, "ed25519");
    greet(pinned(&sshd, &sshd.host_key("ed25519"))).await.unwrap();
    greet(pinned(&sshd, &shown)).await.unwrap();
    for pin in [other.host_key("ed25519"), fingerprint(&other, "ed25519")] {
        let message = refusal(pinned(&sshd, &pin)).await;
        assert_mentions(&message, &["not the pinned one", &shown, &fingerprint(&other, "ed25519")]);
    }
    assert!(!sshd.path("known_hosts").exists());
}

#[tokio::test]
async fn a_host_key_that_cannot_be_recorded_is_refused() {
    let sshd = Sshd::start();
    let file = sshd.path("missing").join("known_hosts");
    let message =
        refusal(Target { host_key: HostKeyPolicy::KnownHosts { file, accept_new: true }, ..target(&sshd) })
            .await;
    assert_mentions(&message, &["could not be recorded", "No such file"]);
}

#[tokio::test]
async fn every_usual_type_of_key_opens() {
    let sshd = Sshd::start();
    let secret = "correct horse";
    for (kind, arguments) in [
        ("ed25519", vec![]),
        ("rsa", vec!["-b", "3072"]),
        ("ecdsa", vec!["-b", "256"]),
        ("ecdsa", vec!["-b", "521"]),
        ("rsa", vec!["-b", "2048", "-m", "PEM"]),
        ("rsa", vec!["-b", "2048", "-m", "PKCS8"]),
    ] {
        for passphrase in ["", secret] {
            let path: PathBuf = sshd.path(&format!("key{}{passphrase}", arguments.join("")));
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", kind, "-N", passphrase, "-f"])
                .arg(&path)
                .args(&arguments)
                .status();
            assert!(made.unwrap().success());
            sshd.authorize(&path.with_extension("pub"), "");
            let passphrase = Some(Passphrase::from(secret.to_owned())).filter(|_| !passphrase.is_empty());
            let opened = greet(Target { key: KeyFile { path, passphrase }, ..target(&sshd) }).await;
            assert!(opened.is_ok(), "{kind} {arguments:?}: {}", opened.unwrap_err());
        }
    }
}

#[tokio::test]
async fn unusable_keys_are_explained() {
    let sshd = Sshd::start();
    let with = |path: PathBuf, passphrase: Option<&str>| {
        let passphrase = passphrase.map(|secret| Passphrase::from(secret.to_owned()));
        refusal(Target { key: KeyFile { path, passphrase }, ..target(&sshd) })
    };
    assert_mentions(&with(sshd.path("nothing"), None).await, &["nothing", "does not exist"]);
    for (name, format) in [("new", "RFC4716"), ("pkcs8", "PKCS8"), ("pem", "PEM")] {
        let path = sshd.path(name);
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "rsa", "-m", format, "-N", "right one", "-f"])
            .arg(&path)
            .status();
        assert!(made.unwrap().success());
        assert_mentions(&with(path.clone(), None).await, &["is encrypted", name]);
        let wrong = with(path, Some("wrong one")).await;
        assert_mentions(&wrong, &["does not open with the configured passphrase", name]);
        assert!(!wrong.contains("wrong one"));
    }
    let path = sshd.client_key();
    for (mode, refused) in [(0o604, true), (0o620, true), (0o640, false), (0o400, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        if refused {
            assert_mentions(
                &with(path.clone(), None).await,
                &["open to others", &format!("{mode:04o}"), "chmod 600"],
            );
        } else {
            greet(target(&sshd)).await.unwrap();
        }
    }
    let public = sshd.path("client.pub");
    fs::set_permissions(&public, fs::Permissions::from_mode(0o600)).unwrap();
    assert_mentions(&with(public, None).await, &["not a private key"]);
}
