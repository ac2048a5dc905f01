//! The destinations that were enabled from here: which they are, and when each may be tried to be disabled again.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::model::{DestinationId, ServerName};

/// How often disabling is tried before a person is told.
const ATTEMPTS: u32 = 3;
/// The pause before it is tried again; longer after every attempt.
const RETRY_PAUSE: Duration = Duration::from_secs(10);
/// The pause between two attempts once a person was told.
const STUCK_PAUSE: Duration = Duration::from_secs(15 * 60);
/// The pause after something was seen writing to it, doubled every time: the job's running flag alone outlives its run
/// by up to 30 seconds.
const BUSY_PAUSE: Duration = Duration::from_secs(15);
/// How long something may write to it after our jobs before a person is told that it is still enabled.
const LONG_BUSY: Duration = Duration::from_secs(6 * 3600);
/// The longest of these pauses.
const LONGEST_BUSY_PAUSE: Duration = Duration::from_secs(5 * 60);

/// A destination that was, or may have been, enabled from here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Activation {
    pub server: ServerName,
    pub destination: DestinationId,
    /// It was read back as enabled.
    #[serde(default)]
    pub confirmed: bool,
    /// It could not be disabled, and that was told, perhaps by an earlier process.
    #[serde(default)]
    pub stuck: bool,
    /// Why it is not disabled yet, in words for a person.
    #[serde(skip)]
    pub why: Option<String>,
    /// This process told that it could not be disabled.
    #[serde(skip)]
    pub told: bool,
    /// An attempt is under way.
    #[serde(skip)]
    lowering: bool,
    #[serde(skip)]
    failures: u32,
    #[serde(skip)]
    busy: u32,
    #[serde(skip)]
    busy_since: Option<Instant>,
    #[serde(skip)]
    told_busy: bool,
    #[serde(skip)]
    not_before: Option<Instant>,
}

impl Activation {
    fn new(server: ServerName, destination: DestinationId) -> Self {
        Self {
            server,
            destination,
            confirmed: false,
            stuck: false,
            why: None,
            told: false,
            lowering: false,
            failures: 0,
            busy: 0,
            busy_since: None,
            told_busy: false,
            not_before: None,
        }
    }

    /// Something may be writing to it. Whether it has been so for so long that a person is to be told.
    pub fn is_busy(&mut self, why: String, now: Instant) -> bool {
        self.lowering = false;
        let pause = BUSY_PAUSE.saturating_mul(1 << self.busy.min(10)).min(LONGEST_BUSY_PAUSE);
        self.busy += 1;
        self.why = Some(why);
        self.not_before = Some(now + pause);
        let since = *self.busy_since.get_or_insert(now);
        let news = !self.told_busy && now.saturating_duration_since(since) >= LONG_BUSY;
        self.told_busy |= news;
        news
    }

    /// Nobody tries to disable it any more for now, and the last attempt failed. Whether that is to be told now.
    pub fn is_given_up(&mut self) -> bool {
        let news = self.failures > 0 && !self.told;
        self.told |= news;
        self.stuck |= news;
        news
    }

