//! The postman: takes what waits to the mail server, patiently, and tells how that goes.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::facts::Facts;
use super::note::Waiting;
use super::policy::{self, APART, Bundle};
use super::smtp::{Mailer, Session};
use crate::config::Notification;
use crate::history::Attempt;
use crate::model::What;
use crate::model::view::OutboxState;

/// How long notes gather before they are sent: what comes in one breath goes in one letter.
const GATHERING: Duration = Duration::from_secs(5);
/// The first pause after a failure, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(3600));
/// The shortest time between two rounds.
const SHORTEST: Duration = Duration::from_secs(1);
/// A note is given up when it was tried so often and is so old: some three days of trying.
const GIVEN_UP: (u32, Duration) = (75, Duration::from_secs(3 * 24 * 3600));

/// The postman on his rounds.
pub(super) struct Postman {
    wanted: Notification,
    desk: Arc<Desk>,
    mailer: Mailer,
    facts: Facts,
    /// Where it is told how the outbox stands.
    aside: mpsc::Sender<What>,
    closing: CancellationToken,
    memory: Memory,
}

/// What is remembered from one round to the next.
#[derive(Default)]
struct Memory {
    /// When the last letter about routine notes was sent.
    routine: Option<Instant>,
    /// How often in a row the server could not be used, and when to try again.
    failures: u32,
    try_at: Option<Instant>,
    /// When letters that were not taken are tried again, each by its name.
    not_taken: HashMap<String, Instant>,
    /// How often in a row the disk could not take what a letter is to be known by.
    unaddressed: u32,
    told: Option<OutboxState>,
}

impl Postman {
    pub fn new(
        wanted: &Notification,
        desk: &Arc<Desk>,
        mailer: &Mailer,
        facts: &Facts,
        aside: &mpsc::Sender<What>,
        closing: &CancellationToken,
    ) -> Self {
        Self {
            wanted: wanted.clone(),
            desk: Arc::clone(desk),
            mailer: mailer.clone(),
            facts: facts.clone(),
            aside: aside.clone(),
            closing: closing.clone(),
            memory: Memory::default(),
        }
    }

    /// Goes rounds until told to close; then once more, for what came last.
    pub async fn go(mut self) {
        loop {
            let next = self.round(false).await;
            let bell = async {
                self.desk.bell.notified().await;
                sleep(GATHERING).await;
            };
            tokio::select! {
                () = bell => {}
                () = until(next) => {}
                () = self.closing.cancelled() => break,
            }
        }
        self.round(true).await;
    }

    /// Sends what is due, and answers when something is due next. `last`: nothing is held back for later.
    async fn round(&mut self, last: bool) -> Option<Instant> {
        let now = Instant::now();
        let hold = self.memory.routine.map(|at| at + APART).filter(|until| *until > now && !last);
        let plan = policy::plan(self.desk.waiting().await, hold.is_some());
        if !plan.told.is_empty() {
            self.desk.tried(&plan.told, Attempt::Done).await;
        }
        self.memory.not_taken.retain(|letter, _| plan.bundles.iter().any(|bundle| bundle.name() == *letter));
        let mut bundles = Vec::new();
        let mut unread = false;
        for bundle in plan.bundles {
            match self.facts.are_worth_a_letter(&bundle.notes).await {
                Ok(true) => bundles.push(bundle),
                Ok(false) => self.desk.tried(&bundle.notes, Attempt::Done).await,
                Err(error) => {
                    unread = true;
                    tracing::warn!("a mail waits for what belongs into it: {error}");
                }
            }
        }
        let (due, later): (Vec<_>, Vec<_>) =
            bundles.into_iter().partition(|bundle| last || self.memory.is_due(bundle, now));
        // A server that was down is tried for every new note, for old ones only after a pause.
        let is_new = |bundle: &Bundle| bundle.notes.iter().any(|note| note.tries == 0);
        let patient = self.memory.try_at.is_some_and(|at| at > now) && !last && !due.iter().any(is_new);
        let mut waits = !later.is_empty();
        if !due.is_empty() {
            waits |= patient || self.hand_over(due).await;
        }
        self.tell().await;
        let retry = self.memory.try_at.filter(|_| waits);
        let hold = hold.filter(|_| plan.held);
        let read_again = unread.then(|| Instant::now() + PAUSES.0);
        earliest(
            Instant::now(),
            read_again.into_iter().chain(retry).chain(hold),
            self.memory.not_taken.values().copied(),
        )
    }

    /// Takes letters to the server. Whether any of them wait for another time.
    async fn hand_over(&mut self, due: Vec<Bundle>) -> bool {
        let mut session = match self.mailer.open().await {
            Ok(session) => session,
            Err(error) => {
                self.memory.failures = self.memory.failures.saturating_add(1);
                self.memory.try_at = Some(Instant::now() + pause(self.memory.failures));
                let error = error.to_string();
                tracing::warn!("mail waits: {error}");
                let mut waits = false;
                for bundle in &due {
                    waits |= self.failed(bundle, error.clone(), bundle.missing.clone()).await;
                }
                return waits;
            }
        };
        (self.memory.failures, self.memory.try_at) = (0, None);
        let mut waits = false;
        for mut bundle in due {
            if session.is_broken() {
                // The rest comes with another connection.
                self.memory.failures = self.memory.failures.saturating_add(1);
                self.memory.try_at = Some(Instant::now() + pause(self.memory.failures));
                return true;
            }
            if let Some(pause) = self.send(&mut bundle, &mut session).await {
                waits = true;
                self.memory.not_taken.insert(bundle.name(), Instant::now() + pause);
            }
        }
        session.close().await;
        waits
    }

