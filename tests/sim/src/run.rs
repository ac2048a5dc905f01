//! The script of one run: what happens, and when, from the trigger to the end.

use serde::{Deserialize, Serialize};

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Group 100, log 1.
    Completed,
    /// Group 101, log 4.
    Partial,
    /// Group 102, log 2.
    Failed,
    /// Group 103, log 3.
    Aborted,
    /// Group 104, log 5.
    NeverFinished,
    /// Any other group code; the log says failed (2).
    Code(i64),
}

impl Outcome {
    /// The status code of the queue group.
    pub fn group_code(self) -> i64 {
        match self {
            Self::Completed => 100,
            Self::Partial => 101,
            Self::Failed => 102,
            Self::Aborted => 103,
            Self::NeverFinished => 104,
            Self::Code(code) => code,
        }
    }

    /// The status code of the log, which is another enumeration.
    pub fn log_code(self) -> i64 {
        match self {
            Self::Completed => 1,
            Self::Failed | Self::Code(_) => 2,
            Self::Aborted => 3,
            Self::Partial => 4,
            Self::NeverFinished => 5,
        }
    }
}

/// Who started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// `runBackupJobManually`.
    Api,
    /// JetBackup's own scheduler.
    Schedule,
    /// A person in JetBackup's own interface.
    Person,
    /// It is only there to fill the lists; nothing counts it as a run.
    History,
}

/// What a stop request does to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stop {
    /// The run is aborted this many seconds later.
    After(i64),
    /// Nothing.
    Ignored,
}

/// The script of one run. All times are in seconds; unless said otherwise they count from the trigger.
///
/// Defaults: the group appears after 2 s, is pending for 3 s, then runs for 60 s over 3 items; `running` is true from
/// the trigger to the end; a stop takes 5 s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub(crate) outcome: Outcome,
    pub(crate) lasting: Option<i64>,
    pub(crate) pending: i64,
    pub(crate) group_after: i64,
    pub(crate) group_shown: bool,
    pub(crate) running_after: i64,
    pub(crate) running_shown: bool,
    pub(crate) running_ends: i64,
    pub(crate) items: u32,
    pub(crate) stages: Vec<(i64, i64)>,
    pub(crate) freezes_after: Option<i64>,
    pub(crate) vanishes_after: Option<i64>,
    pub(crate) logged: bool,
    pub(crate) writes: bool,
    pub(crate) stop: Stop,
    pub(crate) refused: Option<String>,
}

impl Run {
    /// A run that ends with `outcome`.
    pub fn ending(outcome: Outcome) -> Self {
        Self {
            outcome,
            lasting: Some(60),
            pending: 3,
            group_after: 2,
            group_shown: true,
            running_after: 0,
            running_shown: true,
            running_ends: 0,
            items: 3,
            stages: Vec::new(),
            freezes_after: None,
            vanishes_after: None,
            logged: true,
            writes: true,
            stop: Stop::After(5),
            refused: None,
        }
    }

    /// Ends with 100.
    pub fn completed() -> Self {
        Self::ending(Outcome::Completed)
    }

    /// Ends with 101, as on most nights where one account is over quota.
    pub fn partial() -> Self {
        Self::ending(Outcome::Partial)
    }

    /// Ends with 102.
    pub fn failed() -> Self {
        Self::ending(Outcome::Failed)
    }

    /// Ends with 103.
    pub fn aborted() -> Self {
        Self::ending(Outcome::Aborted)
    }

    /// Ends with 104.
    pub fn never_finished() -> Self {
        Self::ending(Outcome::NeverFinished)
    }

    /// Ends with a status code of your choice.
    pub fn ending_with_code(code: i64) -> Self {
        Self::ending(Outcome::Code(code))
    }

    /// Never ends by itself; its progress freezes 30 s after the start.
    pub fn stuck() -> Self {
        let mut run = Self::completed().freezes_after(30);
        run.lasting = None;
        run
    }

    /// The trigger is accepted, then a pre-hook aborts: nothing is written, the group goes to 103 without ever having
    /// started, `running` is never seen. With [`no_group`](Self::no_group) nothing is to be seen at all.
    pub fn hook_abort() -> Self {
        let mut run = Self::aborted().lasting(0).running_never().without_log();
        run.writes = false;
        run
    }

    /// The trigger is answered with `success: 0` and `message`; nothing is created.
    pub fn refused(message: impl Into<String>) -> Self {
        let mut run = Self::completed();
        run.refused = Some(message.into());
        run
    }

    /// Seconds from `started` to `ended`.
    pub fn lasting(mut self, seconds: i64) -> Self {
        self.lasting = Some(seconds);
        self
    }

    /// Seconds the group is pending before it starts.
    pub fn pending(mut self, seconds: i64) -> Self {
        self.pending = seconds;
        self
    }

    /// Seconds until the group is listed (seen in the field: 0 to 60).
    pub fn group_after(mut self, seconds: i64) -> Self {
        self.group_after = seconds;
        self
    }

    /// The group is never listed.
    pub fn no_group(mut self) -> Self {
        self.group_shown = false;
        self
    }

    /// Seconds until the job's `running` says true (seen in the field: 0 to 120).
    pub fn running_after(mut self, seconds: i64) -> Self {
        self.running_after = seconds;
        self
    }

    /// `running` is never seen true.
    pub fn running_never(mut self) -> Self {
        self.running_shown = false;
        self
    }

    /// `running` becomes false this many seconds after the group has finished.
    pub fn running_ends_late(mut self, seconds: i64) -> Self {
        self.running_ends = seconds;
        self
    }

    /// `running` becomes false this many seconds before the group has finished. The run is really at work until the
    /// group has finished.
    pub fn running_ends_early(mut self, seconds: i64) -> Self {
        self.running_ends = -seconds;
        self
    }

    /// The number of items (accounts) of the group; they are completed evenly over the time it lasts.
    pub fn items(mut self, items: u32) -> Self {
        self.items = items;
        self
    }

    /// From `seconds` after the start on the group shows `code` (3 to 99) in place of 2. May be repeated.
    pub fn stage(mut self, seconds: i64, code: i64) -> Self {
        self.stages.push((seconds, code));
        self.stages.sort_by_key(|stage| stage.0);
        self
    }

    /// From `seconds` after the start on progress and stage do not change any more, until it ends.
    pub fn freezes_after(mut self, seconds: i64) -> Self {
        self.freezes_after = Some(seconds);
        self
    }

    /// The group is no longer listed from `seconds` after it was created on (an admin cleared the queue). The run goes on.
    pub fn vanishes_after(mut self, seconds: i64) -> Self {
        self.vanishes_after = Some(seconds);
        self
    }

    /// The run leaves no log.
    pub fn without_log(mut self) -> Self {
        self.logged = false;
        self
    }

    /// A stop request aborts the run `seconds` later.
    pub fn stop_after(mut self, seconds: i64) -> Self {
        self.stop = Stop::After(seconds);
        self
    }

    /// A stop request is acknowledged and has no effect.
    pub fn ignores_stop(mut self) -> Self {
        self.stop = Stop::Ignored;
        self
    }
}
