//! An SSH server in this process that answers from a [`World`], with faults of its own.
//!
//! It knows command lines and bytes, and nothing of what they mean. Host and client keys are derived from seeds, so that
//! nothing outside the process is needed.

mod fault;
mod handler;
mod keys;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::keys::{HashAlg, PrivateKey, PublicKey};
use russh::server::Config;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::clock::Clock;
use crate::world::World;

pub use fault::{SshFault, SshSpoil};
pub use keys::Key;

use handler::Handler;
use wire::Wires;

/// How a server behaves.
#[derive(Debug, Clone)]
pub struct SshOptions {
    /// The port; 0 takes any free one. Starting again on the old port makes a server "come back".
    pub port: u16,
    /// The host key.
    pub host_key: Key,
    /// The only client key that is let in; `None` lets any in.
    pub client_key: Option<Key>,
    /// How many channels a connection may have open at once (OpenSSH's `MaxSessions` is 10).
    pub max_sessions: usize,
    /// What clients are told before they authenticate.
    pub banner: Option<String>,
}

impl Default for SshOptions {
    fn default() -> Self {
        Self { port: 0, host_key: Key::from_seed(1), client_key: None, max_sessions: 10, banner: None }
    }
}

/// What has happened on a server so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SshCounts {
    /// Connections accepted.
    pub connections: usize,
    /// Connections open now.
    pub open: usize,
    /// The most connections that were open at once.
    pub most_open: usize,
    /// Connections that authenticated.
    pub authenticated: usize,
    /// Channels opened.
    pub channels: usize,
    /// Channels refused because of `max_sessions`.
    pub channels_refused: usize,
    /// Exec requests that arrived.
    pub execs: usize,
}

/// What a server's connections share.
struct Shared {
    world: Arc<Mutex<World>>,
    clock: Clock,
    options: SshOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    faults: Vec<SshFault>,
    refuse_auth: bool,
    refuse_connections: bool,
    counts: SshCounts,
    wires: Wires,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running server. It stops, and drops its connections, when dropped.
pub struct SshServer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl SshServer {
    /// Serves `world` on a loopback port.
    ///
    /// # Errors
    /// If the port cannot be had.
    pub async fn start(world: Arc<Mutex<World>>, clock: Clock, options: SshOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let addr = listener.local_addr()?;
        let config = Arc::new(Config {
            keys: vec![options.host_key.private().clone()],
            auth_rejection_time: Duration::ZERO,
            inactivity_timeout: None,
            nodelay: true,
            ..Config::default()
        });
        let shared = Arc::new(Shared { world, clock, options, state: Mutex::default() });
        let accepting = tokio::spawn(accept(listener, config, Arc::clone(&shared)));
        Ok(Self { addr, shared, accepting })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// The host's public key.
    pub fn host_key(&self) -> &PublicKey {
        self.private_host_key().public_key()
    }

    fn private_host_key(&self) -> &PrivateKey {
        self.shared.options.host_key.private()
    }

    /// The host key's fingerprint as OpenSSH shows it: `SHA256:...`.
    pub fn host_key_fingerprint(&self) -> String {
        self.host_key().fingerprint(HashAlg::Sha256).to_string()
    }

    /// The line for `known_hosts`.
    pub fn known_hosts_line(&self) -> String {
        format!("[127.0.0.1]:{} {}", self.port(), self.shared.options.host_key.public_line())
    }

    /// The world it serves.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }

    /// Adds a fault; of several that fit a command the first added counts.
    pub fn add_fault(&self, fault: SshFault) {
        self.shared.state().faults.push(fault);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared.state().faults.clear();
    }

    /// Whether every key is refused from now on.
    pub fn refuse_auth(&self, refuse: bool) {
        self.shared.state().refuse_auth = refuse;
    }

    /// Whether new connections are closed before a word is said.
    pub fn refuse_connections(&self, refuse: bool) {
        self.shared.state().refuse_connections = refuse;
    }

    /// Cuts all present connections, as if the network had.
    pub fn cut(&self) {
        self.shared.state().wires.cut_all();
    }

    /// Lets no byte through on all present connections any more, without closing them: a dead peer.
    pub fn freeze(&self) {
        self.shared.state().wires.freeze_all();
    }

    /// What has happened so far.
    pub fn counts(&self) -> SshCounts {
        self.shared.state().counts
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        // The connections' tasks belong to this one and end with it.
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, config: Arc<Config>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        if shared.state().refuse_connections || socket.set_nodelay(true).is_err() {
            continue;
        }
        let (near, far, wire) = wire::plug(socket);
        shared.state().wires.add(&wire);
        let handler = Handler::new(Arc::clone(&shared), wire);
        connections.spawn(far);
        connections.spawn(session(Arc::clone(&config), near, handler));
    }
}

async fn session(config: Arc<Config>, stream: wire::Near, handler: Handler) {
    // A client that goes away half-way is no concern of the server's.
    if let Ok(session) = russh::server::run_stream(config, stream, handler).await {
        let _ = session.await;
    }
}
