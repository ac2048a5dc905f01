//! A backup job: its settings, and the scripts of its runs.

use serde::{Deserialize, Serialize};

use crate::run::Run;

/// What `runBackupJobManually` does for a job that is running or queued already. The real behaviour is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WhenRunning {
    /// `success: 0`.
    Refuse,
    /// `success: 1` and nothing else.
    Swallow,
    /// `success: 1` and a second, pending group that starts when the first has ended.
    Queue,
}

/// What `runBackupJobManually` answers for a disabled job. Nothing is ever created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DisabledAnswer {
    /// `success: 0`.
    Refuse,
    /// Exit status 0 and this text as the whole output.
    ShortBody(String),
}

/// A backup job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: i64,
    pub(crate) contains: i64,
    pub(crate) destinations: Vec<String>,
    pub(crate) disabled: bool,
    pub(crate) managed: bool,
    pub(crate) scripts: Vec<Run>,
    pub(crate) when_running: WhenRunning,
    pub(crate) disabled_answer: DisabledAnswer,
    /// How many scripts have been used up.
    pub(crate) used: usize,
}

impl Job {
    /// An enabled accounts job with the default run.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            kind: 1,
            contains: 511,
            destinations: Vec::new(),
            disabled: false,
            managed: true,
            scripts: Vec::new(),
            when_running: WhenRunning::Refuse,
            disabled_answer: DisabledAnswer::Refuse,
            used: 0,
        }
    }

    /// Adds the script of the next run. The last script is repeated for all further runs.
    pub fn runs(mut self, run: Run) -> Self {
        self.scripts.push(run);
        self
    }

    /// A directories job (type 2).
    pub fn directories(mut self) -> Self {
        (self.kind, self.contains) = (2, 0);
        self
    }

    /// A database job: type 1 that contains databases only (4).
    pub fn databases(mut self) -> Self {
        (self.kind, self.contains) = (1, 4);
        self
    }

    /// The built-in "JetBackup Config" job (type 3).
    pub fn config(mut self) -> Self {
        (self.kind, self.contains) = (3, 0);
        self
    }

    /// Where it writes to. May be repeated. A run fails at once, unwritten, if one of them is disabled when it is
    /// triggered: assumed, for what JetBackup says of such a run is not documented, only that nothing is written.
    pub fn destination(mut self, id: impl Into<String>) -> Self {
        self.destinations.push(id.into());
        self
    }

    /// A disabled job; a trigger is refused.
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    /// What a trigger answers while the job is disabled.
    pub fn when_disabled(mut self, answer: DisabledAnswer) -> Self {
        self.disabled_answer = answer;
        self
    }

    /// What a trigger does while the job is running or queued.
    pub fn when_running(mut self, behaviour: WhenRunning) -> Self {
        self.when_running = behaviour;
        self
    }

    /// A job that the program under test does not manage: its runs never count as overlaps.
    pub fn unmanaged(mut self) -> Self {
        self.managed = false;
        self
    }

    /// Takes the script of the next run.
    pub(crate) fn next_script(&mut self) -> Run {
        let script = self.scripts.get(self.used).or(self.scripts.last()).cloned();
        self.used += 1;
        script.unwrap_or_else(Run::completed)
    }
}
