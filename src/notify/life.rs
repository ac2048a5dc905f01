//! The proof of life: that nothing was heard must never mean that nothing is there any more.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Time, Weekday};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use tokio::time::sleep;

use super::desk::Desk;
use super::note::Note;
use crate::config::Digest;
use crate::history::History;
use crate::schedule::clock;

/// Under this name it is kept in the history when the last one was written.
const LAST: &str = "life";
/// When people have their coffee. Local time.
const AT: Time = Time::constant(8, 0, 0, 0);
/// How long to sleep at most: a clock that was set meanwhile is noticed then.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// Writes a note whenever it is time for one.
pub(super) async fn keep(digest: Digest, history: History, desk: Arc<Desk>) {
    loop {
        let now = Timestamp::now();
        let mut nap = LONGEST_SLEEP;
        if clock::is_plausible(now)
            && let Some(last) = last(&history, now).await
            && let Some(due) = due(digest, &last.to_zoned(crate::zone::system()))
        {
            if now >= due {
                desk.write(now, &Note::Life { since: last }).await;
                remember(&history, now).await;
            } else {
                nap = nap.min(Duration::try_from(due.duration_since(now)).unwrap_or(nap));
            }
        }
        sleep(nap.max(Duration::from_secs(1))).await;
    }
}

/// When the last one was written. The time before the first one counts from now.
async fn last(history: &History, now: Timestamp) -> Option<Timestamp> {
    let kept = history.kept(LAST).await.ok()?;
    let last = kept.and_then(|text| text.parse::<Timestamp>().ok());
    // A time to come is a clock that was set back since.
    match last.filter(|last| *last <= now) {
        Some(last) => Some(last),
        None => {
            remember(history, now).await;
            Some(now)
        }
    }
}

async fn remember(history: &History, at: Timestamp) {
    if let Err(error) = history.keep(LAST, at.to_string()).await {
        tracing::warn!("that a proof of life was written is not on record, it may be written again: {error}");
    }
}

/// The first time for one after `last`, in the time zone of that.
fn due(digest: Digest, last: &Zoned) -> Option<Timestamp> {
    let days = match digest {
        Digest::Never => return None,
        Digest::Daily => 0..=2,
        Digest::Weekly => 0..=8,
    };
    days.filter_map(|days| last.date().checked_add(days.days()).ok())
        .filter(|date| digest == Digest::Daily || date.weekday() == Weekday::Monday)
        .filter_map(|date| date.to_datetime(AT).to_zoned(last.time_zone().clone()).ok())
        .map(|at| at.timestamp())
        .find(|at| at.duration_since(last.timestamp()) > SignedDuration::ZERO)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn after(digest: Digest, last: &str) -> Option<String> {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let last: Timestamp = last.parse().unwrap();
        due(digest, &last.to_zoned(zone)).map(|at| at.to_string())
    }

    #[test]
    fn it_comes_at_eight_in_the_morning_whatever_the_season() {
        let next = |last| after(Digest::Daily, last).unwrap();
        assert_eq!(next("2026-11-23T03:00:00Z"), "2026-11-23T07:00:00Z");
        assert_eq!(next("2026-11-23T07:00:00Z"), "2026-11-24T07:00:00Z");
        assert_eq!(next("2026-03-28T07:00:01Z"), "2026-03-29T06:00:00Z", "the night the clocks go forward");
    }

    #[test]
    fn once_a_week_it_comes_on_monday() {
        let next = |last| after(Digest::Weekly, last).unwrap();
        assert_eq!(next("2026-11-23T03:00:00Z"), "2026-11-23T07:00:00Z", "a Monday before eight");
        assert_eq!(next("2026-11-23T07:00:00Z"), "2026-11-30T07:00:00Z");
        assert_eq!(next("2026-11-25T12:00:00Z"), "2026-11-30T07:00:00Z");
        assert_eq!(after(Digest::Never, "2026-11-25T12:00:00Z"), None);
    }
}
