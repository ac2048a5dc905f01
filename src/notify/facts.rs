//! What belongs to a note: asked for when its letter is written, so that it tells how things stand then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::timeout;

use super::letter::Letter;
use super::note::{Note, Waiting, has_failed};
use super::policy::is_worth_a_summary;
use super::render::{self, Envelope, Life, Standing, Summary, Turn};
use crate::config::Notification;
use crate::history::{Filter, History, HistoryError};
use crate::model::{CycleRecord, Event, JobKey, JobResult, RunRecord, Snapshot, What};
use crate::words;

/// How long the logs of one letter may take to be had.
const LOGS: Duration = Duration::from_secs(20);
/// So many lines of a log say what went wrong.
const LINES: usize = 8;

/// What JetBackup's own logs say of runs.
pub trait Logs: Send + Sync {
    /// The last lines of a run's log; none where it cannot be had.
    fn tail<'a>(
        &'a self,
        run: &'a RunRecord,
        lines: usize,
    ) -> std::pin::Pin<Box<dyn Future<Output = Vec<String>> + Send + 'a>>;
}

/// Where facts are had.
#[derive(Clone)]
pub(super) struct Facts {
    pub wanted: Notification,
    pub history: History,
    pub snapshot: watch::Receiver<Snapshot>,
    pub logs: Arc<dyn Logs>,
}

impl Facts {
    /// Whether there is something to tell after all: of a cycle that is seen only when its runs are.
    ///
    /// # Errors
    /// When what is on record of the cycle cannot be read: then nobody knows.
    pub async fn are_worth_a_letter(&self, notes: &[Waiting]) -> Result<bool, HistoryError> {
        match notes {
            [one] => match &one.note {
                Note::Happened(event) => match &event.what {
                    What::CycleFinished(cycle) => {
                        let turns = self.history.turns(cycle.id).await?;
                        Ok(is_worth_a_summary(&self.wanted, cycle, &turns))
                    }
                    _ => Ok(true),
                },
                _ => Ok(true),
            },
            several => Ok(!several.is_empty()),
        }
    }

    /// The letter that tells these notes, if there are any.
    ///
    /// # Errors
    /// When what belongs into it cannot be read: a letter that leaves it out would not be true.
    pub async fn letter(&self, id: &str, notes: &[Waiting]) -> Result<Option<Letter>, HistoryError> {
        let envelope = Envelope { id: id.to_owned(), date: Timestamp::now(), zone: crate::zone::system() };
        let labels = |key: &JobKey| self.label(key);
        Ok(Some(match notes {
            [] => return Ok(None),
            [one] => match &one.note {
                Note::Happened(event) => match &event.what {
                    What::CycleFinished(cycle) => self.summary(&envelope, *cycle).await?,
                    What::JobFinished { run, .. } => {
                        render::news(&envelope, event, &labels, &self.log(run).await)
                    }
                    _ => render::news(&envelope, event, &labels, &[]),
                },
                Note::Started { at } => render::started(&envelope, *at),
                Note::Stopping { at } => render::stopping(&envelope, *at),
                Note::Life { since } => self.life(&envelope, *since).await?,
            },
            many => {
                let events: Vec<Event> = many.iter().map(event).collect();
                render::several(&envelope, &events, &labels)
            }
        }))
    }

    async fn summary(&self, envelope: &Envelope, cycle: CycleRecord) -> Result<Letter, HistoryError> {
        let runs = self.history.turns(cycle.id).await?;
        let usual: HashMap<JobKey, Option<u64>> = {
            let snapshot = self.snapshot.borrow();
            snapshot.jobs().into_iter().map(|job| (job.key, job.usual_duration)).collect()
        };
        let mut logs = timeout(LOGS, self.all_logs(&runs)).await.unwrap_or_default();
        let mut turns = Vec::new();
        for run in runs {
            let usual = usual.get(&run.key).copied().flatten();
            let at = logs.iter().position(|(id, _)| *id == run.id);
            let log = at.map(|at| logs.swap_remove(at).1).unwrap_or_default();
            turns.push(Turn { run, usual, log });
        }
        let (beside, next_run) = {
            let snapshot = self.snapshot.borrow();
            let jobs = snapshot.jobs();
            let open = jobs.iter().filter_map(|job| snapshot.open_run(&job.key));
            let beside = open.filter(|run| run.cycle != Some(cycle.id)).cloned().collect();
            (beside, snapshot.queue().next_run)
        };
        let summary = Summary { cycle, turns, beside, remarks: self.remarks(), next_run };
        Ok(render::summary(envelope, &summary))
    }

    async fn all_logs(&self, runs: &[RunRecord]) -> Vec<(crate::model::RunId, Vec<String>)> {
        let mut logs = Vec::new();
        for run in runs {
            logs.push((run.id, self.log(run).await));
        }
        logs
    }

    /// What JetBackup's log says last of a run that went wrong.
    async fn log(&self, run: &RunRecord) -> Vec<String> {
        if !has_failed(run) && run.result != Some(JobResult::Partial) {
            return Vec::new();
        }
        timeout(LOGS, self.logs.tail(run, LINES)).await.unwrap_or_default()
    }

    async fn life(&self, envelope: &Envelope, since: Timestamp) -> Result<Letter, HistoryError> {
        let filter = Filter { since: Some(since), ..Filter::default() };
        let runs = self.history.runs(&filter).await?;
        let completed = runs.iter().filter(|run| run.result == Some(JobResult::Completed)).count();
        let (jobs, next_run) = {
            let snapshot = self.snapshot.borrow();
            let standing = |job: crate::model::view::JobState| Standing {
                name: words::name(&job.label, &job.key.server),
                last: snapshot.last_run(&job.key).cloned(),
                last_success: job.last_success,
                usual: job.usual_duration,
                stale: job.stale,
            };
            (snapshot.jobs().into_iter().map(standing).collect(), snapshot.queue().next_run)
        };
        let runs = (runs.len(), completed);
        Ok(render::life(envelope, &Life { since, jobs, runs, remarks: self.remarks(), next_run }))
    }

    /// What else is worth a look: servers that do not answer, and what was remarked on the others.
    fn remarks(&self) -> Vec<String> {
        let snapshot = self.snapshot.borrow();
        let said = |server: &crate::model::view::ServerState| -> Vec<String> {
            let lost = (server.answers() == Some(false))
                .then(|| server.error.as_deref().unwrap_or("it does not answer"));
            let remarks = server.remarks.iter().map(|remark| remark.text.as_str());
            lost.into_iter().chain(remarks).map(|text| format!("{}: {text}", server.server)).collect()
        };
        snapshot.servers().iter().flat_map(said).collect()
    }

    fn label(&self, key: &JobKey) -> Option<String> {
        self.snapshot.borrow().jobs().into_iter().find(|job| job.key == *key).map(|job| job.label)
    }
}

/// A note as an event, for a list.
fn event(waiting: &Waiting) -> Event {
    let said = |text: &str| What::Alert { job: None, text: text.to_owned() };
    match &waiting.note {
        Note::Happened(event) => Event::clone(event),
        Note::Started { at } => Event { at: *at, what: said("the daemon is at work") },
        Note::Stopping { at } => Event { at: *at, what: said("the daemon was told to end") },
        Note::Life { .. } => Event { at: waiting.at, what: said("a proof of life") },
    }
}
