//! Connections to the servers: one SSH connection each, one exec channel per command, host keys checked.
//!
//! This room knows OpenSSH's ways and nothing of JetBackup. Everything above it sees only the [`Exec`] trait, so the
//! library behind it can be exchanged and tests can answer in its place.

mod backoff;
mod command;
mod connection;
mod exec;
mod fate;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod handler;
mod handshake;
mod hostkeys;
mod keys;
mod known_hosts;
mod meeting;
mod pair;
mod reader;
mod record;
mod session;
mod stream;
mod target;

pub use connection::Connection;
pub use exec::{Exec, ExecError, ExecFuture, Output, Sent};
pub use hostkeys::{HostKeyPolicy, PinnedKey, PinnedKeyError};
pub use keys::{KeyFile, Passphrase};
pub use meeting::{HostKeyStanding, MeetError, Meeting, meet};
pub use pair::{KeyPair, KeyPairError, PrivateText, public_line};
pub use target::Target;
