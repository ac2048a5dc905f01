//! The jobs whose turn is to come, each at most once.

use std::collections::VecDeque;

use crate::config::{Job, Server};
use crate::model::{JobKey, Selection};

/// The configured jobs that `selection` takes, in the order of their turns.
///
/// Highest priority first, then servers in the order of the configuration, then jobs in the order of the file.
#[must_use]
pub fn plan<'a>(servers: &[Server], jobs: &'a [Job], selection: &Selection) -> Vec<&'a Job> {
    let mut planned: Vec<&Job> = jobs.iter().filter(|job| selection.takes(&job.key)).collect();
    let place = |job: &Job| servers.iter().position(|server| server.name == job.key.server);
    // The sort is stable: what is equal keeps the order of the file.
    planned.sort_by_key(|job| (std::cmp::Reverse(job.priority), place(job)));
    planned
}

/// What became of asking for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// It is in the queue now, at this place.
    Queued(usize),
    /// It was in the queue already, at this place.
    AlreadyQueued(usize),
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue(VecDeque<JobKey>);

impl Queue {
    /// Puts a job at the end, unless it is in the queue.
    pub fn ask(&mut self, job: &JobKey) -> Asked {
        if let Some(at) = self.0.iter().position(|queued| queued == job) {
            return Asked::AlreadyQueued(at + 1);
        }
        self.0.push_back(job.clone());
        Asked::Queued(self.0.len())
    }

    /// The job whose turn is next.
    pub fn first(&self) -> Option<&JobKey> {
        self.0.front()
    }

    /// Takes a job out, wherever it stands. Answers whether it was there.
    pub fn remove(&mut self, job: &JobKey) -> bool {
        let before = self.0.len();
        self.0.retain(|queued| queued != job);
        self.0.len() < before
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
