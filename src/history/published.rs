//! The topics that hold something of ours at the broker: only what is known to be ours is ever cleared there.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::rows;

pub(super) const ALL_PUBLISHED: &str = "SELECT topic FROM published ";

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
