//! One run, from its trigger (or from when it was found) to its outcome: a state machine fed with what its server shows.
//!
//! Nothing here asks or sends anything; every moment comes in as an argument, so hours pass in a test at no cost.

mod ending;
mod times;

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Now;
use super::sight::Sight;
use crate::jetbackup::Group;
use crate::model::{GroupId, JobResult, Origin, Progress, RunRecord, StopRequest};
pub(super) use times::Pace;

/// How long a group and the job's running flag may contradict each other before the group alone decides.
///
/// JetBackup changes the two up to 30 seconds apart, in either order.
const AGREEMENT: Duration = Duration::from_secs(60);

/// How long a job may say "running" with no queue group to show for it before its log is asked, and asked again.
const UNPROVEN: Duration = Duration::from_secs(10 * 60);

/// How far the clocks of this machine and a server may differ when a group has to be recognised by its time.
const CREATED_TOLERANCE: Duration = Duration::from_secs(10 * 60);

/// What was seen of a run so far.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// Nothing.
    Starting,
    /// Its job said "running", but no group is listed yet; `quiet` since when it says so no longer.
    Flagged { quiet: Option<Instant> },
    /// Its group; `contradicted` since when it is finished while the job still says "running".
    Listed { contradicted: Option<Instant> },
    /// Its group was seen and is listed no longer.
    Vanished { since: Instant },
}

/// A change worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// It was seen running, or waiting in JetBackup's own queue.
    Started,
    /// What is on record about it changed.
    Noted,
    /// It reached its time limit, or the next reminder of it.
    LimitReached,
    /// The stop that was asked for had no effect so far.
    StopIgnored,
}

/// What is to be done about a run next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Watch on.
    Watch,
    /// Its end is on the record.
    Ended,
    /// It is over as far as can be seen; JetBackup's log may know how it went. If not, it is this.
    AskLog { otherwise: JobResult },
}

/// A run that is, or may be, under way.
#[derive(Debug)]
pub(super) struct Run {
    /// What is on record about it.
    pub record: RunRecord,
    /// Seconds it usually takes.
    pub usual: Option<u64>,
    stage: Stage,
    /// The run was `age` old at `anchor`; it grows older by the clock that does not jump.
    anchor: Instant,
    age: Duration,
    /// The age counts from the trigger, without doubt: the server's start cannot be before it.
    age_is_from_trigger: bool,
    /// The age at `anchor` rests on two readings of a clock that may have been set in between.
    age_is_doubtful: bool,
    /// Its whole life was watched from here, so that its length may be told by our own clock.
    witnessed: bool,
    /// It ended by its group while the job still said "running".
    outlived: bool,
    /// An earlier process left it, and its server was not asked about it yet: it may have ended long ago.
    unheard: bool,
    /// When its server last showed it, or it began.
    seen: Instant,
    /// How often its log was asked for in vain.
    logs_missed: u32,
    /// When its log is asked for, while its job says "running" without a group.
    log_due: Option<Instant>,
    items: (Option<u64>, Option<u64>),
    out_of_contact_since: Option<Instant>,
    stop_asked: Option<Instant>,
    stop_told: bool,
    remind_at: Duration,
}

impl Run {
    /// A run about to be triggered. Its age counts from now until the server says when it started.
    pub fn triggered(record: RunRecord, now: Now) -> Self {
        Self::new(record, now, Stage::Starting, Duration::ZERO, true)
    }

    /// A run that others started, as its server shows it.
    pub fn adopted(record: RunRecord, now: Now) -> Self {
        let run = Self::new(record, now, Stage::Flagged { quiet: None }, Duration::ZERO, false);
        Self { age_is_doubtful: true, ..run }
    }

