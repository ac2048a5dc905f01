//! The program's disk: full, slow, damaged, or locked by another program.
//!
//! A full disk is made inside the database, by triggers of its own, locks by a second connection to it: so both meet the
//! very transactions of the program, and the clock need not run while a real disk is slow.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jetbackup_remote::history::{Filter, History, Reach};
use jetbackup_remote::model::RunRecord;
use rusqlite::Connection;

use crate::letters::{Note, notes};

/// How long the program waits for a lock, in real time: nobody in a month waits for long.
const LOCK_WAIT: Duration = Duration::from_millis(2);

/// What is wrong with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It takes nothing.
    Full,
    /// Another program reads: nothing can be committed.
    Read,
    /// Another program has it for itself: nothing can be read either.
    Locked,
    /// Each access takes so many seconds; from ten on that is longer than anybody waits, and it is done all the same.
    Slow(u64),
}

impl Fault {
    /// Whether something may not get on record.
    pub fn is_bad(self) -> bool {
        !matches!(self, Self::Slow(seconds) if seconds < 10)
    }
}

pub struct Disk {
    state_dir: PathBuf,
    latency: Arc<AtomicU64>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    fault: Option<Fault>,
    lock: Option<Connection>,
    /// What was in files that are set aside.
    runs: Vec<RunRecord>,
    notes: Vec<Note>,
    /// Notes that wait in a file that is damaged.
    waiting: Vec<Note>,
}

impl Disk {
    /// The disk with the history in `state_dir`, which is created.
    pub fn new(state_dir: &Path) -> Arc<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(runtime.block_on(History::open(state_dir)).notices, Vec::<String>::new());
        let (latency, inner) = (Arc::default(), Mutex::default());
        let disk = Self { state_dir: state_dir.to_owned(), latency, inner };
        assert_eq!(disk.arm(), Vec::<String>::new());
        Arc::new(disk)
    }

    /// How the program reaches it.
    pub fn reach(&self) -> Reach {
        Reach { lock_wait: LOCK_WAIT, latency: Arc::clone(&self.latency) }
    }

    pub fn fault(&self) -> Option<Fault> {
        self.inner().fault
    }

    /// What is wrong with it from now on.
    pub fn set(&self, fault: Option<Fault>) {
        let mut inner = self.inner();
        inner.lock = None;
        self.latency.store(0, Ordering::Relaxed);
        if inner.fault == Some(Fault::Full) {
            fill(&self.open(), false);
        }
        inner.fault = fault;
        match fault {
            None => {}
            Some(Fault::Full) => fill(&self.open(), true),
            Some(Fault::Read) => {
                let connection = self.open();
                connection.execute_batch("BEGIN; SELECT count(*) FROM meta").unwrap();
                inner.lock = Some(connection);
            }
            Some(Fault::Locked) => {
                let connection = self.open();
                connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
                inner.lock = Some(connection);
            }
            Some(Fault::Slow(seconds)) => self.latency.store(seconds * 1000, Ordering::Relaxed),
        }
    }

    /// Asks the database, whoever keeps it locked.
    pub fn ask<T>(&self, question: impl FnOnce(&Connection) -> T) -> T {
        match &self.inner().lock {
            Some(connection) => question(connection),
            None => question(&self.open()),
        }
    }

    /// Damages the page of a table while the program is away. The whole file is set aside by the next life.
    pub fn damage(&self, table: &str) {
        self.set(None);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let history = History::read_only(&self.state_dir).unwrap();
        let runs = runtime.block_on(history.runs(&Filter::default())).unwrap();
        drop(history);
        let connection = self.open();
        let sql = "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        let page: u32 = connection.query_row(sql, [table], |row| row.get(0)).unwrap();
        let size: u32 = connection.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
        let (waiting, gone) = notes(&connection).into_iter().partition(|note| !note.gone);
        drop(connection);
        let mut file = std::fs::OpenOptions::new().write(true).open(self.path()).unwrap();
        file.seek(SeekFrom::Start(u64::from((page - 1) * size))).unwrap();
        file.write_all(&vec![0xa5; usize::try_from(size).unwrap()]).unwrap();
        let mut inner = self.inner();
        inner.waiting = waiting;
        inner.notes.extend::<Vec<Note>>(gone);
        inner.runs.retain(|old| runs.iter().all(|run| run.id != old.id));
        inner.runs.extend(runs);
    }

    /// To be called when the program has opened its history: notes are watched in a new file as well. Answers what was
    /// lost with a damaged one.
    pub fn arm(&self) -> Vec<String> {
        let is_armed = |connection: &Connection| {
            let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'month_notes'";
            connection.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap() > 0
        };
        if self.ask(is_armed) {
            return Vec::new();
        }
        let connection = self.open();
        connection.execute_batch(WATCH_NOTES).unwrap();
        let carried = notes(&connection);
        let waiting = std::mem::take(&mut self.inner().waiting);
        let is_lost = |note: &&Note| !carried.iter().any(|carried| carried.text == note.text);
        waiting.iter().filter(is_lost).map(|note| format!("a note is lost: {}", note.text)).collect()
    }

    /// What was in files that are set aside.
    pub fn old_runs(&self) -> Vec<RunRecord> {
        self.inner().runs.clone()
    }

    /// Every note that was ever committed.
    pub fn notes(&self) -> Vec<Note> {
        let now = self.ask(notes);
        self.inner().notes.iter().cloned().chain(now).collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn path(&self) -> PathBuf {
        self.state_dir.join("history.db")
    }

    fn open(&self) -> Connection {
        let connection = Connection::open(self.path()).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        connection
    }
}

/// Remembers every note that is ever committed, and what becomes of it.
const WATCH_NOTES: &str = "
    BEGIN;
    CREATE TABLE month_notes (id INTEGER PRIMARY KEY, note TEXT, letter TEXT, readdressed INTEGER DEFAULT 0,
        gone INTEGER DEFAULT 0);
    INSERT INTO month_notes (id, note, letter) SELECT id, note, letter FROM outbox;
    CREATE TRIGGER month_posted AFTER INSERT ON outbox BEGIN
        INSERT INTO month_notes (id, note) VALUES (new.id, new.note);
    END;
    CREATE TRIGGER month_addressed AFTER UPDATE OF letter ON outbox BEGIN
        UPDATE month_notes SET letter = new.letter,
            readdressed = readdressed OR (letter IS NOT NULL AND letter IS NOT new.letter)
        WHERE id = new.id;
    END;
    CREATE TRIGGER month_gone AFTER DELETE ON outbox BEGIN
        UPDATE month_notes SET gone = 1 WHERE id = old.id;
    END;
    COMMIT;";

fn fill(connection: &Connection, full: bool) {
    for (table, change) in [
        ("runs", "INSERT"),
        ("runs", "UPDATE"),
        ("runs", "DELETE"),
        ("baselines", "INSERT"),
        ("cycles", "INSERT"),
        ("cycles", "UPDATE"),
        ("outbox", "INSERT"),
        ("outbox", "UPDATE"),
        ("queue", "INSERT"),
        ("queue", "DELETE"),
        ("meta", "INSERT"),
        ("meta", "UPDATE"),
        ("published", "INSERT"),
    ] {
        let name = format!("month_full_{table}_{change}");
        let sql = if full {
            format!(
                "CREATE TRIGGER IF NOT EXISTS {name} BEFORE {change} ON {table} BEGIN
                     SELECT RAISE(ABORT, 'database or disk is full');
                 END"
            )
        } else {
            format!("DROP TRIGGER IF EXISTS {name}")
        };
        connection.execute_batch(&sql).unwrap();
    }
}
