//! Reading a list to its end, from servers that take `limit`, `skip`, `sort` and `total` more or less seriously.

use std::collections::HashSet;

use serde_json::Value;

use super::objects::Object;
use super::request::Page;
use super::scalar;

/// Rows asked for at a time: JetBackup's own default.
const ROWS: u64 = 100;
/// Rows asked for at a time once a list turns out to be long.
const WIDE: u64 = 1000;
/// The most rows asked for in one request, where a server does not know `skip`.
const MOST_ROWS: u64 = 10_000;
/// The most requests for one list.
const MOST_PAGES: u32 = 250;
/// How often a list that changes while it is read is read from the beginning.
const MOST_RESTARTS: u32 = 2;

/// The rows of one list answer and the total it claims.
///
/// An empty array or object, which is what PHP makes of anything empty, is an empty list. An answer without any list
/// is none: that nothing runs may only be concluded from a list that says so.
pub(crate) fn rows<'a>(data: &'a Value, key: &str) -> Result<(Vec<&'a Value>, Option<u64>), String> {
    let total = scalar::count(&data["total"]);
    let found = match data {
        Value::Array(_) => scalar::list(data),
        Value::Object(map) => match map.get(key) {
            Some(Value::Null) | None if total == Some(0) || map.is_empty() => Some(Vec::new()),
            Some(Value::String(text)) if text.is_empty() && total == Some(0) => Some(Vec::new()),
            Some(list) => scalar::list(list),
            None if map.keys().all(|key| key.bytes().all(|byte| byte.is_ascii_digit())) => scalar::list(data),
            None => None,
        },
        _ => None,
    };
    found.map(|rows| (rows, total)).ok_or_else(|| format!("the answer holds no list of {key}"))
}

/// What to do after a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask for the next page.
    More,
    /// The list is complete.
    Done,
    /// It cannot be had completely.
    Incomplete,
}

/// A walk through all pages of one list.
pub(crate) struct Walk<T: Object> {
    rows: Vec<T>,
    seen: HashSet<T::Id>,
    /// Rows without a valid id: they count towards the total.
    unreadable: u64,
    /// Rows received in this walk, repeated ones included: where the next page begins.
    position: u64,
    limit: u64,
    total: Option<u64>,
    /// Every total so far was the number of rows beside it, so it may not be a total at all.
    counts_pages: bool,
    pages: u32,
    restarts: u32,
}

impl<T: Object> Walk<T> {
    pub(crate) fn new() -> Self {
        Self {
            rows: Vec::new(),
            seen: HashSet::new(),
            unreadable: 0,
            position: 0,
            limit: ROWS,
            total: None,
            counts_pages: true,
            pages: 0,
            restarts: 0,
        }
    }

    /// What to ask for now.
    pub(crate) fn page(&self) -> Page {
        Page { limit: self.limit, skip: self.position }
    }

    /// The rows had, and the total as last told.
    pub(crate) fn had(&self) -> (u64, Option<u64>) {
        (self.seen.len() as u64 + self.unreadable, self.total)
    }

    /// How many pages were asked for.
    pub(crate) fn pages(&self) -> u32 {
        self.pages
    }

    /// The rows so far, in the order they came.
    pub(crate) fn rows(&self) -> &[T] {
        &self.rows
    }

    /// The rows in the order they came, each once.
    pub(crate) fn into_rows(self) -> Vec<T> {
        self.rows
    }

    /// Takes a page of `page` rows that claims a list of `total`.
    pub(crate) fn take(&mut self, page: &[&Value], total: Option<u64>) -> Step {
        self.pages += 1;
        let count = page.len() as u64;
        let first = self.position == 0;
        self.counts_pages &= total == Some(count);
        let before = self.total;
        self.total = total.or(before);
        if !first && !self.counts_pages && before.is_some() && before != self.total {
            // What left the list while it was read has moved other rows onto pages that were already read.
            return self.restart(self.limit);
        }
        let (fresh, unreadable) = self.add(page);
        // A page of rows that are known already comes from a server that does not know `skip`; nothing in it is new.
        if first || fresh > 0 || unreadable == count {
            self.unreadable += unreadable;
        }
        self.position += count;

        let (had, _) = self.had();
        let reached = self.total.is_some_and(|total| had >= total);
        if fresh == 0 {
            return if reached || self.total.is_none() || self.counts_pages {
                Step::Done
            } else {
                self.widen()
            };
        }
        // A total reached exactly with a full page may be a server counting the page: one more request tells.
        if reached && count != self.limit {
            return Step::Done;
        }
        if count == self.limit && self.limit == ROWS && self.total.is_some_and(|total| total > WIDE) {
            self.limit = WIDE;
        }
        if self.pages < MOST_PAGES { Step::More } else { Step::Incomplete }
    }

    /// Keeps what is new; how many rows were new, and how many had no valid id.
    fn add(&mut self, page: &[&Value]) -> (u64, u64) {
        let (mut fresh, mut unreadable) = (0, 0);
        for value in page {
            match T::read(value) {
                Some(row) if self.seen.insert(row.id()) => {
                    self.rows.push(row);
                    fresh += 1;
                }
                Some(_) => {}
                None => unreadable += 1,
            }
        }
        if unreadable > 0 {
            tracing::warn!(
                rows = unreadable,
                "a list of {} holds rows without a valid _id; ignored",
                T::LIST
            );
        }
        (fresh, unreadable)
    }

    /// Nothing new came although there is more: a server that does not know `skip` may still know a larger `limit`.
    fn widen(&mut self) -> Step {
        let wanted = self.total.unwrap_or(0).saturating_add(ROWS);
        if self.limit > ROWS || wanted > MOST_ROWS { Step::Incomplete } else { self.restart(wanted) }
    }

    fn restart(&mut self, limit: u64) -> Step {
        if self.restarts >= MOST_RESTARTS {
            return Step::Incomplete;
        }
        let (pages, restarts) = (self.pages, self.restarts + 1);
        *self = Self { limit, pages, restarts, ..Self::new() };
        Step::More
    }
}
