//! Where notes are written, and where those lie that the outbox could not keep.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// What became of notes in the outbox that could not be recorded there. Without it they would be sent again and
    /// again for as long as the disk fails.
    unrecorded: Mutex<HashMap<i64, Unrecorded>>,
    /// Rung when there may be something to send.
    pub bell: Notify,
}

/// The last attempt with a note, and how many there were.
#[derive(Debug)]
struct Unrecorded {
    attempt: Attempt,
    attempts: u32,
}

/// A note that could not be kept. It may yet turn up in the outbox, if the disk was only slow.
#[derive(Debug)]
struct Unkept {
    at: Timestamp,
    text: String,
    /// As the outbox has them of the others.
    letter: Option<String>,
    missing: Option<Vec<String>>,
    tries: u32,
    sent: bool,
    /// It is in the outbox by now, and leaves this place as soon as it is read there.
    kept: bool,
}

impl Unkept {
    /// As a note that waits; nothing if it was sent or makes no sense.
    fn waiting(&self) -> Option<Waiting> {
        let note = Note::read(&self.text).filter(|_| !self.sent)?;
        let (letter, missing) = (self.letter.clone(), self.missing.clone());
        Some(Waiting { id: None, note, letter, missing, at: self.at, tries: self.tries })
    }
}

impl Desk {
    pub fn new(wanted: Notification, history: History) -> Arc<Self> {
        Arc::new(Self {
            wanted,
            history,
            unkept: Mutex::default(),
            unrecorded: Mutex::default(),
            bell: Notify::new(),
        })
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
        self.record_the_rest().await;
        self.keep_the_rest().await;
        let kept = self.history.waiting().await.unwrap_or_else(|error| {
            tracing::warn!("what waits in the outbox is not known now: {error}");
            Vec::new()
        });
        let mut waiting = Vec::new();
        let mut sent = Vec::new();
        let mut addressed = Vec::new();
        {
            let mut unkept = lock(&self.unkept);
            let unrecorded = lock(&self.unrecorded);
            for noted in &kept {
                let turned_up = unkept.iter().position(|one| one.text == noted.note);
                let turned_up = turned_up.map(|at| unkept.remove(at));
                if let Some(one) = turned_up.as_ref().filter(|one| one.sent) {
                    addressed.extend(one.letter.clone().map(|letter| (noted.id, letter)));
                    sent.push(noted.id);
                } else if let Some(mut one) = Waiting::of(noted) {
                    if let Some(in_memory) = turned_up {
                        addressed.extend(in_memory.letter.clone().map(|letter| (noted.id, letter)));
                        one.letter = one.letter.or(in_memory.letter);
                        one.missing = one.missing.or(in_memory.missing);
                    }
                    waiting.extend(after(one, unrecorded.get(&noted.id)));
                } else {
                    tracing::debug!("a note in the outbox makes no sense and stays there: {}", noted.note);
                }
            }
            waiting.extend(unkept.iter().filter_map(Unkept::waiting));
        }
        for (id, letter) in addressed {
            if let Err(error) = self.history.address(vec![id], letter).await {
                tracing::warn!("a mail that waits may come as another letter after a restart: {error}");
            }
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
        if !ids.is_empty() {
            self.history.address(ids, letter.to_owned()).await?;
        }
        self.change_unkept(notes, |one| one.letter = Some(letter.to_owned()));
        Ok(())
    }

    /// What became of trying to send these notes.
    pub async fn tried(&self, notes: &[Waiting], attempt: Attempt) {
        self.change_unkept(notes, |one| match &attempt {
            Attempt::Done => one.sent = true,
            Attempt::Failed { missing, given_up, .. } => {
                one.tries += 1;
                one.missing.clone_from(missing);
                one.sent = *given_up;
            }
        });
        let ids = ids(notes);
        if !ids.is_empty() {
            self.record(ids, attempt).await;
        }
    }

    /// How many notes end with this process if it ends now.
    pub fn count_unkept(&self) -> usize {
        lock(&self.unkept).iter().filter(|one| !one.sent).count()
    }

    /// How the outbox stands.
    pub async fn state(&self) -> OutboxState {
        let kept = self.history.outbox().await.unwrap_or_default();
        let over = lock(&self.unrecorded).values().filter(|one| is_over(&one.attempt)).count();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        OutboxState {
            waiting: kept.waiting.saturating_sub(number(over)).saturating_add(number(self.count_unkept())),
            given_up: kept.given_up,
            last_error: kept.last_error,
        }
    }

    async fn record(&self, ids: Vec<i64>, attempt: Attempt) {
        if let Err(error) = self.history.tried(ids.clone(), attempt.clone()).await {
            tracing::warn!(
                "what became of a mail is not on record, so it may be sent again after a restart: {error}"
            );
            let mut unrecorded = lock(&self.unrecorded);
            for id in ids {
                let attempts = unrecorded.get(&id).map_or(0, |one| one.attempts) + 1;
                unrecorded.insert(id, Unrecorded { attempt: attempt.clone(), attempts });
            }
        }
    }

    /// Records what could not be recorded before, as far as the disk takes it now.
    async fn record_the_rest(&self) {
        let rest: Vec<_> =
            lock(&self.unrecorded).iter().map(|(id, one)| (*id, one.attempt.clone())).collect();
        for (id, attempt) in rest {
            if self.history.tried(vec![id], attempt).await.is_err() {
                return;
            }
            lock(&self.unrecorded).remove(&id);
        }
    }

    /// Puts the notes that the disk did not take before into the outbox, as far as it takes them now: what is in memory
    /// only would end with this process. They turn up there, and go on as the same letters.
    async fn keep_the_rest(&self) {
        let rest: Vec<_> = lock(&self.unkept)
            .iter()
            .filter(|one| !one.sent && !one.kept)
            .map(|one| (one.at, one.text.clone()))
            .collect();
        for (at, text) in rest {
            if self.history.post(at, text.clone()).await.is_err() {
                return;
            }
            let mut unkept = lock(&self.unkept);
            if let Some(one) = unkept.iter_mut().find(|one| !one.kept && one.at == at && one.text == text) {
                one.kept = true;
            }
        }
    }

    fn change_unkept(&self, notes: &[Waiting], change: impl Fn(&mut Unkept)) {
        let mut unkept = lock(&self.unkept);
        for note in notes.iter().filter(|note| note.id.is_none()) {
            let text = note.note.write();
            if let Some(one) = unkept.iter_mut().find(|one| !one.sent && one.text == text) {
                change(one);
            }
        }
    }

    fn keep_in_memory(&self, at: Timestamp, text: String) {
        let mut unkept = lock(&self.unkept);
        if unkept.len() >= MOST_UNKEPT {
            let gone = unkept.remove(0);
            if !gone.sent {
                tracing::error!("too many notes wait while the disk fails; one is lost: {}", gone.text);
            }
        }
        unkept.push(Unkept { at, text, letter: None, missing: None, tries: 0, sent: false, kept: false });
        drop(unkept);
        self.bell.notify_one();
    }
}

/// A note from the outbox with what became of it since; nothing if that was its end.
fn after(mut one: Waiting, since: Option<&Unrecorded>) -> Option<Waiting> {
    let Some(Unrecorded { attempt, attempts }) = since else { return Some(one) };
    match attempt {
        Attempt::Failed { missing, given_up: false, .. } => {
            one.tries = one.tries.saturating_add(*attempts);
            one.missing.clone_from(missing);
            Some(one)
        }
        _ => None,
    }
}

fn is_over(attempt: &Attempt) -> bool {
    matches!(attempt, Attempt::Done | Attempt::Failed { given_up: true, .. })
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::history::FILE_NAME;

    async fn desk(state_dir: &Path) -> Arc<Desk> {
        let text = r#"{"ssh_key": "/k", "servers": {"a": {"host": "a.example.com"}}, "jobs": []}"#;
        let config = crate::config::parse(text, "config.json".as_ref()).unwrap().config;
        Desk::new(config.notification, History::open(state_dir).await.history)
    }

    fn note(second: i64) -> (Timestamp, Note) {
        let at = Timestamp::from_second(second).unwrap();
        (at, Note::Started { at })
    }

    fn failed(missing: Option<&str>) -> Attempt {
        let missing = missing.map(|one| vec![one.to_owned()]);
        Attempt::Failed { error: "greylisted".into(), missing, given_up: false }
    }

    /// Lets every write of this kind to the outbox fail, as on a full disk; or no longer.
    fn refuse(state_dir: &Path, kind: &str, refuse: bool) {
        let database = rusqlite::Connection::open(state_dir.join(FILE_NAME)).unwrap();
        let sql = match refuse {
            true => {
                format!("CREATE TRIGGER full BEFORE {kind} ON outbox BEGIN SELECT RAISE(ABORT, 'full'); END")
            }
            false => "DROP TRIGGER full".to_owned(),
        };
        database.execute_batch(&sql).unwrap();
    }

    #[tokio::test]
    async fn a_note_that_could_not_be_kept_stays_the_same_letter_for_those_who_have_not_got_it() {
        let desk = desk(Path::new("/nonexistent")).await;
        let (at, started) = note(1);
        desk.write(at, &started).await;
        let waiting = desk.waiting().await;
        desk.address(&waiting, "letter").await.unwrap();
        desk.tried(&waiting, failed(Some("slow@example.com"))).await;
        let again = desk.waiting().await.remove(0);
        assert_eq!((again.letter.as_deref(), again.tries), (Some("letter"), 1));
        assert_eq!(again.missing, Some(vec!["slow@example.com".to_owned()]), "nobody gets it twice");
        desk.tried(&[again], Attempt::Done).await;
        assert_eq!((desk.waiting().await, desk.count_unkept()), (vec![], 0));
    }

    #[tokio::test]
    async fn what_was_sent_is_not_sent_again_because_the_disk_could_not_take_that() {
        let dir = tempfile::tempdir().unwrap();
        let desk = desk(dir.path()).await;
        for second in [1, 2] {
            let (at, started) = note(second);
            desk.write(at, &started).await;
        }
        let waiting = desk.waiting().await;
        refuse(dir.path(), "DELETE", true);
        desk.tried(&waiting[..1], Attempt::Done).await;
        assert_eq!(desk.waiting().await, waiting[1..], "it was sent");
        assert_eq!(desk.state().await.waiting, 1);
        refuse(dir.path(), "DELETE", false);
        assert_eq!(desk.waiting().await, waiting[1..]);
        assert_eq!(desk.history.waiting().await.unwrap().len(), 1, "that is on record by now");
    }

    #[tokio::test]
    async fn who_has_got_a_letter_does_not_get_it_again_because_the_disk_could_not_take_that() {
        let dir = tempfile::tempdir().unwrap();
        let desk = desk(dir.path()).await;
        let (at, started) = note(1);
        desk.write(at, &started).await;
        let waiting = desk.waiting().await;
        refuse(dir.path(), "UPDATE", true);
        for tries in [1, 2] {
            desk.tried(&waiting, failed(Some("slow@example.com"))).await;
            let again = desk.waiting().await.remove(0);
            assert_eq!((again.tries, again.missing.unwrap()), (tries, vec!["slow@example.com".to_owned()]));
        }
    }
}
