//! From nothing to a session that is logged in: resolve, connect, check the host key, authenticate.

use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, AuthResult, DisconnectReason, Handle};
use russh::keys::ssh_key::PublicKey;
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKeyBase64 as _, PublicKeyOrCertificate};
use russh::{AlgorithmKind, Preferred};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Target;
use super::fate::Fate;
use super::hostkeys::{Expectation, HostKeyError, Verdict};
use super::keys;
use super::known_hosts::HostKey;
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
    fn new(retry: Retry, transient: bool, message: String) -> Self {
        Self { retry, transient, message }
    }
}

/// A logged-in session, still without any bookkeeping.
pub(super) struct Established {
    pub(super) handle: Handle<Client>,
    pub(super) fate: Arc<Fate>,
}

/// The library's callbacks: it asks about the host key and tells when the connection ends.
pub(super) struct Client {
    target: Target,
    expectation: Arc<Expectation>,
    accepted: Option<HostKey>,
    fate: Arc<Fate>,
}

impl Drop for Client {
    /// The library drops its handler whatever ends the connection; its callback for that is sometimes skipped.
    fn drop(&mut self) {
        self.fate.ended();
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error(transparent)]
    Ssh(#[from] russh::Error),
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
}

impl client::Handler for Client {
    type Error = ClientError;

    async fn check_server_key(&mut self, presented: &PublicKeyOrCertificate) -> Result<bool, ClientError> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = presented else {
            return Err(HostKeyError::Certificate.into());
        };
        let key = host_key(key);
        // Asked again at each exchange of session keys; only the very same key will do then.
        if let Some(accepted) = &self.accepted {
            return Ok(*accepted == key);
        }
        let (expectation, judged) = (Arc::clone(&self.expectation), key.clone());
        let verdict = blocking(move || expectation.judge(&judged)).await.map_err(russh::Error::from)??;
        if verdict == Verdict::New {
            warn!(server = %self.target, key = %key.kind, fingerprint = %key.fingerprint(), "trusting a new host key from now on");
        }
        self.accepted = Some(key);
        Ok(true)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<ClientError>) -> Result<(), ClientError> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                self.fate.because(format!("the server disconnected: {}", one_line(&info.message)));
                Ok(())
            }
            DisconnectReason::Error(error) => {
                self.fate.because(match &error {
                    ClientError::Ssh(error) => plain(error),
                    ClientError::HostKey(error) => error.to_string(),
                });
                Err(error)
            }
        }
    }
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
    let client = Client {
        target: target.clone(),
        expectation: Arc::clone(&expectation),
        accepted: None,
        fate: Arc::clone(&fate),
    };
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

async fn connect(target: &Target) -> Result<TcpStream, ConnectError> {
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
async fn within<T>(
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

fn handshake_error(target: &Target, expectation: &Expectation, error: &ClientError) -> ConnectError {
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

/// The library's errors in plain words.
fn plain(error: &russh::Error) -> String {
    match error {
        russh::Error::Disconnect | russh::Error::HUP => "the server closed the connection".to_owned(),
        russh::Error::IO(error) if error.kind() == io::ErrorKind::ConnectionAborted => {
            "closed from this side".to_owned()
        }
        russh::Error::IO(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the server closed the connection".to_owned()
        }
        russh::Error::KeepaliveTimeout => "the server stopped answering".to_owned(),
        russh::Error::Version => {
            "that is not an SSH server, or it turns this address away; is the port right?".to_owned()
        }
        other => one_line(&other.to_string()),
    }
}

/// Text from the other side, harmless for a log: one line, no control characters, not endless.
pub(super) fn one_line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

fn host_key(key: &PublicKey) -> HostKey {
    // RSA keys carry the same type whatever hash their signatures use.
    let kind =
        if key.algorithm().is_rsa() { "ssh-rsa".to_owned() } else { key.algorithm().as_str().to_owned() };
    HostKey { kind, blob: key.public_key_bytes() }
}

/// Runs file work and slow cryptography beside the event loop.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}
