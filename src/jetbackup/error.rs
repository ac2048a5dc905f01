//! What can go wrong between a request and a usable answer.

use crate::model::ServerName;
use crate::ssh::{ExecError, Output, Sent};

use super::text::one_line;

/// How many characters of an unexpected answer are shown.
const EXCERPT: usize = 120;

/// A request that got no usable answer: which server, which API function, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{server}: {function}: {cause}")]
pub struct ApiError {
    /// The server asked.
    pub server: ServerName,
    /// The API function, or `echo` for the connection test.
    pub function: &'static str,
    /// What went wrong and what to do about it.
    pub cause: Cause,
}

/// Why a request got no usable answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Cause {
    /// The command could not be run, or its answer did not arrive.
    #[error("{0}")]
    Exec(ExecError),
    /// The answer is nothing known. All texts are short and free of control characters.
    #[error(
        "exit status {exit} without a usable answer (stdout: {start:?}, stderr: {stderr:?}); try the same on the server \
         by hand"
    )]
    NotJson {
        /// How standard output begins.
        start: String,
        /// The exit status.
        exit: u32,
        /// How standard error begins.
        stderr: String,
    },
    /// JetBackup says `success: 0`.
    #[error("JetBackup refused: {}", refusal(message, troubles))]
    Refused {
        /// JetBackup's words, for people only.
        message: String,
        /// What keeps the whole product from working there, such as "a licence issue".
        troubles: Vec<&'static str>,
    },
    /// The SSH gate on the server does not let this function through.
    #[error(
        "the SSH gate on the server does not allow this function; install the jetbackup-ssh-gate.sh of this version \
         there, or add the function's `--allow` word in authorized_keys"
    )]
    GateRefused,
    /// A list could not be read to its end.
    #[error(
        "only {had} rows of a list of {} could be had in {pages} requests; nothing can be concluded from a part. If \
         this stays, clear old entries of this list in JetBackup",
        total.map_or_else(|| "unknown length".to_owned(), |total| total.to_string())
    )]
    Incomplete {
        /// The rows read.
        had: u64,
        /// The rows there are, by the server's account.
        total: Option<u64>,
        /// The requests it took.
        pages: u32,
    },
    /// JetBackup answered, but not with what the function answers.
    #[error("{what}; if this stays, this version of JetBackup is not supported")]
    Shape {
        /// What was found in place of what.
        what: String,
    },
}

/// The text of a refusal, with what keeps the product from working put first.
pub(crate) fn refusal(message: &str, troubles: &[&str]) -> String {
    let message = if message.is_empty() { "no reason given" } else { message };
    if troubles.is_empty() {
        return message.to_owned();
    }
    format!(
        "it reports {} ({message}); log in to JetBackup on the server and settle that",
        troubles.join(" and ")
    )
}

impl Cause {
    /// What `output` is where it holds no envelope.
    pub(crate) fn of_output(output: &Output) -> Self {
        let stdout = String::from_utf8_lossy(&output.stdout);
        // The one text that is matched on: it is our own gate's and its predecessor's, not JetBackup's.
        let refused = |text: &str| text.lines().any(|line| line.starts_with("ERROR: Command not allowed"));
        if output.exit == 1 && (refused(&output.stderr) || refused(&stdout)) {
            return Self::GateRefused;
        }
        Self::NotJson {
            start: one_line(&stdout, EXCERPT),
            exit: output.exit,
            stderr: one_line(&output.stderr, EXCERPT),
        }
    }

    /// The same without any part of the answer where that is `confidential`: a message ends up in logs and mails.
    pub(crate) fn without_excerpts(mut self, confidential: bool) -> Self {
        if confidential && let Self::NotJson { start, stderr, .. } = &mut self {
            for excerpt in [start, stderr].into_iter().filter(|excerpt| !excerpt.is_empty()) {
                "not shown, as it may hold credentials".clone_into(excerpt);
            }
        }
        self
    }
}

impl ApiError {
    /// Whether the server could not be asked at all, as against having answered badly.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self.cause, Cause::Exec(_))
    }

    /// Whether the server answers, and only a list was too long to be read to its end.
    #[must_use]
    pub fn is_list_too_long(&self) -> bool {
        matches!(self.cause, Cause::Incomplete { .. })
    }

    /// Whether the SSH gate is in the way: only the server's owner can change that.
    #[must_use]
    pub fn is_gate_refusal(&self) -> bool {
        matches!(self.cause, Cause::GateRefused)
    }

    /// How far the request got.
    #[must_use]
    pub fn sent(&self) -> Sent {
        match &self.cause {
            Cause::Exec(error) => error.sent,
            _ => Sent::Maybe,
        }
    }
}
