//! Whether a server answers, and when that is news.

use tokio::time::Instant;

/// Polls that must fail in a row before a server counts as out of reach: a lost connection alone is no news.
const FAILURES_TO_TELL: u32 = 2;

/// What is known of the way to a server.
#[derive(Debug, Default)]
pub(super) struct Contact {
    failures: u32,
    told: Option<bool>,
    /// When it was last asked.
    pub asked: Option<Instant>,
    /// A poll is under way.
    pub polling: bool,
}

impl Contact {
    /// It is out of reach, as far as is known.
    pub fn is_lost(&self) -> bool {
        self.told == Some(false)
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
