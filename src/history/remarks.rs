//! What was told of that must be told once, over restarts too: remarks on servers, and the last missed start. It is kept
//! in one transaction with the telling.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{History, HistoryError, rows};
use crate::model::{Remark, ServerName};

/// Under this and the server's name they are kept among the small texts.
const PREFIX: &str = "remarks:";

/// Under this name the start is kept that was last told as missed.
const MISSED: &str = "missed";

impl History {
    /// The start of the schedule that was last told as missed ([`crate::model::What::CycleMissed`]).
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn last_missed(&self) -> Result<Option<Timestamp>, HistoryError> {
        Ok(self.kept(MISSED).await?.and_then(|due| due.parse().ok()))
    }

    /// What was last remarked on each server ([`crate::model::What::Remarks`]).
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn remarks(&self) -> Result<Vec<(ServerName, Vec<Remark>)>, HistoryError> {
        self.inner.run("read", |connection| all(connection)).await
    }
}

/// The remarks on every server that has some. A row that makes no sense is none: then it is told again.
fn all(connection: &Connection) -> rusqlite::Result<Vec<(ServerName, Vec<Remark>)>> {
    let sql = format!("{} WHERE substr(key, 1, {}) = ?1 ORDER BY key", rows::ALL_META, PREFIX.len());
    let found = rows::select(connection, &sql, [PREFIX], |row| {
        let key: String = rows::column(row, "key")?;
        let text: String = rows::column(row, "value")?;
        Some((key.strip_prefix(PREFIX)?.parse().ok()?, serde_json::from_str(&text).ok()?))
    })?;
    Ok(found.rows)
}

/// Keeps which start of the schedule was last told as missed; the caller holds the transaction.
pub(super) fn write_missed(connection: &Connection, due: Timestamp) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)";
    connection.execute(sql, params![MISSED, due.to_string()]).map(drop)
}

/// Keeps the remarks on a server; the caller holds the transaction.
pub(super) fn write(
    connection: &Connection,
    server: &ServerName,
    remarks: &[Remark],
) -> rusqlite::Result<()> {
    let key = format!("{PREFIX}{server}");
    if remarks.is_empty() {
        return connection.execute("DELETE FROM meta WHERE key = ?1", [key]).map(drop);
    }
    // Nothing in them can fail to be written: no maps, no foreign types.
    let text = serde_json::to_string(remarks).unwrap_or_default();
    let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2) \
               ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value <> excluded.value";
    connection.execute(sql, params![key, text]).map(drop)
}
