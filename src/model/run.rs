//! One run of a job, as it is remembered: from the intent to trigger it until its real end is known.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BootMoment, GroupId, JobKey, LogId, text};

/// How a finished run went. `history` and MQTT use these words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobResult {
    /// JetBackup says "completed": the only success.
    Completed,
    /// Some items were backed up, some were not.
    Partial,
    /// JetBackup says "failed".
    Failed,
    /// Stopped, by a person or a hook.
    Aborted,
    /// JetBackup found the run dead after a crash or restart.
    NeverFinished,
    /// Triggered (or refused), and nothing was seen of it in time.
    DidNotStart,
    /// The server has not been reached again; the run may still be under way.
    LostContact,
    /// Not triggered at all.
    Skipped,
    /// It ended, and nothing tells how.
    Unknown,
}

impl JobResult {
    /// Every result, for tables and schemas.
    pub const ALL: [Self; 9] = [
        Self::Completed,
        Self::Partial,
        Self::Failed,
        Self::Aborted,
        Self::NeverFinished,
        Self::DidNotStart,
        Self::LostContact,
        Self::Skipped,
        Self::Unknown,
    ];

    /// The word, as in history and MQTT.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::NeverFinished => "never_finished",
            Self::DidNotStart => "did_not_start",
            Self::LostContact => "lost_contact",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
        }
    }

    /// The result a word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.word() == word)
    }
}

/// Why a run has the result it has, where the result alone does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The server could not be asked.
    Unreachable,
    /// The server answers, but its list of queue groups is too long to be read to its end.
    ListTooLong,
    /// The job is disabled on its server.
    Disabled,
    /// The server does not know the job.
    NotFound,
    /// JetBackup refused the trigger.
    Refused,
    /// The exec request could not be sent.
    NotSent,
    /// The trigger was sent and nothing of it appeared within the start-up time limit.
    NothingStarted,
    /// A person or a signal stopped the queue before the job's turn.
    StoppedByUser,
    /// The queue was cleared on the server; the result comes from JetBackup's log.
    GroupVanished,
    /// The server or the job is no longer in the configuration.
    NotConfigured,
    /// The destination of the server's jobs is disabled, or could not be enabled.
    DestinationDisabled,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::Unreachable,
        Self::ListTooLong,
        Self::Disabled,
        Self::NotFound,
        Self::Refused,
        Self::NotSent,
        Self::NothingStarted,
        Self::StoppedByUser,
        Self::GroupVanished,
        Self::NotConfigured,
        Self::DestinationDisabled,
    ];

    /// The word, as in history and MQTT.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::ListTooLong => "list_too_long",
            Self::Disabled => "disabled",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::NotSent => "not_sent",
            Self::NothingStarted => "nothing_started",
            Self::StoppedByUser => "stopped_by_user",
            Self::GroupVanished => "group_vanished",
            Self::NotConfigured => "not_configured",
            Self::DestinationDisabled => "destination_disabled",
        }
    }

    /// The reason a word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }
}

/// What tells one run from every other, over restarts too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub i64);

/// What tells one cycle from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CycleId(pub i64);

/// Who started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// This program, by `runBackupJobManually`.
    Triggered,
    /// JetBackup's scheduler, a person, or this program before it forgot.
    Adopted,
}

/// A stop that was accepted and has not had its effect yet. It is on record until the run has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopRequest {
    /// It is sent as soon as the run's group is known and its server answers.
    Accepted,
    /// JetBackup has taken it.
    Sent,
}

impl StopRequest {
    /// The word on record.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Sent => "sent",
        }
    }

    /// The request a word stands for. A word of a newer program is a stop as well.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        if word == "sent" { Self::Sent } else { Self::Accepted }
    }
}

/// A row of the history. While `open`, the run may be writing and is watched, also after a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// This run.
    pub id: RunId,
    /// Its job.
    #[serde(flatten)]
    pub key: JobKey,
    /// The job's label when it ran.
    pub label: String,
    /// The cycle whose turn it was, if any.
    pub cycle: Option<CycleId>,
    /// Who started it.
    pub origin: Origin,
    /// When the intent was committed, or the run was first seen. Wall clock of this machine.
    pub asked: Timestamp,
    /// The job's groups listed before the trigger: none of them is this run.
    #[serde(skip)]
    pub baseline: Vec<GroupId>,
    /// The baseline could not be read back completely: what is missing from it proves nothing.
    #[serde(skip)]
    pub baseline_lost: bool,
    /// The run's group, once seen.
    pub group: Option<GroupId>,
    /// The log that JetBackup writes about it, once its group shows it.
    #[serde(skip)]
    pub log: Option<LogId>,
    /// The stop that was accepted for it.
    #[serde(skip)]
    pub stop: Option<StopRequest>,
    /// When it began (was asked for, until its server says more) by the machine's own uptime.
    #[serde(skip)]
    pub began: Option<BootMoment>,
    /// When the server says it started. The server's clock.
    pub started: Option<Timestamp>,
    /// When the server says it ended. The server's clock.
    pub ended: Option<Timestamp>,
    /// How long it took, in seconds: from the server's times, else as watched here without a gap.
    pub duration: Option<u64>,
    /// The time limit in force, in seconds.
    pub limit: u64,
    /// It ran beyond its time limit.
    pub overrun: bool,
    /// A person took it off the lane.
    pub released: bool,
    /// Its end is not known yet.
    pub open: bool,
    /// How it went; while `open`, what is to be believed until its end is known.
    pub result: Option<JobResult>,
    /// Why, where the result alone does not say.
    pub reason: Option<Reason>,
    /// What was heard about it, at most [`text::KEPT`] characters.
    pub error: Option<String>,
}

impl RunRecord {
    /// A run that this program is about to trigger, with a time limit of so many seconds. Nothing else is known of it.
    #[must_use]
    pub fn new(id: RunId, key: JobKey, label: impl Into<String>, asked: Timestamp, limit: u64) -> Self {
        Self {
            id,
            key,
            label: label.into(),
            cycle: None,
            origin: Origin::Triggered,
            asked,
            baseline: Vec::new(),
            baseline_lost: false,
            group: None,
            log: None,
            stop: None,
            began: None,
            started: None,
            ended: None,
            duration: None,
            limit,
            overrun: false,
            released: false,
            open: true,
            result: None,
            reason: None,
            error: None,
        }
    }

    /// Takes a text for `error`, cut to what is kept.
    pub fn tell(&mut self, error: impl AsRef<str>) {
        self.error = Some(text::cut(error.as_ref(), text::KEPT));
    }

    /// Whether a person called the turn off before anything was triggered, which is no failure of the job's.
    #[must_use]
    pub fn is_called_off(&self) -> bool {
        self.result == Some(JobResult::Skipped) && self.reason == Some(Reason::StoppedByUser)
    }

    /// Whether the run, or what it left undone, is something a person should look at.
    #[must_use]
    pub fn is_problem(&self) -> bool {
        self.overrun || self.result.is_some_and(|result| result != JobResult::Completed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_serde_writes() {
        for result in JobResult::ALL {
            assert_eq!(serde_json::to_value(result).unwrap(), result.word());
            assert_eq!(JobResult::from_word(result.word()), Some(result));
        }
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.word());
            assert_eq!(Reason::from_word(reason.word()), Some(reason));
        }
        assert_eq!(JobResult::from_word("success"), None);
    }
}
