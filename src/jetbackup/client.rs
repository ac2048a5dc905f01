//! One server's JetBackup: typed questions, typed answers.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::envelope::{Envelope, NoEnvelope};
use super::error::{ApiError, Cause, refusal};
use super::group_list::{Caught, GroupList};
use super::objects::{Destination, Group, Info, Job, Log, Object};
use super::paging::{Step, Walk, rows};
use super::request::{Page, Request};
use super::scalar;
use super::tail;
use super::view::{View, newest_first};
use crate::model::{DestinationId, GroupId, JobId, ServerName};
use crate::ssh::{Exec, Output, Sent};

/// How long reading one list to its end may take, all requests together.
const WHOLE_READING: Duration = Duration::from_secs(120);

/// What became of a trigger.
#[derive(Debug, Clone)]
pub enum Trigger {
    /// JetBackup says it will queue the job. It may still not: hooks can abort it.
    Accepted,
    /// JetBackup says no, well-formed and clearly. Nothing was started. The words are for people.
    Refused(String),
    /// The request may have reached JetBackup, which may have acted on it. It must not be sent again.
    Maybe(ApiError),
    /// The request never left this machine; it may be sent again.
    NotSent(ApiError),
}

/// The JetBackup of one server.
///
/// It works with a gate that lets through only `getBackupJob`, `runBackupJobManually`, `listBackupJobs`,
/// `listQueueGroups`, `stopQueueGroup` and the connection test. Of the other functions it remembers, for as long as it
/// lives, which ones the gate has refused, and does without.
pub struct Client {
    server: ServerName,
    exec: Arc<dyn Exec>,
    /// For one request, connecting included.
    limit: Duration,
    /// JetBackup's version, as last told.
    version: Mutex<Option<String>>,
    /// The queue groups, as they were last read.
    group_list: tokio::sync::Mutex<Option<GroupList>>,
    /// The functions that the gate has refused.
    no_info: AtomicBool,
    no_group: AtomicBool,
    no_logs: AtomicBool,
    no_log: AtomicBool,
    pub(super) no_destination: AtomicBool,
}

impl Client {
    /// A client for `server`, reached through `exec`; no request takes longer than `limit`.
    pub fn new(server: ServerName, exec: Arc<dyn Exec>, limit: Duration) -> Self {
        Self {
            server,
            exec,
            limit,
            version: Mutex::new(None),
            group_list: tokio::sync::Mutex::new(None),
            no_info: AtomicBool::new(false),
            no_group: AtomicBool::new(false),
            no_logs: AtomicBool::new(false),
            no_log: AtomicBool::new(false),
            no_destination: AtomicBool::new(false),
        }
    }

    /// The server this client asks.
    #[must_use]
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    /// JetBackup's version as it came with the last answer; `None` before the first.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        self.version.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tests the way to the server and its gate, JetBackup not included.
    ///
    /// # Errors
    /// The server cannot be reached or does not answer as the gate does.
    pub async fn hello(&self) -> Result<(), ApiError> {
        let output = self.run(Request::Hello).await?;
        if String::from_utf8_lossy(&output.stdout).lines().any(|line| line == "jetbackup-remote-ok") {
            return Ok(());
        }
        Err(self.failed(Request::Hello, Cause::of_output(&output)))
    }

    /// Whether JetBackup's daemon is up, and its version.
    ///
    /// # Errors
    /// As for any request; the gate of older installations refuses this one ([`ApiError::is_gate_refusal`]).
    pub async fn info(&self) -> Result<Info, ApiError> {
        let envelope = self.ask(Request::Info).await?;
        Ok(Info { process: scalar::boolean(&envelope.data["process"]), version: envelope.version })
    }

    /// All jobs of the server.
    ///
    /// # Errors
    /// As for any request, or the list cannot be had completely.
    pub async fn jobs(&self) -> Result<Vec<Job>, ApiError> {
        self.list(Request::Jobs).await
    }

    /// One job; `None` where the server does not know it. As JetBackup gives no clear reason for saying no, the list
    /// of jobs has to confirm that.
    ///
    /// # Errors
    /// As for any request.
    pub async fn job(&self, id: JobId) -> Result<Option<Job>, ApiError> {
        let request = Request::Job(id);
        match self.ask(request).await {
            Ok(envelope) => self.object(request, &envelope, id).map(Some),
            Err(error) if matches!(error.cause, Cause::Refused { .. }) => {
                Ok(self.jobs().await?.into_iter().find(|job| job.id == id))
            }
            Err(error) => Err(error),
        }
    }