    /// A run left open by an earlier process.
    pub fn restored(record: RunRecord, now: Now) -> Self {
        let stage = match record.group {
            Some(_) => Stage::Listed { contradicted: None },
            // It was taken up because its job said "running".
            None if record.origin == Origin::Adopted => Stage::Flagged { quiet: None },
            None => Stage::Starting,
        };
        let exact = now.boot.zip(record.began).and_then(|(now, began)| now.since(&began));
        let age = exact.unwrap_or_else(|| between(record.started.unwrap_or(record.asked), now.wall));
        let stop = record.stop;
        let mut run = Self::new(record, now, stage, age, false);
        run.unheard = true;
        run.age_is_doubtful = exact.is_none();
        run.age_is_from_trigger = exact.is_some() && run.record.origin == Origin::Triggered;
        run.stop_asked = (stop == Some(StopRequest::Sent)).then_some(now.mono);
        run
    }

    fn new(mut record: RunRecord, now: Now, stage: Stage, age: Duration, witnessed: bool) -> Self {
        let limit = Duration::from_secs(record.limit);
        record.began = now.boot.map(|now| now.before(age));
        let mut run = Self {
            record,
            usual: None,
            stage,
            anchor: now.mono,
            age,
            age_is_from_trigger: witnessed,
            age_is_doubtful: false,
            witnessed,
            outlived: false,
            unheard: false,
            seen: now.mono,
            logs_missed: 0,
            log_due: None,
            items: (None, None),
            out_of_contact_since: None,
            stop_asked: None,
            stop_told: false,
            remind_at: limit,
        };
        if run.record.overrun {
            run.set_next_reminder(now);
        }
        run
    }

    /// How long it has been running.
    pub fn elapsed(&self, now: Instant) -> Duration {
        self.age + now.saturating_duration_since(self.anchor)
    }

    /// It did not start in time, and is watched in case it does so yet. It writes nothing until then.
    pub fn is_late(&self) -> bool {
        !self.record.open
    }

    /// When its group was created, by its server's clock and within reason. `None` while it has been watched since the
    /// trigger and is young, so that whatever is new is its own.
    pub fn group_created(&self, now: Instant, pace: Pace) -> Option<RangeInclusive<Timestamp>> {
        let is_young = self.witnessed && self.elapsed(now) < pace.startup_timeout + CREATED_TOLERANCE;
        if is_young || self.record.origin == Origin::Adopted || self.record.group.is_some() {
            return None;
        }
        let earliest = self.record.asked.checked_sub(CREATED_TOLERANCE).unwrap_or(Timestamp::MIN);
        let latest = self.record.asked.checked_add(pace.startup_timeout + CREATED_TOLERANCE);
        Some(earliest..=latest.unwrap_or(Timestamp::MAX))
    }

    /// How long it has been waited for, as far as that is certain: where the time of day may have been set, only what
    /// this process has waited counts.
    fn waited_for(&self, now: Instant) -> Duration {
        let age = if self.age_is_doubtful { Duration::ZERO } else { self.age };
        age + now.saturating_duration_since(self.anchor)
    }

    /// Whether the trigger is out and nothing was seen of it yet.
    pub fn is_starting(&self) -> bool {
        self.stage == Stage::Starting
    }

    /// Whether it ended by its group while the job still said "running".
    pub fn is_outlived(&self) -> bool {
        self.outlived
    }

    /// Whether its server does not answer.
    pub fn is_out_of_contact(&self) -> bool {
        self.out_of_contact_since.is_some()
    }

    /// Whether a person may take it off the lane.
    pub fn may_be_released(&self) -> bool {
        self.record.overrun || self.out_of_contact_since.is_some() || self.stop_told
    }

    /// Takes in the group by which a run was found.
    pub fn find(&mut self, group: &Group, now: Now) {
        self.seen = now.mono;
        self.see_group(group, now, &mut Vec::new());
    }

