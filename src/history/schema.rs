//! The tables, how they came to be, and how long rows stay.
//!
//! Times are Unix time in milliseconds, in UTC (`datetime(asked / 1000, 'unixepoch')`); durations and limits are
//! seconds; results, reasons and origins are the words of `history --json`; ids are text in lower case.
//!
//! There are no indexes on purpose: they would be written with every run, and the questions that need all rows are
//! asked once at a start or by a person (40,000 rows, 400 nights of 100 jobs, are read in some 10 milliseconds).

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{outbox, published, queue, rows};

/// How long rows are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// One step for each version. A step may only add, so that an older program can go on with a newer file.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS runs (
        id INTEGER PRIMARY KEY,
        server TEXT NOT NULL,
        job TEXT NOT NULL,
        label TEXT NOT NULL,
        cycle INTEGER,
        origin TEXT NOT NULL,
        asked INTEGER NOT NULL,
        group_id TEXT,
        started INTEGER,
        ended INTEGER,
        duration INTEGER,
        time_limit INTEGER NOT NULL,
        overrun INTEGER NOT NULL,
        released INTEGER NOT NULL,
        open INTEGER NOT NULL,
        result TEXT,
        reason TEXT,
        error TEXT
    ) STRICT;
    CREATE TABLE IF NOT EXISTS baselines (run INTEGER PRIMARY KEY, groups TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS cycles (
        id INTEGER PRIMARY KEY,
        started INTEGER NOT NULL,
        ended INTEGER,
        duration INTEGER,
        total INTEGER NOT NULL,
        done INTEGER NOT NULL,
        completed INTEGER NOT NULL,
        problems INTEGER NOT NULL
    ) STRICT;
",
    "
    CREATE TABLE IF NOT EXISTS queue (
        place INTEGER PRIMARY KEY,
        server TEXT NOT NULL,
        job TEXT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS jobs (
        server TEXT NOT NULL,
        job TEXT NOT NULL,
        known_since INTEGER NOT NULL,
        stale INTEGER NOT NULL,
        PRIMARY KEY (server, job)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS published (topic TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE IF NOT EXISTS outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        note TEXT NOT NULL,
        letter TEXT,
        missing TEXT,
        tries INTEGER NOT NULL,
        error TEXT,
        given_up INTEGER NOT NULL
    ) STRICT;
",
    "
    ALTER TABLE baselines ADD COLUMN log_id TEXT;
    ALTER TABLE baselines ADD COLUMN stop TEXT;
    ALTER TABLE baselines ADD COLUMN began TEXT;
",
];

/// The version that files of this program have.
pub(super) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Brings the tables up to date. A file of a newer version is left as it is.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(version).unwrap_or(0);
    for (step, to) in MIGRATIONS.iter().zip(1i64..).skip(done) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", to)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Whether every table and column that is used is there. They are not if a byte of the schema itself was hit.
pub(super) fn is_complete(connection: &Connection) -> rusqlite::Result<()> {
    for table in [
        rows::ALL_RUNS,
        rows::ALL_CYCLES,
        rows::ALL_OPEN_DETAILS,
        rows::ALL_META,
        queue::ALL_QUEUE,
        queue::ALL_JOBS,
        outbox::ALL_OUTBOX,
        published::ALL_PUBLISHED,
    ] {
        connection.prepare(table)?;
    }
    connection.prepare(rows::UPSERT_RUN)?;
    connection.prepare(rows::UPSERT_CYCLE).map(drop)
}

/// Deletes what is older than it need be. Open runs stay; nothing is written if nothing is too old.
///
/// Age is measured from the newest row or from now, whichever is earlier: a clock that is wrong by years when the
/// program starts must not cost the whole history.
pub(super) fn prune(connection: &mut Connection, now: Timestamp) -> rusqlite::Result<()> {
    let newest: Option<i64> =
        connection.query_row("SELECT max(asked) FROM runs", [], |row| row.get(0)).optional()?.flatten();
    let Some(newest) = newest else { return Ok(()) };
    let before = newest.min(now.as_millisecond()).saturating_sub(KEPT.as_secs().saturating_mul(1000));
    let transaction = connection.transaction()?;
    transaction.execute("DELETE FROM runs WHERE asked < ?1 AND open = 0", params![before])?;
    transaction.execute("DELETE FROM cycles WHERE started < ?1", params![before])?;
    // What waits is given up by trying, never by its age: it may have been written before the clock was set.
    transaction.execute("DELETE FROM outbox WHERE at < ?1 AND given_up <> 0", params![before])?;
    transaction
        .execute("DELETE FROM baselines WHERE run NOT IN (SELECT id FROM runs WHERE open <> 0)", params![])?;
    transaction.commit()
}
