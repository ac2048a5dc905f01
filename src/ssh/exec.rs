//! What the rest of the program knows of SSH: a command goes out, an output comes back, or it is told how far it got.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A future of [`Exec::exec`].
pub type ExecFuture<'a> = Pin<Box<dyn Future<Output = Result<Output, ExecError>> + Send + 'a>>;

/// One server that commands can be run on.
pub trait Exec: Send + Sync {
    /// Runs `command` in a fresh exec channel and reads it to its end.
    ///
    /// `limit` bounds everything from the call to the answer, connecting included.
    fn exec(&self, command: String, limit: Duration) -> ExecFuture<'_>;
}

/// What a command left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Everything it wrote to standard output.
    pub stdout: Vec<u8>,
    /// The beginning of what it wrote to standard error (at most 4 KiB), lossily decoded.
    pub stderr: String,
    /// Its exit status.
    pub exit: u32,
}

/// How far a failed command got. Only [`Sent::No`] permits sending a command with an effect again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The exec request never left this machine.
    No,
    /// The request may have reached the server, which may have acted on it and may still be at it.
    Maybe,
}

/// A command that gave no usable answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ExecError {
    /// How far the request got.
    pub sent: Sent,
    /// Whether trying again without a person's help can succeed (a refused key cannot, a lost connection can).
    pub transient: bool,
    /// What was being done to what, what went wrong and what to do about it; one line, no secrets.
    pub message: String,
}
