//! Where notes are written, and where those lie that the outbox could not keep.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::note::{Note, Waiting};
use super::policy::is_worth_a_note;
use crate::config::Notification;
use crate::history::{Attempt, History, HistoryError};
use crate::model::view::OutboxState;
use crate::model::{Event, Snapshot};
use crate::orchestrator::{self, Correspondent};

/// The most notes that are remembered without the outbox: a disk that is full for days must not fill the memory too.
const MOST_UNKEPT: usize = 200;

/// The desk.
#[derive(Debug)]
pub(super) struct Desk {
    wanted: Notification,
    history: History,
    unkept: Mutex<Vec<Unkept>>,
    /// Rung when there may be something to send.
    pub bell: Notify,
}

/// A note that could not be kept. It may yet turn up in the outbox, if the disk was only slow.
#[derive(Debug)]
struct Unkept {
    at: Timestamp,
    text: String,
    sent: bool,
}

impl Desk {
    pub fn new(wanted: Notification, history: History) -> Arc<Self> {
        Arc::new(Self { wanted, history, unkept: Mutex::default(), bell: Notify::new() })
    }

    /// Writes a note that belongs to no event.
    pub async fn write(&self, at: Timestamp, note: &Note) {
        let text = note.write();
        match self.history.post(at, text.clone()).await {
            Ok(()) => self.bell.notify_one(),
            Err(error) => {
                tracing::warn!("a note for a mail is in memory only: {error}");
                self.keep_in_memory(at, text);
            }
        }
    }

    /// All notes that wait, oldest first.
    pub async fn waiting(&self) -> Vec<Waiting> {
        let kept = self.history.waiting().await.unwrap_or_else(|error| {
            tracing::warn!("what waits in the outbox is not known now: {error}");
            Vec::new()
        });
        let mut waiting = Vec::new();
        let mut sent = Vec::new();
        {
            let mut unkept = self.unkept.lock().unwrap_or_else(PoisonError::into_inner);
            for noted in &kept {
                let turned_up = unkept.iter().position(|one| one.text == noted.note);
                if turned_up.is_some_and(|at| unkept.remove(at).sent) {
                    sent.push(noted.id);
                } else if let Some(one) = Waiting::of(noted) {
                    waiting.push(one);
                } else {
                    tracing::debug!("a note in the outbox makes no sense and stays there: {}", noted.note);
                }
            }
            waiting.extend(unkept.iter().filter(|one| !one.sent).filter_map(|one| {
                let note = Note::read(&one.text)?;
                Some(Waiting { id: None, note, letter: None, missing: None, at: one.at, tries: 0 })
            }));
        }
        if !sent.is_empty() {
            self.record(sent, Attempt::Done).await;
        }
        waiting
    }

    /// These notes are about to be handed over as the letter with this id.
    ///
    /// # Errors
    /// When that could not be recorded. It must not be sent then: sent again, nobody would know it as the same.
    pub async fn address(&self, notes: &[Waiting], letter: &str) -> Result<(), HistoryError> {
        let ids = ids(notes);
        if ids.is_empty() { Ok(()) } else { self.history.address(ids, letter.to_owned()).await }
    }

    /// What became of trying to send these notes.
    pub async fn tried(&self, notes: &[Waiting], attempt: Attempt) {
        if attempt == Attempt::Done {
            let mut unkept = self.unkept.lock().unwrap_or_else(PoisonError::into_inner);
            for note in notes.iter().filter(|note| note.id.is_none()) {
                let text = note.note.write();
                if let Some(one) = unkept.iter_mut().find(|one| !one.sent && one.text == text) {
                    one.sent = true;
                }
            }
        }
        let ids = ids(notes);
        if !ids.is_empty() {
            self.record(ids, attempt).await;
        }
    }

    /// How the outbox stands.
    pub async fn state(&self) -> OutboxState {
        let kept = self.history.outbox().await.unwrap_or_default();
        let unkept = self.unkept.lock().unwrap_or_else(PoisonError::into_inner);
        let more = unkept.iter().filter(|one| !one.sent).count();
        OutboxState {
            waiting: kept.waiting.saturating_add(u32::try_from(more).unwrap_or(u32::MAX)),
            given_up: kept.given_up,
            last_error: kept.last_error,
        }
    }

    async fn record(&self, ids: Vec<i64>, attempt: Attempt) {
        if let Err(error) = self.history.tried(ids, attempt).await {
            tracing::warn!("what became of a mail is not on record, so it may be sent again: {error}");
        }
    }

    fn keep_in_memory(&self, at: Timestamp, text: String) {
        let mut unkept = self.unkept.lock().unwrap_or_else(PoisonError::into_inner);
        if unkept.len() >= MOST_UNKEPT {
            let gone = unkept.remove(0);
            if !gone.sent {
                tracing::error!("too many notes wait while the disk fails; one is lost: {}", gone.text);
            }
        }
        unkept.push(Unkept { at, text, sent: false });
        drop(unkept);
        self.bell.notify_one();
    }
}

fn ids(notes: &[Waiting]) -> Vec<i64> {
    notes.iter().filter_map(|note| note.id).collect()
}

impl Correspondent for Desk {
    fn note(&self, event: &Event, snapshot: &Snapshot) -> Option<String> {
        let worth = is_worth_a_note(&self.wanted, event, snapshot);
        worth.then(|| Note::Happened(Box::new(event.clone())).write())
    }

    fn noted(&self, note: orchestrator::Note) {
        match note {
            orchestrator::Note::Kept => self.bell.notify_one(),
            orchestrator::Note::Unkept { at, text } => self.keep_in_memory(at, text),
        }
    }
}
