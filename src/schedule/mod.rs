//! When cycles start: by a cron expression in local time, or by the predecessor's loop.
//!
//! Told the time about once a minute, a [`Schedule`] answers whether to start now. It has no clock of its own and does
//! no I/O; it must not know what a cycle does, only when one began and ended.

pub mod clock;
mod dice;
mod expression;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod memory;
mod missed;
#[cfg(test)]
mod missed_tests;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::{Config, Loop};
use crate::model::CycleRecord;

use dice::Dice;
pub use expression::{Expression, ExpressionError};
pub use memory::Memory;
use memory::{Planned, later};
pub use missed::Missed;

/// Seconds. A clock that goes back further than this was wrong before, or is so now.
const A_DAY: i64 = 86_400;
/// Seconds. How far apart ticks may be.
const BETWEEN_TICKS: u64 = 60;

/// When cycles start.
///
/// A start that was missed is given once, however many were missed. One that falls into a cycle is given once after it.
/// A clock that goes back repeats none.
#[derive(Debug)]
pub struct Schedule {
    rule: Rule,
    memory: Memory,
    /// The newest cycle, whoever started it.
    last: Option<Span>,
    /// Whether that cycle is known from being under way only, and lasts until the latest tick.
    is_open: bool,
    /// The time as last told.
    now: Timestamp,
    /// The next start, its delay included.
    due: Option<Timestamp>,
    /// A start that is too late, and is still to be told of.
    missed: Option<Missed>,
    dice: Dice,
}

/// When a cycle began and, where that is known, ended.
#[derive(Debug, Clone, Copy)]
struct Span {
    started: Timestamp,
    ended: Option<Timestamp>,
}

impl From<&CycleRecord> for Span {
    fn from(cycle: &CycleRecord) -> Self {
        Self { started: cycle.started, ended: cycle.ended }
    }
}

#[derive(Debug)]
enum Rule {
    Cron { expression: Expression, zone: TimeZone, random_delay: u64 },
    Loop { target_interval: i64, min_pause: i64 },
}

impl Schedule {
    /// The schedule of `config`, or `None` where nothing is configured: `daemon.schedule`, else `loop`. Cron fields are
    /// in the local time of `zone`.
    ///
    /// `memory` is what was kept. Where it belongs to another schedule, starts count from `now`, so that a change never
    /// starts anything by itself. `last_cycle` is the newest cycle, whoever started it. `now` must be plausible
    /// ([`clock::is_plausible`]).
    #[must_use]
    pub fn new(
        config: &Config,
        zone: TimeZone,
        memory: Option<Memory>,
        last_cycle: Option<&CycleRecord>,
        now: Timestamp,
    ) -> Option<Self> {
        Rule::of(config, zone).map(|rule| Self::of(rule, Dice::random(), memory, last_cycle, now))
    }

    fn of(
        rule: Rule,
        dice: Dice,
        memory: Option<Memory>,
        last_cycle: Option<&CycleRecord>,
        now: Timestamp,
    ) -> Self {
        let text = rule.text();
        let memory = match memory {
            Some(memory) if memory.schedule == text => memory,
            // A loop that nothing is known of begins with what its cycles say, or with a cycle.
            None if matches!(rule, Rule::Loop { .. }) => Memory::new(text, None),
            _ => Memory::new(text, Some(now)),
        };
        let last = last_cycle.map(Span::from);
        let mut schedule = Self { rule, memory, last, is_open: false, now, due: None, missed: None, dice };
        schedule.memory.follow(now);
        schedule.plan();
        schedule
    }

    /// The next start with its random delay, for people. While a start waits for the end of a cycle, this is the one
    /// after it.
    #[must_use]
    pub fn next_run(&self) -> Option<Timestamp> {
        self.due
    }

    /// Whether a cycle is to be started now. To be asked about once a minute and whenever something has changed; `busy`
    /// says that a cycle is under way.
    ///
    /// After `true` the start is accounted for: keep [`Schedule::memory`] before starting the cycle, or a crash between
    /// the two starts it again.
    pub fn tick(&mut self, now: Timestamp, busy: bool) -> bool {
        self.now = now;
        self.memory.follow(now);
        self.watch(busy);
        self.plan();
        let due = self.due.is_some_and(|due| due <= now);
        if due {
            self.memory.owe(self.start());
        }
        let start = match self.rule {
            // After a cycle, a loop counts its pause anew: nothing waits.
            Rule::Loop { .. } => due && !busy,
            Rule::Cron { .. } => {
                self.memory.waiting |= due;
                self.memory.waiting && !busy
            }
        };
        let missed = self.memory.lateness(now, start);
        self.missed = self.missed.or(missed);
        if start {
            self.memory.waiting = false;
        }
        if !self.memory.waiting {
            self.memory.owed = None;
        }
        if start || (due && self.memory.waiting) {
            self.memory.account(now);
            self.plan();
        }
        start
    }

