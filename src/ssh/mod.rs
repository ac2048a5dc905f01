//! Connections to the servers: one SSH connection each, one exec channel per command, host keys checked.
//!
//! This room knows OpenSSH's ways and nothing of JetBackup. Everything above it sees only the [`Exec`] trait, so the
//! library behind it can be exchanged and tests can answer in its place.

mod exec;

pub use exec::{Exec, ExecError, ExecFuture, Output, Sent};