    /// It could not be disabled. Whether that is to be told now.
    pub fn failed(&mut self, why: String, now: Instant) -> bool {
        self.lowering = false;
        self.failures += 1;
        self.why = Some(why);
        let give_up = self.failures >= ATTEMPTS;
        let pause = if give_up { STUCK_PAUSE } else { RETRY_PAUSE * self.failures };
        self.not_before = Some(now + pause);
        give_up && self.is_given_up()
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Activations(Vec<Activation>);

impl Activations {
    /// As they were kept.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).map(Self)
    }

    /// To be kept.
    pub fn written(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_else(|error| {
            // Names, ids and flags make JSON; an empty record would be a lie about what is enabled, this is only lost.
            tracing::error!("the enabled destinations cannot be written down: {error}");
            "[]".to_owned()
        })
    }

    /// Takes one in that is about to be enabled.
    pub fn add(&mut self, server: &ServerName, destination: DestinationId) {
        if self.find(server, destination).is_none() {
            self.0.push(Activation::new(server.clone(), destination));
        }
    }

    /// Takes those in that an earlier process has enabled.
    pub fn take_in(&mut self, others: Self) {
        for one in others.0 {
            if self.find(&one.server, one.destination).is_none() {
                self.0.push(one);
            }
        }
    }

    pub fn find(&mut self, server: &ServerName, destination: DestinationId) -> Option<&mut Activation> {
        self.0.iter_mut().find(|one| one.server == *server && one.destination == destination)
    }

    pub fn remove(&mut self, server: &ServerName, destination: DestinationId) -> Option<Activation> {
        let at = self.0.iter().position(|one| one.server == *server && one.destination == destination)?;
        Some(self.0.remove(at))
    }

    /// One more job uses it: when that has ended, disabling is tried at once.
    pub fn use_again(&mut self, server: &ServerName, destination: DestinationId) {
        if let Some(one) = self.find(server, destination) {
            (one.failures, one.busy, one.not_before) = (0, 0, None);
            (one.busy_since, one.told_busy) = (None, false);
        }
    }

    /// Whether an attempt to disable one of this server is under way.
    pub fn is_lowering(&self, server: &ServerName) -> bool {
        self.0.iter().any(|one| one.lowering && one.server == *server)
    }

    /// Those to be disabled now, where `is_idle` says that the server's jobs are over. Each is under way from now on.
    pub fn take_due(
        &mut self,
        now: Instant,
        is_idle: impl Fn(&ServerName) -> bool,
    ) -> Vec<(ServerName, DestinationId)> {
        let due = |one: &&mut Activation| {
            !one.lowering && one.not_before.is_none_or(|at| at <= now) && is_idle(&one.server)
        };
        let due = self.0.iter_mut().filter(due);
        due.map(|one| {
            one.lowering = true;
            (one.server.clone(), one.destination)
        })
        .collect()
    }

    /// When the next one is to be tried, where `is_idle` says that the server's jobs are over.
    pub fn next(&self, is_idle: impl Fn(&ServerName) -> bool) -> Option<Instant> {
        let waiting = self.0.iter().filter(|one| !one.lowering && is_idle(&one.server));
        waiting.filter_map(|one| one.not_before).min()
    }

    /// Attempts under way have broken off.
    pub fn forget_attempts(&mut self, now: Instant) {
        for one in self.0.iter_mut().filter(|one| one.lowering) {
            one.lowering = false;
            one.not_before = Some(now + STUCK_PAUSE);
        }
    }

    /// Drops those that `is_known` says nothing of, and answers them.
    pub fn drop_unknown(&mut self, is_known: impl Fn(&ServerName) -> bool) -> Vec<Activation> {
        let (known, unknown) = std::mem::take(&mut self.0).into_iter().partition(|one| is_known(&one.server));
        self.0 = known;
        unknown
    }

    /// Those that could not be disabled and are not told of yet, with the reasons; from now on they are.
    pub fn given_up(&mut self) -> Vec<(ServerName, DestinationId, String)> {
        let left = self.0.iter_mut().filter_map(|one| {
            let given_up = one.is_given_up();
            given_up.then(|| (one.server.clone(), one.destination, one.why.clone().unwrap_or_default()))
        });
        left.collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Activation> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn server() -> ServerName {
        "a".parse().unwrap()
    }

    fn destination(number: u32) -> DestinationId {
        format!("{number:024x}").parse().unwrap()
    }

    fn one() -> Activations {
        let mut all = Activations::default();
        all.add(&server(), destination(1));
        all
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_tried_a_few_times_then_told_once_and_tried_on() {
        let (mut all, start) = (one(), Instant::now());
        let mut now = start;
        let mut told = Vec::new();
        for _ in 0..5 {
            assert_eq!(all.take_due(now, |_| true), [(server(), destination(1))]);
            assert!(all.is_lowering(&server()) && all.take_due(now, |_| true).is_empty());
            told.push(all.find(&server(), destination(1)).unwrap().failed("no".into(), now));
            let next = all.next(|_| true).unwrap();
            assert!(all.take_due(next - Duration::from_millis(1), |_| true).is_empty());
            now = next;
        }
        assert_eq!(told, [false, false, true, false, false]);
        assert_eq!(now - start, RETRY_PAUSE * 3 + STUCK_PAUSE * 3);
        all.use_again(&server(), destination(1));
        assert_eq!(all.take_due(start, |_| true).len(), 1, "after the next job it is tried at once");
    }

    #[tokio::test(start_paused = true)]
    async fn while_it_is_used_it_is_left_alone_and_looked_at_ever_less_often() {
        let (mut all, now) = (one(), Instant::now());
        assert!(all.take_due(now, |_| false).is_empty() && all.next(|_| false).is_none());
        let mut pauses = Vec::new();
        for _ in 0..7 {
            assert_eq!(all.take_due(now + LONGEST_BUSY_PAUSE, |_| true).len(), 1);
            assert!(!all.find(&server(), destination(1)).unwrap().is_busy("job 7 runs".into(), now));
            pauses.push((all.next(|_| true).unwrap() - now).as_secs());
        }
        assert_eq!(pauses, [15, 30, 60, 120, 240, 300, 300]);
        let one = all.find(&server(), destination(1)).unwrap();
        let told = [1, 2].map(|times| one.is_busy("job 7 runs".into(), now + LONG_BUSY * times));
        assert_eq!(told, [true, false]);
    }

    #[test]
    fn what_is_kept_comes_back_without_the_pauses() {
        let mut all = one();
        all.add(&server(), destination(1));
        all.add(&server(), destination(2));
        all.find(&server(), destination(2)).unwrap().stuck = true;
        let mut back = Activations::read(&all.written()).unwrap();
        assert_eq!(back.written(), all.written());
        assert_eq!(back.iter().count(), 2);
        assert!(back.remove(&server(), destination(2)).unwrap().stuck);
        assert_eq!(back.drop_unknown(|_| false).len(), 1);
        assert_eq!(back.written(), "[]");
        // An older or a newer program's record.
        let text = format!(r#"[{{"server":"a","destination":"{}","new":1}}]"#, destination(3));
        assert!(!Activations::read(&text).unwrap().iter().next().unwrap().stuck);
    }

    proptest! {
        #[test]
        fn no_record_breaks_the_reader(text in ".*") {
            if let Ok(all) = Activations::read(&text) {
                prop_assert!(Activations::read(&all.written()).is_ok());
            }
        }
    }
}
