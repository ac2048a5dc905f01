//! Which private keys open a server, and what is said of those that do not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use jetbackup_remote::ssh::{Connection, KeyFile, Passphrase, Sent, Target};

use crate::support::sshd::{Sshd, keygen};
use crate::{assert_mentions, greet, refusal, run, target};

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
            // A passphrase that is not needed does no harm.
            let needed = Some(Passphrase::from(secret.to_owned()));
            let without = passphrase.is_empty().then_some(None);
            for passphrase in without.into_iter().chain([needed]) {
                let key = KeyFile { path: path.clone(), passphrase };
                let opened = greet(Target { key, ..target(&sshd) }).await;
                assert!(opened.is_ok(), "{kind} {arguments:?}: {}", opened.unwrap_err());
            }
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