    /// Sends a letter; answers how long to wait where it has to be tried again.
    async fn send(&mut self, bundle: &mut Bundle, session: &mut Session) -> Option<Duration> {
        let notes = &bundle.notes;
        let first = || notes.first().map_or(Timestamp::UNIX_EPOCH, |note| note.at);
        let id = bundle.letter.clone().unwrap_or_else(|| letter_id(first()));
        let letter = match self.facts.letter(&id, notes).await {
            Ok(Some(letter)) => letter,
            Ok(None) => {
                self.desk.tried(notes, Attempt::Done).await;
                return None;
            }
            Err(error) => {
                tracing::warn!("a mail waits for what belongs into it: {error}");
                return Some(PAUSES.0);
            }
        };
        if bundle.letter.is_none() {
            if let Err(error) = self.desk.address(notes, &id).await {
                tracing::warn!("a mail waits for the disk: {error}");
                self.memory.unaddressed = self.memory.unaddressed.saturating_add(1);
                return Some(pause(self.memory.unaddressed));
            }
            self.memory.unaddressed = 0;
            bundle.letter = Some(id);
        }
        let (bundle, notes) = (&*bundle, &bundle.notes);
        let to = bundle.missing.as_ref().unwrap_or(&self.wanted.to_addresses);
        let tries = notes.iter().map(|note| note.tries).max().unwrap_or(0);
        match session.send(&letter, to).await {
            Ok(receipt) => {
                tracing::info!("mail sent: {} ({})", letter.full_subject(), receipt.answer);
                if policy::is_routine(bundle) {
                    self.memory.routine = Some(Instant::now());
                }
                for refused in &receipt.refused {
                    tracing::warn!("mail not taken for {}: {}", refused.address, refused.answer);
                }
                let later = receipt.refused.iter().filter(|refused| !refused.for_good);
                let missing: Vec<String> = later.map(|refused| refused.address.clone()).collect();
                if missing.is_empty() {
                    self.desk.tried(notes, Attempt::Done).await;
                    return None;
                }
                let answer = receipt.refused.first().map_or("", |refused| refused.answer.as_str());
                let error = format!("not taken yet for {}: {answer}", missing.join(", "));
                self.failed(bundle, error, Some(missing)).await.then(|| pause(tries + 1))
            }
            Err(error) => {
                tracing::warn!("a mail waits: {error}");
                let waits = self.failed(bundle, error.to_string(), bundle.missing.clone()).await;
                waits.then(|| pause(tries + 1))
            }
        }
    }

    /// Notes that a letter was tried in vain. Whether it is tried again.
    async fn failed(&mut self, bundle: &Bundle, error: String, missing: Option<Vec<String>>) -> bool {
        let (most, old) = GIVEN_UP;
        let is_over = |note: &Waiting| {
            note.tries + 1 >= most && Timestamp::now().duration_since(note.at).unsigned_abs() > old
        };
        let given_up = bundle.notes.iter().all(is_over);
        if given_up {
            let about: Vec<String> = bundle.notes.iter().map(|note| note.note.in_a_word()).collect();
            tracing::error!("given up after three days: the mail about {}; {error}", about.join(", "));
        }
        self.desk.tried(&bundle.notes, Attempt::Failed { error, missing, given_up }).await;
        !given_up
    }

    /// Tells how the outbox stands, if that is news.
    async fn tell(&mut self) {
        let state = self.desk.state().await;
        // Nobody may be there any more who keeps the queue: then nobody needs to know.
        if self.memory.told.as_ref() != Some(&state)
            && self.aside.try_send(What::Outbox(state.clone())).is_ok()
        {
            self.memory.told = Some(state);
        }
    }
}

impl Memory {
    fn is_due(&self, bundle: &Bundle, now: Instant) -> bool {
        self.not_taken.get(&bundle.name()).is_none_or(|at| *at <= now)
    }
}

/// How long to wait after so many failures.
fn pause(failures: u32) -> Duration {
    let doubled = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    PAUSES.0.saturating_mul(doubled).min(PAUSES.1)
}

/// When to look again. What was not taken and is due by now waits for something else, such as the server: it is no
/// reason to look at once, over and over.
fn earliest(
    now: Instant,
    others: impl Iterator<Item = Instant>,
    not_taken: impl Iterator<Item = Instant>,
) -> Option<Instant> {
    let next = others.chain(not_taken.filter(|at| *at > now)).min();
    next.map(|next| next.max(now + SHORTEST))
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// An id that no other letter has.
pub(super) fn letter_id(at: Timestamp) -> String {
    format!("{:x}.{:016x}", at.as_millisecond(), RandomState::new().build_hasher().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_overdue_is_no_reason_to_look_at_once_for_ever() {
        let now = Instant::now() + Duration::from_secs(100);
        let at = |seconds: i64| {
            now + Duration::from_secs(100) - Duration::from_secs((100 - seconds).unsigned_abs())
        };
        let none = std::iter::empty;
        assert_eq!(earliest(now, none(), [at(-30), at(60)].into_iter()), Some(at(60)));
        assert_eq!(earliest(now, none(), [at(-30)].into_iter()), None);
        assert_eq!(earliest(now, [at(30)].into_iter(), [at(-30)].into_iter()), Some(at(30)));
        assert_eq!(earliest(now, [at(-5)].into_iter(), none()), Some(at(1)));
    }

    #[test]
    fn pauses_grow_up_to_an_hour() {
        let pauses: Vec<u64> = [1, 2, 3, 8, 9, 40, u32::MAX].map(|n| pause(n).as_secs()).into();
        assert_eq!(pauses, [30, 60, 120, 3600, 3600, 3600, 3600]);
    }
}
