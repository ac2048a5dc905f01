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
mod owed;
mod past;
mod published;
mod queue;
mod remarks;
mod rows;
mod schema;
mod store;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

pub use error::HistoryError;
pub use inspect::{Inspected, inspect};
pub use outbox::{Attempt, Noted, Outbox};
pub use past::{Durations, Past};
pub use queue::Interrupted;
#[doc(hidden)]
pub use store::Reach;

use crate::model::{CycleId, CycleRecord, Event, GroupId, JobId, JobKey, RunRecord, ServerName};
use owed::Owed;
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
    latency: Arc<AtomicU64>,
    notices: Notices,
    owed: Owed,
}

/// An opened history, and what a person should know about the opening.
#[derive(Debug)]
pub struct Opened {
    /// The history. If the disk is unusable, every access tries again and reports the cause.
    pub history: History,
    /// What was found: a damaged file that was set aside, a disk that cannot be used.
    pub notices: Vec<String>,
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

impl Filter {
    fn takes(&self, run: &RunRecord) -> bool {
        self.server.as_ref().is_none_or(|server| *server == run.key.server)
            && self.job.is_none_or(|job| job == run.key.job)
            && self.since.is_none_or(|since| run.asked >= since)
    }
}

impl History {
    /// Opens the history for the one runner, and creates it if there is none. The state directory must exist.
    ///
    /// Never fails: the queue runs without a history as well, only told as "not recorded".
    pub async fn open(state_dir: &Path) -> Opened {
        Self::open_by(state_dir, Reach::default()).await
    }

    /// As [`History::open`], on a disk that is slow, or with less patience for locks.
    #[doc(hidden)]
    pub async fn open_by(state_dir: &Path, reach: Reach) -> Opened {
        let history = Self::reached(state_dir, Access::Write, BOUND, reach);
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
        Self::reached(state_dir, access, bound, Reach::default())
    }

    fn reached(state_dir: &Path, access: Access, bound: Duration, reach: Reach) -> Self {
        let path = state_dir.join(FILE_NAME);
        let notices = Notices::default();
        let store = Store::new(path.clone(), access, notices.clone()).waiting_for_locks(reach.lock_wait);
        let store = Arc::new(Mutex::new(store));
        let (hung, latency, owed) = (AtomicBool::new(false), reach.latency, Owed::default());
        Self { inner: Arc::new(Inner { path, access, store, hung, bound, latency, notices, owed }) }
    }

    /// What a person should know and was not told yet. Worth asking for after every commit: a file that was found
    /// damaged and replaced meanwhile makes no commit fail.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.inner.notices.take()
    }

