//! How many commands are taken: a flood (or an automation that calls itself) must not become a flood of answers.

use std::time::Duration;

use tokio::time::Instant;

/// What one command costs: five a second may be taken for as long as one likes.
const COST: Duration = Duration::from_millis(200);
/// The most that is saved up: twenty commands.
const SAVINGS: Duration = COST.saturating_mul(20);

/// Five commands a second, and twenty at once after a pause.
#[derive(Debug)]
pub(crate) struct Allowance {
    /// What may be spent, as time: it grows as time passes.
    saved: Duration,
    /// Until when the growth is counted.
    counted: Instant,
}

impl Allowance {
    /// A full one.
    pub(crate) fn new(now: Instant) -> Self {
        Self { saved: SAVINGS, counted: now }
    }

    /// Whether one more command may be taken now.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.counted);
        self.saved = self.saved.saturating_add(passed).min(SAVINGS);
        self.counted = self.counted.max(now);
        match self.saved.checked_sub(COST) {
            Some(rest) => {
                self.saved = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use crate::mqtt::commands::Allowance;

    #[test]
    fn twenty_at_once_then_five_a_second() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let mut taken = |millis: u64, tries: usize| {
            let now = start + Duration::from_millis(millis);
            (0..tries).filter(|_| allowance.take(now)).count()
        };
        assert_eq!(taken(0, 100), 20);
        assert_eq!(taken(199, 100), 0);
        assert_eq!(taken(200, 100), 1);
        assert_eq!(taken(1200, 100), 5);
        assert_eq!(taken(500, 100), 0, "time that went back buys nothing");
        assert_eq!(taken(1400, 100), 1);
        assert_eq!(taken(1_000_000, 100), 20, "no more is saved up than twenty");
    }
}
