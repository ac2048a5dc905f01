//! The topics that hold something of ours at the broker: only what is known to be ours is ever cleared there.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::{History, HistoryError, rows};

pub(super) const ALL_PUBLISHED: &str = "SELECT topic FROM published ";

impl History {
    /// The topics that something retained was published on and not cleared since.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn published(&self) -> Result<Vec<String>, HistoryError> {
        self.inner.run("read", |connection| all(connection)).await
    }

    /// Notes, before it is done, that something retained is published on these topics.
    ///
    /// # Errors
    /// When it is not on the disk after 10 seconds.
    pub async fn record_published(&self, topics: Vec<String>) -> Result<(), HistoryError> {
        self.inner.run("write to", move |connection| record(connection, &topics)).await
    }

    /// Notes that these topics were cleared.
    ///
    /// # Errors
    /// When it is not on the disk after 10 seconds.
    pub async fn forget_published(&self, topics: Vec<String>) -> Result<(), HistoryError> {
        self.inner.run("write to", move |connection| forget(connection, &topics)).await
    }
}

pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = format!("{ALL_PUBLISHED} ORDER BY topic");
    Ok(rows::select(connection, &sql, [], |row| rows::column(row, "topic"))?.rows)
}

/// Nothing is written for topics that are known.
pub(super) fn record(connection: &mut Connection, topics: &[String]) -> rusqlite::Result<()> {
    let known: BTreeSet<String> = all(connection)?.into_iter().collect();
    let transaction = connection.transaction()?;
    for topic in topics.iter().filter(|topic| !known.contains(*topic)) {
        transaction
            .prepare_cached("INSERT OR IGNORE INTO published (topic) VALUES (?1)")?
            .execute([topic])?;
    }
    transaction.commit()
}

pub(super) fn forget(connection: &mut Connection, topics: &[String]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for topic in topics {
        transaction.prepare_cached("DELETE FROM published WHERE topic = ?1")?.execute([topic])?;
    }
    transaction.commit()
}
