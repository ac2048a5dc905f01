//! Records as rows, and rows as records. Rows may have been written by a newer program or hit by a bad disk: a word
//! that is not known is no reason to lose the row, and a row that makes no sense is no reason to lose the others.

use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::types::FromSql;
use rusqlite::{Connection, Params, Row, params};

use super::{queue, remarks};
use crate::model::{
    BootMoment, CycleId, CycleRecord, Event, GroupId, JobKey, JobResult, Origin, Reason, Remark, RunId,
    RunRecord, ServerName, StopRequest, What,
};

pub(super) const ALL_RUNS: &str = "SELECT id, server, job, label, cycle, origin, asked, group_id, started, ended, \
     duration, time_limit, overrun, released, open, result, reason, error FROM runs ";
pub(super) const ALL_CYCLES: &str =
    "SELECT id, started, ended, duration, total, done, completed, problems FROM cycles ";
/// What is kept of a run while it is open only.
pub(super) const ALL_OPEN_DETAILS: &str = "SELECT run, groups, log_id, stop, began FROM baselines ";
pub(super) const ALL_META: &str = "SELECT key, value FROM meta ";

pub(super) const UPSERT_RUN: &str = "INSERT INTO runs (id, server, job, label, cycle, origin, asked, group_id, \
     started, ended, duration, time_limit, overrun, released, open, result, reason, error) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18) \
     ON CONFLICT (id) DO UPDATE SET server = excluded.server, job = excluded.job, label = excluded.label, \
     cycle = excluded.cycle, origin = excluded.origin, asked = excluded.asked, group_id = excluded.group_id, \
     started = excluded.started, ended = excluded.ended, duration = excluded.duration, \
     time_limit = excluded.time_limit, overrun = excluded.overrun, released = excluded.released, \
     open = excluded.open, result = excluded.result, reason = excluded.reason, error = excluded.error";
pub(super) const UPSERT_CYCLE: &str = "INSERT INTO cycles (id, started, ended, duration, total, done, completed, \
     problems) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
     ON CONFLICT (id) DO UPDATE SET started = excluded.started, ended = excluded.ended, \
     duration = excluded.duration, total = excluded.total, done = excluded.done, completed = excluded.completed, \
     problems = excluded.problems";
const UPSERT_OPEN_DETAILS: &str = "INSERT INTO baselines (run, groups, log_id, stop, began) \
     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (run) DO UPDATE SET groups = excluded.groups, \
     log_id = excluded.log_id, stop = excluded.stop, began = excluded.began \
     WHERE (groups, log_id, stop, began) IS NOT (excluded.groups, excluded.log_id, excluded.stop, excluded.began)";
/// Stands for a baseline that was lost before: no group id looks like it.
const WORD_LOST: &str = "lost";

const WORD_TRIGGERED: &str = "triggered";
const WORD_ADOPTED: &str = "adopted";

/// What an event changes on record.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// A run's record.
    Run(Box<RunRecord>),
    /// A run's record, and its job's place in the queue is taken.
    Turn(Box<RunRecord>),
    /// A run that was never triggered has no record; its job is first in the queue again, if its turn is still to come.
    Withdrawn(RunId, Option<JobKey>),
    /// A cycle begins or goes on with these jobs.
    Queue(CycleRecord, Vec<JobKey>),
    Queued(JobKey),
    Stale(JobKey),
    /// A cycle is over.
    Cycle(CycleRecord),
    /// What there is to remark on a server.
    Remarks(ServerName, Vec<Remark>),
    /// A start of the schedule was told as missed.
    Missed(Timestamp),
    /// A small text is kept under a name.
    Text(&'static str, String),
}

