//! The jobs: each on a server there is, each once.

use std::collections::HashSet;
use std::time::Duration;

use super::Assembly;
use crate::config::file::JobEntry;
use crate::config::json::below;
use crate::config::{Job, JobKind, Orchestrator, nearest};
use crate::model::JobKey;

impl Assembly<'_> {
    pub(super) fn jobs(
        &mut self,
        entries: Vec<JobEntry>,
        servers: &[String],
        orchestrator: &Orchestrator,
    ) -> Vec<Job> {
        if entries.is_empty() {
            self.warn("jobs", "names no job: there is nothing to run");
        }
        for name in servers.iter().filter(|name| !entries.iter().any(|entry| entry.server == **name)) {
            self.warn(&below("servers", name), "has no job in the queue");
        }
        let mut seen = HashSet::new();
        let mut jobs = Vec::new();
        for (at, entry) in entries.into_iter().enumerate() {
            let path = format!("jobs[{at}]");
            if !servers.contains(&entry.server) {
                let hint = nearest(&entry.server, servers.iter().map(String::as_str));
                let hint = hint.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default();
                let known = servers.join(", ");
                let message =
                    format!("is {:?}, which is no configured server{hint} (known: {known})", entry.server);
                self.problem(&format!("{path}.server"), message);
                continue;
            }
            // Both were checked: the id against the schema, the name with its server.
            let (Ok(server), Ok(job)) = (entry.server.parse(), entry.job_id.parse()) else { continue };
            let key = JobKey { server, job };
            if !seen.insert(key.clone()) {
                self.problem(&path, format!("names the job {key} a second time"));
            }
            let seconds =
                |own: Option<u64>, common| own.filter(|&s| s > 0).map_or(common, Duration::from_secs);
            jobs.push(Job {
                label: entry.label.unwrap_or(entry.job_id),
                kind: kind(entry.kind.as_deref().unwrap_or_default()),
                priority: entry.priority,
                timeout: seconds(entry.timeout, orchestrator.job_timeout),
                stale_after: seconds(entry.stale_after, orchestrator.stale_after),
                key,
            });
        }
        jobs
    }
}

fn kind(text: &str) -> JobKind {
    match text.trim().to_ascii_lowercase().as_str() {
        "accounts" => JobKind::Accounts,
        "directories" => JobKind::Directories,
        "database" => JobKind::Database,
        _ => JobKind::Other,
    }
}
