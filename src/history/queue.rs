//! The queue and what is known of the jobs beside their runs: what a restarted daemon goes on with.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::error::is_misunderstanding;
use super::rows::{self, Change, Rows};
use crate::model::{CycleRecord, JobKey, JobResult, RunRecord};

pub(super) const ALL_QUEUE: &str = "SELECT place, server, job FROM queue ";
pub(super) const ALL_JOBS: &str = "SELECT server, job, known_since, stale FROM jobs ";

/// A cycle that was not finished, and the jobs whose turn is to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// The cycle, with what was done of it.
    pub cycle: CycleRecord,
    /// The jobs left, in the order of their turns.
    pub jobs: Vec<JobKey>,
    /// The newest moment on record of it, by this machine's clock.
    pub last_change: Timestamp,
}

/// The queue is these jobs.
pub(super) fn write_queue(connection: &Connection, jobs: &[JobKey]) -> rusqlite::Result<()> {
    clear_queue(connection)?;
    jobs.iter().try_for_each(|job| enqueue(connection, job))
}

/// Puts a job at the end of the queue.
pub(super) fn enqueue(connection: &Connection, job: &JobKey) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached("INSERT INTO queue (server, job) VALUES (?1, ?2)")?;
    insert.execute(params![job.server.as_str(), job.job.to_string()]).map(drop)
}

/// Puts a job before all others in the queue.
pub(super) fn put_first(connection: &Connection, job: &JobKey) -> rusqlite::Result<()> {
    let sql = "INSERT INTO queue (place, server, job) SELECT coalesce(min(place), 1) - 1, ?1, ?2 FROM queue";
    connection.prepare_cached(sql)?.execute(params![job.server.as_str(), job.job.to_string()]).map(drop)
}

/// Nothing is in the queue any more.
pub(super) fn clear_queue(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM queue")?.execute([]).map(drop)
}

/// A run of the cycle under way is its job's turn: the job leaves the queue.
pub(super) fn take_turn(connection: &Connection, run: &RunRecord) -> rusqlite::Result<()> {
    let Some(cycle) = run.cycle else { return Ok(()) };
    let sql = "DELETE FROM queue WHERE server = ?1 AND job = ?2 \
               AND EXISTS (SELECT 1 FROM cycles WHERE id = ?3 AND ended IS NULL)";
    let key = &run.key;
    connection
        .prepare_cached(sql)?
        .execute(params![key.server.as_str(), key.job.to_string(), cycle.0])
        .map(drop)
}

/// A job is stale, or no longer so.
pub(super) fn set_stale(connection: &Connection, job: &JobKey, stale: bool) -> rusqlite::Result<()> {
    let sql = "UPDATE jobs SET stale = ?3 WHERE server = ?1 AND job = ?2 AND stale <> ?3";
    connection
        .prepare_cached(sql)?
        .execute(params![job.server.as_str(), job.job.to_string(), stale])
        .map(drop)
}

/// What is on record of the newest cycle: finished or not, with its runs, and the jobs in the queue.
#[derive(Default)]
pub(super) struct Recorded {
    pub(super) cycle: Option<CycleRecord>,
    pub(super) jobs: Vec<JobKey>,
    pub(super) turns: Vec<RunRecord>,
}

impl Recorded {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let newest = format!("{} ORDER BY started DESC, id DESC LIMIT 1", rows::ALL_CYCLES);
        let found = rows::select(connection, &newest, [], rows::cycle)?.rows;
        let Some(cycle) = found.into_iter().next().filter(|cycle| cycle.ended.is_none()) else {
            return Ok(Self::default());
        };
        let of_cycle = format!("{} WHERE cycle = ?1", rows::ALL_RUNS);
        let turns = rows::select(connection, &of_cycle, [cycle.id.0], rows::run)?.rows;
        let jobs = rows::select(connection, &format!("{ALL_QUEUE} ORDER BY place"), [], rows::job_key)?.rows;
        Ok(Self { cycle: Some(cycle), jobs, turns })
    }

    /// Does what writing `change` does.
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Queue(cycle, jobs) => {
                if self.cycle.is_none_or(|known| known.id != cycle.id) {
                    self.turns.clear();
                }
                (self.cycle, self.jobs) = (Some(*cycle), jobs.clone());
            }
            Change::Queued(job) => self.jobs.push(job.clone()),
            Change::Cycle(_) => *self = Self::default(),
            Change::Withdrawn(id, queued) => {
                self.turns.retain(|run| run.id != *id);
                self.jobs.splice(0..0, queued.clone());
            }
            Change::Run(run) | Change::Turn(run) => {
                self.turns.retain(|known| known.id != run.id);
                if run.cycle.is_some() && run.cycle == self.cycle.map(|cycle| cycle.id) {
                    self.turns.push(RunRecord::clone(run));
                    if matches!(change, Change::Turn(_)) {
                        self.jobs.retain(|job| *job != run.key);
                    }
                }
            }
            Change::Stale(_) | Change::Remarks(..) | Change::Missed(_) | Change::Text(..) => {}
        }
    }

    /// The cycle, if it was not finished, with what its runs say was done of it.
    pub(super) fn interrupted(self) -> Option<Interrupted> {
        let cycle = recount(self.cycle?, &self.turns, self.jobs.len());
        let last_change = self.turns.iter().map(|run| run.asked).fold(cycle.started, Timestamp::max);
        Some(Interrupted { cycle, jobs: self.jobs, last_change })
    }
}

