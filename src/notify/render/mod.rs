//! What letters say. Each is a page, which is written as text and as HTML: both tell the same.
//!
//! Pure: who is asked for what a letter tells is no business of this room.

mod html;
mod news;
mod odd;
mod page;
mod summary;
#[cfg(test)]
mod tests;
mod text;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(super) use news::{news, several, started, stopping, test};
pub(super) use summary::{Life, Standing, Summary, Turn, life, summary};

use self::page::Page;
use super::letter::{Letter, Tag};
use crate::model::{CycleId, JobKey};
use crate::words;

/// What every letter has, whatever it says.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    /// The letter's id.
    pub id: String,
    /// When it is written.
    pub date: Timestamp,
    /// Whose clocks its times are told by.
    pub zone: TimeZone,
}

impl Envelope {
    fn seal(&self, tag: Tag, thread: Option<CycleId>, subject: String, page: &Page) -> Letter {
        let subject = words::clean(&subject);
        Letter {
            id: self.id.clone(),
            date: self.date,
            thread,
            tag,
            text: text::text(page),
            html: html::html(page, tag),
            subject,
        }
    }

    fn moment(&self, at: Timestamp) -> String {
        words::moment_in(at, &self.zone)
    }
}

/// How a job is called that has no run to say so.
pub(super) type Labels<'a> = &'a (dyn Fn(&JobKey) -> Option<String> + Sync);
