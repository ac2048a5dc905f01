//! What is worth a letter, and which notes make one: so that nothing is missed and nobody is flooded.

use std::time::Duration;

use super::note::{Urgency, Waiting, has_failed};
use crate::config::Notification;
use crate::model::{CycleId, CycleRecord, Event, JobResult, RunRecord, Snapshot, What};

/// A failure is told at once if its cycle goes on for so long, in seconds; else its summary is near.
const SUMMARY_IS_NEAR: u64 = 600;
/// So many urgent notes at once are one letter.
const MANY: usize = 4;
/// Letters about routine notes are at least so far apart.
pub(super) const APART: Duration = Duration::from_secs(600);

/// Whether an event is worth a letter; `snapshot` is how things stood before it.
pub(super) fn is_worth_a_note(wanted: &Notification, event: &Event, snapshot: &Snapshot) -> bool {
    match &event.what {
        What::JobTimeout { .. } => wanted.on_timeout,
        What::JobFinished { run, recovered } => is_end_worth_a_note(wanted, run, *recovered, snapshot),
        What::JobStale { .. } | What::Alert { .. } | What::CycleMissed { .. } => wanted.on_failure,
        // Whatever the settings: no backup system should leave a destination open.
        What::DestinationStuck { .. } | What::DestinationDisabled { recovered: true, .. } => true,
        What::Remarks { new, .. } => wanted.on_failure && !new.is_empty(),
        // Whether there is anything to tell is seen when its runs are.
        What::CycleFinished(_) => true,
        _ => false,
    }
}

fn is_end_worth_a_note(wanted: &Notification, run: &RunRecord, recovered: bool, snapshot: &Snapshot) -> bool {
    let summary_to_come = run.cycle.is_some() && run.cycle == snapshot.cycle();
    match run.result {
        _ if has_failed(run) => {
            let soon = summary_to_come && snapshot.queued_work(SUMMARY_IS_NEAR) < SUMMARY_IS_NEAR;
            wanted.on_failure && !soon
        }
        Some(JobResult::Partial) => wanted.on_partial && !summary_to_come,
        Some(JobResult::Completed) if recovered => wanted.on_failure,
        // Who was told that it is late is told that it has ended.
        Some(JobResult::Completed) => run.overrun && wanted.on_timeout && !summary_to_come,
        _ => false,
    }
}

/// Whether a cycle is worth a summary. `turns` is what is on record of it.
pub(super) fn is_worth_a_summary(wanted: &Notification, cycle: &CycleRecord, turns: &[RunRecord]) -> bool {
    let is_bad = |turn: &RunRecord| match turn.result {
        _ if turn.overrun && wanted.on_timeout => true,
        Some(JobResult::Partial) => wanted.on_partial,
        Some(JobResult::Completed) => false,
        Some(_) => wanted.on_failure,
        // Still under way: the limit was told of, or it is only watched.
        None => false,
    };
    // What is not on record, for the disk failed, may be anything.
    let not_completed = turns.iter().filter(|turn| turn.open || turn.is_problem()).count();
    let is_unknown = usize::try_from(cycle.problems).is_ok_and(|problems| problems > not_completed);
    let is_any_wanted = wanted.on_timeout || wanted.on_partial || wanted.on_failure;
    wanted.on_complete
        || (is_unknown && is_any_wanted)
        || turns.iter().any(|turn| !turn.is_called_off() && is_bad(turn))
}

/// Notes that make one letter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bundle {
    pub notes: Vec<Waiting>,
    /// The letter they are already.
    pub letter: Option<String>,
    /// Who has not got it yet, if some have.
    pub missing: Option<Vec<String>>,
}

impl Bundle {
    /// What it is known by from one look at the outbox to the next.
    pub fn name(&self) -> String {
        match (&self.letter, self.notes.first()) {
            (Some(letter), _) => letter.clone(),
            (None, Some(first)) => first.id.map_or_else(|| first.note.write(), |id| format!("#{id}")),
            (None, None) => String::new(),
        }
    }
}

/// What to do with the notes that wait.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// Letters to send, in this order.
    pub bundles: Vec<Bundle>,
    /// Notes that another letter tells as well.
    pub told: Vec<Waiting>,
    /// There are notes that wait for their time.
    pub held: bool,
}

/// Sorts notes into letters. `hold`: no letter about routine notes yet, the last one is too near.
pub(super) fn plan(waiting: Vec<Waiting>, hold: bool) -> Plan {
    let mut plan = Plan::default();
    let summaries: Vec<CycleId> =
        waiting.iter().filter(|w| w.letter.is_none()).filter_map(|w| w.note.summary_of()).collect();
    let (mut urgent, mut routine, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for one in waiting {
        if let Some(letter) = one.letter.clone() {
            match plan.bundles.iter_mut().find(|bundle| bundle.letter.as_ref() == Some(&letter)) {
                Some(bundle) => bundle.notes.push(one),
                None => {
                    let missing = one.missing.clone();
                    plan.bundles.push(Bundle { notes: vec![one], letter: Some(letter), missing });
                }
            }
        } else if one.note.is_told_by().is_some_and(|cycle| summaries.contains(&cycle)) {
            plan.told.push(one);
        } else {
            match one.note.urgency() {
                Urgency::Urgent => urgent.push(one),
                Urgency::Routine => routine.push(one),
                Urgency::Own => own.push(one),
            }
        }
    }
    let new = |notes| Bundle { notes, letter: None, missing: None };
    if urgent.len() >= MANY {
        plan.bundles.push(new(urgent));
    } else {
        plan.bundles.extend(urgent.into_iter().map(|one| new(vec![one])));
    }
    if hold {
        plan.held = !routine.is_empty();
    } else if !routine.is_empty() {
        plan.bundles.push(new(routine));
    }
    plan.bundles.extend(own.into_iter().map(|one| new(vec![one])));
    plan
}

/// Whether a letter of these notes is one that must not come too often.
pub(super) fn is_routine(bundle: &Bundle) -> bool {
    bundle.notes.iter().any(|one: &Waiting| matches!(one.note.urgency(), Urgency::Routine))
}

#[cfg(test)]
mod tests;