impl Change {
    /// The change, if there is one: progress and waiting are nothing to remember.
    pub(super) fn of(event: &Event) -> Option<Self> {
        match &event.what {
            What::JobFinished { run, .. } => Some(Self::Run(Box::new(run.clone()))),
            What::TriggerWithdrawn { run, queued } => {
                Some(Self::Withdrawn(run.id, queued.then(|| run.key.clone())))
            }
            What::CycleStarted { cycle, jobs, .. } => Some(Self::Queue(*cycle, jobs.clone())),
            What::JobQueued { job } => Some(Self::Queued(job.clone())),
            What::JobStale { job, .. } => Some(Self::Stale(job.clone())),
            What::CycleFinished(cycle) => Some(Self::Cycle(*cycle)),
            What::CycleMissed { due, .. } => Some(Self::Missed(*due)),
            What::Remarks { server, remarks, .. } => Some(Self::Remarks(server.clone(), remarks.clone())),
            _ => event.run().map(|run| Self::Turn(Box::new(run.clone()))),
        }
    }

    /// Whether nothing is lost if `older` is not written before this.
    ///
    /// A turn takes its job out of the queue: it is not replaced by a record that does not, and nothing else may come
    /// between two turns of a job.
    pub(super) fn replaces(&self, older: &Self) -> bool {
        match (self, older) {
            (Self::Run(new), Self::Run(old)) | (Self::Turn(new), Self::Turn(old) | Self::Run(old)) => {
                new.id == old.id && new.cycle == old.cycle
            }
            (Self::Text(new, _), Self::Text(old, _)) => new == old,
            (Self::Remarks(new, _), Self::Remarks(old, _)) => new == old,
            (Self::Stale(new), Self::Stale(old)) => new == old,
            (Self::Missed(_), Self::Missed(_)) => true,
            _ => false,
        }
    }

    /// Writes the change. The caller holds the transaction.
    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        match self {
            Self::Run(run) => write_run(connection, run),
            Self::Turn(run) => {
                write_run(connection, run)?;
                queue::take_turn(connection, run)
            }
            Self::Withdrawn(run, queued) => {
                connection.prepare_cached("DELETE FROM runs WHERE id = ?1")?.execute([run.0])?;
                connection.prepare_cached("DELETE FROM baselines WHERE run = ?1")?.execute([run.0])?;
                queued.as_ref().map_or(Ok(()), |job| queue::put_first(connection, job))
            }
            Self::Queue(cycle, jobs) => {
                write_cycle(connection, cycle)?;
                queue::write_queue(connection, jobs)
            }
            Self::Queued(job) => queue::enqueue(connection, job),
            Self::Stale(job) => queue::set_stale(connection, job, true),
            Self::Cycle(cycle) => {
                write_cycle(connection, cycle)?;
                queue::clear_queue(connection)
            }
            Self::Missed(due) => remarks::write_missed(connection, *due),
            Self::Text(name, text) => {
                let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2) \
                           ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value <> excluded.value";
                connection.prepare_cached(sql)?.execute([*name, text]).map(drop)
            }
            Self::Remarks(server, all) => remarks::write(connection, server, all),
        }
    }
}

fn write_run(connection: &Connection, run: &RunRecord) -> rusqlite::Result<()> {
    connection.prepare_cached(UPSERT_RUN)?.execute(params![
        run.id.0,
        run.key.server.as_str(),
        run.key.job.to_string(),
        run.label,
        run.cycle.map(|cycle| cycle.0),
        match run.origin {
            Origin::Triggered => WORD_TRIGGERED,
            Origin::Adopted => WORD_ADOPTED,
        },
        run.asked.as_millisecond(),
        run.group.map(|group| group.to_string()),
        run.started.map(Timestamp::as_millisecond),
        run.ended.map(Timestamp::as_millisecond),
        run.duration.map(signed),
        signed(run.limit),
        run.overrun,
        run.released,
        run.open,
        run.result.map(JobResult::word),
        run.reason.map(Reason::word),
        run.error,
    ])?;
    // A closed run needs its details no more, but deleting them now would cost writes: the daily pruning does it.
    if run.open {
        let groups = run.baseline.iter().map(GroupId::to_string);
        let groups: Vec<String> = groups.chain(run.baseline_lost.then(|| WORD_LOST.to_owned())).collect();
        connection.prepare_cached(UPSERT_OPEN_DETAILS)?.execute(params![
            run.id.0,
            groups.join(" "),
            run.log.map(|log| log.to_string()),
            run.stop.map(StopRequest::word),
            run.began.as_ref().map(BootMoment::to_string),
        ])?;
    }
    if queue::is_success(run) {
        queue::set_stale(connection, &run.key, false)?;
    }
    Ok(())
}

