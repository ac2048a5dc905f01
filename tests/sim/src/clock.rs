//! Clocks for whoever serves a [`World`](crate::World): real, fast, frozen, set by hand or following tokio's.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Tells the simulated time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// `seconds` later than `time` (earlier if negative), kept within what a timestamp can hold.
pub fn after(time: Timestamp, seconds: i64) -> Timestamp {
    time.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(time)
}

/// Parses a time written in a test, such as `2024-01-01T00:00:00Z`.
///
/// # Panics
/// If `text` is no RFC 3339 time: a mistake in the test itself.
pub fn at(text: &str) -> Timestamp {
    match text.parse() {
        Ok(time) => time,
        Err(error) => panic!("{text:?} is not a time such as 2024-01-01T00:00:00Z: {error}"),
    }
}

/// The machine's own clock.
pub fn wall() -> Clock {
    Arc::new(Timestamp::now)
}

/// Starts at `start` and follows tokio's clock, paused or not. Must be called and read inside a tokio runtime.
pub fn tokio(start: Timestamp) -> Clock {
    let origin = tokio::time::Instant::now();
    Arc::new(move || shifted(start, origin.elapsed().as_secs_f64()))
}

/// A clock that only moves when told to.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets it.
    pub fn set(&self, time: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }

    /// Moves it on by `seconds` and returns the new time.
    pub fn advance(&self, seconds: i64) -> Timestamp {
        let mut time = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *time = after(*time, seconds);
        *time
    }

    /// The same clock in the form servers take.
    pub fn clock(&self) -> Clock {
        let this = self.clone();
        Arc::new(move || this.now())
    }
}

/// A clock derived from the wall clock, small enough to be kept in a file: `simulated + speed × (wall - anchored)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScaledClock {
    anchored: Timestamp,
    simulated: Timestamp,
    speed: f64,
}

impl ScaledClock {
    /// The wall clock itself.
    pub fn real() -> Self {
        let now = Timestamp::now();
        Self { anchored: now, simulated: now, speed: 1.0 }
    }

    /// Shows `start` now and runs `speed` times as fast as the wall clock: 3600 makes an hour last a second.
    pub fn fast(start: Timestamp, speed: f64) -> Self {
        Self { anchored: Timestamp::now(), simulated: start, speed }
    }

    /// Stands still at `time`.
    pub fn frozen(time: Timestamp) -> Self {
        Self::fast(time, 0.0)
    }

    /// What it shows now.
    pub fn now(&self) -> Timestamp {
        let passed = Timestamp::now().duration_since(self.anchored).as_secs_f64();
        shifted(self.simulated, passed * self.speed)
    }

    /// The same clock in the form servers take.
    pub fn clock(self) -> Clock {
        Arc::new(move || self.now())
    }
}

fn shifted(start: Timestamp, seconds: f64) -> Timestamp {
    SignedDuration::try_from_secs_f64(seconds)
        .ok()
        .and_then(|passed| start.checked_add(passed).ok())
        .unwrap_or(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(at("2024-01-01T00:00:00Z"));
        let read = clock.clock();
        assert_eq!(read(), at("2024-01-01T00:00:00Z"));
        clock.advance(90);
        assert_eq!(read(), at("2024-01-01T00:01:30Z"));
    }

    #[test]
    fn a_frozen_clock_stands_still_and_a_fast_one_runs() {
        let start = at("2024-01-01T00:00:00Z");
        assert_eq!(ScaledClock::frozen(start).now(), start);
        let fast = ScaledClock { anchored: after(Timestamp::now(), -10), simulated: start, speed: 360.0 };
        assert!(fast.now() >= after(start, 3600));
    }

    #[tokio::test(start_paused = true)]
    async fn the_tokio_clock_follows_a_paused_runtime() {
        let start = at("2024-01-01T00:00:00Z");
        let clock = tokio(start);
        tokio::time::advance(std::time::Duration::from_secs(7200)).await;
        assert_eq!(clock(), after(start, 7200));
    }
}
