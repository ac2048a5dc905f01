//! What a schedule keeps over restarts.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::A_DAY;
use super::missed::Owed;

/// What is kept over restarts, as small JSON. It changes when a start is planned, given, or made to wait; never with
/// time alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The schedule it belongs to.
    pub(super) schedule: String,
    /// Up to this moment all starts are accounted for; `None`: nothing is yet.
    pub(super) accounted: Option<Timestamp>,
    /// The clock once ran ahead up to this moment, and starts up to it are accounted for too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ahead: Option<Timestamp>,
    /// The next start and its random delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<Planned>,
    /// A start waits for the end of the cycle under way.
    #[serde(default)]
    pub(super) waiting: bool,
    /// Which one that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) owed: Option<Owed>,
}

/// A start that is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Planned {
    /// When the schedule says.
    pub start: Timestamp,
    /// How many seconds later it is to be.
    pub delay: u64,
}

impl Planned {
    pub(super) fn due(self) -> Timestamp {
        later(self.start, i64::try_from(self.delay).unwrap_or(i64::MAX))
    }
}

impl Memory {
    pub(super) fn new(schedule: String, accounted: Option<Timestamp>) -> Self {
        Self { schedule, accounted, ahead: None, next: None, waiting: false, owed: None }
    }

    /// All starts up to `now` are accounted for. A clock that went back takes nothing back.
    pub(super) fn account(&mut self, now: Timestamp) {
        self.accounted = self.accounted.max(Some(now));
        self.next = None;
    }

    /// Keeps up with a clock that jumps.
    ///
    /// What is accounted for stays so when the clock goes back a little. Is it more than a day behind, then it was wrong
    /// before, or is so now: starts are counted from here, so that a clock that was years ahead does not end them for
    /// years. Should it return to where it was, they are not given again.
    pub(super) fn follow(&mut self, now: Timestamp) {
        if let Some(ahead) = self.ahead.take_if(|ahead| *ahead <= now) {
            self.account(ahead);
        }
        if let Some(accounted) = self.accounted.filter(|accounted| *accounted > later(now, A_DAY)) {
            self.ahead = self.ahead.max(Some(accounted));
            self.accounted = Some(now);
            self.next = None;
        }
    }
}

/// So many seconds later, or the end of time.
pub(super) fn later(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
