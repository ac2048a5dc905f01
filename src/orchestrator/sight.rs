//! What one answer of a server says about one run, and which runs in it are strangers.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use jiff::Timestamp;

use crate::jetbackup::{Group, View};
use crate::model::{GroupId, JobId, RunRecord};

/// The `state` of a job that was triggered a moment ago.
const JUST_TRIGGERED: i64 = 2;

/// What a server shows of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sight {
    /// The job's own word on whether it runs.
    pub running: Option<bool>,
    /// The run's group, where it is listed.
    pub group: Option<Group>,
    /// There is a new group that was created at another time than the run's: by a clock that was set since, it may be its.
    pub doubtful: bool,
    /// The job has another, unfinished group: its "running" need not be about this run.
    pub another: bool,
}

impl Sight {
    /// Looks for `run` in `view`. Groups in `taken` are other runs'. Where it was not watched all the time, its group was
    /// `created` then: another one may have come meanwhile, and its own gone.
    pub fn of(
        run: &RunRecord,
        view: &View,
        taken: &HashSet<GroupId>,
        created: Option<&RangeInclusive<Timestamp>>,
    ) -> Self {
        let job = run.key.job;
        let is_new = |group: &&Group| {
            let is_new = !run.baseline.contains(&group.id) && !taken.contains(&group.id);
            is_new && (!run.baseline_lost || !ended_before(group, run.asked))
        };
        let is_in_time =
            |group: &Group| created.is_none_or(|span| group.created.is_none_or(|at| span.contains(&at)));
        let own = |group: &&Group| match run.group {
            Some(id) => group.id == id,
            None => is_new(group) && is_in_time(group),
        };
        // The oldest of those that are new: the newest first is how they are listed.
        let group = view.groups_of(job).filter(own).last().cloned();
        let another = view
            .groups_of(job)
            .any(|other| !other.status.is_finished() && group.as_ref().is_some_and(|own| own.id != other.id));
        let doubtful =
            run.group.is_none() && group.is_none() && view.groups_of(job).any(|group| is_new(&group));
        Self { running: says_running(view, job), group, doubtful, another }
    }
}

/// Whether a group ended before that moment, so that it cannot be a run that was asked for then.
fn ended_before(group: &Group, asked: Timestamp) -> bool {
    group.status.is_finished() && group.ended.is_none_or(|ended| ended < asked)
}

/// A job's own word on whether it runs, "just triggered" included.
pub(super) fn says_running(view: &View, job: JobId) -> Option<bool> {
    let job = view.job(job)?;
    if job.state == Some(JUST_TRIGGERED) { Some(true) } else { job.running }
}

/// The job's unfinished groups that belong to no run in `taken`.
pub(super) fn strangers<'a>(
    view: &'a View,
    job: JobId,
    taken: &'a HashSet<GroupId>,
) -> impl Iterator<Item = &'a Group> {
    view.groups_of(job).filter(|group| !group.status.is_finished() && !taken.contains(&group.id))
}
