//! Whether a server answers, and when that is news.

use std::time::Duration;

use tokio::time::Instant;

/// Polls that must fail in a row before a server counts as out of reach: a lost connection alone is no news.
const FAILURES_TO_TELL: u32 = 2;

/// How often a server that is out of reach is looked at beside the turns of the others.
const PROBE_EVERY: Duration = Duration::from_secs(60);

/// What is known of the way to a server.
#[derive(Debug, Default)]
pub(super) struct Contact {
    failures: u32,
    told: Option<bool>,
    /// When it was last asked.
    pub asked: Option<Instant>,
    /// A poll is under way.
    pub polling: bool,
    /// A look beside the turns is under way.
    pub probing: bool,
}

impl Contact {
    /// It is out of reach, as far as is known.
    pub fn is_lost(&self) -> bool {
        self.told == Some(false)
    }

    /// When it is to be looked at beside the turns: if it is out of reach, so that nobody waits for it.
    pub fn probe_due(&self, now: Instant) -> Option<Instant> {
        let due = self.asked.map_or(now, |asked| asked + PROBE_EVERY);
        (self.is_lost() && !self.probing).then_some(due)
    }

    /// It answered. Whether that is news.
    pub fn heard(&mut self) -> bool {
        self.failures = 0;
        self.told.replace(true) != Some(true)
    }

    /// It did not answer a poll. Whether that is news.
    pub fn missed(&mut self) -> bool {
        self.failures += 1;
        self.failures >= FAILURES_TO_TELL && self.told.replace(false) != Some(false)
    }

    /// It did not answer although it was asked patiently. Whether that is news.
    pub fn lost(&mut self) -> bool {
        self.failures = FAILURES_TO_TELL;
        self.told.replace(false) != Some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lost_poll_is_no_news_and_every_change_is_told_once() {
        let mut contact = Contact::default();
        assert!(contact.heard());
        assert!(!contact.heard());
        assert!(!contact.missed());
        assert!(!contact.heard());
        assert!(!contact.missed());
        assert!(contact.missed());
        assert!(!contact.missed());
        assert!(!contact.lost());
        assert!(contact.heard());
        assert!(contact.lost() && contact.is_lost());
    }
}
