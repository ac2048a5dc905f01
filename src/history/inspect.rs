//! A look at the history that changes nothing: is the file sound, and can it be written to?

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::{HistoryError, is_damage, is_misunderstanding, is_stale};
use super::{FILE_NAME, schema, store};

/// How long the file may be read. Shorter than a runner's commit waits for readers.
const READING: Duration = Duration::from_secs(3);

/// How a history was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspected {
    /// Sound, with so many runs.
    Sound {
        /// The runs on record.
        runs: u64,
    },
    /// It opens; 3 seconds were too short to read all of it.
    Unfinished,
    /// The last write was cut off. The next runner takes it back; nobody can read before.
    CutOff,
}

/// Checks the history of a state directory, read-only. Blocks, for some 3 seconds at most on a disk that answers.
///
/// # Errors
/// [`HistoryError::Absent`] if there is none, [`HistoryError::Damaged`] if it is damaged, else if it cannot be read.
pub fn inspect(state_dir: &Path) -> Result<Inspected, HistoryError> {
    let path = state_dir.join(FILE_NAME);
    match std::fs::File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(HistoryError::Absent { path });
        }
        Err(source) => return Err(HistoryError::File { doing: "open", path, source }),
        Ok(_) => {}
    }
    match look(&path) {
        Ok(None) => Err(HistoryError::Absent { path }),
        Ok(Some(found)) => Ok(found),
        Err(Fault::Damage(detail)) => Err(HistoryError::Damaged { path, detail }),
        Err(Fault::Sqlite(error)) if interrupted(&error) => Ok(Inspected::Unfinished),
        Err(Fault::Sqlite(error)) if is_damage(&error) || is_misunderstanding(&error) => {
            Err(HistoryError::Damaged { path, detail: error.to_string() })
        }
        // Rolling back would be a write.
        Err(Fault::Sqlite(error)) if is_stale(&error) && has_journal(&path) => Ok(Inspected::CutOff),
        Err(Fault::Sqlite(source)) => Err(HistoryError::Database { doing: "read", path, source }),
    }
}

enum Fault {
    Damage(String),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn look(path: &Path) -> Result<Option<Inspected>, Fault> {
    let connection = store::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, store::LOCK_WAIT)?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(None);
    }
    let verdict = bounded(&connection)?;
    if verdict != "ok" {
        return Err(Fault::Damage(verdict));
    }
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // An older file gets its missing tables at the next start.
    if version >= schema::newest() {
        schema::is_complete(&connection)?;
    }
    let runs: i64 = connection.query_row("SELECT count(*) FROM runs", [], |row| row.get(0))?;
    Ok(Some(Inspected::Sound { runs: runs.unsigned_abs() }))
}

/// The check of all pages, cut off when it takes too long: a runner that wants to write must not wait for it.
fn bounded(connection: &Connection) -> rusqlite::Result<String> {
    let handle = connection.get_interrupt_handle();
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        if waiting.recv_timeout(READING) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            handle.interrupt();
        }
    });
    let verdict = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    drop(done);
    // It cannot panic.
    let _ = guard.join();
    verdict
}

fn interrupted(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

fn has_journal(path: &Path) -> bool {
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    std::fs::metadata(journal).is_ok_and(|journal| journal.len() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::History;

    #[tokio::test]
    async fn a_sound_file_is_told_from_none_and_from_damage() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(inspect(folder.path()), Err(HistoryError::Absent { .. })));
        drop(History::open(folder.path()).await);
        assert_eq!(inspect(folder.path()).unwrap(), Inspected::Sound { runs: 0 });
        let file = folder.path().join(FILE_NAME);
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[600..].fill(0xA5);
        std::fs::write(&file, &bytes).unwrap();
        assert!(matches!(inspect(folder.path()), Err(HistoryError::Damaged { .. })));
        std::fs::write(&file, "").unwrap();
        assert!(matches!(inspect(folder.path()), Err(HistoryError::Absent { .. })));
    }

    #[tokio::test]
    async fn a_write_that_was_cut_off_is_told_and_not_taken_back() {
        let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        drop(History::open(folder.path()).await);
        let writer = Connection::open(folder.path().join(FILE_NAME)).unwrap();
        // Pages leave for the disk before the commit.
        writer
            .execute_batch("PRAGMA journal_mode = TRUNCATE; PRAGMA cache_size = 2; BEGIN IMMEDIATE;")
            .unwrap();
        for number in 0..200 {
            let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, hex(zeroblob(200)))";
            writer.execute(sql, [format!("key {number}")]).unwrap();
        }
        let journal = format!("{FILE_NAME}-journal");
        for name in [FILE_NAME, &journal] {
            std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
        }
        let before = std::fs::read(copy.path().join(FILE_NAME)).unwrap();
        assert_eq!(inspect(copy.path()).unwrap(), Inspected::CutOff);
        assert_eq!(std::fs::read(copy.path().join(FILE_NAME)).unwrap(), before);
        assert!(copy.path().join(journal).metadata().unwrap().len() > 0);
    }
}
