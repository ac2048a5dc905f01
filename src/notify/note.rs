//! Notes: what somebody is to be written about, as it waits in the outbox.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::history::Noted;
use crate::model::{CycleId, Event, JobResult, RunRecord, What};
use crate::words;

/// What a letter is to be about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Note {
    /// Something happened.
    Happened(Box<Event>),
    /// The daemon is at work.
    Started {
        /// When.
        at: Timestamp,
    },
    /// The daemon was told to end.
    Stopping {
        /// When.
        at: Timestamp,
    },
    /// It is time to say that all this is still alive, and how it went since then.
    Life {
        /// Since when.
        since: Timestamp,
    },
}

/// How much of a hurry a note is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// It is sent by itself, unless many such notes wait.
    Urgent,
    /// It goes together with others of its kind, and not too often.
    Routine,
    /// It is always a letter of its own.
    Own,
}

/// A note that waits, from wherever it is kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Waiting {
    /// Its place in the outbox; none there for one that could not be kept.
    pub id: Option<i64>,
    /// What it says.
    pub note: Note,
    /// The letter it is part of already.
    pub letter: Option<String>,
    /// Who has not got that letter yet, if some have.
    pub missing: Option<Vec<String>>,
    /// When it was written.
    pub at: Timestamp,
    /// How often it was tried in vain.
    pub tries: u32,
}

impl Waiting {
    /// What the outbox keeps; nothing for what cannot be read, which a newer version may have written.
    pub fn of(noted: &Noted) -> Option<Self> {
        Some(Self {
            id: Some(noted.id),
            note: Note::read(&noted.note)?,
            letter: noted.letter.clone(),
            missing: noted.missing.clone(),
            at: noted.at,
            tries: noted.tries,
        })
    }
}

impl Note {
    pub fn write(&self) -> String {
        // Nothing in it can fail to be written: no maps, no foreign types.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub fn urgency(&self) -> Urgency {
        match self {
            Self::Happened(event) => match event.what {
                What::CycleFinished(_) => Urgency::Own,
                What::JobTimeout { .. } | What::DestinationStuck { .. } => Urgency::Urgent,
                _ => Urgency::Routine,
            },
            Self::Started { .. } | Self::Stopping { .. } => Urgency::Urgent,
            Self::Life { .. } => Urgency::Own,
        }
    }

    fn what(&self) -> Option<&What> {
        match self {
            Self::Happened(event) => Some(&event.what),
            _ => None,
        }
    }

    /// What it is about, for the log.
    pub fn in_a_word(&self) -> String {
        match self {
            Self::Happened(event) => words::sentence(event).unwrap_or_else(|| "an event".to_owned()),
            Self::Started { .. } => "the daemon's start".to_owned(),
            Self::Stopping { .. } => "the daemon's end".to_owned(),
            Self::Life { .. } => "how it went lately".to_owned(),
        }
    }

    /// The cycle whose summary this is.
    pub fn summary_of(&self) -> Option<CycleId> {
        match self.what()? {
            What::CycleFinished(cycle) => Some(cycle.id),
            _ => None,
        }
    }

    /// The cycle whose summary tells this as well.
    pub fn is_told_by(&self) -> Option<CycleId> {
        match self.what()? {
            What::JobFinished { run, recovered: false } => run.cycle,
            _ => None,
        }
    }
}

/// Whether a run failed: nothing of it can be relied on.
pub(super) fn has_failed(run: &RunRecord) -> bool {
    matches!(
        run.result,
        Some(
            JobResult::Failed
                | JobResult::Aborted
                | JobResult::NeverFinished
                | JobResult::DidNotStart
                | JobResult::LostContact
                | JobResult::Unknown
        )
    )
}
