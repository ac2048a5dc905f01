//! Since when something is so, and until when it was.

use jiff::{SignedDuration, Timestamp};

/// The times at which something was so; the last of them may last.
#[derive(Debug, Default)]
pub struct Spans(Vec<(Timestamp, Option<Timestamp>)>);

impl Spans {
    /// From now on it is so, or it is not.
    pub fn mark(&mut self, now: Timestamp, so: bool) {
        let lasting = self.0.last_mut().filter(|(_, to)| to.is_none());
        match (lasting, so) {
            (Some(span), false) => span.1 = Some(now),
            (None, true) => self.0.push((now, None)),
            _ => {}
        }
    }

    /// From one moment to another it is so, which may be still to come.
    pub fn add(&mut self, from: Timestamp, to: Timestamp) {
        self.0.insert(0, (from, Some(to)));
    }

    /// Whether it was so at any moment from `from` to `to`.
    pub fn touch(&self, from: Timestamp, to: Timestamp) -> bool {
        self.0.iter().any(|(begun, ended)| *begun <= to && ended.is_none_or(|ended| ended >= from))
    }

    /// Whether it was so at `from` and has not been otherwise until `slack` seconds before `to`.
    pub fn cover(&self, from: Timestamp, to: Timestamp, slack: i64) -> bool {
        let slack = SignedDuration::from_secs(slack);
        self.0.iter().any(|(begun, ended)| {
            *begun <= from && ended.is_none_or(|ended| ended >= from && ended + slack >= to)
        })
    }

    /// All of them until `now`.
    pub fn until(&self, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        self.0.iter().map(|(from, to)| (*from, to.unwrap_or(now))).collect()
    }
}
