//! What can go wrong between the command line and the runner.

use std::io;
use std::path::PathBuf;

use super::Runner;

/// Serving or asking over the control socket failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Another runner serves the socket.
    #[error(
        "another runner{} already serves {}: only one may run at a time; end it first, or ask it with `status`",
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
        path.display()
    )]
    InUse {
        /// The socket.
        path: PathBuf,
        /// The process that listens, where the system tells.
        pid: Option<u32>,
    },
    /// Something that is no socket stands where the socket should be.
    #[error(
        "{} is not a socket and is left alone: move it away, or set `orchestrator.control_socket` elsewhere",
        path.display()
    )]
    NotASocket {
        /// What is in the way.
        path: PathBuf,
    },
    /// The system does not let this user reach the socket.
    #[error(
        "no permission to reach the control socket {}, so it is not known whether a runner is active: use sudo, \
         or become a member of the group that owns it",
        path.display()
    )]
    NoAccess {
        /// The socket.
        path: PathBuf,
    },
    /// The socket can't be made.
    #[error("cannot {doing} {}: {source}", path.display())]
    Setup {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The socket is there and reaching it fails.
    #[error("cannot connect to the control socket {}: {source}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The runner is there and the conversation broke off.
    #[error("the runner at {} does not answer: {reason}; it may be ending, so try again", path.display())]
    Silent {
        /// The socket.
        path: PathBuf,
        /// What was heard instead.
        reason: String,
    },
    /// The runner that was followed has said goodbye.
    #[error("{} (process {pid}) has ended", runner.name())]
    Ended {
        /// What kind of runner.
        runner: Runner,
        /// Its process.
        pid: u32,
    },
    /// What the runner says is not understood.
    #[error(
        "the runner at {} is not understood ({reason}): it may be of another version; restart it after an upgrade",
        path.display()
    )]
    NotUnderstood {
        /// The socket.
        path: PathBuf,
        /// What was wrong with it.
        reason: String,
    },
    /// The runner does not take the question.
    #[error("{} (process {pid}) says: {error}", runner.name())]
    Refused {
        /// What kind of runner.
        runner: Runner,
        /// Its process.
        pid: u32,
        /// Its words.
        error: String,
    },
}
