//! A damaged database is set aside, never deleted, and what matters most is carried over into the new one: the
//! instance id (a new one would double every entity in Home Assistant), the other small texts (which destinations are
//! enabled from here, up to when the schedule's starts are given), the unfinished cycle with its queue, the open runs (they
//! are watched) and what waits to be told.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::outbox::{self, Noted};
use super::queue;
use super::rows::{self, Change};
use crate::model::RunRecord;

/// What could still be read from a damaged database.
#[derive(Default)]
pub(super) struct Salvage {
    instance_id: Option<String>,
    texts: Vec<(String, String)>,
    open_runs: Vec<RunRecord>,
    /// The unfinished cycle and its queue.
    recorded: queue::Recorded,
    outbox: Vec<Noted>,
}

/// Renames the database and what SQLite keeps beside it, and says where it went.
pub(super) fn set_aside(database: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ");
    let aside = (1..100)
        .map(|n| if n == 1 { String::new() } else { format!("-{n}") })
        .map(|n| with_suffix(database, &format!(".damaged-{stamp}{n}")))
        .find(|aside| !aside.exists())
        .ok_or_else(|| io::Error::from(io::ErrorKind::AlreadyExists))?;
    // The companions first: a journal that stayed would be played into the new database.
    for suffix in ["-journal", "-wal", "-shm"] {
        match fs::rename(with_suffix(database, suffix), with_suffix(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(database, &aside)?;
    Ok(aside)
}

/// Reads what can be read. Every failure only means less of it.
pub(super) fn salvage(aside: &Path) -> Salvage {
    // For writing, since an unfinished transaction must be rolled back first.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(connection) = Connection::open_with_flags(aside, flags) else { return Salvage::default() };
    let _ = connection.execute_batch("PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;");
    Salvage {
        instance_id: rows::instance_id(&connection).ok().flatten(),
        texts: rows::reachable(&connection, rows::ALL_META, |row| {
            Some((rows::column(row, "key")?, rows::column(row, "value")?))
        }),
        open_runs: open_runs(&connection),
        recorded: recorded(&connection),
        outbox: outbox::reachable(&connection),
    }
}

/// The open runs that can be reached.
fn open_runs(connection: &Connection) -> Vec<RunRecord> {
    let sql = format!("{} WHERE open <> 0", rows::ALL_RUNS);
    let mut found = rows::reachable_from_both_ends(connection, &sql, rows::run, |run| run.id);
    for run in &mut found {
        // What cannot be read leaves the baseline lost, which is not the same as empty.
        run.baseline_lost = true;
        let _ = rows::add_open_details(connection, run);
    }
    found
}

/// The unfinished cycle, if it can be reached, and as much of its queue and its runs.
fn recorded(connection: &Connection) -> queue::Recorded {
    let unfinished = format!("{} WHERE ended IS NULL", rows::ALL_CYCLES);
    let cycles = rows::reachable_from_both_ends(connection, &unfinished, rows::cycle, |cycle| cycle.id);
    let Some(cycle) = cycles.into_iter().max_by_key(|cycle| cycle.started) else {
        return queue::Recorded::default();
    };
    let of_cycle = format!("{} WHERE cycle = {}", rows::ALL_RUNS, cycle.id.0);
    queue::Recorded {
        cycle: Some(cycle),
        jobs: rows::reachable(connection, &format!("{} ORDER BY place", queue::ALL_QUEUE), rows::job_key),
        turns: rows::reachable_from_both_ends(connection, &of_cycle, rows::run, |run| run.id),
    }
}

/// Writes what was read into the new database, and tells how many open runs that were.
pub(super) fn carry_over(salvage: &Salvage, connection: &mut Connection) -> rusqlite::Result<usize> {
    let transaction = connection.transaction()?;
    if let Some(id) = &salvage.instance_id {
        transaction.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('instance_id', ?1)", [id])?;
    }
    for (key, value) in salvage.texts.iter().filter(|(key, _)| key != "instance_id") {
        transaction.execute("INSERT OR IGNORE INTO meta (key, value) VALUES (?1, ?2)", [key, value])?;
    }
    if let Some(cycle) = salvage.recorded.cycle {
        Change::Queue(cycle, salvage.recorded.jobs.clone()).write(&transaction)?;
    }
    for run in &salvage.recorded.turns {
        Change::Run(Box::new(run.clone())).write(&transaction)?;
    }
    for run in &salvage.open_runs {
        Change::Run(Box::new(run.clone())).write(&transaction)?;
    }
    for noted in &salvage.outbox {
        outbox::carry_over(&transaction, noted)?;
    }
    transaction.commit()?;
    Ok(salvage.open_runs.len())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
