//! Remarks: what is odd on a server before it costs a backup.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a remark is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemarkKind {
    /// A job that is enabled on its server, and that nothing here ever runs.
    JobInNoQueue,
    /// A configured job that is disabled on its server.
    JobDisabled,
    /// A configured job that its server does not know.
    JobNotFound,
    /// A destination of configured jobs that is disabled.
    DestinationDisabled,
    /// A destination of configured jobs that cannot be written to.
    DestinationReadOnly,
    /// A destination of configured jobs that has little room left.
    DestinationNearlyFull,
}

impl RemarkKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::JobInNoQueue,
        Self::JobDisabled,
        Self::JobNotFound,
        Self::DestinationDisabled,
        Self::DestinationReadOnly,
        Self::DestinationNearlyFull,
    ];

    /// Whether it is about a destination. Destinations cannot be asked about on every server.
    #[must_use]
    pub fn is_of_destination(self) -> bool {
        matches!(self, Self::DestinationDisabled | Self::DestinationReadOnly | Self::DestinationNearlyFull)
    }
}

/// Something on a server that a person should look at.
///
/// Two remarks are about the same thing if kind and id are the same ([`Remark::is_about`]): the text may change with
/// names and numbers, and that is no news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// What it is about.
    pub kind: RemarkKind,
    /// JetBackup's id of the job or the destination.
    pub id: String,
    /// What a person is told: a sentence without its full stop and without the name of the server.
    pub text: String,
    /// Since when it is known to be so. Wall clock of this machine; `None` where that cannot be right.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

impl Remark {
    /// Whether both are about the same thing.
    #[must_use]
    pub fn is_about(&self, other: &Self) -> bool {
        (self.kind, &self.id) == (other.kind, &other.id)
    }
}
