//! Since when problems stand.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use crate::model::JobResult;
use crate::model::view::{JobState, ServerState};
use crate::words::moment_in;

/// Since when a server does not answer.
pub(super) fn silent_since(server: &ServerState, zone: &TimeZone) -> Option<String> {
    let since = server.since.filter(|_| server.answers() == Some(false));
    since.map(|since| moment_in(since, zone))
}

/// What is wrong with a job, and since when.
pub(super) fn of_job(job: &JobState, zone: &TimeZone) -> Vec<String> {
    let mut said = Vec::new();
    let current = job.current.as_ref().filter(|_| job.overrun);
    let limit = SignedDuration::from_secs(i64::try_from(job.limit).unwrap_or(i64::MAX));
    let passed = current.and_then(|current| current.started?.checked_add(limit).ok());
    said.extend(passed.map(|since| format!("beyond its limit since {}", moment_in(since, zone))));
    let failing = job.problem && job.last.as_ref().is_some_and(|last| last.result != JobResult::Completed);
    if job.stale || failing {
        let since = match job.last_success {
            Some(success) => format!("no success since {}", moment_in(success, zone)),
            None => "no success so far, as far as is known".to_owned(),
        };
        said.push(if job.stale { format!("stale: {since}") } else { since });
    }
    said
}
