//! The heart: one queue, one lane, one stream of events.
//!
//! `queue` knows the order, `lane` who may write, `run` one run from trigger to outcome, `sight` what an answer says
//! about it; all four are pure. `wheel` turns, one step at a time, so that no two steps can disagree about who
//! writes: `cycle` begins and ends cycles, `look` asks every server and `probe` those out
//! of reach, beside the turns; `recovery` reads what an earlier process left, `dispatch` gives a job its turn, `watching` moves
//! the runs under way, `commands` does what people ask, `duties` is what a daemon does beside and `doubt` what it does
//! while its clock is wrong, `unidentified` what backups of unknown jobs mean for the lane, `uptime` the machine's age, `known` what is known of the jobs, `surroundings` what is odd on the servers, `telling`
//! commits and tells what happened. `destinations` enables a server's destination before its jobs, `lowering` disables
//! it after them; `activation` is the pure part of that.
//!
//! This room must know nothing of MQTT, mail or terminals: they see its events and its snapshot.

mod activation;
mod commands;
mod contact;
mod cycle;
mod destinations;
mod dispatch;
mod doubt;
mod duties;
mod flag;
mod known;
mod lane;
mod look;
mod lowering;
mod probe;
mod queue;
mod recovery;
mod run;
mod sight;
mod surroundings;
mod survey;
mod telling;
mod unidentified;
mod uptime;
mod watching;
mod wheel;

use std::hash::{BuildHasher, Hasher, RandomState};

use jiff::Timestamp;
use tokio::time::Instant;

pub use destinations::left_enabled;
pub use duties::{Duties, Timetable};
pub use lane::Claim;
pub use queue::plan;
pub use recovery::{SCHEDULE_MEMORY, ScheduleRecord};
pub use surroundings::ask_destinations;
pub use survey::survey;
pub use telling::{Correspondent, Note};
pub use wheel::{Handle, Orchestrator, Request};

use crate::model::BootMoment;

/// This moment: by the clock that never jumps, by the one on the wall, and by the machine's uptime.
#[derive(Debug, Clone, Copy)]
struct Now {
    mono: Instant,
    wall: Timestamp,
    boot: Option<BootMoment>,
}

/// The clock on the wall. Tests bring their own.
pub trait WallClock: Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// This moment by the machine's uptime; `None` where that is not known.
    fn boot(&self) -> Option<BootMoment> {
        None
    }

    /// Whether the clock can be right. A Raspberry Pi has none of its own and starts in the past.
    fn is_plausible(&self) -> bool {
        true
    }
}

/// This machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl WallClock for SystemClock {
    fn now(&self) -> Timestamp {
        // In milliseconds, as the history keeps it: what is told now is what is told after a restart.
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    fn boot(&self) -> Option<BootMoment> {
        Some(uptime::now())
    }

    fn is_plausible(&self) -> bool {
        crate::schedule::clock::is_plausible(self.now())
    }
}

/// A number that no other run or cycle has, over restarts and without trust in the clock.
fn unique() -> i64 {
    let random = RandomState::new().build_hasher().finish();
    // JSON readers that know only floating point keep 53 bits of a number.
    i64::try_from(random >> 11).unwrap_or(i64::MAX)
}
