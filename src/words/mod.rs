//! How things are said to people: durations, times, states and events, and the tone that goes with them.
//!
//! Everything here is plain English whatever the locale. This room must not know where its words are shown, nor how
//! they are laid out.

mod remark;
mod sentence;
mod size;

pub use remark::{nearly_full, remark};
pub(crate) use sentence::{count, over};
pub use sentence::{sentence, sentence_with, tone};
pub use size::size;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::view::{JobPhase, QueuePhase};
use crate::model::{JobResult, Reason, RunRecord, ServerName};

/// What a text is to the reader, rather than a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
    /// Of little interest.
    Quiet,
    /// A heading.
    Strong,
}

/// A duration of so many seconds, in its two largest units: `45 s`, `3 min 20 s`, `12 min`, `1 h 23 min`, `2 d 4 h`.
#[must_use]
pub fn duration(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        // Seconds matter to nobody once there are ten minutes of them.
        MINUTE..600 => two(seconds / MINUTE, "min", seconds % MINUTE, "s"),
        600..HOUR => format!("{} min", seconds / MINUTE),
        // A backup that takes a night and a bit is easier to grasp in hours.
        HOUR..172_800 => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "min"),
        _ => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
    }
}

/// A time as this machine's clocks show it, to the minute: `2026-03-01 02:15`.
#[must_use]
pub fn moment(at: Timestamp) -> String {
    moment_in(at, &crate::zone::system())
}

pub(crate) fn moment_in(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// As [`moment`], to the second, for lines that come one after the other: `2026-03-01 02:15:07`.
pub(crate) fn instant_in(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A job as people name it: `Accounts on web1`.
#[must_use]
pub fn name(label: &str, server: &ServerName) -> String {
    clean(&format!("{label} on {server}"))
}

/// What a job is doing.
#[must_use]
pub fn phase(phase: JobPhase) -> &'static str {
    match phase {
        JobPhase::Idle => "idle",
        JobPhase::Queued => "queued",
        JobPhase::Starting => "starting",
        JobPhase::Running => "running",
        JobPhase::Stopping => "stopping",
        JobPhase::Overrun => "beyond its limit",
        JobPhase::Unknown => "out of contact",
    }
}

/// What the queue is doing.
#[must_use]
pub fn queue_phase(phase: QueuePhase) -> &'static str {
    match phase {
        QueuePhase::Idle => "idle",
        QueuePhase::Running => "running",
        QueuePhase::Waiting => "waiting",
        QueuePhase::Stopping => "stopping",
        QueuePhase::WaitingForClock => "waiting for the clock to be set",
    }
}

/// How a run went.
#[must_use]
pub fn result(result: JobResult) -> &'static str {
    match result {
        JobResult::Completed => "completed",
        JobResult::Partial => "partly completed",
        JobResult::Failed => "failed",
        JobResult::Aborted => "aborted",
        JobResult::NeverFinished => "never finished",
        JobResult::DidNotStart => "did not start",
        JobResult::LostContact => "contact lost",
        JobResult::Skipped => "skipped",
        JobResult::Unknown => "unknown",
    }
}

/// How a run went and its colour; that it was beyond its limit is said too.
#[must_use]
pub fn outcome(went: Option<JobResult>, overrun: bool) -> (String, Tone) {
    let text = went.map_or("under way", result);
    match went.map_or(Tone::Plain, result_tone) {
        tone if !overrun => (text.to_owned(), tone),
        Tone::Bad => (format!("{text}, late"), Tone::Bad),
        _ => (format!("{text}, late"), Tone::Warn),
    }
}

/// Why a run went as it did.
#[must_use]
pub fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Unreachable => "the server cannot be reached",
        Reason::ListTooLong => "the server's list of queue groups is too long to be read",
        Reason::Disabled => "the job is disabled on its server",
        Reason::NotFound => "the server does not know the job",
        Reason::Refused => "JetBackup refused it",
        Reason::NotSent => "the request could not be sent",
        Reason::NothingStarted => "nothing was seen of it in time",
        Reason::StoppedByUser => "the queue was stopped",
        Reason::GroupVanished => "JetBackup's queue was cleared",
        Reason::NotConfigured => "it is no longer configured",
        Reason::DestinationDisabled => "its destination is disabled",
    }
}

/// Why a run went as it did and what was heard about it, in one line; empty where nothing is known.
#[must_use]
pub fn because(run: &RunRecord) -> String {
    let reason = run.reason.map(|why| reason(why).to_owned());
    let parts = [reason, run.error.as_deref().map(clean)];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}

/// The colour of a result.
#[must_use]
pub fn result_tone(result: JobResult) -> Tone {
    match result {
        JobResult::Completed => Tone::Good,
        JobResult::Partial | JobResult::Aborted | JobResult::Skipped | JobResult::Unknown => Tone::Warn,
        JobResult::Failed | JobResult::NeverFinished | JobResult::DidNotStart | JobResult::LostContact => {
            Tone::Bad
        }
    }
}

/// The colour of a phase.
#[must_use]
pub fn phase_tone(phase: JobPhase) -> Tone {
    match phase {
        JobPhase::Idle | JobPhase::Queued => Tone::Quiet,
        JobPhase::Starting | JobPhase::Running => Tone::Good,
        JobPhase::Stopping | JobPhase::Overrun => Tone::Warn,
        JobPhase::Unknown => Tone::Bad,
    }
}

/// A text of one line that can't steer the terminal it is shown on: texts of servers and labels are foreign input.
#[must_use]
pub fn clean(text: &str) -> String {
    // Overrides of the writing direction can make a line read as another one.
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let line = |c: char| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c };
    let cleaned: String = text.chars().filter(|c| !turns(*c)).map(line).collect();
    cleaned.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_said_in_two_units() {
        let golden = [
            (0, "0 s"),
            (45, "45 s"),
            (60, "1 min"),
            (200, "3 min 20 s"),
            (599, "9 min 59 s"),
            (754, "12 min"),
            (3600, "1 h"),
            (4980, "1 h 23 min"),
            (100_000, "27 h 46 min"),
            (172_800, "2 d"),
            (1_400_000, "16 d 4 h"),
        ];
        for (seconds, said) in golden {
            assert_eq!(duration(seconds), said);
        }
        assert!(duration(u64::MAX).ends_with(" h"));
    }

    #[test]
    fn times_are_local_and_without_a_locale() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let at = "2026-07-01T22:15:07Z".parse().unwrap();
        assert_eq!(moment_in(at, &zone), "2026-07-02 00:15");
        assert_eq!(instant_in(at, &zone), "2026-07-02 00:15:07");
    }

    #[test]
    fn every_result_and_reason_has_its_own_words() {
        let results: std::collections::HashSet<_> = JobResult::ALL.map(result).into();
        assert_eq!(results.len(), JobResult::ALL.len());
        let reasons: std::collections::HashSet<_> = Reason::ALL.map(reason).into();
        assert_eq!(reasons.len(), Reason::ALL.len());
        // Red and green are not all there is: success must differ from everything else.
        let good = JobResult::ALL.into_iter().filter(|found| result_tone(*found) == Tone::Good);
        assert_eq!(good.collect::<Vec<_>>(), [JobResult::Completed]);
    }

    proptest! {
        #[test]
        fn no_text_steers_the_terminal(text in any::<String>()) {
            let cleaned = clean(&text);
            prop_assert!(!cleaned.chars().any(char::is_control));
            let turned = cleaned.contains('\u{202e}');
            prop_assert!(!turned);
        }
    }
}
