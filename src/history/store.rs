//! The database file: opened when needed, opened again when the connection went stale, set aside when damaged.
//! Everything here blocks; [`super::History`] keeps it away from the orchestrator.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::damage::{self, Salvage};
use super::error::{HistoryError, is_damage, is_misunderstanding, is_stale};
use super::schema;
use crate::state_dir;

/// Few writes matter more than fast scans here: a commit writes every changed page twice.
const PAGE_SIZE: u32 = 512;
/// How long SQLite waits for another program's lock.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(5);
/// How often old rows are deleted while the program runs.
const PRUNE_EVERY: Duration = Duration::from_secs(24 * 3600);
/// How many files a process sets aside before it believes that the disk is to blame.
const MAX_SET_ASIDE: u32 = 3;

/// How the disk is reached. For tests, which cannot wait where a program with time to spare can.
#[derive(Debug, Clone)]
pub struct Reach {
    /// How long SQLite waits for another program's lock, by a clock that cannot be paused.
    pub lock_wait: Duration,
    /// How many milliseconds the disk takes before it begins with an access, by tokio's clock.
    pub latency: Arc<AtomicU64>,
}

impl Default for Reach {
    fn default() -> Self {
        Self { lock_wait: LOCK_WAIT, latency: Arc::default() }
    }
}

/// Sentences for a person, collected where nobody can be told yet; each once, for what is read again and again is found
/// odd again and again.
#[derive(Debug, Clone, Default)]
pub(super) struct Notices(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    new: Vec<String>,
    before: Vec<String>,
}

impl Notices {
    pub(super) fn push(&self, notice: String) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.before.contains(&notice) {
            told.before.push(notice.clone());
            told.new.push(notice);
        }
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).new)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    Read,
}

/// The database file and the connection to it, if there is one.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    access: Access,
    notices: Notices,
    connection: Option<Connection>,
    /// The file was found sound once by this process. Looking again costs reading all of it.
    checked: bool,
    pruned: Option<Instant>,
    set_aside: u32,
    lock_wait: Duration,
}

/// Why an access failed, as far as it decides what to do next.
enum Failure {
    Damage(String),
    Stale(rusqlite::Error),
    Final(HistoryError),
}

impl Store {
    pub(super) fn new(path: PathBuf, access: Access, notices: Notices) -> Self {
        let (connection, checked, pruned, set_aside, lock_wait) = (None, false, None, 0, LOCK_WAIT);
        Self { path, access, notices, connection, checked, pruned, set_aside, lock_wait }
    }

    /// Waits so long for another program's lock.
    pub(super) fn waiting_for_locks(self, lock_wait: Duration) -> Self {
        Self { lock_wait, ..self }
    }

    /// Opens the database if it is not open.
    pub(super) fn open(&mut self) -> Result<(), HistoryError> {
        self.run("open", |_| Ok(()))
    }

