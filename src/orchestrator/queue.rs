//! The jobs whose turn is to come, each at most once.

use std::collections::VecDeque;

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

    /// Whether a job of this server waits.
    pub fn has_any_of(&self, server: &ServerName) -> bool {
        self.0.iter().any(|queued| queued.server == *server)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
}
