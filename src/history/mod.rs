//! The memory on disk: runs, open runs and cycles, in one small SQLite file in the state directory.
//!
//! This room knows rows and the disk: how to write seldom, how to survive a full, read-only, slow or damaged disk.
//! It must not know what a run should do next, and it tells nobody anything: errors and notices go to the caller.
//!
//! The file uses a rollback journal (`journal_mode=TRUNCATE`), since WAL needs shared memory maps that JFFS2 lacks,
//! and `synchronous=FULL`: what [`History::commit`] says is on record survives the plug being pulled.

mod damage;
mod error;
mod inspect;
mod outbox;
mod published;
mod queue;
mod remarks;
mod rows;
mod schema;
mod store;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

pub use error::HistoryError;
pub use inspect::{Inspected, inspect};
pub use outbox::{Attempt, Noted, Outbox};
pub use queue::Interrupted;

use crate::model::{CycleId, CycleRecord, Event, JobId, JobKey, JobResult, RunRecord, ServerName};
use rows::{Change, Rows};
use store::{Access, Notices, Store};

/// The database's name in the state directory.
pub const FILE_NAME: &str = "history.db";
/// How long a commit or a question may take.
const BOUND: Duration = Duration::from_secs(10);
/// How long opening may take: the whole file is checked then.
const OPENING_BOUND: Duration = Duration::from_secs(60);

/// A handle on the history; clones share it.
#[derive(Debug, Clone)]
pub struct History {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    access: Access,
    store: Arc<Mutex<Store>>,
    /// An access outlived its bound. While it still holds the store, no other waits for it.
    hung: AtomicBool,
    bound: Duration,
    notices: Notices,
}

/// An opened history, and what a person should know about the opening.
#[derive(Debug)]
pub struct Opened {
    /// The history. If the disk is unusable, every access tries again and reports the cause.
    pub history: History,
    /// What was found: a damaged file that was set aside, a disk that cannot be used.
    pub notices: Vec<String>,
}

/// What is known of a job's past.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Past {
    /// Its last run whose end is known, or turn that passed without one.
    pub last: Option<RunRecord>,
    /// When it last completed: as its server says, else when it was asked for.
    pub last_success: Option<Timestamp>,
    /// How long it usually takes, in seconds: the median of its last ten completed or partial runs.
    pub usual: Option<u64>,
    /// Since when it is configured, as far as is known.
    pub known_since: Option<Timestamp>,
    /// It has not completed for longer than it may, and that was told.
    pub stale: bool,
}

/// Which runs are meant. The default is all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only those on this server.
    pub server: Option<ServerName>,
    /// Only those of the job with this id.
    pub job: Option<JobId>,
    /// Only those asked for then or later.
    pub since: Option<Timestamp>,
    /// Only so many, the newest.
    pub limit: Option<u32>,
}

impl History {
    /// Opens the history for the one runner, and creates it if there is none. The state directory must exist.
    ///
    /// Never fails: the queue runs without a history as well, only told as "not recorded".
    pub async fn open(state_dir: &Path) -> Opened {
        let history = Self::new(state_dir, Access::Write, BOUND);
        let opened = history.inner.access(OPENING_BOUND.max(history.inner.bound), Store::open).await;
        if let Err(error) = opened {
            history.inner.notices.push(format!("nothing will be recorded for now: {error}"));
        }
        Opened { notices: history.notices(), history }
    }

    /// Opens the history for looking at it: beside a running program, and without the right to write.
    ///
    /// # Errors
    /// [`HistoryError::Absent`] when there is none, else when it cannot be read.
    pub fn read_only(state_dir: &Path) -> Result<Self, HistoryError> {
        let path = state_dir.join(FILE_NAME);
        Store::new(path, Access::Read, Notices::default()).open()?;
        Ok(Self::new(state_dir, Access::Read, BOUND))
    }

    fn new(state_dir: &Path, access: Access, bound: Duration) -> Self {
        let path = state_dir.join(FILE_NAME);
        let notices = Notices::default();
        let store = Arc::new(Mutex::new(Store::new(path.clone(), access, notices.clone())));
        Self { inner: Arc::new(Inner { path, access, store, hung: AtomicBool::new(false), bound, notices }) }
    }

