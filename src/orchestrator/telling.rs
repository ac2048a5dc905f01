//! How news leaves the orchestrator: committed first, then folded into the snapshot, then handed to whoever watches.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{broadcast, watch};

use crate::history::{History, HistoryError};
use crate::model::{Event, Snapshot, What};

/// Somebody who is written to about what happens.
pub trait Correspondent: Send + Sync {
    /// The note to keep with an event, if it is worth one. `snapshot` is how things stood before it.
    fn note(&self, event: &Event, snapshot: &Snapshot) -> Option<String>;

    /// The note is kept in the outbox; or it could not be, and the correspondent has to see to it.
    fn noted(&self, note: Note);
}

/// What became of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// It is in the outbox.
    Kept,
    /// It is nowhere else.
    Unkept {
        /// When it was written.
        at: Timestamp,
        /// What it says.
        text: String,
    },
}

/// The way of every event.
pub(super) struct Teller {
    history: History,
    snapshot: watch::Sender<Snapshot>,
    events: broadcast::Sender<Event>,
    correspondent: Option<Arc<dyn Correspondent>>,
    /// The last commit failed, and that was told.
    unrecorded: bool,
}

impl Teller {
    pub fn new(
        history: History,
        snapshot: watch::Sender<Snapshot>,
        events: broadcast::Sender<Event>,
    ) -> Self {
        Self { history, snapshot, events, correspondent: None, unrecorded: false }
    }

    /// Somebody is to be written to from now on.
    pub fn write_to(&mut self, correspondent: Arc<dyn Correspondent>) {
        self.correspondent = Some(correspondent);
    }

    /// Tells what happened. A commit that fails is told too, once until it works again; the night goes on.
    pub async fn tell(&mut self, at: Timestamp, what: What) {
        let committed = self.record(Event { at, what }).await;
        for text in self.history.notices() {
            // What cannot be recorded now is told by the event it came with.
            let _ = self.record(Event { at, what: What::Alert { job: None, text } }).await;
        }
        match committed {
            Ok(()) => self.unrecorded = false,
            Err(error) if !self.unrecorded => {
                self.unrecorded = true;
                tracing::error!("not recorded: {error}");
                let text = format!("what happens now is not recorded: {error}");
                let _ = self.record(Event { at, what: What::Alert { job: None, text } }).await;
            }
            Err(error) => tracing::warn!("not recorded: {error}"),
        }
    }

    /// Commits an event together with the note about it, and publishes it whatever became of that.
    async fn record(&self, event: Event) -> Result<(), HistoryError> {
        let correspondent = self.correspondent.as_deref();
        let note = correspondent.and_then(|correspondent| {
            let snapshot = self.snapshot.borrow();
            correspondent.note(&event, &snapshot)
        });
        let committed = self.history.commit_with(&event, note.clone()).await;
        if let (Some(correspondent), Some(text)) = (correspondent, note) {
            let kept = committed.is_ok();
            correspondent.noted(if kept { Note::Kept } else { Note::Unkept { at: event.at, text } });
        }
        self.publish(event);
        committed
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
