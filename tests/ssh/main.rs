//! Proves the SSH room against real OpenSSH servers and an odd one: commands, failures, host keys, private keys.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod calls;
mod host_keys;
mod keys;
mod peer;
#[path = "../support/mod.rs"]
mod support;
mod trouble;

use std::path::PathBuf;
use std::time::Duration;

use jetbackup_remote::ssh::{Connection, Exec as _, ExecError, HostKeyPolicy, KeyFile, Output, Sent, Target};
use support::sshd::{Sshd, eventually};

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
