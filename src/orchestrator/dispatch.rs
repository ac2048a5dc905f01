//! A job's turn: look everywhere, commit the intent, send the trigger once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::destinations::Prepared;
use super::flag::Flag;
use super::lane::Lane;
use super::look::{Goal, Views, look_everywhere};
use super::queue::Queue;
use super::run::Run;
use super::sight::{says_running, strangers};
use super::wheel::{Orchestrator, Station};
use crate::jetbackup::{ApiError, Group, Trigger, View};
use crate::model::{GroupId, JobKey, JobResult, Origin, Reason, ServerName, What};

/// How often a server is tried before its job's turn passes.
const ATTEMPTS: u32 = 3;
/// The pause before a server is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

impl Orchestrator {
    /// Gives the first job of the queue its turn, if the lane is still free after a look at every server.
    pub(super) async fn dispatch(&mut self) {
        self.not_before = None;
        let Some(views) = self.look(|queue| !queue.is_empty()).await else { return };
        self.take_in(&views).await;
        self.ask_around_once_a_cycle(&views);
        // What was asked meanwhile comes before the trigger: a stop that arrived during the look means this job too.
        self.obey_all().await;
        if self.lane() != Lane::Free || self.leave.is_cancelled() {
            return;
        }
        let Some(key) = self.queue.first().cloned() else { return };
        if self.flagged.values().any(Flag::is_on_trial) {
            self.not_before = Some(Instant::now() + RETRY_PAUSE);
            return;
        }
        if let Some(at) = self.runs.iter().position(|run| run.record.key == key && !run.is_late()) {
            // Beside the lane, and still out of sight: its turn is that run's, whatever becomes of it.
            tracing::info!("{key} may still be running and is not triggered again");
            self.queue.remove(&key);
            self.runs[at].record.cycle = self.cycle_id();
            let record = self.runs[at].record.clone();
            self.tell(What::RunNoted(record)).await;
            return;
        }
        match views.get(&key.server) {
            Some(Ok(view)) => self.take(&key, view).await,
            Some(Err(error)) => self.try_later(&key, Reason::Unreachable, error.to_string()).await,
            None => self.skip(&key, Reason::NotConfigured, None).await,
        }
    }

    /// Looks at all servers, whatever the selection, and does what is asked meanwhile: a server out of reach takes a
    /// minute to say nothing. `None` once it is no longer `wanted`.
    async fn look(&mut self, wanted: impl Fn(&Queue) -> bool) -> Option<Views> {
        let leave = self.leave.clone();
        let goal = |station: &Station| Goal {
            name: station.name.clone(),
            client: Arc::clone(&station.client),
            lost: station.contact.is_lost(),
        };
        let look = look_everywhere(self.stations.iter().map(goal).collect());
        tokio::pin!(look);
        loop {
            let nap = self.nap();
            tokio::select! {
                biased;
                () = leave.cancelled() => return None,
                Some(request) = self.inbox.recv() => self.answer(request).await,
                views = &mut look => return Some(views),
                () = tokio::time::sleep(nap) => self.show_life(),
            }
            if !wanted(&self.queue) {
                return None;
            }
        }
    }

    /// Looks at all servers for the sake of knowing.
    pub(super) async fn look_around(&mut self) {
        let Some(views) = self.look(|_| true).await else { return };
        self.take_in(&views).await;
        self.ask_around(&views);
    }

