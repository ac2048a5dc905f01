//! The texts of the live view, by pure functions.

use crate::cli::table::cut;
use crate::model::view::{JobPhase, JobState, QueuePhase, QueueState};
use crate::model::{JobKey, Progress};
use crate::words::{self, duration};

/// Names are cut to this, so that the numbers behind them stay in sight on 80 columns.
const NAME: usize = 26;

/// How far a run is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Details {
    percent: Option<u8>,
    items: Option<(u64, u64)>,
    elapsed: u64,
    eta: Option<u64>,
    /// What there is to say beside "it runs".
    note: Option<&'static str>,
}

impl Details {
    pub fn of(progress: &Progress) -> Self {
        let note = match progress {
            Progress { out_of_contact: true, .. } => Some(words::phase(JobPhase::Unknown)),
            Progress { stopping: true, .. } => Some(words::phase(JobPhase::Stopping)),
            _ => None,
        };
        Self {
            percent: progress.percent(),
            items: progress.items_completed.zip(progress.items),
            elapsed: progress.elapsed,
            eta: progress.eta(),
            note,
        }
    }

    /// The job's run under way, `later` seconds after it was last asked about.
    fn of_job(job: &JobState, later: u64) -> Self {
        let note = (job.phase != JobPhase::Running).then(|| words::phase(job.phase));
        let Some(run) = &job.current else { return Self { note, ..Self::default() } };
        Self {
            percent: run.progress,
            items: run.items_completed.zip(run.items),
            elapsed: run.elapsed.saturating_add(later),
            eta: run.eta.map(|eta| eta.saturating_sub(later)),
            note,
        }
    }

    /// All that is known, joined by `between`.
    pub fn text(&self, between: &str) -> String {
        let parts = [
            self.note.map(str::to_owned),
            self.percent.map(|percent| format!("{percent} %")),
            (self.elapsed > 0).then(|| duration(self.elapsed)),
            self.eta.map(|eta| match eta {
                0 => "longer than usual".to_owned(),
                eta => format!("about {} left", duration(roughly(eta))),
            }),
            // Last, because it is the least to lose where the line is cut.
            self.items
                .filter(|(_, items)| *items > 0)
                .map(|(done, items)| format!("{done} of {items} items")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(between)
    }
}

/// How far a job's run under way is, as last heard.
#[must_use]
pub fn how_far(job: &JobState) -> String {
    Details::of_job(job, 0).text(", ")
}

/// An estimate is no better than a minute, once there are some of them.
fn roughly(seconds: u64) -> u64 {
    if seconds < 120 { seconds } else { seconds - seconds % 60 }
}

/// What the bars show.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// The run that has the lane: the share done in percent, and its line.
    pub lane: Option<(u8, String)>,
    /// A line for each run beside it.
    pub beside: Vec<String>,
    /// The line for all of it.
    pub overall: String,
}

/// What the bars show of the queue and its jobs; `later` is how many seconds ago a job was last asked about.
pub(super) fn shown(queue: &QueueState, jobs: &[JobState], later: impl Fn(&JobState) -> u64) -> Shown {
    let has_lane = |key: &JobKey| queue.current.as_ref().is_some_and(|current| current.key == *key);
    let lane = jobs.iter().find(|job| has_lane(&job.key)).map(|job| {
        let details = Details::of_job(job, later(job));
        (details.percent.unwrap_or(0), format!("{}  {}", name(job), details.text("  ")))
    });
    let beside = jobs.iter().filter(|job| job.running && !has_lane(&job.key)).map(|job| {
        let details = Details::of_job(job, later(job));
        format!("beside it: {}  {}", name(job), details.text("  "))
    });
    Shown { lane, beside: beside.collect(), overall: overall(queue) }
}

fn name(job: &JobState) -> String {
    cut(&words::name(&job.label, &job.key.server), NAME)
}

fn overall(queue: &QueueState) -> String {
    let done = match &queue.cycle {
        Some(cycle) => format!("{} of {} jobs done", cycle.done, cycle.total),
        None => words::queue_phase(queue.phase).to_owned(),
    };
    let then = match (queue.phase, &queue.reason, queue.queue.first()) {
        (QueuePhase::Stopping, ..) => "; stopping, nothing more is started".to_owned(),
        (QueuePhase::Waiting, Some(reason), _) => format!("; waiting: {}", words::clean(reason)),
        (_, _, Some(next)) => format!("; next: {}", words::name(&next.label, &next.key.server)),
        _ => String::new(),
    };
    done + &then
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_say_what_is_known() {
        let known = Progress {
            items: Some(100),
            items_completed: Some(42),
            elapsed: 4980,
            usual: Some(6830),
            ..Progress::default()
        };
        let said = |progress: &Progress| Details::of(progress).text(", ");
        assert_eq!(said(&known), "42 %, 1 h 23 min, about 30 min left, 42 of 100 items");
        assert_eq!(said(&Progress { elapsed: 45, ..Progress::default() }), "45 s");
        let late = Progress { elapsed: 90, usual: Some(60), stopping: true, ..Progress::default() };
        assert_eq!(said(&late), "stopping, 1 min 30 s, longer than usual");
        let gone = Progress { out_of_contact: true, ..Progress::default() };
        assert_eq!(said(&gone), "out of contact");
    }
}