    /// All queue groups of backups, newest first, whoever started them.
    ///
    /// # Errors
    /// As for any request, or the list cannot be had completely: then nothing can be said about what does not run.
    ///
    /// The first reading is a whole one. After that the newest rows are enough, whatever the list's length, until they
    /// do not add up with what is known, or an hour has passed.
    pub async fn groups(&self) -> Result<Vec<Group>, ApiError> {
        let mut kept = self.group_list.lock().await;
        // What is not put back is read wholly the next time, should anything fail.
        if let Some(list) = kept.take().filter(|list| !list.is_old())
            && let Some(list) = self.catch_up(list).await?
        {
            return Ok(kept.insert(list).groups());
        }
        let mut walk = Walk::new();
        self.read(Request::Groups, &mut walk, |_| false).await?;
        let (_, total) = walk.had();
        let mut groups = walk.into_rows();
        *kept = GroupList::new(&groups, total);
        newest_first(&mut groups);
        Ok(groups)
    }

    /// The list after a look at its newest rows; `None` where it has to be read wholly.
    async fn catch_up(&self, mut list: GroupList) -> Result<Option<GroupList>, ApiError> {
        let page = Walk::<Group>::new().page();
        let request = Request::Groups(page);
        let envelope = self.ask(request).await?;
        let (rows, total) =
            rows(&envelope.data, Group::LIST).map_err(|what| self.failed(request, Cause::Shape { what }))?;
        let read: Vec<Group> = rows.iter().filter_map(|row| Group::read(row)).collect();
        if read.len() < rows.len() {
            return Ok(None);
        }
        let Caught::Up(unseen) = list.catch_up(&read, total, page.limit) else { return Ok(None) };
        for id in unseen {
            match self.group_alone(id).await? {
                Some(group) => list.update(&group),
                None => return Ok(None),
            }
        }
        Ok(Some(list))
    }

    /// One queue group; `None` only where the list does not hold it.
    ///
    /// # Errors
    /// As for [`Client::groups`].
    pub async fn group(&self, id: GroupId) -> Result<Option<Group>, ApiError> {
        if let Some(group) = self.group_alone(id).await? {
            return Ok(Some(group));
        }
        Ok(self.groups().await?.into_iter().find(|group| group.id == id))
    }

    /// Starts a job. This is sent once, whatever happens.
    pub async fn trigger(&self, id: JobId) -> Trigger {
        match self.ask(Request::Run(id)).await {
            Ok(_) => Trigger::Accepted,
            Err(error) => match &error.cause {
                Cause::Refused { message, troubles } => Trigger::Refused(refusal(message, troubles)),
                _ if error.sent() == Sent::No => Trigger::NotSent(error),
                _ => Trigger::Maybe(error),
            },
        }
    }

    /// Asks JetBackup to stop a run. It answers at once; the run ends later, or not at all.
    ///
    /// # Errors
    /// As for any request.
    pub async fn stop(&self, id: GroupId) -> Result<(), ApiError> {
        self.ask(Request::Stop(id)).await.map(|_| ())
    }

    /// The logs of a job that were started at `since` or later, newest first, and perhaps older ones; `None` where the gate
    /// does not let them through.
    ///
    /// # Errors
    /// As for any request, or the list cannot be had completely.
    pub async fn logs(&self, id: JobId, since: Option<Timestamp>) -> Result<Option<Vec<Log>>, ApiError> {
        let mut walk = Walk::new();
        // A server that sorts otherwise than asked is read to the end.
        let is_enough = |logs: &[Log]| {
            let is_sorted = logs.iter().all(|log| log.started.is_some())
                && logs.is_sorted_by(|a, b| a.started >= b.started);
            is_sorted && logs.last().is_some_and(|last| since.is_some() && last.started < since)
        };
        match self.read(|page| Request::Logs(id, page), &mut walk, is_enough).await {
            Err(error) if error.is_gate_refusal() => return Ok(None),
            read => read?,
        }
        let mut logs = walk.into_rows();
        // A server that ignores `find` sends the logs of other jobs too.
        logs.retain(|log| log.job.is_none_or(|job| job == id));
        logs.sort_by_key(|log| std::cmp::Reverse((log.started, log.id)));
        Ok(Some(logs))
    }

