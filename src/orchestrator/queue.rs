//! The jobs whose turn is to come, each at most once.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::config::{Job, Server};
use crate::model::{JobKey, Selection, ServerName};

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
pub(super) struct Queue {
    waiting: VecDeque<JobKey>,
    /// Jobs whose turn comes once nothing else waits, and since when.
    deferred: VecDeque<(JobKey, Instant)>,
}

impl Queue {
    /// Puts a job at the end, unless it is in the queue.
    pub fn ask(&mut self, job: &JobKey) -> Asked {
        if let Some(at) = self.jobs().position(|queued| queued == job) {
            return Asked::AlreadyQueued(at + 1);
        }
        self.waiting.push_back(job.clone());
        Asked::Queued(self.waiting.len())
    }

    /// Puts a job behind everything that waits; once only.
    pub fn defer(&mut self, job: &JobKey, now: Instant) {
        if let Some(at) = self.waiting.iter().position(|queued| queued == job) {
            self.waiting.remove(at);
            self.deferred.push_back((job.clone(), now));
        }
    }

    /// The job whose turn is next.
    pub fn first(&self) -> Option<&JobKey> {
        self.jobs().next()
    }

    /// Since when the next job is deferred, if only such jobs are left: for them this is the last turn.
    pub fn last_turns(&self) -> Option<Instant> {
        let since = self.deferred.front().map(|(_, since)| *since);
        since.filter(|_| self.waiting.is_empty())
    }

    /// The jobs that are deferred.
    pub fn deferred(&self) -> Vec<JobKey> {
        self.deferred.iter().map(|(job, _)| job.clone()).collect()
    }

    /// Takes a job out, wherever it stands. Answers whether it was there.
    pub fn remove(&mut self, job: &JobKey) -> bool {
        let before = self.waiting.len() + self.deferred.len();
        self.waiting.retain(|queued| queued != job);
        self.deferred.retain(|(queued, _)| queued != job);
        self.waiting.len() + self.deferred.len() < before
    }

    /// Takes all jobs out.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.deferred.clear();
    }

    /// Whether a job of this server waits.
    pub fn has_any_of(&self, server: &ServerName) -> bool {
        self.jobs().any(|queued| queued.server == *server)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.deferred.is_empty()
    }

    fn jobs(&self) -> impl Iterator<Item = &JobKey> {
        self.waiting.iter().chain(self.deferred.iter().map(|(job, _)| job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    /// The design's sample: servers `a, b`, and the jobs `b/1, a/1, a/2 (priority 5)`.
    const SAMPLE: &str = r#"{
        "ssh_key": "/key",
        "servers": {"a": {"host": "a.example.com"}, "b": {"host": "b.example.com"}},
        "jobs": [
            {"job_id": "0000000000000000000000b1", "server": "b"},
            {"job_id": "0000000000000000000000a1", "server": "a"},
            {"job_id": "0000000000000000000000a2", "server": "a", "priority": 5}
        ]
    }"#;

    fn turns(selection: &Selection) -> Vec<String> {
        let config = config::parse(SAMPLE, "config.json".as_ref()).unwrap().config;
        plan(&config.servers, &config.jobs, selection).iter().map(|job| job.label.clone()).collect()
    }

    #[test]
    fn priority_then_servers_then_the_order_of_the_file() {
        let expected = ["0000000000000000000000a2", "0000000000000000000000a1", "0000000000000000000000b1"];
        assert_eq!(turns(&Selection::default()), expected);
    }

    #[test]
    fn a_selection_keeps_the_order() {
        let server = Some("a".parse().unwrap());
        assert_eq!(turns(&Selection { server: server.clone(), job: None }).len(), 2);
        let job = Some("0000000000000000000000b1".parse().unwrap());
        assert_eq!(turns(&Selection { server: None, job }), ["0000000000000000000000b1"]);
        assert!(turns(&Selection { server, job }).is_empty());
    }

    #[test]
    fn a_job_is_in_the_queue_at_most_once() {
        let key = |n: u8| JobKey { server: "a".parse().unwrap(), job: format!("{n:024x}").parse().unwrap() };
        let mut queue = Queue::default();
        assert_eq!(queue.ask(&key(1)), Asked::Queued(1));
        assert_eq!(queue.ask(&key(2)), Asked::Queued(2));
        assert_eq!(queue.ask(&key(1)), Asked::AlreadyQueued(1));
        assert!(queue.remove(&key(1)));
        assert!(!queue.remove(&key(1)));
        assert_eq!(queue.first(), Some(&key(2)));
        assert!(!queue.is_empty());
    }

    #[test]
    fn what_is_deferred_comes_after_everything_that_waits() {
        let key = |n: u8| JobKey { server: "a".parse().unwrap(), job: format!("{n:024x}").parse().unwrap() };
        let now = Instant::now();
        let mut queue = Queue::default();
        for n in 1..=3 {
            queue.ask(&key(n));
        }
        queue.defer(&key(1), now);
        assert_eq!((queue.first(), queue.last_turns()), (Some(&key(2)), None));
        assert_eq!(queue.ask(&key(1)), Asked::AlreadyQueued(3));
        queue.ask(&key(4));
        for n in [2, 3, 4] {
            queue.remove(&key(n));
        }
        assert_eq!((queue.first(), queue.last_turns()), (Some(&key(1)), Some(now)));
        assert_eq!(queue.deferred(), [key(1)]);
        queue.defer(&key(1), now);
        assert_eq!(queue.first(), Some(&key(1)), "once only");
        assert!(queue.remove(&key(1)) && queue.is_empty());
    }
}
