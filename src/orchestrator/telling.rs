//! How news leaves the orchestrator: committed first, then folded into the snapshot, then handed to whoever watches.

use jiff::Timestamp;
use tokio::sync::{broadcast, watch};

use crate::history::History;
use crate::model::{Event, Snapshot, What};

/// The way of every event.
pub(super) struct Teller {
    history: History,
    snapshot: watch::Sender<Snapshot>,
    events: broadcast::Sender<Event>,
    /// The last commit failed, and that was told.
    unrecorded: bool,
}

impl Teller {
    pub fn new(
        history: History,
        snapshot: watch::Sender<Snapshot>,
        events: broadcast::Sender<Event>,
    ) -> Self {
        Self { history, snapshot, events, unrecorded: false }
    }

    /// Tells what happened. A commit that fails is told too, once until it works again; the night goes on.
    pub async fn tell(&mut self, at: Timestamp, what: What) {
        let event = Event { at, what };
        let committed = self.history.commit(&event).await;
        self.publish(event);
        for text in self.history.notices() {
            self.publish(Event { at, what: What::Alert { job: None, text } });
        }
        match committed {
            Ok(()) => self.unrecorded = false,
            Err(error) if !self.unrecorded => {
                self.unrecorded = true;
                tracing::error!("not recorded: {error}");
                let text = format!("what happens now is not recorded: {error}");
                self.publish(Event { at, what: What::Alert { job: None, text } });
            }
            Err(error) => tracing::warn!("not recorded: {error}"),
        }
    }

    fn publish(&self, event: Event) {
        // In one step: whoever looks at the snapshot and subscribes meanwhile has each event once, in one of the two.
        self.snapshot.send_modify(|snapshot| {
            snapshot.apply(&event);
            // Nobody watching is no error.
            let _ = self.events.send(event);
        });
    }
}
