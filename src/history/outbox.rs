//! The outbox: what somebody is to be written about, from the moment it happened until it was taken.
//!
//! What a note says is no business of this room: it is kept as the text it came as.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::{History, HistoryError, rows};

pub(super) const ALL_OUTBOX: &str =
    "SELECT id, at, note, letter, missing, tries, error, given_up FROM outbox ";

/// A note that was not taken yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// Its place in the order.
    pub id: i64,
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    pub note: String,
    /// The letter it became part of, once that was about to be handed over.
    pub letter: Option<String>,
    /// Who has not got it yet, if some have.
    pub missing: Option<Vec<String>>,
    /// How often it was tried in vain.
    pub tries: u32,
}

/// What became of trying to send notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// They were taken, or need not be sent any more.
    Done,
    /// They were not.
    Failed {
        /// Why.
        error: String,
        /// Who has not got it yet, if some have.
        missing: Option<Vec<String>>,
        /// They are not tried again.
        given_up: bool,
    },
}

/// How the outbox stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outbox {
    /// Notes that wait.
    pub waiting: u32,
    /// Notes that were given up.
    pub given_up: u32,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

impl History {
    /// Puts a note into the outbox.
    ///
    /// # Errors
    /// When it is not on the disk after 10 seconds.
    pub async fn post(&self, at: Timestamp, note: String) -> Result<(), HistoryError> {
        self.inner.run("write to", move |connection| post(connection, at, &note)).await
    }

    /// The notes that wait in the outbox, oldest first.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn waiting(&self) -> Result<Vec<Noted>, HistoryError> {
        let found = self.inner.run("read", |connection| waiting(connection)).await?;
        Ok(self.inner.readable(found))
    }

    /// Notes, before it is handed over, that these notes are the letter with this id.
    ///
    /// # Errors
    /// When it is not on the disk after 10 seconds.
    pub async fn address(&self, ids: Vec<i64>, letter: String) -> Result<(), HistoryError> {
        self.inner.run("write to", move |connection| address(connection, &ids, &letter)).await
    }

    /// Notes what became of trying to send these notes.
    ///
    /// # Errors
    /// When it is not on the disk after 10 seconds.
    pub async fn tried(&self, ids: Vec<i64>, attempt: Attempt) -> Result<(), HistoryError> {
        self.inner.run("write to", move |connection| tried(connection, &ids, &attempt)).await
    }

    /// How the outbox stands.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn outbox(&self) -> Result<Outbox, HistoryError> {
        self.inner.run("read", |connection| outbox(connection)).await
    }
}

pub(super) fn post(connection: &Connection, at: Timestamp, note: &str) -> rusqlite::Result<()> {
    // A write that came too late for whoever waited for it may have put it there already.
    let sql = "INSERT INTO outbox (at, note, tries, given_up) SELECT ?1, ?2, 0, 0 \
               WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE at = ?1 AND note = ?2)";
    connection.prepare_cached(sql)?.execute(params![at.as_millisecond(), note]).map(drop)
}

/// Puts a note into another file's outbox, as the same letter. It keeps its number: whoever is about to send it knows it
/// by that.
pub(super) fn carry_over(connection: &Connection, noted: &Noted) -> rusqlite::Result<()> {
    let missing = noted.missing.as_ref().map(|all| all.join("\n"));
    let sql = "INSERT INTO outbox (id, at, note, letter, missing, tries, given_up) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)";
    let (at, tries) = (noted.at.as_millisecond(), noted.tries);
    connection.execute(sql, params![noted.id, at, noted.note, noted.letter, missing, tries]).map(drop)
}

pub(super) fn waiting(connection: &Connection) -> rusqlite::Result<rows::Rows<Noted>> {
    rows::select(connection, &format!("{ALL_OUTBOX} WHERE given_up = 0 ORDER BY id"), [], noted)
}

/// The notes that can be reached in a damaged file, oldest first.
pub(super) fn reachable(connection: &Connection) -> Vec<Noted> {
    let sql = format!("{ALL_OUTBOX} WHERE given_up = 0");
    let mut found = rows::reachable_from_both_ends(connection, &sql, noted, |one| one.id);
    found.sort_by_key(|one| one.id);
    found
}

fn noted(row: &Row<'_>) -> Option<Noted> {
    let missing: Option<String> = rows::column(row, "missing");
    Some(Noted {
        id: rows::column(row, "id")?,
        at: rows::moment(row, "at")?,
        note: rows::column(row, "note")?,
        letter: rows::column(row, "letter"),
        missing: missing.map(|all| all.lines().map(str::to_owned).collect()),
        tries: rows::column(row, "tries")?,
    })
}

/// These notes are one letter from now on.
pub(super) fn address(connection: &mut Connection, ids: &[i64], letter: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for id in ids {
        transaction.execute("UPDATE outbox SET letter = ?2 WHERE id = ?1", params![id, letter])?;
    }
    transaction.commit()
}

pub(super) fn tried(connection: &mut Connection, ids: &[i64], attempt: &Attempt) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for id in ids {
        match attempt {
            Attempt::Done => transaction.execute("DELETE FROM outbox WHERE id = ?1", [id])?,
            Attempt::Failed { error, missing, given_up } => transaction.execute(
                "UPDATE outbox SET tries = tries + 1, error = ?2, missing = ?3, given_up = ?4 WHERE id = ?1",
                params![id, error, missing.as_ref().map(|all| all.join("\n")), given_up],
            )?,
        };
    }
    transaction.commit()
}

pub(super) fn outbox(connection: &Connection) -> rusqlite::Result<Outbox> {
    let sql = format!("{ALL_OUTBOX} ORDER BY id");
    let found = rows::select(connection, &sql, [], |row| {
        let given_up: bool = rows::column(row, "given_up")?;
        Some((given_up, rows::column::<String>(row, "error")))
    })?;
    let given_up = found.rows.iter().filter(|(given_up, _)| *given_up).count();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(Outbox {
        waiting: count(found.rows.len() - given_up),
        given_up: count(given_up),
        last_error: found.rows.into_iter().rev().find_map(|(_, error)| error),
    })
}