    /// Takes in what the server shows of the run.
    pub fn observe(&mut self, sight: &Sight, now: Now, pace: Pace) -> (Vec<News>, Next) {
        let mut news = Vec::new();
        self.unheard = false;
        self.seen = now.mono;
        self.out_of_contact_since = None;
        if self.record.result == Some(JobResult::LostContact) {
            self.record.result = None;
            self.record.error = None;
            news.push(News::Noted);
        }
        if let Some(group) = &sight.group {
            self.see_group(group, now, &mut news);
            let next = self.judge_group(group, sight, now);
            return (news, next);
        }
        let next = match (self.stage, sight.running) {
            (Stage::Starting, Some(true)) => {
                self.wake();
                self.stage = Stage::Flagged { quiet: None };
                news.push(News::Started);
                Next::Watch
            }
            (Stage::Starting, _) if self.is_late() => Next::Watch,
            (Stage::Starting, _) if self.waited_for(now.mono) >= pace.startup_timeout => {
                let otherwise = if sight.doubtful { JobResult::Unknown } else { JobResult::DidNotStart };
                Next::AskLog { otherwise }
            }
            (Stage::Starting, _) => Next::Watch,
            (Stage::Flagged { .. }, Some(true)) => {
                self.stage = Stage::Flagged { quiet: None };
                self.judge_reported(now)
            }
            (Stage::Flagged { quiet }, _) => {
                let since = quiet.unwrap_or(now.mono);
                self.stage = Stage::Flagged { quiet: Some(since) };
                self.judge_quiet(since, now, pace)
            }
            (Stage::Listed { .. }, _) => {
                self.stage = Stage::Vanished { since: now.mono };
                Next::Watch
            }
            // As long as the job says "running", a cleared queue does not mean that nothing writes.
            (Stage::Vanished { .. }, Some(true)) => Next::Watch,
            (Stage::Vanished { .. }, Some(false)) => Next::AskLog { otherwise: JobResult::Unknown },
            (Stage::Vanished { since }, None) => self.judge_absence(since, now),
        };
        (news, next)
    }

    fn see_group(&mut self, group: &Group, now: Now, news: &mut Vec<News>) {
        if self.stage == Stage::Starting {
            self.wake();
            news.push(News::Started);
        } else if self.record.group != Some(group.id) {
            news.push(News::Noted);
        }
        self.record.group = Some(group.id);
        if group.log_id.is_some() && self.record.log != group.log_id {
            // Once the group is gone only this tells whose log is whose.
            self.record.log = group.log_id;
            if news.is_empty() {
                news.push(News::Noted);
            }
        }
        if !matches!(self.stage, Stage::Listed { .. }) {
            self.stage = Stage::Listed { contradicted: None };
        }
        self.items = (group.items, group.items_completed);
        if let Some(started) = group.started
            && self.record.started != Some(started)
        {
            self.record.started = Some(started);
            self.count_from(started, now);
            if news.is_empty() {
                news.push(News::Noted);
            }
        }
        if let Some(at_work) = group.execution_time.filter(|at_work| *at_work > 0 && self.age_is_doubtful) {
            // What its server has counted is no matter of two clocks.
            self.set_age(self.elapsed(now.mono).min(Duration::from_secs(at_work)), now);
            self.age_is_doubtful = false;
        }
    }

    /// The limit counts from the server's start. Our own clock bounds what the two wall clocks make of it.
    fn count_from(&mut self, started: Timestamp, now: Now) {
        let by_wall = between(started, now.wall);
        let most = if self.age_is_from_trigger { self.elapsed(now.mono) } else { Duration::MAX };
        self.set_age(by_wall.min(most), now);
    }

    fn set_age(&mut self, age: Duration, now: Now) {
        self.age = age;
        self.anchor = now.mono;
        self.record.began = now.boot.map(|now| now.before(age));
    }