fn recount(cycle: CycleRecord, turns: &[RunRecord], left: usize) -> CycleRecord {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let over = || turns.iter().filter(|run| !run.open);
    let completed = count(over().filter(|run| !run.is_problem()).count());
    let done = count(over().count());
    CycleRecord { total: count(turns.len() + left), done, completed, problems: done - completed, ..cycle }
}

/// Notes since when each of these jobs is known, and forgets the others.
pub(super) fn know(connection: &mut Connection, jobs: &[JobKey], now: Timestamp) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let known: Vec<JobKey> = known_since(&transaction)?.rows.into_iter().map(|(job, _)| job).collect();
    for gone in known.iter().filter(|known| !jobs.contains(known)) {
        transaction.execute(
            "DELETE FROM jobs WHERE server = ?1 AND job = ?2",
            params![gone.server.as_str(), gone.job.to_string()],
        )?;
    }
    for new in jobs.iter().filter(|job| !known.contains(job)) {
        transaction.execute(
            "INSERT OR IGNORE INTO jobs (server, job, known_since, stale) VALUES (?1, ?2, ?3, 0)",
            params![new.server.as_str(), new.job.to_string(), now.as_millisecond()],
        )?;
    }
    // Nothing is written if nothing changed.
    transaction.commit()
}

fn known_since(connection: &Connection) -> rusqlite::Result<Rows<(JobKey, Timestamp)>> {
    rows::select(connection, ALL_JOBS, [], |row| {
        Some((rows::job_key(row)?, rows::moment(row, "known_since")?))
    })
}

/// Since when a job is known, and whether it was told to be stale.
pub(super) type Standing = (Option<Timestamp>, bool);

/// The standing of every job.
pub(super) fn standings(connection: &Connection) -> rusqlite::Result<Vec<(JobKey, Standing)>> {
    let found = rows::select(connection, ALL_JOBS, [], |row| {
        let stale = rows::column(row, "stale").unwrap_or(false);
        Some((rows::job_key(row)?, (rows::moment(row, "known_since"), stale)))
    });
    match found {
        Ok(found) => Ok(found.rows),
        // Who only reads may meet the file of an older version before its runner was upgraded.
        Err(error) if is_misunderstanding(&error) => Ok(Default::default()),
        Err(error) => Err(error),
    }
}

/// Whether a run's end makes its job stale no longer.
pub(super) fn is_success(run: &RunRecord) -> bool {
    !run.open && run.result == Some(JobResult::Completed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CycleId;

    #[test]
    fn what_was_done_of_a_cycle_is_counted_from_its_runs() {
        let key = JobKey { server: "a".parse().unwrap(), job: format!("{:024x}", 1).parse().unwrap() };
        let cycle = CycleRecord::begun(CycleId(7), Timestamp::UNIX_EPOCH, 9);
        let run = |open, result| RunRecord {
            open,
            result,
            ..RunRecord::new(crate::model::RunId(1), key.clone(), "a", Timestamp::UNIX_EPOCH, 60)
        };
        let turns =
            [run(false, Some(JobResult::Completed)), run(false, Some(JobResult::Failed)), run(true, None)];
        let counted = recount(cycle, &turns, 2);
        assert_eq!((counted.total, counted.done, counted.completed, counted.problems), (5, 2, 1, 1));
    }
}
