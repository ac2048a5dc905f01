//! Foreign input of this room: see [`crate::fuzzing`].

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Memory;
use super::expression::Expression;

/// A cron expression, and what is kept of a schedule. An expression that is taken names starts that come one after the
/// other, and is the same when it is written anew.
pub fn schedule(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = serde_json::from_str::<Memory>(&text);
    let Ok(expression) = text.parse::<Expression>() else { return };
    let again = expression.to_string().parse::<Expression>();
    assert_eq!(again.map(|again| again.to_string()).ok(), Some(expression.to_string()));
    assert!(!expression.words().is_empty());
    // With summer time that begins at two in the morning.
    let zones = [TimeZone::UTC, TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap_or(TimeZone::UTC)];
    for zone in zones {
        let mut after = Timestamp::from_second(1_743_200_000).unwrap_or_default();
        for _ in 0..4 {
            let Some(next) = expression.next(after, &zone) else { break };
            assert!(next > after, "{expression}: {next} does not come after {after}");
            after = next;
        }
    }
}
