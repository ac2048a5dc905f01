//! What one look at a server showed.

use super::objects::{Group, Job};
use crate::model::{GroupId, JobId};

/// What one look at a server showed. It is put together from several answers, which may contradict one another:
/// JetBackup moves on between two requests, and updates jobs and queue groups up to 30 seconds apart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// The queue groups of backups that were seen, newest first.
    pub groups: Vec<Group>,
    /// The jobs that were seen.
    pub jobs: Vec<Job>,
    /// JetBackup's version, as last told.
    pub version: Option<String>,
}

impl View {
    /// The job, if it was seen.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.iter().find(|job| job.id == id)
    }

    /// The queue group, if it was seen.
    #[must_use]
    pub fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// The queue groups of `job` that were seen, newest first.
    pub fn groups_of(&self, job: JobId) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(move |group| group.job == Some(job))
    }
}

/// Puts the newest group first; those without a time of creation come last, by falling id.
pub(crate) fn newest_first(groups: &mut [Group]) {
    groups.sort_by_key(|group| std::cmp::Reverse((group.created, group.id)));
}
