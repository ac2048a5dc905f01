//! What a follower hears, on the asking side.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};

use super::client::{not_understood, silent};
use super::line::{self, LineError};
use super::protocol::{self, MAX_REPLY, Runner};
use super::{ControlError, feed};
use crate::model::{Event, Snapshot};

/// How long a runner may say nothing at all: it shows three times meanwhile that it is alive.
const PATIENCE: Duration = feed::ALIVE.saturating_mul(3);

/// What a follower is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Followed {
    /// How the queue stands: at the beginning, and after events that were missed.
    Snapshot(Box<Snapshot>),
    /// What happened since. No snapshot that came before has it taken in.
    Event(Box<Event>),
    /// So many events were missed; the next thing told is the snapshot that has them taken in.
    Missed(u64),
}

/// A runner that is followed.
#[derive(Debug)]
pub struct Follower {
    stream: BufReader<UnixStream>,
    path: PathBuf,
    runner: Runner,
    pid: u32,
    /// What was read of the next line.
    partial: Vec<u8>,
    /// When the last line was complete.
    heard: Instant,
    /// Told next, before anything is read.
    next: Option<Followed>,
}

impl Follower {
    pub(super) fn new(
        stream: BufReader<UnixStream>,
        path: PathBuf,
        (runner, pid): (Runner, u32),
        snapshot: Snapshot,
    ) -> Self {
        let next = Some(Followed::Snapshot(Box::new(snapshot)));
        Self { stream, path, runner, pid, partial: Vec::new(), heard: Instant::now(), next }
    }

    /// The runner's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the next thing to be told; first of all comes a snapshot. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// [`ControlError::Ended`] once the runner has said goodbye. Any other error means that it broke off, was silent
    /// for a minute, or is not understood; what became of it is not known then.
    pub async fn next(&mut self) -> Result<Followed, ControlError> {
        loop {
            if let Some(next) = self.next.take() {
                return Ok(next);
            }
            let reading = line::read_on(&mut self.stream, &mut self.partial, MAX_REPLY);
            let line = match timeout_at(self.heard + PATIENCE, reading).await {
                Ok(Ok(Some(line))) => line,
                Ok(Ok(None)) => return Err(silent(&self.path, "it broke off without a goodbye")),
                Ok(Err(error)) => return Err(silent(&self.path, error)),
                Err(_) => return Err(silent(&self.path, LineError::TimedOut { after: PATIENCE })),
            };
            self.heard = Instant::now();
            let news = protocol::read_news(&line).map_err(|error| not_understood(&self.path, error))?;
            if news.ended {
                return Err(ControlError::Ended { runner: self.runner, pid: self.pid });
            }
            if let Some(missed) = news.missed {
                self.next = news.snapshot.map(|snapshot| Followed::Snapshot(Box::new(snapshot)));
                return Ok(Followed::Missed(missed));
            }
            // A line that has neither only shows that the runner is alive.
            self.next = news.event.map(|event| Followed::Event(Box::new(event)));
        }
    }
}
