//! How news leaves the orchestrator: committed first, then folded into the snapshot, then handed to whoever watches.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use crate::history::{History, HistoryError};
use crate::model::{Event, Snapshot, What};

/// The pause before what is owed to the disk is tried again: the first, and the longest.
const SETTLE_FIRST: Duration = Duration::from_secs(3);
const SETTLE_LAST: Duration = Duration::from_secs(60);

/// Under this name it is kept when something could last not be recorded.
const GAP: &str = "not_recorded_at";

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
    /// When what is owed to the disk is tried next, and the pause after that.
    settling: Option<(Instant, Duration)>,
}

impl Teller {
    pub fn new(
        history: History,
        snapshot: watch::Sender<Snapshot>,
        events: broadcast::Sender<Event>,
    ) -> Self {
        Self { history, snapshot, events, correspondent: None, unrecorded: false, settling: None }
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
            // An event that changes nothing on record says nothing about the disk.
            Ok(()) if self.history.owed() > 0 => {}
            Ok(()) => self.recorded(at).await,
            Err(error) if !self.unrecorded => {
                self.unrecorded = true;
                tracing::error!("not recorded: {error}");
                let text = format!("what happens now is not recorded until the disk takes it: {error}");
                let _ = self.record(Event { at, what: What::Alert { job: None, text } }).await;
            }
            Err(error) => tracing::warn!("not recorded: {error}"),
        }
        if self.unrecorded && self.history.owed() == 0 {
            // Only a letter was not taken, which is in memory elsewhere. Something must be owed, or nobody would find
            // out when the disk works again.
            let _ = self.history.keep(GAP, at.to_string()).await;
        }
        self.plan_to_settle();
    }

    /// When what is owed to the disk is tried next.
    pub fn settle_due(&self) -> Option<Instant> {
        self.settling.map(|(due, _)| due)
    }

    /// Writes what is owed to the disk, if that is due or if this is the `last` chance.
    pub async fn settle(&mut self, at: Timestamp, last: bool) {
        if !last && self.settle_due().is_none_or(|due| due > Instant::now()) {
            return;
        }
        match self.history.settle().await {
            Ok(()) => {
                self.recorded(at).await;
                self.plan_to_settle();
            }
            Err(error) => {
                let owed = self.history.owed();
                if last && owed > 0 {
                    tracing::error!("{owed} changes were never recorded, and this process ends: {error}");
                }
                let pause = self.settling.map_or(SETTLE_FIRST, |(_, pause)| (pause * 2).min(SETTLE_LAST));
                self.settling = Some((Instant::now() + pause, pause));
            }
        }
    }

    /// The disk took something: with it came all that was owed.
    async fn recorded(&mut self, at: Timestamp) {
        if !std::mem::take(&mut self.unrecorded) {
            return;
        }
        tracing::info!("recorded again, with all that happened meanwhile");
        let text = "the disk takes records again; all that happened meanwhile is on record now".to_owned();
        let _ = self.record(Event { at, what: What::Alert { job: None, text } }).await;
    }

    fn plan_to_settle(&mut self) {
        if self.history.owed() == 0 && !self.unrecorded {
            self.settling = None;
        } else {
            self.settling.get_or_insert_with(|| (Instant::now() + SETTLE_FIRST, SETTLE_FIRST));
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