    /// Records what an event changes, in one transaction together with what is owed from before, and returns when it is
    /// on the disk. Events that change nothing on record return at once. Writing the same record again does no harm.
    ///
    /// # Errors
    /// When it is not on the disk, after 10 seconds at most. Then it is owed: it comes with the next commit or with
    /// [`History::settle`], and what is read here already shows it.
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
        self.inner.write(change, note.map(|note| (at, note))).await
    }

    /// How many changes are in memory only, for the disk did not take them.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.inner.owed.len()
    }

    /// Writes what is owed. Returns at once if nothing is.
    ///
    /// # Errors
    /// When it is still not on the disk, after 10 seconds at most.
    pub async fn settle(&self) -> Result<(), HistoryError> {
        if self.inner.owed.len() == 0 {
            return Ok(());
        }
        self.inner.write(None, None).await
    }

    /// The runs whose end is not known, oldest first, with their baselines.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn open_runs(&self) -> Result<Vec<RunRecord>, HistoryError> {
        let found = self.inner.run("read", |connection| rows::open_runs(connection)).await?;
        let mut runs = self.inner.readable(found);
        self.inner.owed.overlay(&mut runs, |run| run.open);
        runs.sort_by_key(|run| (run.asked, run.id));
        Ok(runs)
    }

    /// The queue groups that belong to the runs of a job on record.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn groups_of(&self, key: &JobKey) -> Result<Vec<GroupId>, HistoryError> {
        let key = key.clone();
        self.inner.run("read", move |connection| rows::groups_of(connection, &key)).await
    }

    /// What is known of the past of each of these jobs, in one pass over all rows. What is owed does not show.
    ///
    /// # Errors
    /// When the history cannot be read within a minute: it may be the first access, which checks the whole file.
    pub async fn pasts(&self, jobs: &[JobKey]) -> Result<HashMap<JobKey, Past>, HistoryError> {
        let jobs = jobs.to_vec();
        let bound = OPENING_BOUND.max(self.inner.bound);
        let read = move |store: &mut Store| store.run("read", |connection| past::pasts(connection, &jobs));
        self.inner.access(bound, read).await
    }

    /// The runs that `filter` takes, newest first; without baselines.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn runs(&self, filter: &Filter) -> Result<Vec<RunRecord>, HistoryError> {
        let wanted = filter.clone();
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
        let mut runs = self.inner.readable(found);
        if self.inner.owed.overlay(&mut runs, |run| wanted.takes(run)) {
            runs.sort_by_key(|run| std::cmp::Reverse((run.asked, run.id)));
            runs.truncate(
                wanted.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            );
        }
        Ok(runs)
    }

    /// The newest cycle, finished or not.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn last_cycle(&self) -> Result<Option<CycleRecord>, HistoryError> {
        self.cycle("", |_| true).await
    }

    /// The newest cycle that was finished.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn last_finished_cycle(&self) -> Result<Option<CycleRecord>, HistoryError> {
        self.cycle("WHERE ended IS NOT NULL", |cycle| cycle.ended.is_some()).await
    }

    async fn cycle(
        &self,
        which: &str,
        takes: impl Fn(&CycleRecord) -> bool,
    ) -> Result<Option<CycleRecord>, HistoryError> {
        let sql = format!("{} {which} ORDER BY started DESC, id DESC LIMIT 1", rows::ALL_CYCLES);
        let found =
            self.inner.run("read", move |connection| rows::select(connection, &sql, [], rows::cycle)).await?;
        let newest = self.inner.owed.cycle().filter(takes);
        Ok(newest.or_else(|| self.inner.readable(found).into_iter().next()))
    }

    /// The newest cycle with the jobs left of it, if it was not finished.
    ///
    /// # Errors
    /// When the history cannot be read within 10 seconds.
    pub async fn interrupted(&self) -> Result<Option<Interrupted>, HistoryError> {
        let mut recorded = self.inner.run("read", |connection| queue::Recorded::read(connection)).await?;
        self.inner.owed.all().1.iter().for_each(|change| recorded.apply(change));
        Ok(recorded.interrupted())
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
        if let Some(owed) = self.inner.owed.text(name) {
            return Ok(Some(owed));
        }
        self.inner.run("read", move |connection| rows::meta(connection, name)).await
    }

    /// Keeps a small text under a name, over restarts.
    ///
    /// # Errors
    /// When it is not on the disk after 10 seconds. Then it is owed, as what an event changes is.
    pub async fn keep(&self, name: &'static str, text: String) -> Result<(), HistoryError> {
        self.inner.write(Some(Change::Text(name, text)), None).await
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
        let mut runs = self.inner.readable(found);
        if self.inner.owed.overlay(&mut runs, |run| run.cycle == Some(cycle)) {
            runs.sort_by_key(|run| (run.asked, run.id));
        }
        Ok(runs)
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

    /// Writes what is owed and then this, in one transaction. What the disk does not take is owed from then on; a note is
    /// not, for whoever wrote it keeps it.
    async fn write(
        &self,
        change: Option<Change>,
        note: Option<(Timestamp, String)>,
    ) -> Result<(), HistoryError> {
        let (number, owed) = self.owed.all();
        let new = change.clone();
        let written = self
            .run("write to", move |connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                owed.iter().chain(&new).try_for_each(|change| change.write(&transaction))?;
                if let Some((at, note)) = &note {
                    outbox::post(&transaction, *at, note)?;
                }
                transaction.commit()
            })
            .await;
        match (&written, change) {
            (Ok(()), _) => self.owed.written(number),
            (Err(_), Some(change)) => self.owed.add(change),
            (Err(_), None) => {}
        }
        written
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
        let work = match Duration::from_millis(self.latency.load(Ordering::Relaxed)) {
            Duration::ZERO => tokio::task::spawn_blocking(move || work(&mut store)),
            latency => tokio::spawn(async move {
                tokio::time::sleep(latency).await;
                work(&mut store)
            }),
        };
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
