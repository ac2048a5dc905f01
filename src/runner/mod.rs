//! A runner: the one process that may trigger, be it the daemon or a one-shot `run`.
//!
//! This room puts the others together around an orchestrator: the lock, the history, the lines to the servers, the
//! control socket and the broker. It must not know what is asked of the queue, nor how a person is told.

mod lines;
mod log;

use std::sync::Arc;

pub use lines::{Line, LineError, lines};
pub use log::{Sentence, log_events};

use crate::config::{self, Config};
use crate::control::{self, Door, Served};
use crate::history::{History, Opened};
use crate::lock::{self, Held, LockError};
use crate::mqtt;
use crate::orchestrator::{Handle, Orchestrator, SystemClock};
use crate::state_dir::{self, StateDirError};

/// This process may not be the runner.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The state directory cannot be had.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The lock is held or cannot be had.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// The right to be the runner, for as long as this is kept, and the memory that goes with it.
#[derive(Debug)]
pub struct Claim {
    /// What is on record.
    pub history: History,
    _held: Held,
}

impl Claim {
    /// Takes the lock and opens the history.
    ///
    /// # Errors
    /// If another runner holds the lock, or the state directory cannot be used.
    pub async fn take(orchestrator: &config::Orchestrator) -> Result<Self, ClaimError> {
        state_dir::ensure(&orchestrator.state_dir)?;
        let held = lock::acquire(&orchestrator.state_dir, &orchestrator.lock_file)?;
        held.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let Opened { history, notices } = History::open(&orchestrator.state_dir).await;
        notices.iter().for_each(|notice| tracing::warn!("{notice}"));
        Ok(Self { history, _held: held })
    }
}

/// What surrounds an orchestrator at work.
pub struct Runner {
    /// The orchestrator, from outside.
    pub handle: Handle,
    lines: Vec<Line>,
    served: Option<Served>,
    session: Option<mqtt::Session>,
}

impl Runner {
    /// Puts an orchestrator among its surroundings. It does nothing until it is run.
    pub async fn start(
        config: &Arc<Config>,
        kind: control::Runner,
        claim: &Claim,
        lines: Vec<Line>,
    ) -> (Self, Orchestrator) {
        let clients = lines.iter().map(|line| (line.name.clone(), Arc::clone(&line.client))).collect();
        let history = claim.history.clone();
        let (machine, handle) =
            Orchestrator::new(Arc::clone(config), clients, history, Arc::new(SystemClock)).await;
        let session = config.mqtt.enabled.then(|| mqtt::start(config, &claim.history, &handle));
        let door = Door {
            requests: handle.requests.clone(),
            snapshot: handle.snapshot.clone(),
            events: handle.events.downgrade(),
            broker: session.as_ref().map(mqtt::Session::broker),
        };
        let served = control::serve(&config.orchestrator.control_socket, kind, door).await;
        // Without the socket nobody can ask how it goes or release a run; the backups still have to be made.
        let served = served.map_err(|error| tracing::warn!("{error}")).ok();
        (Self { handle, lines, served, session }, machine)
    }

    /// Ends what surrounds an orchestrator that has ended.
    pub async fn close(self) {
        if let Some(session) = self.session {
            session.close().await;
        }
        if let Some(served) = self.served {
            served.close().await;
        }
        for line in &self.lines {
            line.close().await;
        }
    }
}
