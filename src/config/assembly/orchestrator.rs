//! The queue: times that depend on each other, and paths.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Assembly;
use crate::config::Orchestrator;
use crate::config::check::complaint;
use crate::config::file::{DestinationSection, OrchestratorSection};

/// What the address of a unix socket holds, less the zero at its end.
const LONGEST_SOCKET_PATH: usize = 107;

/// Three days, unless the queue or, in days, the predecessor's key says otherwise.
pub(super) fn stale_after(queue: &OrchestratorSection, destination: &DestinationSection) -> Duration {
    let days = destination.alert_days_without_jobs.filter(|&days| days > 0).unwrap_or(3);
    Duration::from_secs(queue.stale_after.unwrap_or(days * 86_400))
}

impl Assembly<'_> {
    pub(super) fn orchestrator(&mut self, entry: OrchestratorSection, stale_after: Duration) -> Orchestrator {
        if entry.startup_timeout >= entry.job_timeout {
            self.warn(
                "orchestrator.startup_timeout",
                "is not shorter than job_timeout: a job that does not start is told of as late",
            );
        }
        for (key, path) in [("state_dir", &entry.state_dir), ("control_socket", &entry.control_socket)] {
            if !Path::new(path).is_absolute() {
                let message = complaint(&path.as_str().into(), "an absolute path");
                self.problem(&format!("orchestrator.{key}"), message);
            }
        }
        let length = entry.control_socket.len();
        if length > LONGEST_SOCKET_PATH {
            let message = format!("has {length} bytes; needed: a path of at most {LONGEST_SOCKET_PATH}");
            self.problem("orchestrator.control_socket", message);
        }
        Orchestrator {
            poll_interval: Duration::from_secs(entry.poll_interval),
            job_timeout: Duration::from_secs(entry.job_timeout),
            startup_timeout: Duration::from_secs(entry.startup_timeout),
            on_timeout: entry.on_timeout,
            max_overruns: entry.max_overruns,
            state_dir: entry.state_dir.into(),
            control_socket: entry.control_socket.into(),
            known_hosts: entry.known_hosts,
            lock_file: entry.lock_file.into(),
            log_file: Some(entry.log_file.into()).filter(|path: &PathBuf| !path.as_os_str().is_empty()),
            log_max_bytes: entry.log_max_bytes,
            log_backup_count: entry.log_backup_count,
            stale_after,
        }
    }
}
