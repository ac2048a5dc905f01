//! The ways to the servers.

use std::sync::Arc;

use crate::config::{Config, KnownHostsPolicy, Server};
use crate::jetbackup::Client;
use crate::model::ServerName;
use crate::{ssh, state_dir};

/// A server's key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("servers.{server}{what}")]
pub struct LineError {
    server: ServerName,
    /// `.host_key: …`, or `: …`.
    what: String,
}

/// A server and the way to it.
pub struct Line {
    /// The server.
    pub name: ServerName,
    /// What asks its JetBackup.
    pub client: Arc<Client>,
    connection: Arc<ssh::Connection>,
}

impl Line {
    /// Says goodbye to the server.
    pub async fn close(&self) {
        self.connection.close().await;
    }
}

/// The lines to these servers. Nothing is connected until the first call.
///
/// # Errors
/// If a pinned host key makes no sense or a passphrase cannot be read.
pub fn lines(config: &Config, servers: &[&Server]) -> Result<Vec<Line>, LineError> {
    if config.orchestrator.known_hosts == KnownHostsPolicy::AcceptNew
        && servers.iter().any(|server| server.host_key.is_none())
    {
        // `test` comes before the first run, and the host keys it meets need a place. Where it cannot be made, each
        // server's answer says so, unless its key is known already.
        if let Err(error) = state_dir::ensure(&config.orchestrator.state_dir) {
            tracing::warn!("{error}");
        }
    }
    servers.iter().map(|server| line(config, server)).collect()
}

fn line(config: &Config, server: &Server) -> Result<Line, LineError> {
    let connection = Arc::new(ssh::Connection::new(target(config, server)?));
    let exec: Arc<dyn ssh::Exec> = Arc::clone(&connection) as _;
    let client = Arc::new(Client::new(server.name.clone(), exec, server.ssh_timeout));
    Ok(Line { name: server.name.clone(), client, connection })
}

/// Where a server is, whom to log in as there, and whom to trust.
///
/// # Errors
/// If its pinned host key makes no sense or a passphrase cannot be read.
pub fn target(config: &Config, server: &Server) -> Result<ssh::Target, LineError> {
    let failed = |what: String| LineError { server: server.name.clone(), what };
    let host_key = match &server.host_key {
        Some(pinned) => {
            ssh::HostKeyPolicy::Pinned(pinned.parse().map_err(|error| failed(format!(".host_key: {error}")))?)
        }
        None => ssh::HostKeyPolicy::KnownHosts {
            file: config.orchestrator.state_dir.join("known_hosts"),
            accept_new: config.orchestrator.known_hosts == KnownHostsPolicy::AcceptNew,
        },
    };
    let passphrase = server.ssh_key.passphrase.as_ref().map(|secret| secret.read()).transpose();
    let passphrase = passphrase.map_err(|error| failed(format!(": {error}")))?;
    Ok(ssh::Target {
        name: server.name.to_string(),
        host: server.host.clone(),
        port: server.port,
        user: server.user.clone(),
        key: ssh::KeyFile { path: server.ssh_key.path.clone(), passphrase: passphrase.map(Into::into) },
        connect_timeout: server.ssh_timeout,
        host_key,
    })
}
