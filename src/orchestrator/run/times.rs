//! When something about a run is due: its limit, the reminders of it, a stop without effect, the next poll.

use std::time::Duration;

use tokio::time::Instant;

use super::super::Now;
use super::{News, Run, Stage};
use crate::model::JobResult;

/// How often a run that did not start in time is looked for: nothing waits for it.
const LATE_POLL: Duration = Duration::from_secs(5 * 60);
/// How long a run at its limit may go unanswered for before it is told without its server's word.
///
/// Its last answer is older than the limit, and it may have ended in between.
const LAST_WORD: Duration = Duration::from_secs(90);
/// How long a stop may stay without effect before a person is told.
const STOP_EFFECT: Duration = Duration::from_secs(90);

/// What time limits apply to a run.
#[derive(Debug, Clone, Copy)]
pub(in crate::orchestrator) struct Pace {
    /// The longest time between two polls.
    pub poll_interval: Duration,
    /// How long after the trigger something must be seen.
    pub startup_timeout: Duration,
    /// Whether a run beyond its limit is told again and again.
    pub remind: bool,
}

impl Run {
    /// Lets time pass.
    pub fn tick(&mut self, now: Now, pace: Pace) -> Vec<News> {
        let mut news = Vec::new();
        if self.is_late() || self.unheard {
            return news;
        }
        if self.limit_told_at(pace).is_some_and(|at| now.mono >= at) {
            self.record.overrun = true;
            self.set_next_reminder(now);
            if self.out_of_contact_since.is_some() {
                self.record.result = Some(JobResult::LostContact);
            }
            news.push(News::LimitReached);
        }
        if self.stop_asked.is_some_and(|at| now.mono.saturating_duration_since(at) >= STOP_EFFECT)
            && !self.stop_told
        {
            self.stop_told = true;
            news.push(News::StopIgnored);
        }
        news
    }

    /// When it is to be told that the run is beyond its limit, as far as is known now.
    fn limit_told_at(&self, pace: Pace) -> Option<Instant> {
        if self.record.overrun && !pace.remind {
            return None;
        }
        let limit = self.limit_reached_at()?;
        // Its end may be known to the server already, or to us without being believed yet.
        let ended = matches!(self.stage, Stage::Listed { contradicted: Some(_) });
        let sure = self.out_of_contact_since.is_some() || (self.seen >= limit && !ended);
        if sure { Some(limit) } else { limit.checked_add(LAST_WORD) }
    }

    /// When its limit, or the next reminder of it, is reached. Never, if that is beyond what a clock holds.
    fn limit_reached_at(&self) -> Option<Instant> {
        self.anchor.checked_add(self.remind_at.saturating_sub(self.age))
    }

    /// The next multiple of the limit that is still to come, so that a run found days late is told once.
    pub(super) fn set_next_reminder(&mut self, now: Now) {
        let limit = self.record.limit.max(1);
        let passed = self.elapsed(now.mono).as_secs() / limit;
        self.remind_at = Duration::from_secs(limit.saturating_mul(passed.saturating_add(1)));
    }

    /// When `tick` has something to say next, at the latest.
    pub fn next_tick(&self, now: Instant, pace: Pace) -> Option<Instant> {
        if self.is_late() || self.unheard {
            return None;
        }
        // At the limit itself its server is asked.
        let reached = self.limit_reached_at().filter(|at| *at > now);
        let limit = self.limit_told_at(pace).map(|told| reached.map_or(told, |reached| told.min(reached)));
        let stop = self.stop_asked.filter(|_| !self.stop_told).map(|at| at + STOP_EFFECT);
        limit.into_iter().chain(stop).min()
    }

    /// How long to wait between two polls now: fine where a change is near, `poll_interval` at most.
    pub fn poll_pause(&self, now: Instant, pace: Pace) -> Duration {
        const FINEST: Duration = Duration::from_secs(1);
        let elapsed = self.elapsed(now);
        let quarter = |since| now.saturating_duration_since(since) / 4;
        let wanted = match self.stage {
            _ if self.unheard => FINEST,
            _ if self.is_late() => LATE_POLL.max(pace.poll_interval),
            // Its limit is reached, and told as soon as the server has said that it still runs.
            _ if self.limit_told_at(pace).is_some()
                && self.limit_reached_at().is_some_and(|at| now >= at) =>
            {
                FINEST
            }
            _ if self.stop_asked.is_some() && !self.stop_told => self.stop_asked.map_or(FINEST, quarter),
            _ if self.record.overrun || self.record.released => pace.poll_interval,
            _ if self.out_of_contact_since.is_some() => self.out_of_contact_since.map_or(FINEST, quarter),
            Stage::Starting => elapsed / 10,
            Stage::Flagged { quiet: Some(since) }
            | Stage::Listed { contradicted: Some(since) }
            | Stage::Vanished { since } => quarter(since),
            Stage::Flagged { .. } | Stage::Listed { .. } => self.until_expected_end(elapsed),
        };
        if self.is_late() {
            return wanted;
        }
        wanted.clamp(FINEST, pace.poll_interval.max(FINEST))
    }

    /// A twentieth of the time run so far, or a tenth of the way to (or beyond) the expected end, whichever is finer.
    fn until_expected_end(&self, elapsed: Duration) -> Duration {
        let by_age = elapsed / 20;
        let by_usual = self.usual.map(|usual| Duration::from_secs(usual).abs_diff(elapsed) / 10);
        let by_items = match self.items {
            (Some(items), Some(done)) if done > 0 && done < items => {
                let left = elapsed.as_secs_f64() * (items - done) as f64 / done as f64;
                Some(Duration::try_from_secs_f64(left / 10.0).unwrap_or(by_age))
            }
            _ => None,
        };
        [Some(by_age), by_usual, by_items].into_iter().flatten().min().unwrap_or(by_age)
    }
}
