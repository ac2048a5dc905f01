//! Letters about what is odd: remarks on servers, and starts of the schedule that were missed.

use jiff::Timestamp;

use super::Envelope;
use super::page::{Block, Page, Row};
use crate::model::{Event, Remark, ServerName, What};
use crate::words;

/// Subject and page about what is new on a server.
pub(super) fn remarks(server: &ServerName, new: &[Remark]) -> (String, Page) {
    let subject = match new {
        [one] => format!("{server}: {}", words::clean(&one.text)),
        many => format!("{server}: {} worth a look", words::count(many.len(), "thing", "things")),
    };
    let row = |remark: &Remark| Row { name: remark.text.clone(), ..Row::default() };
    let page = Page::new(format!("Worth a look on {server}"))
        .with(Block::Rows(new.iter().map(row).collect()))
        .with(Block::Text("This is told once. `list` and `status` show all there is to look at.".into()));
    (subject, page)
}

/// What is odd, in a line of a list: about what, what of it, and what else is known.
pub(super) fn line(envelope: &Envelope, event: &Event) -> Option<(String, String, Vec<String>)> {
    match &event.what {
        What::Remarks { server, new, .. } => {
            let texts = new.iter().map(|remark| remark.text.clone()).collect();
            Some((server.to_string(), "worth a look".into(), texts))
        }
        What::CycleMissed { due, begins } => {
            let state = if begins.is_some() { "too late" } else { "not begun" };
            let due = format!("due at {}", envelope.moment(*due));
            Some(("Scheduled cycle".into(), state.into(), vec![due]))
        }
        _ => None,
    }
}

/// Subject and page about a start that comes much too late, or not at all.
pub(super) fn missed(envelope: &Envelope, due: Timestamp, begins: Option<Timestamp>) -> (String, Page) {
    let (subject, so) = match begins {
        Some(_) => ("a scheduled cycle begins too late", "It begins now."),
        None => (
            "a scheduled cycle has not begun",
            "If it waits for the cycle under way, it begins after that; if somebody stopped the queue, it is dropped.",
        ),
    };
    let page = Page::new(subject)
        .with(Block::Facts(vec![("Due", envelope.moment(due))]))
        .with(Block::Text(so.into()));
    (subject.to_owned(), page)
}
