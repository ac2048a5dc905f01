//! A runner: the one process that may trigger, be it the daemon or a one-shot `run`.
//!
//! This room puts the others together around an orchestrator: the lock, the history, the lines to the servers, the
//! control socket, the broker and mail. It must not know what is asked of the queue, nor how a person is told.

mod lines;
mod log;
mod shelf;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

pub use lines::{Line, LineError, lines, target};
pub use log::{Sentence, log_events};

use crate::config::{self, Config};
use crate::control::{self, Door, Served};
use crate::history::{History, Opened};
use crate::lock::{self, Held, LockError};
use crate::mqtt;
use crate::notify::{self, Mail, Outside};
use crate::orchestrator::{Handle, Orchestrator, SystemClock};
use crate::state_dir::{self, StateDirError};
use shelf::Shelf;

/// How long the last mail of a daemon may take: it ends within ten seconds. What is left waits for the next start.
const LAST_MAIL_OF_A_DAEMON: Duration = Duration::from_secs(5);
/// How long the last mail of a one-shot may take: there may be no next start before tomorrow.
const LAST_MAIL_OF_A_RUN: Duration = Duration::from_secs(60);

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
    mail: Option<Mail>,
    outside: Option<Outside>,
    /// How long the last mail may take.
    patience: Duration,
}

impl Runner {
    /// Puts an orchestrator among its surroundings. It does nothing until it is run.
    pub async fn start(
        config: &Arc<Config>,
        kind: control::Runner,
        claim: &Claim,
        lines: Vec<Line>,
    ) -> (Self, Orchestrator) {
        let clients: Vec<_> =
            lines.iter().map(|line| (line.name.clone(), Arc::clone(&line.client))).collect();
        let history = claim.history.clone();
        let shelf = Arc::new(Shelf::new(clients.clone()));
        let (mut machine, handle) =
            Orchestrator::new(Arc::clone(config), clients, history, Arc::new(SystemClock)).await;
        let mail = config.notification.enabled.then(|| notify::mail(config, &claim.history, &handle, shelf));
        // Without mail there is still the log, MQTT and whoever looks; the backups have to be made.
        let mail = mail.transpose().unwrap_or_else(|error| {
            tracing::error!("no mail is sent: {error}");
            None
        });
        if let Some(mail) = &mail {
            machine.write_to(mail.correspondent());
        }
        let outside = notify::outside(config, &handle);
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
        let patience = match kind {
            control::Runner::Daemon => LAST_MAIL_OF_A_DAEMON,
            control::Runner::Run => LAST_MAIL_OF_A_RUN,
        };
        (Self { handle, lines, served, session, mail, outside, patience }, machine)
    }

    /// Tells those who get mail that the daemon is at work, and from now on that it still is.
    pub async fn tell_of_start(&mut self, is_first: bool) {
        if let Some(mail) = &mut self.mail {
            mail.tell_of_life();
            if is_first {
                mail.tell_of_start().await;
            }
        }
    }

    /// Tells those who get mail that the daemon was told to end.
    pub async fn tell_of_end(&self) {
        if let Some(mail) = &self.mail {
            mail.tell_of_end().await;
        }
    }

    /// Ends what surrounds an orchestrator that has ended.
    pub async fn close(self) {
        let goodbye = async {
            if let Some(session) = self.session {
                session.close().await;
            }
        };
        let last_mail = async {
            if let Some(mail) = self.mail {
                mail.close(self.patience).await;
            }
        };
        let last_word = async {
            if let Some(outside) = self.outside {
                outside.close().await;
            }
        };
        tokio::join!(goodbye, last_mail, last_word);
        if let Some(served) = self.served {
            served.close().await;
        }
        // Each may take its time, and the process is waited for.
        let mut lines: JoinSet<()> =
            self.lines.into_iter().map(|line| async move { line.close().await }).collect();
        while lines.join_next().await.is_some() {}
    }
}
