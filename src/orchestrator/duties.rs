//! What a daemon's wheel does beside the turns: the schedule, a look around when idle, and the sign that it still turns.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::doubt::Doubt;
use super::recovery::{SCHEDULE_MEMORY, ScheduleRecord};
use super::wheel::Orchestrator;
use crate::model::{CycleRecord, Selection, What};
use crate::schedule::{Missed, Schedule};

/// How long nothing at all may happen before the duties are seen to.
const LONGEST_NAP: Duration = Duration::from_secs(60);
/// How often an idle daemon looks at the servers: whether they answer, and what was started there by others.
const LOOK_EVERY: Duration = Duration::from_secs(15 * 60);

/// What a daemon does beside the turns.
pub struct Duties {
    timetable: Timetable,
    /// What is on record of the schedule, until the timetable is set.
    record: ScheduleRecord,
    /// Called on every turn of the wheel.
    alive: Box<dyn FnMut() + Send + Sync>,
    pub(super) nap: Duration,
    jobs_known: bool,
    looked: Option<Instant>,
    told: Option<(Option<Timestamp>, bool)>,
    kept: Option<String>,
    doubt: Doubt,
}

/// When cycles start.
pub enum Timetable {
    /// Only when somebody asks for one.
    Never,
    /// As the schedule will say that is made of what is on record and of the time, once the clock can be right.
    WaitsForClock(Box<dyn FnOnce(ScheduleRecord, Timestamp) -> Option<Schedule> + Send + Sync>),
    /// As the schedule says.
    Set(Box<Schedule>),
}

impl Timetable {
    fn schedule(&mut self) -> Option<&mut Schedule> {
        match self {
            Self::Set(schedule) => Some(schedule),
            Self::Never | Self::WaitsForClock(_) => None,
        }
    }

    /// The clock can be right, and this is on record.
    fn set(&mut self, record: ScheduleRecord, now: Timestamp) {
        *self = match std::mem::replace(self, Self::Never) {
            Self::WaitsForClock(make) => {
                make(record, now).map_or(Self::Never, |schedule| Self::Set(Box::new(schedule)))
            }
            other => other,
        };
    }
}

impl Duties {
    /// Starts cycles by the timetable, and calls `alive` whenever the wheel turns: once in `at_least` or a minute, if
    /// no single step takes longer.
    #[must_use]
    pub fn new(
        timetable: Timetable,
        alive: impl FnMut() + Send + Sync + 'static,
        at_least: Option<Duration>,
    ) -> Self {
        Self {
            timetable,
            record: ScheduleRecord::default(),
            alive: Box::new(alive),
            nap: at_least.unwrap_or(LONGEST_NAP).clamp(Duration::from_secs(1), LONGEST_NAP),
            jobs_known: false,
            looked: None,
            told: None,
            kept: None,
            doubt: Doubt::default(),
        }
    }

    /// This is on record of the schedule.
    pub(super) fn begin_with(&mut self, record: ScheduleRecord) {
        self.record = record;
    }

    pub(super) fn cycle_finished(&mut self, cycle: &CycleRecord) {
        if let Some(schedule) = self.timetable.schedule() {
            schedule.cycle_finished(cycle);
        }
    }

    /// A person stopped the queue.
    pub(super) fn called_off(&mut self) {
        if let Some(schedule) = self.timetable.schedule() {
            schedule.called_off();
        }
    }

    /// Whether the schedule starts a cycle now.
    fn is_time(&mut self, now: Timestamp, busy: bool) -> bool {
        self.timetable.schedule().is_some_and(|schedule| schedule.tick(now, busy))
    }

    /// A start that is too late, if that has to be told.
    fn missed(&mut self) -> Option<Missed> {
        self.timetable.schedule()?.missed()
    }

    /// What the schedule wants to be kept, if it is not what is kept already.
    fn unkept(&mut self) -> Option<String> {
        let memory = serde_json::to_string(self.timetable.schedule()?.memory()).ok();
        if memory == self.kept {
            return None;
        }
        self.kept.clone_from(&memory);
        memory
    }

    /// When the next cycle starts and whether the clock is waited for, if that is news.
    fn news(&mut self, plausible: bool) -> Option<What> {
        let next = self.timetable.schedule().filter(|_| plausible).and_then(|schedule| schedule.next_run());
        let waiting_for_clock = !plausible && !matches!(self.timetable, Timetable::Never);
        let is_news = self.told.unwrap_or_default() != (next, waiting_for_clock);
        self.told = Some((next, waiting_for_clock));
        is_news.then_some(What::Scheduled { next, waiting_for_clock })
    }
}

impl Orchestrator {
    /// How long the wheel may go without a sign that it turns.
    pub(super) fn nap(&self) -> Duration {
        self.duties.as_ref().map_or(LONGEST_NAP, |duties| duties.nap)
    }

    /// Gives a sign that the wheel turns, where that is a duty.
    pub(super) fn show_life(&mut self) {
        if let Some(duties) = &mut self.duties {
            (duties.alive)();
        }
    }

    /// Sees to the duties, if there are any.
    pub(super) async fn attend(&mut self) {
        let Some(mut duties) = self.duties.take() else { return };
        (duties.alive)();
        let plausible = self.clock.is_plausible();
        if plausible && !duties.jobs_known {
            duties.jobs_known = self.know_jobs().await;
        }
        self.recall_destinations_again().await;
        self.tell_stale().await;
        if plausible {
            duties.timetable.set(std::mem::take(&mut duties.record), self.clock.now());
        }
        duties.doubt.attend(self, plausible).await;
        self.try_to_resume().await;
        self.check_resumed().await;
        let start = plausible && duties.is_time(self.clock.now(), self.cycle.is_some());
        if let Some(missed) = duties.missed() {
            self.tell_missed(missed).await;
        }
        if let Some(memory) = duties.unkept()
            && let Err(error) = self.history.keep(SCHEDULE_MEMORY, memory).await
        {
            tracing::warn!("the schedule is not kept over a restart: {error}");
        }
        if let Some(news) = duties.news(plausible) {
            self.tell(news).await;
        }
        let look = duties.looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY);
        let look = look && self.queue.is_empty() && self.runs.iter().all(super::run::Run::is_late);
        if look {
            duties.looked = Some(Instant::now());
        }
        self.duties = Some(duties);
        if start {
            self.begin(self.planned(&Selection::default())).await;
        } else if look {
            self.look_around().await;
        }
    }

    /// Tells of a start that is too late. The schedule's memory is kept after that: a crash between the two makes the
    /// schedule say it again, and only the history knows that it was told.
    async fn tell_missed(&mut self, Missed { due, begins }: Missed) {
        let told = self.history.last_missed().await;
        if !told.is_ok_and(|told| told == Some(due)) {
            self.tell(What::CycleMissed { due, begins }).await;
        }
    }
}