fn write_cycle(connection: &Connection, cycle: &CycleRecord) -> rusqlite::Result<()> {
    connection.prepare_cached(UPSERT_CYCLE)?.execute(params![
        cycle.id.0,
        cycle.started.as_millisecond(),
        cycle.ended.map(Timestamp::as_millisecond),
        cycle.duration.map(signed),
        cycle.total,
        cycle.done,
        cycle.completed,
        cycle.problems,
    ])?;
    Ok(())
}

/// Every readable row of a query, and how many were not.
pub(super) struct Rows<T> {
    pub(super) rows: Vec<T>,
    pub(super) unreadable: u64,
}

/// Asks for rows and leaves out those that `read` makes nothing of.
pub(super) fn select<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Option<T>,
) -> rusqlite::Result<Rows<T>> {
    let mut statement = connection.prepare(sql)?;
    let mut found = statement.query(params)?;
    let mut rows = Rows { rows: Vec::new(), unreadable: 0 };
    while let Some(row) = found.next()? {
        match read(row) {
            Some(record) => rows.rows.push(record),
            None => rows.unreadable += 1,
        }
    }
    Ok(rows)
}

/// The readable rows of a query up to the first that cannot be reached.
pub(super) fn reachable<T>(
    connection: &Connection,
    sql: &str,
    read: impl Fn(&Row<'_>) -> Option<T>,
) -> Vec<T> {
    let mut rows = Vec::new();
    let Ok(mut statement) = connection.prepare(sql) else { return rows };
    let Ok(mut found) = statement.query([]) else { return rows };
    while let Ok(Some(row)) = found.next() {
        rows.extend(read(row));
    }
    rows
}

/// The readable rows of a query that ends before its order, those of a damaged table too: by `id` from both ends, each
/// time up to the damage.
pub(super) fn reachable_from_both_ends<T, Id: PartialEq>(
    connection: &Connection,
    sql: &str,
    read: impl Fn(&Row<'_>) -> Option<T>,
    id: impl Fn(&T) -> Id,
) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    for order in ["ASC", "DESC"] {
        for one in reachable(connection, &format!("{sql} ORDER BY id {order}"), &read) {
            if found.iter().all(|known| id(known) != id(&one)) {
                found.push(one);
            }
        }
    }
    found
}

/// Reads a row of [`ALL_RUNS`]; without the details of an open run.
pub(super) fn run(row: &Row<'_>) -> Option<RunRecord> {
    Some(RunRecord {
        id: RunId(column(row, "id")?),
        key: job_key(row)?,
        label: column(row, "label")?,
        cycle: column(row, "cycle").map(CycleId),
        // A newer program's word for another starter is still not "this program, knowingly".
        origin: match column::<String>(row, "origin")?.as_str() {
            WORD_TRIGGERED => Origin::Triggered,
            _ => Origin::Adopted,
        },
        asked: moment(row, "asked")?,
        baseline: Vec::new(),
        baseline_lost: false,
        group: parsed(row, "group_id"),
        log: None,
        stop: None,
        began: None,
        started: moment(row, "started"),
        ended: moment(row, "ended"),
        duration: seconds(row, "duration"),
        limit: seconds(row, "time_limit")?,
        overrun: column(row, "overrun")?,
        released: column(row, "released")?,
        open: column(row, "open")?,
        result: column::<String>(row, "result")
            .map(|word| JobResult::from_word(&word).unwrap_or(JobResult::Unknown)),
        reason: column::<String>(row, "reason").and_then(|word| Reason::from_word(&word)),
        error: column(row, "error"),
    })
}

/// Reads a row of [`ALL_CYCLES`].
pub(super) fn cycle(row: &Row<'_>) -> Option<CycleRecord> {
    Some(CycleRecord {
        id: CycleId(column(row, "id")?),
        started: moment(row, "started")?,
        ended: moment(row, "ended"),
        duration: seconds(row, "duration"),
        total: column(row, "total")?,
        done: column(row, "done")?,
        completed: column(row, "completed")?,
        problems: column(row, "problems")?,
    })
}

/// The open runs, oldest first, each with its details.
pub(super) fn open_runs(connection: &Connection) -> rusqlite::Result<Rows<RunRecord>> {
    let sql = format!("{ALL_RUNS} WHERE open <> 0 ORDER BY asked, id");
    let mut found = select(connection, &sql, [], run)?;
    for run in &mut found.rows {
        add_open_details(connection, run)?;
    }
    Ok(found)
}

/// The queue groups of a job's runs on record.
pub(super) fn groups_of(connection: &Connection, key: &JobKey) -> rusqlite::Result<Vec<GroupId>> {
    let sql = "SELECT group_id FROM runs WHERE server = ?1 AND job = ?2 AND group_id IS NOT NULL";
    let job = key.job.to_string();
    select(connection, sql, [key.server.as_str(), &job], |row| parsed(row, "group_id"))
        .map(|found| found.rows)
}

/// Adds to an open run what is kept beside it. What is missing or makes no sense is lost, which is never the same as
/// empty: every open run has a row.
pub(super) fn add_open_details(connection: &Connection, run: &mut RunRecord) -> rusqlite::Result<()> {
    run.baseline_lost = true;
    let sql = format!("{ALL_OPEN_DETAILS} WHERE run = ?1");
    let found = select(connection, &sql, [run.id.0], |row| {
        let groups: String = column(row, "groups")?;
        let stop: Option<String> = column(row, "stop");
        Some((groups, parsed(row, "log_id"), stop, parsed(row, "began")))
    })?;
    let Some((groups, log, stop, began)) = found.rows.into_iter().next() else { return Ok(()) };
    let words = groups.split_ascii_whitespace();
    run.baseline = words.clone().filter_map(|group| group.parse().ok()).collect();
    run.baseline_lost = run.baseline.len() < words.count();
    run.log = log;
    run.stop = stop.map(|word| StopRequest::from_word(&word));
    run.began = began;
    Ok(())
}

/// A text kept under a name.
pub(super) fn meta(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let sql = format!("{ALL_META} WHERE key = ?1");
    let found = select(connection, &sql, [name], |row| column::<String>(row, "value"))?;
    Ok(found.rows.into_iter().next())
}

/// The instance id, if there is one and it is what it should be.
pub(super) fn instance_id(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let sound = |id: &String| id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(meta(connection, "instance_id")?.filter(sound))
}

/// A column's value; `None` for NULL and for what cannot be one.
pub(super) fn column<T: FromSql>(row: &Row<'_>, name: &str) -> Option<T> {
    row.get::<_, Option<T>>(name).ok().flatten()
}

/// Reads the columns that name a job.
pub(super) fn job_key(row: &Row<'_>) -> Option<JobKey> {
    Some(JobKey { server: parsed(row, "server")?, job: parsed(row, "job")? })
}

fn parsed<T: FromStr>(row: &Row<'_>, name: &str) -> Option<T> {
    column::<String>(row, name)?.parse().ok()
}

pub(super) fn moment(row: &Row<'_>, name: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(column(row, name)?).ok()
}

/// A column of seconds.
pub(super) fn seconds(row: &Row<'_>, name: &str) -> Option<u64> {
    u64::try_from(column::<i64>(row, name)?).ok()
}

/// SQLite's integers are signed. Seconds beyond them do not happen.
fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
