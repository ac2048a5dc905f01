//! From nothing to a session that is logged in: resolve, connect, check the host key, authenticate.

use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, AuthResult, Handle};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg};
use russh::{AlgorithmKind, Preferred};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Target;
use super::fate::Fate;
use super::handler::{Client, ClientError, blocking, one_line, plain};
use super::hostkeys::Expectation;
use super::keys;
use super::stream::Pluggable;

/// A silent server gets a sign of life asked of it this often …
const KEEPALIVE: Duration = Duration::from_secs(15);
/// … and is given up after this many in a row without any answer.
const KEEPALIVES_LOST: usize = 3;

/// When connecting may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// The server was not bothered: the cause lies in a file on this side.
    AtOnce,
    /// After the next, longer pause.
    Later,
    /// The server refused us or we refused it. A person has to act.
    Refused,
}

/// Why no session came about. The text says it all: what was done, what happened, what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(super) struct ConnectError {
    pub(super) retry: Retry,
    pub(super) transient: bool,
    message: String,
}

impl ConnectError {
    pub(super) fn new(retry: Retry, transient: bool, message: String) -> Self {
        Self { retry, transient, message }
    }
}

/// A logged-in session, still without any bookkeeping.
pub(super) struct Established {
    pub(super) handle: Handle<Client>,
    pub(super) fate: Arc<Fate>,
}

/// Connects and logs in; `plug` cuts the connection whenever it is pulled, even half-way.
pub(super) async fn establish(
    target: &Target,
    plug: &CancellationToken,
) -> Result<Established, ConnectError> {
    let deadline = Instant::now() + target.connect_timeout;
    let local =
        |error: String| ConnectError::new(Retry::AtOnce, false, format!("connecting to {target}: {error}"));

    let file = target.key.clone();
    let key = blocking(move || keys::load(&file)).await.map_err(|error| local(error.to_string()))?;
    let key = key.map_err(|error| local(error.to_string()))?;
    let (policy, host, port) = (target.host_key.clone(), target.bare_host().to_owned(), target.port);
    let expectation = blocking(move || Expectation::prepare(&policy, &host, port)).await;
    let expectation = expectation.map_err(|error| local(error.to_string()))?;
    let expectation = Arc::new(expectation.map_err(|error| local(error.to_string()))?);
    let algorithms = expectation.algorithms().map_err(|error| local(error.to_string()))?;

    let stream = within(deadline, target, "connect", connect(target)).await?;
    debug!(server = %target, "connected, shaking hands");
    let config = client::Config {
        nodelay: true,
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVES_LOST,
        preferred: Preferred { key: Cow::Owned(algorithms), ..Preferred::DEFAULT },
        ..client::Config::default()
    };
    let fate = Arc::new(Fate::new(target.to_string()));
    let client = Client::new(target, &expectation, &fate);
    let shake = async {
        let shaken = client::connect_stream(Arc::new(config), Pluggable::new(stream, plug), client).await;
        shaken.map_err(|error| handshake_error(target, &expectation, &error))
    };
    let mut handle = within(deadline, target, "SSH handshake", shake).await?;
    debug!(server = %target, "host key accepted, authenticating");
    within(deadline, target, "login", authenticate(target, &mut handle, key, &fate)).await?;
    fate.begun();
    Ok(Established { handle, fate })
}

pub(super) async fn connect(target: &Target) -> Result<TcpStream, ConnectError> {
    let failed =
        |text: String| ConnectError::new(Retry::Later, true, format!("connecting to {target}: {text}"));
    let resolved = tokio::net::lookup_host((target.bare_host(), target.port)).await;
    let addresses: Vec<_> = resolved
        .map_err(|error| {
            failed(format!("the name cannot be resolved ({error}); is the host right and DNS working?"))
        })?
        .collect();
    // Tries one address after the other.
    let stream = TcpStream::connect(addresses.as_slice()).await.map_err(|error| {
        failed(match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                "connection refused; is sshd listening on that port?".to_owned()
            }
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                "there is no way to that address; is the network up?".to_owned()
            }
            _ => format!("{error}; is the address right and the server up?"),
        })
    })?;
    stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
    Ok(stream)
}

async fn authenticate(
    target: &Target,
    handle: &mut Handle<Client>,
    key: PrivateKey,
    fate: &Fate,
) -> Result<(), ConnectError> {
    let lost = |text: String| {
        ConnectError::new(
            Retry::Later,
            true,
            format!("logging in to {target}: the connection was lost ({text})"),
        )
    };
    let refused = |text: String| ConnectError::new(Retry::Refused, false, text);
    let (name, path, user) = (&target.name, target.key.path.display(), &target.user);
    let fingerprint = key.fingerprint(HashAlg::Sha256);

    let hash = if key.algorithm().is_rsa() {
        match handle.best_supported_rsa_hash().await.map_err(|error| lost(plain(&error)))? {
            // A server that names no algorithms may still know the good ones.
            None => Some(HashAlg::Sha512),
            Some(Some(hash)) => Some(hash),
            Some(None) => {
                return Err(refused(format!(
                    "{name} takes RSA signatures with SHA-1 only, which are forgeable; use an Ed25519 key instead of {path}"
                )));
            }
        }
    } else {
        None
    };
    let answer = handle.authenticate_publickey(user, PrivateKeyWithHashAlg::new(Arc::new(key), hash)).await;
    match answer.map_err(|error| lost(plain(&error)))? {
        AuthResult::Success => Ok(()),
        AuthResult::Failure { partial_success: true, .. } => Err(refused(format!(
            "{name} accepted the key {path} (user {user}) but wants a second factor; allow this user to log in with the key alone"
        ))),
        // The library reports a lost connection as a refusal without any method left.
        AuthResult::Failure { remaining_methods, .. }
            if remaining_methods.is_empty() && handle.is_closed() =>
        {
            Err(lost(fate.reason()))
        }
        AuthResult::Failure { .. } => Err(refused(format!(
            "{name} refused the key {path} (user {user}, {fingerprint}); add its public half to authorized_keys there"
        ))),
    }
}

/// Bounds a step by the time left for all of them.
pub(super) async fn within<T>(
    deadline: Instant,
    target: &Target,
    step: &str,
    work: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    timeout_at(deadline, work).await.unwrap_or_else(|_| {
        let limit = target.connect_timeout.as_secs_f32();
        let text = format!("connecting to {target}: no answer within {limit} s ({step}); is the server up and no firewall in between?");
        Err(ConnectError::new(Retry::Later, true, text))
    })
}

pub(super) fn handshake_error(
    target: &Target,
    expectation: &Expectation,
    error: &ClientError,
) -> ConnectError {
    let refused =
        |text: String| ConnectError::new(Retry::Refused, false, format!("connecting to {target}: {text}"));
    match error {
        // A file that cannot be written is like a refusal: the server has been bothered in vain.
        ClientError::HostKey(error) => refused(error.to_string()),
        ClientError::Ssh(russh::Error::NoCommonAlgo { kind: AlgorithmKind::Key, theirs, .. }) => {
            refused(format!(
                "the server has no host key of the type expected ({}; it offers {}); its host key may have changed: compare and correct the entry",
                expectation.describe(),
                one_line(&theirs.join(", "))
            ))
        }
        ClientError::Ssh(russh::Error::NoCommonAlgo { kind, theirs, .. }) => refused(format!(
            "no common algorithm ({kind:?}); the server offers only {}",
            one_line(&theirs.join(", "))
        )),
        ClientError::Ssh(error) => ConnectError::new(
            Retry::Later,
            true,
            format!("connecting to {target}: SSH handshake failed: {}", plain(error)),
        ),
    }
}