    /// Runs `access` on the database. It may run twice, so it must be a transaction or only read.
    pub(super) fn run<T>(
        &mut self,
        doing: &'static str,
        access: impl Fn(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        let mut fresh = self.connection.is_none();
        loop {
            match self.attempt(doing, &access) {
                Ok(value) => {
                    self.prune_if_due();
                    return Ok(value);
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Stale(source)) => {
                    self.connection = None;
                    if std::mem::replace(&mut fresh, true) {
                        return Err(HistoryError::Database { doing, path: self.path.clone(), source });
                    }
                }
                // Ends, since only so many files are set aside.
                Err(Failure::Damage(detail)) => self.replace(detail)?,
            }
        }
    }

    fn attempt<T>(
        &mut self,
        doing: &'static str,
        access: impl Fn(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => match self.access {
                Access::Write => self.open_for_writing()?,
                Access::Read => self.open_for_reading().map_err(Failure::Final)?,
            },
        };
        let connection = self.connection.insert(connection);
        access(connection).map_err(|error| failed(doing, &self.path, error))
    }

    fn open_for_writing(&mut self) -> Result<Connection, Failure> {
        // SQLite would create the file too, but as root's. The journal takes after the file by itself.
        if !self.path.exists() {
            state_dir::open_file(&self.path, 0o640).map_err(|source| {
                Failure::Final(HistoryError::File { doing: "create", path: self.path.clone(), source })
            })?;
        }
        let failed = |error| match error {
            // Nothing but the file can make statements wrong that were right when this was built: a schema or a
            // format that is no longer understood.
            error if is_misunderstanding(&error) => Failure::Damage(error.to_string()),
            error => failed("open", &self.path, error),
        };
        let access = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let mut connection = connect(&self.path, access, self.lock_wait).map_err(failed)?;
        connection
            .execute_batch(&format!(
                "PRAGMA page_size = {PAGE_SIZE}; PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL;"
            ))
            .map_err(failed)?;
        if !self.checked {
            let verdict: String =
                connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
            if verdict != "ok" {
                return Err(Failure::Damage(verdict));
            }
        }
        schema::migrate(&mut connection).map_err(failed)?;
        schema::is_complete(&connection).map_err(failed)?;
        // A byte in the file's head tells SQLite never to write to it. Then the disk would be blamed for ever.
        let writable = || std::fs::OpenOptions::new().write(true).open(&self.path).is_ok();
        if connection.is_readonly("main").map_err(failed)? && writable() {
            return Err(Failure::Damage("it is marked as read-only".to_owned()));
        }
        self.checked = true;
        Ok(connection)
    }

    fn open_for_reading(&self) -> Result<Connection, HistoryError> {
        let path = || self.path.clone();
        // SQLite only says that it could not; the operating system says why.
        if let Err(source) = std::fs::File::open(&self.path) {
            return Err(match source.kind() {
                std::io::ErrorKind::NotFound => HistoryError::Absent { path: path() },
                _ => HistoryError::File { doing: "open", path: path(), source },
            });
        }
        let open = |flags| {
            let connection = connect(&self.path, flags, self.lock_wait)?;
            connection
                .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
                .map(|tables: i64| (connection, tables))
        };
        // A write that was cut off must be rolled back before anyone can read, and that is a write.
        let opened = match open(OpenFlags::SQLITE_OPEN_READ_ONLY) {
            Err(error) if is_stale(&error) => open(OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|_| error),
            opened => opened,
        };
        match opened {
            Ok((_, 0)) => Err(HistoryError::Absent { path: path() }),
            Ok((connection, _)) => Ok(connection),
            Err(source) => Err(HistoryError::Database { doing: "read", path: path(), source }),
        }
    }

    /// Sets the damaged file aside and starts a new one with what could be saved.
    fn replace(&mut self, detail: String) -> Result<(), HistoryError> {
        self.connection = None;
        if self.access == Access::Read || self.set_aside >= MAX_SET_ASIDE {
            return Err(HistoryError::Damaged { path: self.path.clone(), detail });
        }
        let aside = damage::set_aside(&self.path, Timestamp::now()).map_err(|source| HistoryError::File {
            doing: "set aside the damaged",
            path: self.path.clone(),
            source,
        })?;
        self.set_aside += 1;
        let salvage = damage::salvage(&aside);
        let saved = match self.start_anew(&salvage) {
            Ok(runs) => format!("{runs} open runs were carried over"),
            Err(_) => "nothing could be carried over".to_owned(),
        };
        let (path, aside) = (self.path.display(), aside.display());
        let notice = format!(
            "{path} was damaged ({detail}). It was set aside as {aside}, and a new one was started; {saved}. \
             Check the disk, and delete the old file once it is of no more use"
        );
        tracing::warn!("{notice}");
        self.notices.push(notice);
        Ok(())
    }

    fn start_anew(&mut self, salvage: &Salvage) -> Result<usize, HistoryError> {
        // Not by `run`: damage in the new file, too, is for the caller's loop to find.
        match self.attempt("start", |connection| damage::carry_over(salvage, connection)) {
            Ok(runs) => Ok(runs),
            Err(Failure::Final(error)) => Err(error),
            Err(Failure::Stale(source)) => {
                Err(HistoryError::Database { doing: "start", path: self.path.clone(), source })
            }
            Err(Failure::Damage(detail)) => Err(HistoryError::Damaged { path: self.path.clone(), detail }),
        }
    }

    /// Rows that are too old are no reason for a commit to fail.
    fn prune_if_due(&mut self) {
        if self.access == Access::Read || self.pruned.is_some_and(|at| at.elapsed() < PRUNE_EVERY) {
            return;
        }
        self.pruned = Some(Instant::now());
        if let Some(connection) = &mut self.connection
            && let Err(error) = schema::prune(connection, Timestamp::now())
        {
            tracing::debug!("{}: old rows could not be deleted: {error}", self.path.display());
        }
    }
}

fn failed(doing: &'static str, path: &Path, source: rusqlite::Error) -> Failure {
    match source {
        source if is_damage(&source) => Failure::Damage(source.to_string()),
        source if is_stale(&source) => Failure::Stale(source),
        source => Failure::Final(HistoryError::Database { doing, path: path.to_owned(), source }),
    }
}

pub(super) fn connect(path: &Path, access: OpenFlags, lock_wait: Duration) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(lock_wait)?;
    // Sorting stays in memory, the cache stays small, and a damaged file is believed nothing.
    connection.execute_batch(
        "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -256; PRAGMA cell_size_check = ON; \
         PRAGMA trusted_schema = OFF;",
    )?;
    Ok(connection)
}