    /// The last lines that JetBackup's own log of a run says, fit to be shown; `None` where the gate does not let it
    /// through (`--allow log`), and where there is none.
    ///
    /// # Errors
    /// As for any request.
    pub async fn log_tail(&self, group: GroupId, lines: usize) -> Result<Option<Vec<String>>, ApiError> {
        if self.no_log.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let Some(log) = self.group(group).await?.and_then(|group| group.log_id) else { return Ok(None) };
        match self.ask(Request::Log(log)).await {
            Ok(envelope) => Ok(tail::tail(&envelope.data, lines)),
            Err(error) if error.is_gate_refusal() || matches!(error.cause, Cause::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One destination; `None` where the server does not know it. As for a job, a no has to be confirmed by the list.
    ///
    /// # Errors
    /// As for any request; the gate lets this one through with `--allow destination` only
    /// ([`ApiError::is_gate_refusal`]).
    pub async fn destination(&self, id: DestinationId) -> Result<Option<Destination>, ApiError> {
        let request = Request::Destination(id);
        match self.ask(request).await {
            Ok(envelope) => self.object(request, &envelope, id).map(Some),
            Err(error) if matches!(error.cause, Cause::Refused { .. }) => {
                Ok(self.destinations().await?.into_iter().find(|destination| destination.id == id))
            }
            Err(error) => Err(error),
        }
    }

    /// Everything that could be running: all queue groups of backups and all jobs.
    ///
    /// # Errors
    /// As for [`Client::groups`] and [`Client::jobs`].
    pub async fn look(&self) -> Result<View, ApiError> {
        let (groups, jobs) = tokio::join!(self.groups(), self.jobs());
        Ok(View { groups: groups?, jobs: jobs?, version: self.version() })
    }

    /// The cheap look at `wanted` runs: their jobs, and their queue groups by id. While a run's group is not known yet,
    /// is gone or cannot be asked for alone, the list of all groups is read instead, once for all.
    ///
    /// A job that the server does not know is not in the view.
    ///
    /// # Errors
    /// As for [`Client::groups`].
    pub async fn watch(&self, wanted: &[(JobId, Option<GroupId>)]) -> Result<View, ApiError> {
        let mut view = View::default();
        let mut asked = HashSet::new();
        for (id, _) in wanted {
            if asked.insert(*id) {
                view.jobs.extend(self.job(*id).await?);
            }
        }
        view.groups = match self.groups_alone(wanted).await? {
            Some(groups) => groups,
            None => self.groups().await?,
        };
        view.version = self.version();
        Ok(view)
    }

    /// The groups of `wanted`, each asked for by its id; `None` where the list has to be asked.
    async fn groups_alone(
        &self,
        wanted: &[(JobId, Option<GroupId>)],
    ) -> Result<Option<Vec<Group>>, ApiError> {
        let Some(ids) = wanted.iter().map(|(_, group)| *group).collect::<Option<HashSet<_>>>() else {
            return Ok(None);
        };
        let mut groups = Vec::with_capacity(ids.len());
        for id in ids {
            match self.group_alone(id).await? {
                Some(group) => groups.push(group),
                None => return Ok(None),
            }
        }
        newest_first(&mut groups);
        Ok(Some(groups))
    }

    /// The group, asked for by its id. Any answer other than that very group proves nothing and is `None`: the list has
    /// to be asked. The function may be refused by the gate or unknown to an older JetBackup.
    async fn group_alone(&self, id: GroupId) -> Result<Option<Group>, ApiError> {
        let request = Request::Group(id);
        match self.ask(request).await.and_then(|envelope| self.object(request, &envelope, id)) {
            Ok(group) => Ok(Some(group)),
            Err(error) if error.is_unreachable() => Err(error),
            Err(error) => {
                tracing::debug!(%error, "asking the list of queue groups instead");
                Ok(None)
            }
        }
    }

    /// Reads a list to its end.
    pub(super) async fn list<T: Object>(
        &self,
        request: impl Fn(Page) -> Request,
    ) -> Result<Vec<T>, ApiError> {
        let mut walk = Walk::new();
        self.read(request, &mut walk, |_| false).await?;
        Ok(walk.into_rows())
    }

    /// Reads a list to its end, or until `is_enough`. It takes [`WHOLE_READING`] at most, however many requests it needs.
    async fn read<T: Object>(
        &self,
        request: impl Fn(Page) -> Request,
        walk: &mut Walk<T>,
        is_enough: impl Fn(&[T]) -> bool,
    ) -> Result<(), ApiError> {
        let deadline = Instant::now() + WHOLE_READING.max(self.limit);
        loop {
            let request = request(walk.page());
            let envelope = self.ask(request).await?;
            let (rows, total) =
                rows(&envelope.data, T::LIST).map_err(|what| self.failed(request, Cause::Shape { what }))?;
            let step = walk.take(&rows, total);
            if step == Step::Done || is_enough(walk.rows()) {
                return Ok(());
            }
            if step == Step::Incomplete || Instant::now() >= deadline {
                let (had, total) = walk.had();
                return Err(self.failed(request, Cause::Incomplete { had, total, pages: walk.pages() }));
            }
        }
    }

    /// The one object of `envelope`, which must be the one asked for.
    fn object<T: Object>(&self, request: Request, envelope: &Envelope, id: T::Id) -> Result<T, ApiError> {
        let alone = scalar::list(&envelope.data).and_then(|list| T::read(list.first()?));
        let what = match alone {
            Some(object) if object.id() == id => return Ok(object),
            Some(other) => format!("asked for {} {id}, but the answer is {}", T::NAME, other.id()),
            None => {
                format!("asked for {} {id}, but the answer holds no {} with a valid _id", T::NAME, T::NAME)
            }
        };
        Err(self.failed(request, Cause::Shape { what }))
    }

    /// Sends `request` and takes nothing but a `success: 1` for an answer.
    pub(super) async fn ask(&self, request: Request) -> Result<Envelope, ApiError> {
        let refused = match request {
            Request::Info => Some(&self.no_info),
            Request::Group(_) => Some(&self.no_group),
            Request::Logs(..) => Some(&self.no_logs),
            Request::Log(_) => Some(&self.no_log),
            Request::Destination(_) | Request::Destinations(_) => Some(&self.no_destination),
            _ => None,
        };
        if refused.is_some_and(|refused| refused.load(Ordering::Relaxed)) {
            return Err(self.failed(request, Cause::GateRefused));
        }
        let output = self.run(request).await?;
        let envelope = Envelope::find(&output.stdout).map_err(|none| match none {
            NoEnvelope::NotJson => Cause::of_output(&output).without_excerpts(request.is_confidential()),
            NoEnvelope::NoSuccess => {
                Cause::Shape { what: "the answer's `success` is neither yes nor no".to_owned() }
            }
        });
        let cause = match envelope {
            Ok(envelope) => {
                if envelope.version.is_some() {
                    let mut version = self.version.lock().unwrap_or_else(PoisonError::into_inner);
                    version.clone_from(&envelope.version);
                }
                if envelope.success {
                    return Ok(envelope);
                }
                Cause::Refused { message: envelope.message, troubles: envelope.troubles }
            }
            Err(cause) => cause,
        };
        if let (Cause::GateRefused, Some(refused)) = (&cause, refused) {
            tracing::info!(server = %self.server, function = request.function(), "not allowed by the SSH gate; doing without");
            refused.store(true, Ordering::Relaxed);
        }
        Err(self.failed(request, cause))
    }

    /// Runs `request` on the server, whatever comes back.
    async fn run(&self, request: Request) -> Result<Output, ApiError> {
        let output = self.exec.exec(request.command(), self.limit).await;
        let output = output.map_err(|error| self.failed(request, Cause::Exec(error)))?;
        let (function, bytes) = (request.function(), output.stdout.len());
        tracing::debug!(server = %self.server, function, exit = output.exit, bytes, "answered");
        Ok(output)
    }

    pub(super) fn failed(&self, request: Request, cause: Cause) -> ApiError {
        ApiError { server: self.server.clone(), function: request.function(), cause }
    }
}
