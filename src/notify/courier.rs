//! Somebody who takes one message after the other to one place, in order, and never falls far behind.

use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::task::AbortOnDropHandle;

use super::http::Message;

/// How many messages wait at most for somebody who does not answer. A broadcast channel of that size, for it drops the
/// oldest: what is newer says more.
const MOST_WAITING: usize = 64;

/// A queue to a courier. He ends with what is in it once it is dropped.
#[derive(Debug, Clone)]
pub(super) struct Queue(broadcast::Sender<Message>);

impl Queue {
    /// Puts a message at its end, if there is one. Never waits.
    pub fn put(&self, message: Option<Message>) {
        if let Some(message) = message {
            // A courier who broke off is no reason to break off.
            let _ = self.0.send(message);
        }
    }
}

/// Starts a courier. `what` is what he brings, for the log.
pub(super) fn start(what: &'static str) -> (AbortOnDropHandle<()>, Queue) {
    let (queue, messages) = broadcast::channel(MOST_WAITING);
    (AbortOnDropHandle::new(tokio::spawn(go(what, messages))), Queue(queue))
}

async fn go(what: &'static str, mut messages: broadcast::Receiver<Message>) {
    // Each trouble is told once, until it has passed.
    let (mut failing, mut losing) = (false, false);
    loop {
        let message = match messages.recv().await {
            Ok(message) => message,
            Err(RecvError::Closed) => return,
            Err(RecvError::Lagged(lost)) => {
                if !losing {
                    tracing::warn!("{what}: too much waits; the oldest is left out, {lost} so far");
                }
                losing = true;
                continue;
            }
        };
        match message.send().await {
            Ok(()) => {
                if failing {
                    tracing::info!("{what} works again");
                }
                (failing, losing) = (false, false);
            }
            Err(error) if failing => tracing::debug!("{what}: {error}"),
            Err(error) => {
                failing = true;
                tracing::warn!("{what}: {error}");
            }
        }
    }
}
