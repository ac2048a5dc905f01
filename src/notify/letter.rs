//! A letter: what a mail says, before anybody is to get it.

use jiff::Timestamp;

use crate::model::CycleId;

/// What a mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What stands before the `@` of its `Message-ID`; fixed before it is first sent, so that one sent twice is known
    /// to be the same.
    pub id: String,
    /// When it was written.
    pub date: Timestamp,
    /// The cycle whose letters it belongs to: one thread for each.
    pub thread: Option<CycleId>,
    /// The worst of what it tells.
    pub tag: Tag,
    /// The subject, after program name and tag.
    pub subject: String,
    /// The text part: lines of at most 78 characters where the words allow it.
    pub text: String,
    /// The HTML part: complete, with its styles inline and nothing to be fetched.
    pub html: String,
}

/// The worst of what a letter tells, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tag {
    /// All is well.
    Ok,
    /// Something was backed up in part, or is worth a look.
    Partial,
    /// Something runs beyond its time limit.
    Timeout,
    /// Something failed.
    Failed,
    /// Something is in a state that no backup system should leave.
    Critical,
}

impl Tag {
    /// The word for it in a subject.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Partial => "PARTIAL",
            Self::Timeout => "TIMEOUT",
            Self::Failed => "FAILED",
            Self::Critical => "CRITICAL",
        }
    }
}

impl Letter {
    /// The whole subject: `[jetbackup-remote] FAILED: Accounts on web1`.
    #[must_use]
    pub fn full_subject(&self) -> String {
        format!("[jetbackup-remote] {}: {}", self.tag.word(), self.subject)
    }
}
