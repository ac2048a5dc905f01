//! What one answer of a server says about one run, and which runs in it are strangers.

use std::collections::HashSet;

use crate::jetbackup::{Group, View};
use crate::model::{GroupId, JobId, RunRecord};

/// What a server shows of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sight {
    /// The job's own word on whether it runs.
    pub running: Option<bool>,
    /// The run's group, where it is listed.
    pub group: Option<Group>,
    /// The job has another, unfinished group: its "running" need not be about this run.
    pub another: bool,
}

impl Sight {
    /// Looks for `run` in `view`. Groups in `taken` are other runs'.
    pub fn of(run: &RunRecord, view: &View, taken: &HashSet<GroupId>) -> Self {
        let job = run.key.job;
        let own = |group: &&Group| match run.group {
            Some(id) => group.id == id,
            None => !run.baseline.contains(&group.id) && !taken.contains(&group.id),
        };
        let group = groups_of(view, job).filter(own).max_by_key(|group| (group.created, group.id)).cloned();
        let another = groups_of(view, job)
            .any(|other| !other.status.is_finished() && group.as_ref().is_some_and(|own| own.id != other.id));
        Self { running: says_running(view, job), group, another }
    }
}

/// A job's own word on whether it runs, "just triggered" included.
pub(super) fn says_running(view: &View, job: JobId) -> Option<bool> {
    let job = view.job(job)?;
    if job.is_just_triggered() { Some(true) } else { job.running }
}

/// The job's groups, in no particular order.
pub(super) fn groups_of(view: &View, job: JobId) -> impl Iterator<Item = &Group> {
    view.groups.iter().filter(move |group| group.job == Some(job))
}

/// The job's unfinished groups that belong to no run in `taken`.
pub(super) fn strangers<'a>(
    view: &'a View,
    job: JobId,
    taken: &'a HashSet<GroupId>,
) -> impl Iterator<Item = &'a Group> {
    groups_of(view, job).filter(|group| !group.status.is_finished() && !taken.contains(&group.id))
}
