//! Whether a destination has little room left.

use crate::jetbackup::Destination;

/// Percent. So near to JetBackup's limit it is told.
const NEAR_LIMIT: u64 = 3;
/// Percent. With less left it is told, whatever the limit.
const LEAST_FREE: u64 = 5;
/// Percent. So much more room than what was told makes it good again: usage that goes up and down is told once.
const EASED: u64 = 2;

/// How full a destination is that is nearly full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    /// In percent, rounded down.
    pub used: u64,
    /// Where JetBackup stops, in percent, if that is near.
    pub limit: Option<u64>,
}

/// Whether it is nearly full, as far as is known; `was`: it was told that it is.
pub(super) fn nearly_full(destination: &Destination, was: bool) -> Option<Full> {
    let ease = if was { EASED } else { 0 };
    let total = destination.total.filter(|total| *total > 0)?;
    let percent = |bytes: u64| u64::try_from(u128::from(bytes) * 100 / u128::from(total)).unwrap_or(u64::MAX);
    let usage = destination.usage.or_else(|| destination.free.map(|free| total.saturating_sub(free)))?;
    let used = percent(usage);
    let limit = destination.disk_limit.filter(|limit| (1..100).contains(limit));
    let limit = limit.filter(|limit| used.saturating_add(NEAR_LIMIT + ease) >= *limit);
    if limit.is_some() {
        return Some(Full { used: used.min(100), limit });
    }
    // What is free need not be the rest of it: other things lie on the same disk.
    let free = destination.free.map_or_else(|| 100_u64.saturating_sub(used), percent);
    (free < LEAST_FREE + ease).then(|| Full { used: used.max(99_u64.saturating_sub(free)).min(100), limit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn destination(
        usage: Option<u64>,
        free: Option<u64>,
        total: Option<u64>,
        limit: Option<u64>,
    ) -> Destination {
        Destination {
            id: "000000000000000000000077".parse().unwrap(),
            name: None,
            disabled: Some(false),
            readonly: Some(false),
            usage,
            free,
            total,
            disk_limit: limit,
        }
    }

    fn of(usage: u64, limit: u64, was: bool) -> Option<Full> {
        nearly_full(&destination(Some(usage), Some(1000 - usage), Some(1000), Some(limit)), was)
    }

    #[test]
    fn it_is_told_near_the_limit_and_good_again_with_some_room() {
        assert_eq!(of(919, 95, false), None);
        assert_eq!(of(920, 95, false), Some(Full { used: 92, limit: Some(95) }));
        assert_eq!(of(919, 95, true), Some(Full { used: 91, limit: Some(95) }), "it goes up and down");
        assert_eq!(of(899, 95, true), None);
        assert_eq!(of(950, 0, false), None, "no limit");
        assert_eq!(of(951, 0, false), Some(Full { used: 95, limit: None }));
        assert_eq!(of(955, 100, false), Some(Full { used: 95, limit: None }));
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        for (usage, free, total) in [
            (None, None, None),
            (Some(5), None, None),
            (None, Some(0), None),
            (None, None, Some(7)),
            (Some(1), Some(0), Some(0)),
        ] {
            assert_eq!(nearly_full(&destination(usage, free, total, Some(95)), false), None);
        }
        let by_free = destination(None, Some(1), Some(100), None);
        assert_eq!(nearly_full(&by_free, false), Some(Full { used: 99, limit: None }));
        let shared = destination(Some(1), Some(1), Some(100), None);
        assert_eq!(nearly_full(&shared, false), Some(Full { used: 98, limit: None }), "others fill it");
    }

    proptest! {
        #[test]
        fn any_numbers_have_an_answer_and_more_room_is_never_worse(
            usage: Option<u64>, free: Option<u64>, total: Option<u64>, limit: Option<u64>, was: bool, more: u64,
        ) {
            let found = nearly_full(&destination(usage, free, total, limit), was);
            prop_assert!(found.is_none_or(|full| full.used <= 100));
            let roomier = destination(
                usage.map(|usage| usage.saturating_sub(more)), free.map(|free| free.saturating_add(more)), total, limit,
            );
            prop_assert!(nearly_full(&roomier, was).is_none() || found.is_some());
            prop_assert!(nearly_full(&roomier, false).is_none() || nearly_full(&roomier, true).is_some());
        }
    }
}
