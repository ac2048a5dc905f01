//! A moment by the machine's uptime: it lasts over restarts of the program, and no change of the time of day moves it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A moment of one boot of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootMoment {
    /// What tells this boot from every other.
    pub boot: u64,
    /// Milliseconds since the machine was started; negative for what began before.
    pub millisecond: i64,
}

impl BootMoment {
    /// The moment `age` before this one.
    #[must_use]
    pub fn before(&self, age: Duration) -> Self {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        Self { boot: self.boot, millisecond: self.millisecond.saturating_sub(age) }
    }

    /// The time from `earlier` to this moment; `None` if the machine was restarted in between.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Option<Duration> {
        let passed = self.millisecond.saturating_sub(earlier.millisecond);
        (self.boot == earlier.boot).then(|| Duration::from_millis(u64::try_from(passed).unwrap_or(0)))
    }
}

impl fmt::Display for BootMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{:x}", self.millisecond, self.boot)
    }
}

/// A text that is no moment of a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a moment of a boot (expected MILLISECONDS@BOOT)")]
pub struct NotABootMoment;

impl FromStr for BootMoment {
    type Err = NotABootMoment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (millisecond, boot) = text.split_once('@').ok_or(NotABootMoment)?;
        let millisecond = millisecond.parse().map_err(|_| NotABootMoment)?;
        let boot = u64::from_str_radix(boot, 16).map_err(|_| NotABootMoment)?;
        Ok(Self { boot, millisecond })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(boot: u64, millisecond: i64) -> BootMoment {
        BootMoment { boot, millisecond }
    }

    #[test]
    fn time_passes_within_one_boot_only() {
        let earlier = moment(0xa, 1000);
        assert_eq!(moment(0xa, 3500).since(&earlier), Some(Duration::from_millis(2500)));
        assert_eq!(moment(0xa, 500).since(&earlier), Some(Duration::ZERO));
        assert_eq!(moment(0xb, 3500).since(&earlier), None);
        assert_eq!(moment(0xa, 3500).before(Duration::from_secs(5)), moment(0xa, -1500));
    }

    #[test]
    fn it_is_read_as_it_is_written() {
        for one in [moment(u64::MAX, 1234), moment(0xb, -7)] {
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        for text in ["", "12", "x@a", "@a", "1@", "1@x"] {
            assert_eq!(text.parse::<BootMoment>(), Err(NotABootMoment), "{text}");
        }
    }
}
