//! What an earlier process left is read before anything is triggered: its open runs hold the lane, and the cycle that was
//! interrupted goes on. As long as it cannot be read the lane is held, for unknown is never "none".

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::known::Known;
use super::wheel::Orchestrator;
use crate::history::{History, HistoryError, Interrupted, Past};
use crate::model::{Answer, BootMoment, CycleRecord, JobKey, RunRecord, What};

/// The pause before what could not be read is read again.
const READ_AGAIN: Duration = Duration::from_secs(3);
/// How long a one-shot tries: nobody may be there to see what it waits for.
pub(super) const ONE_SHOT_PATIENCE: Duration = Duration::from_secs(120);
/// How long nobody may have been at work for an interrupted cycle to go on.
const RESUMED_AFTER: SignedDuration = SignedDuration::from_hours(12);
/// How long an interrupted cycle waits for a clock that is behind what is on record.
const CLOCK_PATIENCE: Duration = Duration::from_secs(3600);
/// How often it is put on record during a cycle that somebody is at work.
const AT_WORK_EVERY: Duration = Duration::from_secs(3600);
/// Under this name that is kept in the history.
const AT_WORK: &str = "at_work";
/// Under this name the schedule's memory is kept in the history.
pub const SCHEDULE_MEMORY: &str = "schedule";

/// What is on record of the schedule's last starts.
#[derive(Debug, Default)]
pub struct ScheduleRecord {
    /// Its memory, as it was kept.
    pub memory: Option<String>,
    /// The newest cycle.
    pub last_cycle: Option<CycleRecord>,
}

/// What an earlier process left.
#[derive(Default)]
pub(super) struct Record {
    pub open_runs: Vec<RunRecord>,
    pub interrupted: Option<Interrupted>,
    pub schedule: ScheduleRecord,
    at_work: Option<AtWork>,
    pasts: Option<HashMap<JobKey, Past>>,
}

/// When somebody was last at work on a cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct AtWork {
    wall: Timestamp,
    boot: Option<String>,
}

/// How long nobody was at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// So long.
    Is(SignedDuration),
    /// The clock is behind what is on record, or cannot be right.
    UnknownYet,
}

/// An interrupted cycle that goes on, or does not, as soon as the clock tells how long nobody was at work.
pub(super) struct Unresumed {
    left: Interrupted,
    at_work: Option<AtWork>,
    since: Instant,
}

/// A cycle that goes on although the machine was restarted: the clock may turn out to have been days behind.
pub(super) struct Resumed {
    at: Instant,
    wall: Timestamp,
    gap: SignedDuration,
}

impl Record {
    async fn read(history: &History, jobs: &[JobKey], with_pasts: bool) -> Result<Self, HistoryError> {
        match Self::read_whole(history, jobs, with_pasts).await {
            Err(error) if error.is_nothing_there() => Ok(Self::default()),
            read => read,
        }
    }

    async fn read_whole(history: &History, jobs: &[JobKey], with_pasts: bool) -> Result<Self, HistoryError> {
        Ok(Self {
            open_runs: history.open_runs().await?,
            interrupted: history.interrupted().await?,
            schedule: ScheduleRecord {
                memory: history.kept(SCHEDULE_MEMORY).await?,
                last_cycle: history.last_cycle().await?,
            },
            at_work: history.kept(AT_WORK).await?.and_then(|text| serde_json::from_str(&text).ok()),
            pasts: if with_pasts { Some(history.pasts(jobs).await?) } else { None },
        })
    }
}

impl Orchestrator {
    /// Reads what an earlier process left, again and again until that can be read, and does what is asked meanwhile as
    /// far as it can be done. `None` if this process is to end before.
    ///
    /// # Errors
    /// If it cannot be read for as long as `patience`.
    pub(super) async fn read_record(
        &mut self,
        patience: Option<Duration>,
    ) -> Result<Option<Record>, HistoryError> {
        let begun = Instant::now();
        let jobs: Vec<JobKey> = self.config.jobs.iter().map(|job| job.key.clone()).collect();
        let mut told = false;
        loop {
            let (history, wanted, with_pasts) = (self.history.clone(), jobs.clone(), self.past_unread);
            let read = async move { Record::read(&history, &wanted, with_pasts).await };
            let Some(answer) = self.while_reading(read, told).await else { return Ok(None) };
            let error = match answer {
                Ok(mut record) => {
                    if let Some(pasts) = record.pasts.take() {
                        self.take_in_pasts(pasts).await;
                    }
                    if told {
                        self.tell(What::Waiting { reason: None }).await;
                    }
                    return Ok(Some(record));
                }
                Err(error) => error,
            };
            if patience.is_some_and(|patience| begun.elapsed() >= patience) {
                return Err(error);
            }
            if !told {
                told = true;
                let reason = format!(
                    "history_unreadable: which runs are open is not known, and nothing is started before it is: {error}"
                );
                self.tell(What::Waiting { reason: Some(reason.clone()) }).await;
                self.tell(What::Alert { job: None, text: reason }).await;
            }
            if self.while_reading(tokio::time::sleep(READ_AGAIN), told).await.is_none() {
                return Ok(None);
            }
        }
    }

