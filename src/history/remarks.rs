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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, RemarkKind, What};

    fn remark(id: &str) -> Remark {
        let since = "2026-03-01T02:00:00Z".parse().ok();
        Remark { kind: RemarkKind::JobDisabled, id: id.into(), text: "«Ñandú» is disabled".into(), since }
    }

    async fn tell(history: &History, what: What) {
        let event = Event { at: "2026-03-01T02:00:00Z".parse().unwrap(), what };
        history.commit(&event).await.unwrap();
    }

    fn remarks(server: &str, remarks: Vec<Remark>) -> What {
        What::Remarks { server: server.parse().unwrap(), remarks, new: Vec::new() }
    }

    #[tokio::test]
    async fn what_was_told_is_known_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let due: Timestamp = "2026-02-28T02:00:00.123456789Z".parse().unwrap();
        {
            let history = History::open(dir.path()).await.history;
            assert_eq!(
                (history.remarks().await.unwrap(), history.last_missed().await.unwrap()),
                (vec![], None)
            );
            tell(&history, remarks("web1", vec![remark("64ab"), remark("64ac")])).await;
            tell(&history, remarks("web.2", vec![remark("64ad")])).await;
            tell(&history, remarks("web1", vec![remark("64ac")])).await;
            tell(&history, remarks("web.2", Vec::new())).await;
            tell(&history, What::CycleMissed { due, begins: None }).await;
            history.keep("remarks:web3", "of another version".into()).await.unwrap();
        }
        let history = History::read_only(dir.path()).unwrap();
        let known = history.remarks().await.unwrap();
        assert_eq!(known, [("web1".parse().unwrap(), vec![remark("64ac")])]);
        assert_eq!(history.last_missed().await.unwrap(), Some(due));
    }
}
