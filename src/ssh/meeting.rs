//! Asking a server for its host key without logging in, so that a person can say whether it is the right one.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use russh::client;
use russh::keys::PublicKeyOrCertificate;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::handler::{ClientError, blocking, host_key};
use super::handshake::{ConnectError, connect, handshake_error, settings, within};
use super::hostkeys::{Expectation, HostKeyError, Verdict};
use super::known_hosts::HostKey;
use super::stream::Pluggable;
use super::{ExecError, Sent, Target};

/// A server has shown its host key, and it is the one on file or there is none on file. Displayed as
/// `ssh-ed25519 SHA256:…`, as ssh-keygen shows it on the server.
#[derive(Debug)]
pub struct Meeting {
    server: String,
    expectation: Arc<Expectation>,
    presented: HostKey,
    known: bool,
}

impl fmt::Display for Meeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.presented.kind, self.presented.fingerprint())
    }
}

impl Meeting {
    /// Whether this very key is pinned or on file already.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// Writes the key that was shown to the file of known host keys: from now on it must not change.
    ///
    /// # Errors
    /// If the file cannot be written, or got another key for this server meanwhile.
    pub async fn trust(&self) -> Result<(), ExecError> {
        let (expectation, presented) = (Arc::clone(&self.expectation), self.presented.clone());
        let recorded = blocking(move || expectation.accept(&presented)).await;
        let text = match recorded {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Err(refused(format!("trusting {}: {text}", self.server)))
    }
}

/// Connects, takes the host key and hangs up. Bounded by the target's time limit.
pub(super) async fn meet(target: &Target) -> Result<Meeting, ExecError> {
    let not_sent = |error: ConnectError| ExecError {
        sent: Sent::No,
        transient: error.transient,
        message: error.to_string(),
    };
    let deadline = Instant::now() + target.connect_timeout;
    let expectation = Expectation::of(target).await.map_err(not_sent)?;
    let algorithms = expectation.algorithms().map_err(|error| host_key_error(target, &error))?;
    let stream = within(deadline, target, "connect", connect(target)).await.map_err(not_sent)?;
    let plug = CancellationToken::new();
    let shown = Arc::<Mutex<Option<HostKey>>>::default();
    let shake = async {
        let taker = Taker(Arc::clone(&shown));
        let shaken =
            client::connect_stream(Arc::new(settings(algorithms)), Pluggable::new(stream, &plug), taker)
                .await;
        shaken.map_err(|error| handshake_error(target, &expectation, &error)).map(drop)
    };
    let shaken = within(deadline, target, "SSH handshake", shake).await;
    plug.cancel();
    let taken = shown.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(presented) = taken else {
        let lost = || refused(format!("connecting to {target}: the server showed no host key"));
        return Err(shaken.map_or_else(not_sent, |()| lost()));
    };
    let (asked, judged) = (Arc::clone(&expectation), presented.clone());
    let verdict = blocking(move || asked.consider(&judged)).await;
    let verdict = verdict.map_err(|error| refused(error.to_string()))?;
    let verdict = verdict.map_err(|error| host_key_error(target, &error))?;
    Ok(Meeting { server: target.to_string(), expectation, presented, known: verdict == Verdict::Known })
}

fn refused(message: String) -> ExecError {
    ExecError { sent: Sent::No, transient: false, message }
}

fn host_key_error(target: &Target, error: &HostKeyError) -> ExecError {
    refused(format!("connecting to {target}: {error}"))
}

/// Takes the first host key and ends the handshake with it: nothing is sent beyond that point.
struct Taker(Arc<Mutex<Option<HostKey>>>);

impl client::Handler for Taker {
    type Error = ClientError;

    async fn check_server_key(&mut self, presented: &PublicKeyOrCertificate) -> Result<bool, ClientError> {
        match presented {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(host_key(key));
                Ok(false)
            }
            PublicKeyOrCertificate::Certificate(_) => Err(HostKeyError::Certificate.into()),
        }
    }
}
