//! Starts that come much too late, or not at all.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::memory::{Memory, Planned};

/// How late a start may be without being told of.
const LATE: SignedDuration = SignedDuration::from_hours(1);

/// A start that comes much too late, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// When it was to be, without its random delay.
    pub due: Timestamp,
    /// When it is after all; `None` while it is not.
    pub begins: Option<Timestamp>,
}

/// A start whose time has come, and that was not given yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owed {
    /// When it was to be. Of several, the first.
    pub start: Planned,
    /// It was told that it is late.
    #[serde(default)]
    pub told: bool,
}

impl Memory {
    /// The time of this start has come. Of several that wait together, the first is the one that is owed.
    pub(super) fn owe(&mut self, start: Option<Planned>) {
        self.owed = self.owed.or(start.map(|start| Owed { start, told: false }));
    }

    /// Whether the start that is owed is so late that it has to be told now; `start`: it is given now.
    pub(super) fn lateness(&mut self, now: Timestamp, start: bool) -> Option<Missed> {
        let owed = self.owed.as_mut().filter(|owed| !owed.told)?;
        let is_late = now.duration_since(owed.start.due()) > LATE;
        owed.told |= is_late;
        is_late.then_some(Missed { due: owed.start.start, begins: start.then_some(now) })
    }

    /// The start that is owed is dropped. Whether that has to be told.
    pub(super) fn drop_owed(&mut self) -> Option<Missed> {
        let owed = self.owed.take().filter(|owed| !owed.told)?;
        Some(Missed { due: owed.start.start, begins: None })
    }
}
