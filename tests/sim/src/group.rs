//! One queue group: its plan in absolute times, and what it looks like at any moment.
//!
//! A group is planned when it is created. Its state at a given time is a pure function of that plan; stops, crashes and
//! restarts change the plan's future only.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::after;
use crate::run::{Origin, Outcome, Run, Stop};

/// When a group leaves the pending state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Start {
    At(Timestamp),
    /// Once the group at this index has ended.
    Behind(usize),
    /// It was stopped, or lost in a crash, while pending; or it has nothing to do.
    Never,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Group {
    pub id: String,
    pub log_id: String,
    /// The queue type: 1 backup, 64 integrity check, 128 snapshot delete ...
    pub kind: i64,
    /// The id and name of the job or whatever else it is about.
    pub subject: (String, String),
    /// Whether it is the run of a job, and of one that the program under test manages.
    pub managed: bool,
    pub origin: Origin,
    pub triggered: Timestamp,
    pub created: Timestamp,
    pub hidden_at: Option<Timestamp>,
    pub start: Start,
    /// When and how it ends, once that is settled.
    pub end: Option<(Timestamp, Outcome)>,
    pub crashed_at: Option<Timestamp>,
    pub script: Run,
}

impl Group {
    /// Sets the start, and with it the end.
    pub fn start_at(&mut self, start: Timestamp) {
        self.start = if self.script.writes { Start::At(start) } else { Start::Never };
        self.end = self.script.lasting.map(|seconds| (after(start, seconds), self.script.outcome));
    }

    /// Acts on a stop request.
    pub fn stop(&mut self, now: Timestamp) {
        let Stop::After(seconds) = self.script.stop else { return };
        self.cut(after(now, seconds), Outcome::Aborted);
    }

    /// JetBackup dies: whatever is under way stays as it is; what has not begun never will.
    pub fn crash(&mut self, now: Timestamp) {
        if self.finished(now) || self.crashed_at.is_some() {
            return;
        }
        if self.created > now {
            self.script.group_shown = false;
            self.cut(now, Outcome::Aborted);
            return;
        }
        if self.started(now).is_none() {
            self.start = Start::Never;
        }
        self.crashed_at = Some(now);
        self.end = None;
    }

    /// JetBackup is back: what the crash left unfinished is marked as such.
    pub fn restart(&mut self, now: Timestamp) {
        if self.crashed_at.is_some() && self.end.is_none() {
            self.end = Some((now, Outcome::NeverFinished));
        }
    }

    fn cut(&mut self, at: Timestamp, outcome: Outcome) {
        if self.end.is_some_and(|(end, _)| end <= at) {
            return;
        }
        if !matches!(self.start, Start::At(start) if start <= at) {
            self.start = Start::Never;
        }
        self.end = Some((at, outcome));
    }

    /// Whether lists show it.
    pub fn listed(&self, now: Timestamp) -> bool {
        self.script.group_shown && self.created <= now && self.hidden_at.is_none_or(|hidden| now < hidden)
    }

    pub fn started(&self, now: Timestamp) -> Option<Timestamp> {
        match self.start {
            Start::At(start) if start <= now => Some(start),
            _ => None,
        }
    }

    pub fn ended(&self, now: Timestamp) -> Option<(Timestamp, Outcome)> {
        self.end.filter(|(end, _)| *end <= now)
    }

    pub fn finished(&self, now: Timestamp) -> bool {
        self.ended(now).is_some()
    }

    /// When it really stopped writing: a crash ends that before the group says so.
    pub fn really_ended(&self, now: Timestamp) -> Option<Timestamp> {
        self.crashed_at.filter(|at| *at <= now).or(self.ended(now).map(|(end, _)| end))
    }

    /// What the job's `running` shows on account of this run.
    pub fn running(&self, now: Timestamp) -> bool {
        let began = after(self.triggered, self.script.running_after) <= now;
        let over = self.end.is_some_and(|(end, _)| after(end, self.script.running_ends) <= now);
        self.script.running_shown && began && !over
    }

    pub fn status(&self, now: Timestamp) -> i64 {
        match (self.ended(now), self.started(now)) {
            (Some((_, outcome)), _) => outcome.group_code(),
            (None, None) => 1,
            (None, Some(_)) => self.stage(now).map_or(2, |(_, code)| code),
        }
    }

    /// When the status last changed.
    pub fn status_since(&self, now: Timestamp) -> Timestamp {
        match (self.ended(now), self.started(now)) {
            (Some((end, _)), _) => end,
            (None, None) => self.created,
            (None, Some(start)) => self.stage(now).map_or(start, |(seconds, _)| after(start, seconds)),
        }
    }

    fn stage(&self, now: Timestamp) -> Option<(i64, i64)> {
        let worked = self.worked(now);
        self.script.stages.iter().rev().find(|(seconds, _)| *seconds <= worked).copied()
    }

    /// Seconds of work seen from outside.
    fn worked(&self, now: Timestamp) -> i64 {
        let Some(start) = self.started(now) else { return 0 };
        let until = self.really_ended(now).unwrap_or(now);
        let worked = until.duration_since(start).as_secs();
        self.script.freezes_after.map_or(worked, |limit| worked.min(limit))
    }

    /// Seconds from the start to the end or to now.
    pub fn execution_time(&self, now: Timestamp) -> i64 {
        let Some(start) = self.started(now) else { return 0 };
        self.ended(now).map_or(now, |(end, _)| end).duration_since(start).as_secs()
    }

    /// The completed items, and the per cent of the one in hand.
    pub fn progress(&self, now: Timestamp) -> (u32, i64) {
        let items = i64::from(self.script.items);
        if matches!(self.ended(now), Some((_, Outcome::Completed | Outcome::Partial))) {
            return (self.script.items, 100);
        }
        // A run without an end is measured against a day.
        let total = self.script.lasting.unwrap_or(86_400).max(1);
        let done = self.worked(now).clamp(0, total) * items * 100 / total;
        let completed = (done / 100).min(items);
        (u32::try_from(completed).unwrap_or(0), if completed == items { 100 } else { done % 100 })
    }
}
