//! Whether the clock can be right.

use jiff::Timestamp;

/// When this program was built, in seconds since 1970.
const BUILT: i64 = match i64::from_str_radix(env!("JETBACKUP_REMOTE_BUILT"), 10) {
    Ok(seconds) => seconds,
    Err(_) => panic!("the build script writes a number"),
};

/// Whether `now` can be the time: it is not before this program was built. A Raspberry Pi has no clock that goes on
/// while it is off, and may begin in 1970.
#[must_use]
pub fn is_plausible(now: Timestamp) -> bool {
    now.as_second() >= BUILT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_not_plausible() {
        assert!(!is_plausible(Timestamp::UNIX_EPOCH));
        assert!(!is_plausible(Timestamp::from_second(BUILT - 1).unwrap()));
        assert!(is_plausible(Timestamp::from_second(BUILT).unwrap()));
        assert!(is_plausible(Timestamp::now()), "the program was built in the past");
    }
}