    /// Waits for something. What is asked meanwhile waits too, unless it is known to take long: then it is refused.
    /// `None` if this process is to end before.
    async fn while_reading<T>(&mut self, work: impl Future<Output = T>, refuse: bool) -> Option<T> {
        let leave = self.leave.clone();
        tokio::pin!(work);
        loop {
            let nap = self.nap();
            tokio::select! {
                biased;
                () = leave.cancelled() => return None,
                done = &mut work => return Some(done),
                Some((_, reply)) = self.inbox.recv(), if refuse => {
                    let why = "history_unreadable: which runs are open is not known yet; ask again once it is";
                    // Whoever asked may have gone.
                    let _ = reply.send(Answer::refused(why));
                }
                () = tokio::time::sleep(nap) => self.show_life(),
            }
        }
    }

    /// What is on record of the jobs could not be read before.
    async fn take_in_pasts(&mut self, mut pasts: HashMap<JobKey, Past>) {
        let mut jobs = Vec::new();
        for job in &self.config.jobs {
            let past = pasts.remove(&job.key).unwrap_or_default();
            let known = Known::of(&past, job.stale_after, self.clock.as_ref());
            jobs.push(known.facts(job, past));
            self.known.insert(job.key.clone(), known);
        }
        self.past_unread = false;
        let last_cycle = self.history.last_finished_cycle().await.ok().flatten();
        self.tell(What::PastRead { jobs, last_cycle }).await;
    }

    /// Goes on with an interrupted cycle if nobody was at work for less than half a day, however old the cycle is.
    async fn take_up(&mut self, left: Interrupted, at_work: Option<AtWork>) {
        self.unresumed = Some(Unresumed { left, at_work, since: Instant::now() });
        self.try_to_resume().await;
    }

    /// Decides about a cycle that waits for the clock.
    pub(super) async fn try_to_resume(&mut self) {
        let Some(mut unresumed) = self.unresumed.take() else { return };
        let now = self.now();
        // One from before the cycle says nothing about it.
        unresumed.at_work = unresumed.at_work.filter(|at| at.wall >= unresumed.left.cycle.started);
        let boot = unresumed.at_work.as_ref().and_then(|at| at.boot.as_ref()?.parse::<BootMoment>().ok());
        let exact = now.boot.zip(boot).and_then(|(now, then)| now.since(&then));
        let exact = exact.and_then(|gap| SignedDuration::try_from(gap).ok());
        let last =
            unresumed.left.last_change.max(unresumed.at_work.as_ref().map_or(Timestamp::MIN, |at| at.wall));
        match exact.map_or_else(|| gap(last, now.wall, self.clock.is_plausible()), Gap::Is) {
            Gap::Is(gap) if gap < RESUMED_AFTER => {
                if exact.is_none() {
                    self.resumed = Some(Resumed { at: now.mono, wall: now.wall, gap });
                }
                self.resume(unresumed.left).await;
            }
            Gap::UnknownYet if unresumed.since.elapsed() < CLOCK_PATIENCE => self.unresumed = Some(unresumed),
            Gap::Is(_) | Gap::UnknownYet => self.tell_end_of(unresumed.left.cycle).await,
        }
    }

    /// A cycle that still waits for the clock is not gone on with, for another one begins.
    pub(super) async fn end_unresumed(&mut self) {
        if let Some(unresumed) = self.unresumed.take() {
            self.tell_end_of(unresumed.left.cycle).await;
        }
    }

    /// Ends a cycle that should not have gone on: the clock was days behind when that was decided.
    pub(super) async fn check_resumed(&mut self) {
        let Some(Resumed { at, wall, gap }) = self.resumed else { return };
        if self.cycle.is_none() {
            self.resumed = None;
            return;
        }
        let expected = wall + SignedDuration::try_from(at.elapsed()).unwrap_or_default();
        let jump = self.clock.now().duration_since(expected);
        if gap + jump < RESUMED_AFTER {
            return;
        }
        self.resumed = None;
        tracing::warn!(
            "the clock was set forward: the cycle is older than it looked, and is not gone on with"
        );
        self.queue.clear();
        self.end_cycle().await;
    }

    /// Puts on record now and then that somebody is at work on the cycle.
    pub(super) async fn note_at_work(&mut self, leaving: bool) {
        if self.cycle.is_none() && self.unresumed.is_none() {
            self.at_work_noted = None;
            return;
        }
        // While the clock is waited for nobody is at work on it.
        if self.unresumed.is_some() {
            return;
        }
        let is_due = self.at_work_noted.is_none_or(|at| at.elapsed() >= AT_WORK_EVERY);
        if !is_due && !leaving {
            return;
        }
        self.at_work_noted = Some(Instant::now());
        let now = self.now();
        let at_work = AtWork { wall: now.wall, boot: now.boot.map(|moment| moment.to_string()) };
        let text = serde_json::to_string(&at_work).unwrap_or_default();
        if let Err(error) = self.history.keep(AT_WORK, text).await {
            tracing::warn!("that somebody is at work is not on record: {error}");
        }
    }

    /// Takes up what was read.
    pub(super) async fn take_up_record(&mut self, record: Record) {
        if let Some(left) = record.interrupted {
            self.take_up(left, record.at_work).await;
        }
        self.restore(record.open_runs).await;
    }
}

fn gap(last: Timestamp, now: Timestamp, is_plausible: bool) -> Gap {
    let gap = now.duration_since(last);
    if is_plausible && !gap.is_negative() { Gap::Is(gap) } else { Gap::UnknownYet }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_behind_what_is_on_record_tells_nothing() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(gap(at(100), at(160), true), Gap::Is(SignedDuration::from_secs(60)));
        assert_eq!(gap(at(100), at(99), true), Gap::UnknownYet);
        assert_eq!(gap(at(100), at(160), false), Gap::UnknownYet);
    }
}
