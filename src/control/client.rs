//! The asking side.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::UnixStream;

use super::protocol::{self, Ask, MAX_REPLY, Reply, Runner, Status, VERSION};
use super::socket::{Reached, reach};
use super::{ControlError, Follower, line};
use crate::model::{Answer, Command};

/// How long a request may take to be sent, and an answer from memory to arrive.
const PROMPT: Duration = Duration::from_secs(10);

/// How long a command may take: longer than the runner gives itself, so that its own words are heard.
const PATIENT: Duration = Duration::from_secs(super::server::COMMAND_LIMIT.as_secs() + 15);

/// Who is behind the socket.
#[derive(Debug)]
pub enum Found {
    /// No runner: there is no socket, or one whose runner was killed.
    Nobody,
    /// A runner, which has said who it is.
    Runner(Client),
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The queue's words.
    pub answer: Answer,
    /// How many events the queue had told by then, as [`Snapshot::applied`](crate::model::Snapshot::applied) counts
    /// them. What the command brought about at once is among them.
    pub applied: u64,
}

/// A conversation with a runner.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    path: PathBuf,
    pid: u32,
    runner: Runner,
}

/// Looks for a runner behind the socket at `path`.
///
/// # Errors
/// If it can't be told whether there is one: no permission, no answer, or an answer that is not understood. None of
/// them may be taken for [`Found::Nobody`].
pub async fn connect(path: &Path) -> Result<Found, ControlError> {
    let stream = match reach(path).await? {
        Reached::Missing | Reached::Stale => return Ok(Found::Nobody),
        Reached::Busy => return Err(silent(path, "too many callers are waiting")),
        Reached::Peer(stream) => BufReader::new(stream),
    };
    let path = path.to_owned();
    // Until it has said hello, nothing is known of it.
    let mut client = Client { stream, path, pid: 0, runner: Runner::Run };
    let hello = client.ask(&Ask::Hello, PROMPT).await?;
    client.pid = hello.pid;
    client.runner = hello.runner;
    Ok(Found::Runner(client))
}

impl Client {
    /// The runner's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What kind of runner it is.
    #[must_use]
    pub fn runner(&self) -> Runner {
        self.runner
    }

    /// Asks how the queue stands.
    ///
    /// # Errors
    /// If the conversation breaks off or the answer is not understood.
    pub async fn status(&mut self) -> Result<Status, ControlError> {
        let status = self.ask(&Ask::Status, PROMPT).await?.status;
        status.ok_or_else(|| self.not_understood("there is no status in the reply"))
    }

    /// Asks for something to be done, and waits for what becomes of it. A refusal is an [`Answer`], not an error.
    ///
    /// # Errors
    /// If the conversation breaks off or the answer is not understood. The command may have been carried out then.
    pub async fn command(&mut self, command: Command) -> Result<Answer, ControlError> {
        Ok(self.carry_out(command).await?.answer)
    }

    /// As [`command`](Self::command), for who follows the queue and has to know where in its events the answer belongs.
    ///
    /// # Errors
    /// As those of [`command`](Self::command).
    pub async fn carry_out(&mut self, command: Command) -> Result<Carried, ControlError> {
        let reply = self.ask(&Ask::Command(command), PATIENT).await?;
        let answer = reply.answer.ok_or_else(|| self.not_understood("there is no answer in the reply"))?;
        Ok(Carried { answer, applied: reply.applied.unwrap_or(0) })
    }

    /// Follows the queue from now on.
    ///
    /// # Errors
    /// If the conversation breaks off, if the answer is not understood, or if as many others follow as may.
    pub async fn follow(mut self) -> Result<Follower, ControlError> {
        let snapshot = self.ask(&Ask::Follow, PROMPT).await?.snapshot;
        let snapshot = snapshot.ok_or_else(|| self.not_understood("there is no snapshot in the reply"))?;
        Ok(Follower::new(self.stream, self.path, (self.runner, self.pid), snapshot))
    }

    async fn ask(&mut self, ask: &Ask, limit: Duration) -> Result<Reply, ControlError> {
        let request = protocol::request(ask).map_err(|error| self.not_understood(&error.to_string()))?;
        let sent = line::write(&mut self.stream, &request, PROMPT).await;
        // A runner that turns callers away says why and hangs up, perhaps before the request is sent: listen anyway.
        let heard = line::read(&mut self.stream, MAX_REPLY, limit).await;
        let line = match (heard, sent) {
            (Ok(Some(line)), _) => line,
            (_, Err(error)) | (Err(error), _) => return Err(silent(&self.path, error)),
            (Ok(None), Ok(())) => return Err(silent(&self.path, "it hung up")),
        };
        let reply = protocol::read_reply(&line).map_err(|error| self.not_understood(&error.to_string()))?;
        if reply.version != VERSION {
            return Err(self.not_understood(&format!("it speaks version {}", reply.version)));
        }
        match reply.error {
            Some(error) => Err(ControlError::Refused { runner: reply.runner, pid: reply.pid, error }),
            None => Ok(reply),
        }
    }

    fn not_understood(&self, reason: &str) -> ControlError {
        not_understood(&self.path, reason)
    }
}

pub(super) fn not_understood(path: &Path, reason: impl ToString) -> ControlError {
    ControlError::NotUnderstood { path: path.to_owned(), reason: reason.to_string() }
}

pub(super) fn silent(path: &Path, reason: impl ToString) -> ControlError {
    ControlError::Silent { path: path.to_owned(), reason: reason.to_string() }
}
