//! Events as sentences, for the terminal and the log.

use super::{Tone, because, clean, duration, moment, name, result, result_tone};
use crate::model::{AfterTimeout, CycleRecord, Event, JobKey, JobResult, Origin, RunRecord, What};

/// What happened, in a line without its time; `None` where it is nobody's news.
///
/// Jobs that have no run yet are named by their ids; see [`sentence_with`].
#[must_use]
pub fn sentence(event: &Event) -> Option<String> {
    sentence_with(event, &|_| None)
}

/// As [`sentence`], with a way to find the label of a job that has no run yet.
#[must_use]
pub fn sentence_with(event: &Event, label: &dyn Fn(&JobKey) -> Option<String>) -> Option<String> {
    let called = |key: &JobKey| match label(key) {
        Some(label) => name(&label, &key.server),
        None => key.to_string(),
    };
    let said = match &event.what {
        What::CycleStarted { jobs, resumed, .. } => {
            let how = if *resumed { "taken up again, left" } else { "started" };
            format!("Cycle {how}: {}", count(jobs.len(), "job", "jobs"))
        }
        What::JobQueued { job } => format!("Queued: {}", called(job)),
        What::JobStarting(run) => format!("Starting: {}", of(run)),
        What::TriggerWithdrawn { run, .. } => format!("Not started yet: {}; nothing was sent", of(run)),
        What::JobDeferred { job, error } => {
            told(format!("Put off: {}, its turn comes at the end of the cycle", called(job)), error)
        }
        What::JobStarted(run) => match run.origin {
            Origin::Triggered => format!("Running: {}", of(run)),
            Origin::Adopted => format!("Running: {}, not started from here; it is waited for", of(run)),
        },
        What::Progress { .. } => return None,
        What::RunNoted(run) => noted(run)?,
        What::JobTimeout { run, elapsed, next } => format!(
            "Beyond its limit: {}, running for {} (limit {}); {}",
            of(run),
            duration(*elapsed),
            duration(run.limit),
            after(*next)
        ),
        What::JobFinished { run, recovered } => finished(run, *recovered),
        What::JobSkipped(run) => told(format!("Skipped: {}", of(run)), &because(run)),
        What::Released(run) => format!("Released: {}; it stays watched", of(run)),
        What::Waiting { reason: Some(reason) } => format!("Waiting: {reason}"),
        What::Waiting { reason: None } => "No longer waiting".to_owned(),
        What::ServerUnreachable { server, error, by_ssh: false } => {
            told(format!("Not reachable: {server}"), error)
        }
        What::ServerUnreachable { server, error, by_ssh: true } => {
            told(format!("JetBackup does not answer: {server}"), error)
        }
        What::ServerReachable { server, version: Some(version) } => {
            format!("Reachable: {server}, JetBackup {version}")
        }
        What::ServerReachable { server, version: None } => format!("Reachable: {server}"),
        What::ServerSeen { .. }
        | What::UsualKnown { .. }
        | What::PastRead { .. }
        | What::Outbox(_)
        | What::Leaving => return None,
        What::JobStale { job, last_success } => {
            let last = last_success.map_or_else(|| "never".to_owned(), moment);
            format!("Stale: {} has not completed for too long (last: {last})", called(job))
        }
        What::Scheduled { waiting_for_clock: true, .. } => {
            "The clock cannot be right; nothing is scheduled until it is set".to_owned()
        }
        What::Scheduled { next, waiting_for_clock: false } => format!("Next cycle: {}", moment((*next)?)),
        What::Stopping => "Stopping: nothing more is started, the running backup goes on".to_owned(),
        What::Alert { job: Some(job), text } => format!("Attention: {}: {text}", called(job)),
        What::Alert { job: None, text } => format!("Attention: {text}"),
        What::CycleFinished(cycle) => over(cycle),
        What::DestinationEnabled { server, destination } => {
            format!("Destination enabled: {destination} on {server}, for its jobs")
        }
        What::DestinationDisabled { server, destination, recovered } => {
            let at_last = if *recovered { ", at last" } else { "" };
            format!("Destination disabled: {destination} on {server}{at_last}")
        }
        What::DestinationStuck { server, destination, error } => told(
            format!("CRITICAL: destination {destination} on {server} is still enabled; it is tried again"),
            error,
        ),
        What::Remarks { server, new, .. } if !new.is_empty() => {
            let texts: Vec<&str> = new.iter().map(|remark| remark.text.as_str()).collect();
            format!("Worth a look on {server}: {}", texts.join("; "))
        }
        What::Remarks { server, remarks, .. } if remarks.is_empty() => {
            format!("Nothing more to look at on {server}")
        }
        What::Remarks { .. } => return None,
        What::CycleMissed { due, begins: Some(_) } => {
            format!("Late: the cycle due at {} begins only now", moment(*due))
        }
        What::CycleMissed { due, begins: None } => {
            format!("Missed: the cycle due at {} has not begun", moment(*due))
        }
    };
    Some(clean(&said))
}

