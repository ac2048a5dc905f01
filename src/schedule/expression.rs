//! A cron expression: what it means in a calendar, and which moments that are in a time zone.
//!
//! The library is asked about calendars only. Its own way through daylight saving treats fixed times and intervals
//! differently and lets the latter come twice in autumn; here every minute of a calendar comes at one moment.

use std::fmt;
use std::str::FromStr;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// The five fields: name, what is right, and the words that may stand there.
const FIELDS: [(&str, &str, &[&str]); 5] = [
    ("minute", "0 to 59", &[]),
    ("hour", "0 to 23", &[]),
    ("day of the month", "1 to 31, or L for the last", &["L", "W", "LW"]),
    ("month", "1 to 12, or JAN to DEC", &MONTHS),
    ("day of the week", "0 to 7, or SUN to SAT; 0 and 7 are Sunday", &WEEKDAYS),
];
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 8] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "L"];

/// Five cron fields that come true at some time.
#[derive(Clone)]
pub struct Expression {
    cron: Box<Cron>,
    text: String,
}

/// A text that is no such expression. The messages say what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// It has not five fields.
    #[error("five cron fields, as in \"0 2 * * *\"")]
    Fields,
    /// A field is wrong.
    #[error("five cron fields, and {field:?} is no {name}: {right}")]
    Field {
        /// What stands there.
        field: String,
        /// The field's name.
        name: &'static str,
        /// What would be right.
        right: &'static str,
    },
    /// There is no such day.
    #[error("five cron fields that come true at some time; there is never such a day")]
    Never,
}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() != FIELDS.len() {
            return Err(ExpressionError::Fields);
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        for (at, (field, (name, right, words))) in fields.iter().zip(FIELDS).enumerate() {
            // Alone among stars it shows whether it is the wrong one.
            let mut alone = ["*"; FIELDS.len()];
            alone[at] = field;
            if !has_words_of(field, words) || parser.parse(&alone.join(" ")).is_err() {
                let field = field.chars().take(40).collect();
                return Err(ExpressionError::Field { field, name, right });
            }
        }
        let text = fields.join(" ");
        let cron = parser.parse(&text).map(Box::new).map_err(|_| ExpressionError::Fields)?;
        let expression = Self { cron, text };
        let some_day = DateTime::constant(2000, 1, 1, 0, 0, 0, 0);
        expression.next_in_calendar(some_day).map(|_| expression).ok_or(ExpressionError::Never)
    }
}

/// Whether every word of `field` is one of `words`. The library would take the name of a month for a minute.
fn has_words_of(field: &str, words: &[&str]) -> bool {
    let mut found = field.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    found.all(|word| words.iter().any(|known| known.eq_ignore_ascii_case(word)))
}

impl Expression {
    /// The first moment after `after`, to the minute, that the expression means in `zone`.
    ///
    /// A minute that a clock put forward leaves out comes at the first valid moment, and one that a clock put back
    /// repeats comes the first time only.
    #[must_use]
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut civil = zone.to_datetime(after);
        // Calendars that fall together in one moment, or that were passed already, are few: an hour of minutes or two.
        loop {
            civil = self.next_in_calendar(civil)?;
            let moment = moment(civil, zone)?;
            if moment > after {
                return Some(moment);
            }
        }
    }

    fn next_in_calendar(&self, after: DateTime) -> Option<DateTime> {
        self.cron.find_next_occurrence(&after, false).ok()
    }

    /// The schedule in words, such as "at 02:00, on Sunday".
    #[must_use]
    pub fn words(&self) -> String {
        let sentence = self.cron.describe();
        let words = sentence.trim_end_matches('.');
        words.strip_prefix("At ").map_or_else(|| words.to_owned(), |rest| format!("at {rest}"))
    }
}

/// The moment at which `zone` shows `civil`: the earlier of two, and the first valid one where there is none.
fn moment(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    match ambiguous.offset() {
        // By the offset that holds after the gap, `civil` is a moment shortly before it.
        AmbiguousOffset::Gap { after, .. } => {
            let before = after.to_timestamp(civil).ok()?;
            zone.following(before).next().map(|transition| transition.timestamp())
        }
        _ => ambiguous.earlier().ok(),
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
