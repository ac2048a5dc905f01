//! A first look at a server: which host key it presents and how that stands, without a login and without a record.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use russh::keys::PublicKeyOrCertificate;
use russh::{Preferred, client};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::handler::{ClientError, blocking, host_key};
use super::handshake::{ConnectError, Retry, connect, handshake_error, within};
use super::hostkeys::{Expectation, HostKeyError, Verdict, describe};
use super::known_hosts::HostKey;
use super::stream::Pluggable;
use super::{HostKeyPolicy, PinnedKey, Target};

/// A server that was met.
#[derive(Debug, Clone)]
pub struct Meeting {
    /// Its key, to be pinned for the rest of this visit.
    pub key: PinnedKey,
    /// Type and fingerprint, as people compare them.
    pub shown: String,
    /// How it stands.
    pub standing: HostKeyStanding,
}

/// Why a host key is acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKeyStanding {
    /// It is the configured one.
    Pinned,
    /// It is on file.
    Known,
    /// Nothing is on file for this server, and the first connection would record this key.
    New,
}

/// Why a server was not met.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MeetError {
    /// There is no connection, or no SSH on it. The text says it all.
    #[error("{0}")]
    Connection(String),
    /// Its host key is not acceptable, or what is on file cannot be read.
    #[error("{0}")]
    HostKey(String),
}

/// Connects, has the server prove its host key, and hangs up. Takes as long as the target's time limit at most.
///
/// # Errors
/// If there is no connection, or the key is not one that a login would accept.
pub async fn meet(target: &Target) -> Result<Meeting, MeetError> {
    let distrust = |error: HostKeyError| MeetError::HostKey(error.to_string());
    let broken = |error: std::io::Error| MeetError::Connection(error.to_string());
    let (policy, host, port) = (target.host_key.clone(), target.bare_host().to_owned(), target.port);
    let expectation = blocking(move || Expectation::prepare(&policy, &host, port)).await.map_err(broken)?;
    let expectation = expectation.map_err(distrust)?;
    let algorithms = expectation.algorithms().map_err(distrust)?;

    let deadline = Instant::now() + target.connect_timeout;
    let missed = |error: ConnectError| MeetError::Connection(error.to_string());
    let stream = within(deadline, target, "connect", connect(target)).await.map_err(missed)?;
    let plug = CancellationToken::new();
    // However this ends, the connection does too.
    let _unplug = plug.clone().drop_guard();
    let config = client::Config {
        preferred: Preferred { key: Cow::Owned(algorithms), ..Preferred::DEFAULT },
        ..client::Config::default()
    };
    let seen = Arc::new(OnceLock::new());
    let shake = async {
        let visitor = Visitor { seen: Arc::clone(&seen) };
        let shaken = client::connect_stream(Arc::new(config), Pluggable::new(stream, &plug), visitor).await;
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
    let key = match within(deadline, target, "SSH handshake", shake).await {
        Ok(key) => key,
        // The server has no key of the type that is expected.
        Err(error) if error.retry == Retry::Refused => return Err(MeetError::HostKey(error.to_string())),
        Err(error) => return Err(missed(error)),
    };
    let standing = match (expectation.appraise(&key).map_err(distrust)?, &target.host_key) {
        (Verdict::New, _) => HostKeyStanding::New,
        (Verdict::Known, HostKeyPolicy::Pinned(_)) => HostKeyStanding::Pinned,
        (Verdict::Known, HostKeyPolicy::KnownHosts { .. }) => HostKeyStanding::Known,
    };
    Ok(Meeting { shown: describe(&key), key: key.into(), standing })
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
