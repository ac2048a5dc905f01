//! A server that does what OpenSSH never does: channels of its own, answers without an end, ends without an answer.

use std::sync::Arc;
use std::time::Duration;

use jetbackup_remote::ssh::{Connection, HostKeyPolicy, KeyFile, Sent, Target};
use russh::keys::{PrivateKey, PublicKeyBase64 as _, load_secret_key};
use russh::server::{self, Auth, ChannelOpenHandle, Handle, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, Disconnect, Error};
use tokio::net::TcpListener;

use crate::support::sshd::keygen;
use crate::{assert_mentions, run};

/// Answers a command by its first word.
struct Odd;

impl server::Handler for Odd {
    type Error = Error;

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Error> {
        session.channel_success(channel)?;
        match command {
            b"intrude" => {
                tokio::spawn(intrude(session.handle(), channel));
            }
            b"vanish" => {
                session.data(channel, "half of it")?;
                session.exit_status_request(channel, 0)?;
                session.disconnect(Disconnect::ByApplication, "going down\nfor maintenance", "")?;
            }
            b"complete" => {
                session.exit_status_request(channel, 3)?;
                session.data(channel, "all of it")?;
                session.eof(channel)?;
                session.disconnect(Disconnect::ByApplication, "going down", "")?;
            }
            _ => {
                session.data(channel, "no status")?;
                session.eof(channel)?;
                session.close(channel)?;
            }
        }
        Ok(())
    }
}

/// Tries every kind of channel towards the client, and answers with the number of those it refused.
async fn intrude(handle: Handle, channel: ChannelId) {
    let tried = [
        handle.channel_open_agent().await,
        handle.channel_open_session().await,
        handle.channel_open_direct_tcpip("127.0.0.1", 22, "127.0.0.1", 1).await,
        handle.channel_open_direct_streamlocal("/run/secret").await,
        handle.channel_open_forwarded_tcpip("127.0.0.1", 22, "127.0.0.1", 1).await,
        handle.channel_open_forwarded_streamlocal("/run/secret").await,
        handle.channel_open_x11("127.0.0.1", 1).await,
    ];
    let refused = tried.iter().filter(|tried| matches!(tried, Err(Error::ChannelOpenFailure(_)))).count();
    handle.data(channel, format!("{refused} of {}", tried.len())).await.unwrap();
    handle.exit_status_request(channel, 0).await.unwrap();
    handle.eof(channel).await.unwrap();
    handle.close(channel).await.unwrap();
}

/// Starts the server, which ends with the test's runtime.
async fn connect(directory: &tempfile::TempDir) -> Connection {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let path = directory.path().join("key");
    keygen(&path, "ed25519", "");
    let key: PrivateKey = load_secret_key(&path, None).unwrap();
    let pin = format!("ssh-ed25519 {}", key.public_key().public_key_base64());
    let config = Arc::new(server::Config { keys: vec![key], ..server::Config::default() });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(server::run_stream(Arc::clone(&config), stream, Odd).await.unwrap());
        }
    });
    Connection::new(Target {
        name: "odd".to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
        user: "root".to_owned(),
        key: KeyFile { path, passphrase: None },
        connect_timeout: Duration::from_secs(30),
        host_key: HostKeyPolicy::Pinned(pin.parse().unwrap()),
    })
}

#[tokio::test]
async fn channels_from_the_server_are_refused_and_the_connection_stays() {
    let directory = tempfile::tempdir().unwrap();
    let connection = connect(&directory).await;
    for _ in 0..2 {
        let output = run(&connection, "intrude").await.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "7 of 7");
    }
}

#[tokio::test]
async fn an_answer_without_its_end_may_be_half_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let connection = connect(&directory).await;
    let error = run(&connection, "vanish").await.unwrap_err();
    assert_eq!((error.sent, error.transient), (Sent::Maybe, true));
    assert_mentions(&error.message, &["odd", "lost", "going down for maintenance", "may still be running"]);
    let output = run(&connection, "complete").await.unwrap();
    assert_eq!((output.stdout.as_slice(), output.exit), (&b"all of it"[..], 3));
}

#[tokio::test]
async fn an_end_without_a_status_is_no_answer() {
    let directory = tempfile::tempdir().unwrap();
    let connection = connect(&directory).await;
    let error = run(&connection, "stop").await.unwrap_err();
    assert_eq!((error.sent, error.transient), (Sent::Maybe, true));
    assert_mentions(&error.message, &["odd", "without an exit status"]);
}
