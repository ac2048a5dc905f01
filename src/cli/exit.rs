//! How a command ends.

use std::process::ExitCode;

/// The exit codes of the design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done; of a run: every job completed.
    Done,
    /// Could not start, or a check failed.
    CouldNotStart,
    /// Some job did not complete, or some server could not be asked.
    Incomplete,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::CouldNotStart => 1,
            Exit::Incomplete => 2,
        })
    }
}

/// Why a command could not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// This process may not be the runner.
    #[error(transparent)]
    Claim(#[from] crate::runner::ClaimError),
    /// The daemon could not start or had to end.
    #[error(transparent)]
    Daemon(#[from] crate::daemon::DaemonError),
    /// A server's key cannot be used.
    #[error(transparent)]
    Line(#[from] crate::runner::LineError),
    /// The control socket cannot be used.
    #[error(transparent)]
    Control(#[from] crate::control::ControlError),
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] crate::history::HistoryError),
    /// A name that is not in the configuration.
    #[error("{0}")]
    Unknown(String),
    /// What was published could not be taken back.
    #[error(transparent)]
    Clear(#[from] crate::mqtt::ClearError),
    /// A mail could not be sent.
    #[error(transparent)]
    Mail(#[from] crate::notify::MailError),
    /// A file of the setup cannot be made.
    #[error(transparent)]
    File(#[from] crate::setup::FileError),
    /// A server's public key cannot be had.
    #[error(transparent)]
    Key(#[from] crate::ssh::KeyPairError),
    /// The configuration does not have what is asked for.
    #[error("{0}")]
    Unusable(String),
    /// Another runner is at work.
    #[error("{0}")]
    Busy(String),
    /// The daemon did not take the jobs.
    #[error("{0}")]
    NotHanded(String),
    /// The program's own machinery.
    #[error("starting: {0}")]
    Start(#[from] std::io::Error),
    /// What was to be printed could not be put together.
    #[error("printing: {0}")]
    Print(#[from] serde_json::Error),
}
