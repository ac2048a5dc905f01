//! What happens, as lines of the log.

use tokio::sync::broadcast::{self, error::RecvError};

use crate::model::{Event, What};

/// What is said of an event, if anything.
pub type Sentence = fn(&Event) -> Option<String>;

/// Writes what happens into the log, until the runner leaves.
pub async fn log_events(mut events: broadcast::Receiver<Event>, sentence: Sentence) {
    loop {
        match events.recv().await {
            Ok(event) => {
                if let Some(sentence) = sentence(&event) {
                    tracing::info!("{sentence}");
                }
                if event.what == What::Leaving {
                    return;
                }
            }
            Err(RecvError::Lagged(missed)) => tracing::warn!("{missed} events came too fast for the log"),
            Err(RecvError::Closed) => return,
        }
    }
}