    fn judge_group(&mut self, group: &Group, sight: &Sight, now: Now) -> Next {
        if !group.status.is_finished() {
            // The job may already say "not running"; the group alone says that the run goes on.
            self.stage = Stage::Listed { contradicted: None };
            return Next::Watch;
        }
        if sight.running == Some(true) && !sight.another {
            let Stage::Listed { contradicted } = self.stage else { return Next::Watch };
            let since = contradicted.unwrap_or(now.mono);
            self.stage = Stage::Listed { contradicted: Some(since) };
            if now.mono.saturating_duration_since(since) < AGREEMENT {
                return Next::Watch;
            }
            self.outlived = true;
        }
        self.end_by_group(group, now);
        Next::Ended
    }

    /// The job says "running" and no group is listed: either the queue was cleared under a run, or the word sticks. After
    /// a while JetBackup's log is asked, which is still being written in the first case.
    fn judge_reported(&mut self, now: Now) -> Next {
        let due = *self.log_due.get_or_insert(now.mono + UNPROVEN);
        if now.mono < due {
            return Next::Watch;
        }
        self.log_due = Some(now.mono + UNPROVEN);
        Next::AskLog { otherwise: JobResult::Unknown }
    }

    /// Whether its job says "running" with no group to show for it. Only a log that was read proves that false.
    pub fn is_only_reported(&self) -> bool {
        self.stage == Stage::Flagged { quiet: None }
    }

    /// It is over, and its job still says "running".
    pub fn outlive(&mut self) {
        self.outlived = true;
    }

    /// The job no longer says "running", and no group ever came of it: a hook may have called it off.
    fn judge_quiet(&self, since: Instant, now: Now, pace: Pace) -> Next {
        let began = self.witnessed && self.elapsed(since) < pace.startup_timeout;
        if began && self.elapsed(now.mono) < pace.startup_timeout {
            return Next::Watch;
        }
        let otherwise = if began { JobResult::DidNotStart } else { JobResult::Unknown };
        match self.judge_absence(since, now) {
            Next::Watch => Next::Watch,
            _ => Next::AskLog { otherwise },
        }
    }

    fn judge_absence(&self, since: Instant, now: Now) -> Next {
        if now.mono.saturating_duration_since(since) < AGREEMENT {
            return Next::Watch;
        }
        Next::AskLog { otherwise: JobResult::Unknown }
    }

    /// A run that was given up as not started starts after all: it is on record again, its turn is not.
    fn wake(&mut self) {
        if self.is_late() {
            self.record.open = true;
            self.record.cycle = None;
            self.record.result = None;
            self.record.reason = None;
        }
    }

    /// The server could not be asked.
    pub fn lose_contact(&mut self, now: Instant) {
        self.unheard = false;
        self.out_of_contact_since.get_or_insert(now);
    }

    /// A stop was accepted: it is sent as soon as the run's group, by which runs are stopped, is known.
    pub fn accept_stop(&mut self) {
        self.record.stop = Some(StopRequest::Accepted);
    }

    /// A stop was accepted and could not be sent: it is taken back.
    pub fn refuse_stop(&mut self) {
        self.record.stop = None;
    }

    /// The group of a stop that was accepted and not sent yet, once it is known.
    pub fn stop_to_send(&self) -> Option<GroupId> {
        self.record.group.filter(|_| self.record.stop == Some(StopRequest::Accepted))
    }

    /// JetBackup took a stop.
    pub fn stop_sent(&mut self, now: Instant) {
        self.record.stop = Some(StopRequest::Sent);
        self.stop_asked = Some(now);
        self.stop_told = false;
    }

    /// How far it is, for those who watch.
    pub fn progress(&self, now: Instant) -> Progress {
        Progress {
            items: self.items.0,
            items_completed: self.items.1,
            elapsed: self.elapsed(now).as_secs(),
            usual: self.usual,
            out_of_contact: self.out_of_contact_since.is_some(),
            stopping: self.stop_asked.is_some(),
        }
    }
}

/// The time from one wall-clock moment to another; nothing if it is in the future.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests;
