//! The machine's uptime, suspended time included, and which boot it belongs to.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::model::BootMoment;

/// Where the kernel names its boot. A hardened unit may hide it; then only this process knows its moments again.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

static BOOT: LazyLock<u64> = LazyLock::new(|| {
    let named = std::fs::read_to_string(BOOT_ID).ok();
    let digits: Option<String> =
        named.map(|name| name.chars().filter(char::is_ascii_hexdigit).take(16).collect());
    let named = digits.and_then(|digits| u64::from_str_radix(&digits, 16).ok());
    named.unwrap_or_else(|| RandomState::new().hash_one(std::process::id()))
});

/// This moment.
pub(super) fn now() -> BootMoment {
    // An uptime is never negative.
    let uptime = Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default();
    BootMoment { boot: *BOOT, millisecond: i64::try_from(uptime.as_millis()).unwrap_or(i64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_within_one_boot() {
        let earlier = now();
        assert!(now().since(&earlier).is_some());
        assert!(now().millisecond > 0);
    }
}
