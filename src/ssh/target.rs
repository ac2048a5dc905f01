//! One server as the configuration describes it.

use std::fmt;
use std::time::Duration;

use super::{HostKeyPolicy, KeyFile};

/// Where to connect, as whom, and whom to trust.
#[derive(Debug, Clone)]
pub struct Target {
    /// The server's name in the configuration, for messages.
    pub name: String,
    /// A host name or an address.
    pub host: String,
    /// The port of its sshd.
    pub port: u16,
    /// The account to log in to.
    pub user: String,
    /// The key to log in with.
    pub key: KeyFile,
    /// The most that connecting and logging in may take together.
    pub connect_timeout: Duration,
    /// Which host key is accepted.
    pub host_key: HostKeyPolicy,
}

impl Target {
    /// The host without the brackets that some write around an IPv6 address.
    pub(super) fn bare_host(&self) -> &str {
        self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host)
    }
}

/// `web1 (web1.example.com:51514)`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, host, port) = (&self.name, self.bare_host(), self.port);
        if host.contains(':') {
            write!(f, "{name} ([{host}]:{port})")
        } else {
            write!(f, "{name} ({host}:{port})")
        }
    }
}
