//! A job's bare word that it runs, with no queue group to show for it.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::GroupId;

/// How long the word may stand alone before it is acted upon: groups appear up to 60 seconds late, and the word
/// outlives its run by up to 30.
const TRIAL: Duration = Duration::from_secs(60);

/// A job's bare word that it runs.
#[derive(Debug)]
pub(super) struct Flag {
    since: Instant,
    /// The job's groups listed then: none of them is what it speaks of.
    pub baseline: Vec<GroupId>,
    /// It was there already when the job's last run ended, so it may be about that one.
    outlived: bool,
}

impl Flag {
    /// The job says so now.
    pub fn raised(baseline: Vec<GroupId>) -> Self {
        Self { since: Instant::now(), baseline, outlived: false }
    }

    /// A run of the job has ended by its group, and the job still says so.
    pub fn left_over() -> Self {
        Self { outlived: true, ..Self::raised(Vec::new()) }
    }

    /// Whether it is too early to tell what it means. Nothing is triggered meanwhile.
    pub fn is_on_trial(&self) -> bool {
        self.since.elapsed() < TRIAL
    }

    /// Whether it means a run: it has stood for long enough, and no run that ended explains it.
    pub fn is_believed(&self) -> bool {
        !self.is_on_trial() && !self.outlived
    }
}