    async fn take_in(&mut self, views: &Views) {
        let now = Instant::now();
        let names: Vec<ServerName> = self.stations.iter().map(|station| station.name.clone()).collect();
        for server in names {
            if let Some(contact) = self.contact(&server) {
                contact.asked = Some(now);
            }
            match views.get(&server) {
                Some(Ok(view)) => {
                    if !self.hear(&server, view).await {
                        let server = server.clone();
                        self.tell(What::ServerSeen { server, destination_free: None }).await;
                    }
                    self.observe(&server, view, None).await;
                    self.adopt_strangers(&server, view).await;
                }
                Some(Err(error)) => {
                    tracing::debug!("looking at {server}: {error}");
                    if self.contact(&server).is_some_and(super::contact::Contact::lost) {
                        self.tell_unreachable(&server, error).await;
                    }
                    // What was last heard there is that it runs: out of sight it is no less believed.
                    self.adopt_flagged(&server).await;
                    self.lose(&server).await;
                }
                // Only a look that panicked has no answer; its server counts as not asked.
                None => self.lose(&server).await,
            }
        }
    }

    /// Takes up what runs on a server without being on record: JetBackup's scheduler or a person started it.
    async fn adopt_strangers(&mut self, server: &ServerName, view: &View) {
        let config = Arc::clone(&self.config);
        for job in config.jobs.iter().filter(|job| job.key.server == *server) {
            let key = &job.key;
            let taken = self.taken(None);
            let mut found: Vec<Group> = strangers(view, key.job, &taken).cloned().collect();
            found.sort_by_key(|group| (group.created, group.id));
            let known = self.runs.iter().any(|run| run.record.key == *key && !run.is_late());
            if !found.is_empty() || known || says_running(view, key.job) != Some(true) {
                self.flagged.remove(key);
            } else if !self.flagged.contains_key(key) {
                self.flagged.insert(key.clone(), Flag::raised(listed(view, key)));
            }
            for group in found {
                self.adopt(key, listed(view, key), Some(&group)).await;
            }
        }
        self.adopt_flagged(server).await;
    }

    /// Takes up the jobs of a server that have said "running" for long enough.
    async fn adopt_flagged(&mut self, server: &ServerName) {
        let believed = |key: &JobKey, flag: &mut Flag| key.server == *server && flag.is_believed();
        let flagged: Vec<_> = self.flagged.extract_if(believed).collect();
        for (key, flag) in flagged {
            self.adopt(&key, flag.baseline, None).await;
        }
    }

    async fn adopt(&mut self, key: &JobKey, baseline: Vec<GroupId>, group: Option<&Group>) {
        let turn = self.queue.remove(key);
        let mut record = self
            .unsent
            .take_if(|unsent| unsent.key == *key)
            .unwrap_or_else(|| self.new_record(key, Origin::Adopted));
        record.origin = Origin::Adopted;
        record.cycle = self.cycle_id().filter(|_| turn);
        record.group = group.map(|group| group.id);
        record.baseline = baseline;
        if turn {
            self.attempts = 0;
        }
        let mut run = Run::adopted(record, self.now());
        run.usual = self.usual(key);
        let at = self.runs.len();
        self.runs.push(run);
        let (pace, now) = (self.pace(&self.runs[at]), self.now());
        if let Some(group) = group {
            self.runs[at].find(group, now);
        }
        tracing::info!("{key} runs already and is waited for");
        let record = self.runs[at].record.clone();
        self.tell(What::JobStarted(record)).await;
        // It may be beyond its limit already: that has to be known before anything is triggered beside it.
        for news in self.runs[at].tick(now, pace) {
            self.tell_news(at, news).await;
        }
    }

    /// The lane is free and the job's server answered: triggers the job, if it is there and enabled.
    async fn take(&mut self, key: &JobKey, view: &View) {
        let job = match view.job(key.job) {
            Some(job) => Some(job.clone()),
            None => match self.ask_job(key).await {
                Ok(job) => job,
                Err(error) => return self.try_later(key, Reason::Unreachable, error.to_string()).await,
            },
        };
        match job {
            None => {
                let error = format!("{} does not know this job; `list` shows the jobs it has", key.server);
                self.skip(key, Reason::NotFound, Some(error)).await;
            }
            Some(job) if job.disabled == Some(true) => self.skip(key, Reason::Disabled, None).await,
            Some(_) => {
                let prepared = self.prepare_destination(&key.server).await;
                // What was asked meanwhile comes first, as after the look.
                let is_its_turn = self.queue.first() == Some(key) && self.lane() == Lane::Free;
                if !is_its_turn || self.leave.is_cancelled() {
                    return;
                }
                match prepared {
                    Prepared::Ready => self.trigger(key, view).await,
                    Prepared::LookAgain => {}
                    Prepared::Not(why) => self.skip(key, Reason::DestinationDisabled, Some(why)).await,
                    Prepared::Later(reason, error) => self.try_later(key, reason, error).await,
                }
            }
        }
    }