    /// What a person should know and was not told yet. Worth asking for after every commit: a file that was found
    /// damaged and replaced meanwhile makes no commit fail.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.inner.notices.take()
    }

    /// Records what an event changes, in one transaction, and returns when it is on the disk. Events that change
    /// nothing on record return at once. Writing the same record again does no harm.
    ///
    /// # Errors
    /// When it is not on the disk, after 10 seconds at most. After [`HistoryError::TimedOut`] it may still get there.
    pub async fn commit(&self, event: &Event) -> Result<(), HistoryError> {
        self.commit_with(event, None).await
    }

    /// As [`History::commit`], and a note about it comes into the outbox with it, or neither does.
    ///
    /// # Errors
    /// As [`History::commit`].
    pub async fn commit_with(&self, event: &Event, note: Option<String>) -> Result<(), HistoryError> {
        let (change, at) = (Change::of(event), event.at);
        if change.is_none() && note.is_none() {
            return Ok(());
        }
        if self.inner.access == Access::Read {
            return Err(HistoryError::ReadOnly { path: self.inner.path.clone() });
        }
        self.inner
            .run("write to", move |connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                if let Some(change) = &change {
                    change.write(&transaction)?;
                }
                if let Some(note) = &note {
                    outbox::post(&transaction, at, note)?;
                }
                transaction.commit()
            })
            .await
    }

    /// The runs whose end is not known, oldest first, with their baselines.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn open_runs(&self) -> Result<Vec<RunRecord>, HistoryError> {
        let found = self.inner.run("read", |connection| rows::open_runs(connection)).await?;
        Ok(self.inner.readable(found))
    }

    /// What is known of a job's past.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn past(&self, key: &JobKey) -> Result<Past, HistoryError> {
        let key = key.clone();
        self.inner.run("read", move |connection| past(connection, &key)).await
    }

    /// The runs that `filter` takes, newest first; without baselines.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn runs(&self, filter: &Filter) -> Result<Vec<RunRecord>, HistoryError> {
        let filter = filter.clone();
        let sql = format!(
            "{} WHERE (?1 IS NULL OR server = ?1) AND (?2 IS NULL OR job = ?2) AND (?3 IS NULL OR asked >= ?3) \
             ORDER BY asked DESC, id DESC LIMIT ?4",
            rows::ALL_RUNS
        );
        let found = self
            .inner
            .run("read", move |connection| {
                let server = filter.server.as_ref().map(ServerName::as_str);
                let job = filter.job.map(|job| job.to_string());
                let since = filter.since.map(Timestamp::as_millisecond);
                // A negative limit is none.
                let limit = filter.limit.map_or(-1, i64::from);
                rows::select(connection, &sql, params![server, job, since, limit], rows::run)
            })
            .await?;
        Ok(self.inner.readable(found))
    }

    /// The newest cycle, finished or not.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn last_cycle(&self) -> Result<Option<CycleRecord>, HistoryError> {
        self.cycle("").await
    }

    /// The newest cycle that was finished.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn last_finished_cycle(&self) -> Result<Option<CycleRecord>, HistoryError> {
        self.cycle("WHERE ended IS NOT NULL").await
    }

    async fn cycle(&self, which: &str) -> Result<Option<CycleRecord>, HistoryError> {
        let sql = format!("{} {which} ORDER BY started DESC, id DESC LIMIT 1", rows::ALL_CYCLES);
        let found =
            self.inner.run("read", move |connection| rows::select(connection, &sql, [], rows::cycle)).await?;
        Ok(self.inner.readable(found).into_iter().next())
    }

    /// The newest cycle with the jobs left of it, if it was not finished.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn interrupted(&self) -> Result<Option<Interrupted>, HistoryError> {
        self.inner.run("read", |connection| queue::interrupted(connection)).await
    }

    /// Notes since when each of these jobs is configured, and forgets those that no longer are.
    ///
    /// # Errors
    /// When it is not on the disk after 10 seconds.
    pub async fn know(&self, jobs: &[JobKey], now: Timestamp) -> Result<(), HistoryError> {
        let jobs = jobs.to_vec();
        self.inner.run("write to", move |connection| queue::know(connection, &jobs, now)).await
    }

    /// What was kept under a name by [`History::keep`].
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn kept(&self, name: &'static str) -> Result<Option<String>, HistoryError> {
        self.inner.run("read", move |connection| rows::meta(connection, name)).await
    }

    /// Keeps a small text under a name, over restarts.
    ///
    /// # Errors
    /// When it is not on the disk after 10 seconds.
    pub async fn keep(&self, name: &'static str, text: String) -> Result<(), HistoryError> {
        self.inner
            .run("write to", move |connection| {
                let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2) \
                           ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value <> excluded.value";
                connection.execute(sql, [name, &text]).map(drop)
            })
            .await
    }

    /// The topics that something retained was published on and not cleared since.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn published(&self) -> Result<Vec<String>, HistoryError> {
        self.inner.run("read", |connection| published::all(connection)).await
    }

    /// Notes, before it is done, that something retained is published on these topics.
    ///
    /// # Errors
    /// When it is not on the disk after 10 seconds.
    pub async fn record_published(&self, topics: Vec<String>) -> Result<(), HistoryError> {
        self.inner.run("write to", move |connection| published::record(connection, &topics)).await
    }

    /// Notes that these topics were cleared.
    ///
    /// # Errors
    /// When it is not on the disk after 10 seconds.
    pub async fn forget_published(&self, topics: Vec<String>) -> Result<(), HistoryError> {
        self.inner.run("write to", move |connection| published::forget(connection, &topics)).await
    }

    /// Puts a note into the outbox.
    ///
    /// # Errors
    /// When it is not on the disk after 10 seconds.
    pub async fn post(&self, at: Timestamp, note: String) -> Result<(), HistoryError> {
        self.inner.run("write to", move |connection| outbox::post(connection, at, &note)).await
    }

    /// The notes that wait in the outbox, oldest first.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn waiting(&self) -> Result<Vec<Noted>, HistoryError> {
        let found = self.inner.run("read", |connection| outbox::waiting(connection)).await?;
        Ok(self.inner.readable(found))
    }

    /// Notes, before it is handed over, that these notes are the letter with this id.
    ///
    /// # Errors
    /// When it is not on the disk after 10 seconds.
    pub async fn address(&self, ids: Vec<i64>, letter: String) -> Result<(), HistoryError> {
        self.inner.run("write to", move |connection| outbox::address(connection, &ids, &letter)).await
    }

    /// Notes what became of trying to send these notes.
    ///
    /// # Errors
    /// When it is not on the disk after 10 seconds.
    pub async fn tried(&self, ids: Vec<i64>, attempt: Attempt) -> Result<(), HistoryError> {
        self.inner.run("write to", move |connection| outbox::tried(connection, &ids, &attempt)).await
    }

    /// How the outbox stands.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn outbox(&self) -> Result<Outbox, HistoryError> {
        self.inner.run("read", |connection| outbox::outbox(connection)).await
    }

    /// The runs of a cycle, oldest first; without baselines.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn turns(&self, cycle: CycleId) -> Result<Vec<RunRecord>, HistoryError> {
        let sql = format!("{} WHERE cycle = ?1 ORDER BY asked, id", rows::ALL_RUNS);
        let found = self
            .inner
            .run("read", move |connection| rows::select(connection, &sql, [cycle.0], rows::run))
            .await?;
        Ok(self.inner.readable(found))
    }

    /// Eight hexadecimal digits that tell this installation from others on the same broker. Made up once and kept.
    ///
    /// # Errors
    /// When it can be neither read nor kept: one that changes at the next start would be worse than none.
    pub async fn instance_id(&self) -> Result<String, HistoryError> {
        let writing = self.inner.access == Access::Write;
        self.inner
            .run("read", move |connection| {
                if let (None, true) = (rows::instance_id(connection)?, writing) {
                    connection.execute(
                        "INSERT OR REPLACE INTO meta (key, value) \
                         VALUES ('instance_id', lower(hex(randomblob(4))))",
                        [],
                    )?;
                }
                rows::instance_id(connection)
            })
            .await?
            .ok_or_else(|| HistoryError::Absent { path: self.inner.path.clone() })
    }
}

