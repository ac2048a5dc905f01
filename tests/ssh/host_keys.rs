//! Which servers are trusted.

use std::fs;
use std::process::Command;

use jetbackup_remote::ssh::{Connection, HostKeyPolicy, HostKeyStanding, Target};

use crate::support::sshd::{Options, Sshd};
use crate::{assert_mentions, greet, refusal, target};

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
async fn a_host_key_is_shown_before_anyone_logs_in_and_trusted_only_when_told() {
    let mut sshd = Sshd::start();
    let connection = Connection::new(Target {
        host_key: HostKeyPolicy::KnownHosts { file: sshd.path("known_hosts"), accept_new: false },
        ..target(&sshd)
    });
    let meeting = connection.meet().await.unwrap();
    assert_eq!(meeting.to_string(), format!("ssh-ed25519 {}", fingerprint(&sshd, "ed25519")));
    assert!(
        meeting.standing == HostKeyStanding::New && !sshd.path("known_hosts").exists(),
        "showing it records nothing"
    );
    meeting.trust().await.unwrap();
    let known_hosts = fs::read_to_string(sshd.path("known_hosts")).unwrap();
    assert_eq!(known_hosts, format!("[127.0.0.1]:{} {}\n", sshd.port(), sshd.host_key("ed25519")));
    assert_eq!(connection.meet().await.unwrap().standing, HostKeyStanding::Known);
    meeting.trust().await.unwrap();
    assert_eq!(fs::read_to_string(sshd.path("known_hosts")).unwrap(), known_hosts, "once is enough");
    assert_eq!(sshd.accepted(), 0, "nobody logged in");

    sshd.stop();
    sshd.replace_host_key("ed25519");
    sshd.resume();
    let error = connection.meet().await.unwrap_err();
    assert_mentions(&error.to_string(), &["has CHANGED"]);
    sshd.stop();
    let error = connection.meet().await.unwrap_err();
    assert_mentions(&error.to_string(), &["connection refused"]);
}

#[tokio::test]
async fn a_peer_that_is_no_ssh_server_or_says_nothing_is_met_with_an_error() {
    use std::time::Duration;
    let sshd = Sshd::start();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = Target { port, connect_timeout: Duration::from_millis(300), ..target(&sshd) };
    let error = Connection::new(silent).meet().await.unwrap_err();
    assert_mentions(&error.to_string(), &["no answer within 0.3 s (SSH handshake)"]);
}