    async fn ask_job(&self, key: &JobKey) -> Result<Option<crate::jetbackup::Job>, ApiError> {
        match self.client(&key.server) {
            Some(client) => client.job(key.job).await,
            None => Ok(None),
        }
    }

    /// Commits the intent, then sends the trigger: never twice for one run, whatever is answered.
    async fn trigger(&mut self, key: &JobKey, view: &View) {
        let Some(client) = self.client(&key.server) else { return };
        let unsent = self.unsent.take_if(|unsent| unsent.key == *key);
        let mut record = unsent.unwrap_or_else(|| self.new_record(key, Origin::Triggered));
        record.baseline = listed(view, key);
        record.error = None;
        self.tell(What::JobStarting(record.clone())).await;
        // An older run of this job that never showed up cannot be told from this one any more.
        self.runs.retain(|run| !(run.is_late() && run.record.key == *key));
        let mut run = Run::triggered(record, self.now());
        run.usual = self.usual(key);
        match client.trigger(key.job).await {
            Trigger::Accepted => {}
            Trigger::Maybe(error) => {
                tracing::warn!("whether {key} was triggered is not known, looking for it: {error}");
                run.record.tell(error.to_string());
            }
            Trigger::Refused(message) => return self.refused(key, run, message).await,
            Trigger::NotSent(error) => {
                self.unsent = Some(run.record);
                return self.try_later(key, Reason::NotSent, error.to_string()).await;
            }
        }
        self.queue.remove(key);
        self.attempts = 0;
        if let Some(contact) = self.contact(&key.server) {
            contact.asked = Some(Instant::now());
        }
        self.runs.push(run);
    }

    /// JetBackup refused. Perhaps because somebody else started the job just now; then that is its run.
    async fn refused(&mut self, key: &JobKey, mut run: Run, message: String) {
        self.queue.remove(key);
        self.attempts = 0;
        let client = self.client(&key.server);
        let view = match client {
            Some(client) => client.look().await.ok(),
            None => None,
        };
        let taken = self.taken(None);
        let running = view.as_ref().is_some_and(|view| {
            says_running(view, key.job) == Some(true) || strangers(view, key.job, &taken).next().is_some()
        });
        let at = self.runs.len();
        if running {
            run.record.origin = Origin::Adopted;
            self.runs.push(run);
            if let Some(view) = view {
                self.observe(&key.server, &view, Some(&[self.runs[at].record.id].into())).await;
            }
            return;
        }
        run.record.tell(message);
        run.record.reason = Some(Reason::Refused);
        run.end(JobResult::DidNotStart);
        self.runs.push(run);
        self.finish(at).await;
        // Nothing was accepted, so there is nothing to wait for.
        self.runs.retain(|run| !(run.is_late() && run.record.key == *key));
    }

    /// The job's server could not be asked, or not be told: tries again soon, a few times.
    async fn try_later(&mut self, key: &JobKey, reason: Reason, error: String) {
        self.attempts += 1;
        if self.attempts >= ATTEMPTS {
            self.skip(key, reason, Some(error)).await;
        } else {
            self.not_before = Some(Instant::now() + RETRY_PAUSE * self.attempts);
        }
    }
}

/// The job's groups listed now: none of them is a run that begins later.
fn listed(view: &View, key: &JobKey) -> Vec<GroupId> {
    view.groups_of(key.job).map(|group| group.id).collect()
}