/// The colour of an event's sentence.
#[must_use]
pub fn tone(event: &Event) -> Tone {
    match &event.what {
        What::JobFinished { run, .. } => match run.result {
            Some(JobResult::Completed) if run.overrun => Tone::Warn,
            Some(result) => result_tone(result),
            None => Tone::Warn,
        },
        What::JobTimeout { .. } | What::JobSkipped(_) | What::JobStale { .. } | What::Stopping => Tone::Warn,
        What::Remarks { new, .. } if new.is_empty() => Tone::Quiet,
        What::Remarks { .. } | What::CycleMissed { .. } => Tone::Warn,
        What::ServerUnreachable { .. } | What::Alert { .. } | What::DestinationStuck { .. } => Tone::Bad,
        What::DestinationDisabled { recovered: true, .. } => Tone::Good,
        What::CycleFinished(cycle) if cycle.problems == 0 => Tone::Good,
        What::CycleFinished(_) => Tone::Warn,
        _ => Tone::Plain,
    }
}

/// A cycle in a line: how long it took and how it went.
pub(crate) fn over(cycle: &CycleRecord) -> String {
    let took = cycle.duration.map(|took| format!(" after {}", duration(took))).unwrap_or_default();
    let problems = match cycle.problems {
        0 => String::new(),
        problems => format!(", {}", count(problems as usize, "problem", "problems")),
    };
    let left = match cycle.total.saturating_sub(cycle.done) {
        0 => String::new(),
        left => format!(", {left} not reached"),
    };
    let (completed, total) = (cycle.completed, count(cycle.total as usize, "job", "jobs"));
    format!("Cycle finished{took}: {completed} of {total} completed{problems}{left}")
}

fn of(run: &RunRecord) -> String {
    name(&run.label, &run.key.server)
}

/// So many of something: `1 job`, `2 jobs`.
pub(crate) fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn told(what: String, more: &str) -> String {
    if more.is_empty() { what } else { format!("{what}: {more}") }
}

fn noted(run: &RunRecord) -> Option<String> {
    let believed = run.result.map(|found| result(found).to_owned());
    let parts = [believed, Some(because(run)).filter(|because| !because.is_empty())];
    let parts = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
    (!parts.is_empty()).then(|| format!("About {}: {parts}", of(run)))
}

fn finished(run: &RunRecord, recovered: bool) -> String {
    let what = match run.result {
        Some(JobResult::Unknown) | None => "Ended, nothing tells how",
        Some(JobResult::Completed) => "Completed",
        Some(JobResult::Partial) => "Partly completed",
        Some(JobResult::Failed) => "Failed",
        Some(JobResult::Aborted) => "Aborted",
        Some(JobResult::NeverFinished) => "Never finished",
        Some(JobResult::DidNotStart) => "Did not start",
        Some(JobResult::LostContact) => "Contact lost",
        Some(JobResult::Skipped) => "Skipped",
    };
    let took = run.duration.map(|took| format!(" after {}", duration(took))).unwrap_or_default();
    let late = if run.overrun { ", beyond its limit" } else { "" };
    let again = if recovered { ", it had not completed the last time" } else { "" };
    told(format!("{what}: {}{took}{late}{again}", of(run)), &because(run))
}

fn after(next: AfterTimeout) -> &'static str {
    match next {
        AfterTimeout::GoesOn => "the queue goes on beside it",
        AfterTimeout::WaitsForOverruns => "the queue waits, no more runs may be beyond their limit",
        AfterTimeout::WaitsForRelease => "the queue waits for its end or for `release`",
    }
}

#[cfg(test)]
mod tests;
