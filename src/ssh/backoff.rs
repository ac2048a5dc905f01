//! How long to leave a server alone after a failed connect.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);

/// Doubling pauses. OpenSSH 9.8 and newer shut an address out for a while after a few hasty failures
/// (`PerSourcePenalties`), so trying harder makes it worse.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after one more failure: 1, 2, 4 … 60 s, and a little more so that clients do not march in step.
    pub(super) fn after_failure(&mut self) -> Duration {
        let pause = Duration::from_secs(1u64 << self.failures.min(6)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        pause + jitter(pause)
    }

    /// The pause after a failure that needs a person.
    pub(super) fn after_refusal(&mut self) -> Duration {
        LONGEST + jitter(LONGEST)
    }

    /// The server let us in.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Up to a tenth of `pause`. The keys of a fresh hash map are random enough for that.
fn jitter(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0u8) % 1000;
    // Below 1000, so the conversion is exact.
    pause.mul_f64(0.1 * f64::from(u32::try_from(random).unwrap_or(0)) / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_start_over() {
        let mut backoff = Backoff::default();
        for expected in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let pause = backoff.after_failure();
            let expected = Duration::from_secs(expected);
            assert!(pause >= expected && pause <= expected.mul_f64(1.1), "{pause:?} for {expected:?}");
        }
        backoff.reset();
        assert!(backoff.after_failure() < Duration::from_secs(2));
        assert!(backoff.after_refusal() >= LONGEST);
    }
}