impl Inner {
    async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        access: impl Fn(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, HistoryError> {
        self.access(self.bound, move |store| store.run(doing, access)).await
    }

    /// Does `work` on the store where it may block, for as long as `bound`.
    async fn access<T: Send + 'static>(
        &self,
        bound: Duration,
        work: impl FnOnce(&mut Store) -> Result<T, HistoryError> + Send + 'static,
    ) -> Result<T, HistoryError> {
        let deadline = Instant::now() + bound;
        let late = || {
            self.hung.store(true, Ordering::Relaxed);
            HistoryError::TimedOut { path: self.path.clone(), bound }
        };
        let mut store = match Arc::clone(&self.store).try_lock_owned() {
            Ok(store) => {
                self.hung.store(false, Ordering::Relaxed);
                store
            }
            Err(_) if self.hung.load(Ordering::Relaxed) => {
                return Err(HistoryError::Busy { path: self.path.clone() });
            }
            Err(_) => {
                let turn = timeout_at(deadline, Arc::clone(&self.store).lock_owned());
                turn.await.map_err(|_| late())?
            }
        };
        let work = tokio::task::spawn_blocking(move || work(&mut store));
        match timeout_at(deadline, work).await {
            Err(_) => Err(late()),
            Ok(Err(_)) => Err(HistoryError::BrokeOff { path: self.path.clone() }),
            Ok(Ok(done)) => done,
        }
    }

    /// The rows, with a notice about those that could not be read.
    fn readable<T>(&self, found: Rows<T>) -> Vec<T> {
        if found.unreadable > 0 {
            // Without their number, which is another for every question.
            let path = self.path.display();
            self.notices.push(format!("{path}: some rows make no sense and are left out. Check the disk"));
        }
        found.rows
    }
}

fn past(connection: &Connection, key: &JobKey) -> rusqlite::Result<Past> {
    // One pass for all three questions: there is no index to answer them faster.
    let sql = format!(
        "{} WHERE server = ?1 AND job = ?2 AND open = 0 AND result IS NOT NULL ORDER BY asked DESC, id DESC",
        rows::ALL_RUNS
    );
    let runs =
        rows::select(connection, &sql, params![key.server.as_str(), key.job.to_string()], rows::run)?.rows;
    let (known_since, stale) = queue::standing(connection, key)?;
    let success = runs.iter().find(|run| run.result == Some(JobResult::Completed));
    let counts = |run: &&RunRecord| matches!(run.result, Some(JobResult::Completed | JobResult::Partial));
    let durations = runs.iter().filter(counts).filter_map(|run| run.duration).take(10).collect();
    Ok(Past {
        last_success: success.map(|run| run.ended.unwrap_or(run.asked)),
        usual: median(durations),
        known_since,
        stale,
        last: runs.into_iter().next(),
    })
}

/// The middle value; of an even number, the mean of the two in the middle.
fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(lower.midpoint(upper))
}
