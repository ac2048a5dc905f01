//! A first look at a server: which host key it presents and how that stands, without a login. What is to become of a
//! new key is for a person to say.

use std::fmt;
use std::sync::{Arc, OnceLock};

use russh::client;
use russh::keys::PublicKeyOrCertificate;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::handler::{ClientError, blocking, host_key};
use super::handshake::{ConnectError, Retry, connect, handshake_error, settings, within};
use super::hostkeys::{Expectation, HostKeyError, Verdict, describe};
use super::known_hosts::HostKey;
use super::stream::Pluggable;
use super::{HostKeyPolicy, PinnedKey, Target};

/// A server that was met. Displayed as its key's type and fingerprint: `ssh-ed25519 SHA256:…`, as ssh-keygen shows it
/// on the server.
#[derive(Debug, Clone)]
pub struct Meeting {
    /// How the key stands.
    pub standing: HostKeyStanding,
    /// Why a login refuses the key all the same, if it does: nothing is on file, and only what is on file is accepted.
    pub refused: Option<String>,
    presented: HostKey,
    expectation: Arc<Expectation>,
}

/// How a host key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKeyStanding {
    /// It is the configured one.
    Pinned,
    /// It is on file.
    Known,
    /// Nothing is on file for this server.
    New,
}

/// Why a server was not met, or its key not put on file.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MeetError {
    /// There is no connection, or no SSH on it. The text says it all.
    #[error("{0}")]
    Connection(String),
    /// Its host key is not acceptable, or what is on file cannot be read or written.
    #[error("{0}")]
    HostKey(String),
}

impl fmt::Display for Meeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&describe(&self.presented))
    }
}

impl Meeting {
    /// The key, to be the only one that is accepted for the rest of a visit.
    #[must_use]
    pub fn key(&self) -> PinnedKey {
        self.presented.clone().into()
    }

    /// Writes the key that was shown to the file of known host keys: from now on it must not change.
    ///
    /// # Errors
    /// If the file cannot be written, or got another key for this server meanwhile.
    pub async fn trust(&self) -> Result<(), MeetError> {
        let (expectation, presented) = (Arc::clone(&self.expectation), self.presented.clone());
        let recorded = blocking(move || expectation.accept(&presented)).await;
        let recorded = recorded.map_err(|error| MeetError::HostKey(error.to_string()))?;
        recorded.map(drop).map_err(distrust)
    }
}

fn distrust(error: HostKeyError) -> MeetError {
    MeetError::HostKey(error.to_string())
}

/// Connects, has the server prove its host key, and hangs up. Takes as long as the target's time limit at most.
/// Nothing is recorded.
///
/// # Errors
/// If there is no connection, or the key contradicts what is configured or on file.
pub async fn meet(target: &Target) -> Result<Meeting, MeetError> {
    let broken = |error: std::io::Error| MeetError::Connection(error.to_string());
    let missed = |error: ConnectError| MeetError::Connection(error.to_string());
    let deadline = Instant::now() + target.connect_timeout;
    let expectation = Expectation::of(target).await.map_err(broken)?.map_err(distrust)?;
    let algorithms = expectation.algorithms().map_err(distrust)?;

    let stream = within(deadline, target, "connect", connect(target)).await.map_err(missed)?;
    let plug = CancellationToken::new();
    // However this ends, the connection does too.
    let _unplug = plug.clone().drop_guard();
    let seen = Arc::new(OnceLock::new());
    let shake = async {
        let (visitor, config) = (Visitor { seen: Arc::clone(&seen) }, Arc::new(settings(algorithms)));
        let shaken = client::connect_stream(config, Pluggable::new(stream, &plug), visitor).await;
        match (seen.get(), shaken) {
            (Some(key), _) => Ok(HostKey::clone(key)),
            (None, Err(error)) => Err(handshake_error(target, &expectation, &error)),
            (None, Ok(_)) => Err(ConnectError::new(
                Retry::Later,
                true,
                format!("connecting to {target}: the server showed no host key"),
            )),
        }
    };
    let presented = match within(deadline, target, "SSH handshake", shake).await {
        Ok(key) => key,
        // The server has no key of the type that is expected.
        Err(error) if error.retry == Retry::Refused => return Err(MeetError::HostKey(error.to_string())),
        Err(error) => return Err(missed(error)),
    };
    let (standing, refused) = match (expectation.consider(&presented), &target.host_key) {
        (Ok(Verdict::Known), HostKeyPolicy::Pinned(_)) => (HostKeyStanding::Pinned, None),
        (Ok(Verdict::Known), HostKeyPolicy::KnownHosts { .. }) => (HostKeyStanding::Known, None),
        (Ok(Verdict::New), _) => (HostKeyStanding::New, None),
        (Err(error @ HostKeyError::Unknown { .. }), _) => (HostKeyStanding::New, Some(error.to_string())),
        (Err(error), _) => return Err(distrust(error)),
    };
    Ok(Meeting { standing, refused, presented, expectation })
}

/// Notes the key and goes: refusing it ends the handshake before anything else can happen.
struct Visitor {
    seen: Arc<OnceLock<HostKey>>,
}

impl client::Handler for Visitor {
    type Error = ClientError;

    async fn check_server_key(&mut self, presented: &PublicKeyOrCertificate) -> Result<bool, ClientError> {
        match presented {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                // There is one handshake, so one key.
                let _ = self.seen.set(host_key(key));
                Ok(false)
            }
            PublicKeyOrCertificate::Certificate(_) => Err(HostKeyError::Certificate.into()),
        }
    }
}