    /// A cycle is over, whoever started it.
    pub fn cycle_finished(&mut self, cycle: &CycleRecord) {
        self.last = Some(cycle.into());
        self.is_open = false;
        self.plan();
    }

    /// A person stopped the queue: a start that waits for the end of the cycle is dropped.
    pub fn called_off(&mut self) {
        self.memory.waiting = false;
        let missed = self.memory.drop_owed();
        self.missed = self.missed.or(missed);
    }

    /// A start that is more than an hour late, or dropped; each is told once, over restarts too if what is kept then
    /// is kept. To be asked after each [`Schedule::tick`].
    pub fn missed(&mut self) -> Option<Missed> {
        self.missed.take()
    }

    /// What is to be kept on disk whenever it has changed.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Notes that a cycle is under way, so that a loop's pause counts from its end even before that is reported.
    fn watch(&mut self, busy: bool) {
        if busy {
            let started = match self.last {
                Some(Span { started, ended }) if self.is_open || ended.is_none() => started,
                _ => self.now,
            };
            self.last = Some(Span { started, ended: Some(self.now) });
        }
        self.is_open = busy;
    }

    /// The next start, as it was planned.
    fn start(&self) -> Option<Planned> {
        match self.rule {
            Rule::Cron { .. } => self.memory.next,
            Rule::Loop { .. } => self.due.map(|start| Planned { start, delay: 0 }),
        }
    }

    /// Finds the next start from what is accounted for.
    fn plan(&mut self) {
        self.due = match &self.rule {
            &Rule::Loop { target_interval, min_pause } => Some(self.turn(target_interval, min_pause)),
            Rule::Cron { expression, zone, random_delay } => {
                let kept = self.memory.next.filter(|kept| kept.delay <= *random_delay);
                if self.due.is_none() || kept.is_none() {
                    let after = self.memory.accounted.unwrap_or(self.now);
                    let start = expression.next(after, zone);
                    self.memory.next = start.map(|start| {
                        kept.filter(|kept| kept.start == start).unwrap_or_else(|| {
                            let most = longest_delay(start, expression.next(start, zone), *random_delay);
                            // A start that was missed is not to wait any longer.
                            let delay = if start <= self.now { 0 } else { self.dice.up_to(most) };
                            Planned { start, delay }
                        })
                    });
                }
                self.memory.next.map(Planned::due)
            }
        }
    }

    /// A loop's next start.
    fn turn(&self, target_interval: i64, min_pause: i64) -> Timestamp {
        // A cycle from tomorrow was recorded by a clock that was wrong, and would end the loop for as long.
        let is_known = |span: &Span| span.ended.max(Some(span.started)) <= Some(later(self.now, A_DAY));
        let by_cycle = self.last.filter(is_known).map(|Span { started, ended }| {
            let by_interval = later(started, target_interval);
            ended.map_or(by_interval, |ended| by_interval.max(later(ended, min_pause)))
        });
        match (by_cycle, self.memory.accounted) {
            (None, None) => self.now,
            (Some(due), None) => due,
            (Some(due), Some(accounted)) if due > accounted => due,
            (_, Some(accounted)) => later(accounted, target_interval),
        }
    }
}

impl Rule {
    fn of(config: &Config, zone: TimeZone) -> Option<Self> {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        match (&config.daemon.schedule, config.cycle_loop) {
            (Some(expression), _) => {
                let (expression, random_delay) = (expression.clone(), config.daemon.random_delay.as_secs());
                Some(Self::Cron { expression, zone, random_delay })
            }
            (None, Some(Loop { target_interval, min_pause })) => {
                let (target_interval, min_pause) = (seconds(target_interval), seconds(min_pause));
                Some(Self::Loop { target_interval, min_pause })
            }
            (None, None) => None,
        }
    }

    /// What tells this schedule from another.
    fn text(&self) -> String {
        match self {
            Self::Cron { expression, .. } => expression.to_string(),
            Self::Loop { target_interval, min_pause } => format!("loop {target_interval} {min_pause}"),
        }
    }
}

/// In seconds. A start is never put off so far that it meets the following one.
fn longest_delay(start: Timestamp, following: Option<Timestamp>, random_delay: u64) -> u64 {
    let room = following.map_or(u64::MAX, |following| {
        u64::try_from(following.duration_since(start).as_secs()).unwrap_or_default()
    });
    random_delay.min(room.saturating_sub(BETWEEN_TICKS))
}
