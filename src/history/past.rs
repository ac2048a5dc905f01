//! What is known of the jobs' past: one pass over all rows for all jobs, since there is no index and need not be one.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::Connection;

use super::{queue, rows};
use crate::model::{JobKey, JobResult, RunRecord};

/// How many of a job's last runs tell how long it usually takes.
const COUNTED: usize = 10;

const ENDED: &str = "SELECT id, server, job, asked, ended, duration, result FROM runs \
     WHERE open = 0 AND result IS NOT NULL";

/// What is known of a job's past.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Past {
    /// Its last run whose end is known, or turn that passed without one.
    pub last: Option<RunRecord>,
    /// When it last completed: as its server says, else when it was asked for.
    pub last_success: Option<Timestamp>,
    /// How long its last ten completed or partial runs took.
    pub durations: Durations,
    /// Since when it is configured, as far as is known.
    pub known_since: Option<Timestamp>,
    /// It has not completed for longer than it may, and that was told.
    pub stale: bool,
}

impl Past {
    /// How long it usually takes, in seconds: the median of its last ten completed or partial runs.
    #[must_use]
    pub fn usual(&self) -> Option<u64> {
        self.durations.median()
    }
}

/// How long a job's last completed or partial runs took, newest first, ten at most.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Durations(Vec<(i64, i64, u64)>);

impl Durations {
    /// Takes in a run that has ended; only what completed, wholly or partly, counts. The same run counts once.
    pub fn add(&mut self, run: &RunRecord) {
        if let Some(seconds) = run.duration.filter(|_| run.result.is_some_and(counts)) {
            self.insert(run.asked.as_millisecond(), run.id.0, seconds);
        }
    }

    fn insert(&mut self, asked: i64, id: i64, seconds: u64) {
        self.0.retain(|(_, known, _)| *known != id);
        let at = self.0.partition_point(|(other, known, _)| (*other, *known) > (asked, id));
        if at < COUNTED {
            self.0.insert(at, (asked, id, seconds));
            self.0.truncate(COUNTED);
        }
    }

    /// The middle value, in seconds; of an even number, the mean of the two in the middle.
    #[must_use]
    pub fn median(&self) -> Option<u64> {
        let mut values: Vec<u64> = self.0.iter().map(|(.., seconds)| *seconds).collect();
        values.sort_unstable();
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len() - 1) / 2)?;
        Some(lower.midpoint(upper))
    }
}

fn counts(result: JobResult) -> bool {
    matches!(result, JobResult::Completed | JobResult::Partial)
}

/// What one pass gathers of a job.
#[derive(Default)]
struct Gathered {
    /// When the last run was asked for, and its id.
    last: Option<(i64, i64)>,
    /// When the last completed run was asked for, its id, and when it ended if that is known.
    success: Option<(i64, i64, Option<i64>)>,
    durations: Durations,
}

impl Gathered {
    fn add(&mut self, row: &rusqlite::Row<'_>) -> Option<()> {
        let (id, asked): (i64, i64) = (rows::column(row, "id")?, rows::column(row, "asked")?);
        self.last = self.last.max(Some((asked, id)));
        let word = row.get_ref("result").ok()?.as_str().ok()?;
        let result = JobResult::from_word(word).unwrap_or(JobResult::Unknown);
        if result == JobResult::Completed {
            self.success = self.success.max(Some((asked, id, rows::column(row, "ended"))));
        }
        if let Some(seconds) = rows::seconds(row, "duration").filter(|_| counts(result)) {
            self.durations.insert(asked, id, seconds);
        }
        Some(())
    }
}

/// The past of these jobs.
pub(super) fn pasts(connection: &Connection, jobs: &[JobKey]) -> rusqlite::Result<HashMap<JobKey, Past>> {
    let mut gathered: HashMap<&str, HashMap<String, Gathered>> = HashMap::new();
    for job in jobs {
        gathered.entry(job.server.as_str()).or_default().insert(job.job.to_string(), Gathered::default());
    }
    let mut statement = connection.prepare(ENDED)?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let name = |column| row.get_ref(column).ok().and_then(|value| value.as_str().ok());
        let (Some(server), Some(job)) = (name("server"), name("job")) else { continue };
        if let Some(one) = gathered.get_mut(server).and_then(|jobs| jobs.get_mut(job)) {
            // A row that makes no sense is no reason to lose the others.
            let _ = one.add(row);
        }
    }
    let standings: HashMap<JobKey, _> = queue::standings(connection)?.into_iter().collect();
    let mut pasts = HashMap::with_capacity(jobs.len());
    for job in jobs {
        let one = gathered.get_mut(job.server.as_str()).and_then(|jobs| jobs.remove(&job.job.to_string()));
        let one = one.unwrap_or_default();
        let (known_since, stale) = standings.get(job).copied().unwrap_or_default();
        let last = match one.last {
            Some((_, id)) => by_id(connection, id)?,
            None => None,
        };
        let success = one.success.map(|(asked, _, ended)| ended.unwrap_or(asked));
        let last_success = success.and_then(|at| Timestamp::from_millisecond(at).ok());
        let past = Past { last, last_success, durations: one.durations, known_since, stale };
        pasts.insert(job.clone(), past);
    }
    Ok(pasts)
}

fn by_id(connection: &Connection, id: i64) -> rusqlite::Result<Option<RunRecord>> {
    let mut statement = connection.prepare_cached(&format!("{} WHERE id = ?1", rows::ALL_RUNS))?;
    let mut found = statement.query([id])?;
    Ok(found.next()?.and_then(rows::run))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durations(all: &[(i64, u64)]) -> Durations {
        let mut durations = Durations::default();
        for (at, seconds) in all {
            durations.insert(*at, *at, *seconds);
        }
        durations
    }

    #[test]
    fn the_newest_ten_count_whatever_the_order_they_come_in() {
        let all: Vec<(i64, u64)> = (1..=15i64).map(|n| (n, n.unsigned_abs() * 10)).collect();
        let reversed: Vec<_> = all.iter().rev().copied().collect();
        assert_eq!(durations(&all), durations(&reversed));
        assert_eq!(durations(&all).median(), Some(105), "of 60 to 150");
        assert_eq!(durations(&[]).median(), None);
        assert_eq!(durations(&[(1, 7), (1, 9)]).median(), Some(9), "one run counts once");
    }
}
