//! A job's turn: look everywhere, commit the intent, send the trigger once.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::destinations::Prepared;
use super::flag::Flag;
use super::lane::Lane;
use super::look::{Goal, Views, look_everywhere};
use super::queue::Queue;
use super::run::{News, Run};
use super::sight::{says_running, strangers};
use super::wheel::{Orchestrator, Station};
use crate::jetbackup::{ApiError, Group, GroupStatus, Trigger, View};
use crate::model::{GroupId, JobKey, JobResult, Origin, Reason, RunRecord, ServerName, What};

/// The pause before a server is looked at again for a turn that could not be given yet.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The pause before the lane is looked at again that others' work holds.
const HELD_AGAIN: Duration = Duration::from_secs(30);
/// How long a deferred job waits at least: what is over in a moment is not to cost it its turn.
const LAST_TURN_AFTER: Duration = Duration::from_secs(30);
/// How long a queue group may wait in JetBackup's own queue, at least, before nobody waits for it any more.
const STUCK_AFTER: Duration = Duration::from_secs(24 * 3600);
/// How often a trigger is decided anew because the disk took longer than answers stay fresh.
const ROUNDS: u32 = 3;

impl Orchestrator {
    /// Gives the first job of the queue its turn, if the lane is still free after a look at every server in reach.
    pub(super) async fn dispatch(&mut self) {
        self.not_before = None;
        let Some(key) = self.queue.first().cloned() else { return };
        let is_lost = self.contact(&key.server).is_some_and(|contact| contact.is_lost());
        match self.queue.last_turns() {
            Some(since) if since.elapsed() < LAST_TURN_AFTER => {
                self.not_before = Some(since + LAST_TURN_AFTER);
                return;
            }
            None if is_lost => return self.defer(&key, format!("{} is out of reach", key.server)).await,
            _ => {}
        }
        let Some(views) = self.look(is_lost, |queue| !queue.is_empty()).await else { return };
        self.take_in(&views).await;
        self.believe_the_lost().await;
        self.ask_around_once_a_cycle(&views);
        // What was asked meanwhile comes before the trigger: a stop that arrived during the look means this job too.
        self.obey_all().await;
        if self.lane() != Lane::Free || self.leave.is_cancelled() || self.is_held_by_others(&views).await {
            return;
        }
        let Some(key) = self.queue.first().cloned() else { return };
        if let Some(at) = self.runs.iter().position(|run| run.record.key == key && !run.is_late()) {
            return self.wait_for_earlier_run(&key, at).await;
        }
        match views.get(&key.server) {
            Some(Ok(view)) => self.take(&key, view, &views).await,
            Some(Err(_)) if self.queue.last_turns().is_some() => self.skip_out_of_reach(&views).await,
            Some(Err(error)) => self.defer(&key, error.to_string()).await,
            // It went out of reach, or another job is first, since the look began.
            None if self.client(&key.server).is_some() => {}
            None => self.skip(&key, Reason::NotConfigured, None).await,
        }
    }

    /// What was last heard of a server out of reach is that a job runs there: out of sight it is no less believed.
    async fn believe_the_lost(&mut self) {
        let lost: Vec<ServerName> = self
            .stations
            .iter()
            .filter(|station| station.contact.is_lost())
            .map(|station| station.name.clone())
            .collect();
        for server in lost {
            self.adopt_flagged(&server).await;
        }
    }

    /// Whether something that is no run of the queue holds the lane, or may.
    async fn is_held_by_others(&mut self, views: &Views) -> bool {
        self.unidentified.update(views);
        if let Some(text) = self.unidentified.alert() {
            self.tell(What::Alert { job: None, text }).await;
        }
        if self.unidentified.holds() {
            self.not_before = Some(Instant::now() + HELD_AGAIN);
            return true;
        }
        if self.flagged.values().any(Flag::is_on_trial) {
            self.not_before = Some(Instant::now() + LOOK_AGAIN);
            return true;
        }
        false
    }

    /// An earlier run of the job is still under way beside the lane. It may end before the others have had their turns;
    /// if it does not, the turn is that run's, whatever becomes of it.
    async fn wait_for_earlier_run(&mut self, key: &JobKey, at: usize) {
        if self.queue.last_turns().is_none() {
            return self.defer(key, "an earlier run of it is still under way".to_owned()).await;
        }
        tracing::info!("{key} may still be running and is not triggered again");
        self.queue.remove(key);
        self.runs[at].record.cycle = self.cycle_id();
        self.tell_news(at, News::Noted).await;
    }

    /// The job's turn comes once nothing else waits.
    async fn defer(&mut self, key: &JobKey, error: String) {
        self.queue.defer(key, Instant::now());
        self.tell(What::JobDeferred { job: key.clone(), error }).await;
    }

    /// Looks at the servers, whatever the selection, and does what is asked meanwhile: a server out of reach takes a
    /// minute to say nothing. Those known to be out of reach are asked too only if `lost`, when nobody else waits for
    /// them. `None` once it is no longer `wanted`.
    async fn look(&mut self, lost: bool, wanted: impl Fn(&Queue) -> bool) -> Option<Views> {
        let leave = self.leave.clone();
        let goal = |station: &Station| Goal {
            name: station.name.clone(),
            client: Arc::clone(&station.client),
            lost: station.contact.is_lost(),
        };
        let asked = self.stations.iter().filter(|station| lost || !station.contact.is_lost());
        let look = look_everywhere(asked.map(goal).collect());
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

    /// Looks at all servers for the sake of knowing; at those out of reach beside everything else.
    pub(super) async fn look_around(&mut self) {
        for at in 0..self.stations.len() {
            if self.stations[at].contact.is_lost() {
                self.start_probe(at);
            }
        }
        let Some(views) = self.look(false, |_| true).await else { return };
        self.take_in(&views).await;
        self.ask_around(&views);
    }

    pub(super) async fn take_in(&mut self, views: &Views) {
        let now = Instant::now();
        let names: Vec<ServerName> = self.stations.iter().map(|station| station.name.clone()).collect();
        for server in names.into_iter().filter(|server| views.has_asked(server)) {
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
            let stuck = self.stuck(key, &found);
            found.retain(|group| !stuck.contains(&group.id));
            self.tell_stuck(key, &stuck).await;
            found.sort_by_key(|group| (group.created, group.id));
            let known = self.runs.iter().any(|run| run.record.key == *key && !run.is_late());
            // One that is stuck may be what the job's "running" speaks of.
            let is_explained = !found.is_empty() || known || !stuck.is_empty();
            if is_explained || says_running(view, key.job) != Some(true) {
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

    /// Those of a job's unfinished groups that have been pending for a day, and for longer than the job may take. They write
    /// nothing, and will not start. Should one start after all, it is pending no longer.
    fn stuck(&self, key: &JobKey, groups: &[Group]) -> Vec<GroupId> {
        let now = self.clock.now();
        let limit = self.config.job(key).map_or(self.config.orchestrator.job_timeout, |job| job.timeout);
        let limit = SignedDuration::try_from(limit.max(STUCK_AFTER)).unwrap_or(SignedDuration::MAX);
        let is_stuck = |group: &&Group| {
            let waits = group.status == GroupStatus::Pending && group.started.is_none();
            waits && group.created.is_some_and(|created| now.duration_since(created) > limit)
        };
        if !self.clock.is_plausible() {
            return Vec::new();
        }
        groups.iter().filter(is_stuck).map(|group| group.id).collect()
    }

    /// Tells of groups that are stuck, of each once.
    async fn tell_stuck(&mut self, key: &JobKey, groups: &[GroupId]) {
        for group in groups {
            if self.ignored_groups.insert(*group) {
                let text = format!(
                    "queue group {group} on {} has been pending for more than a day and is not \
                     waited for; clear it in JetBackup's queue there",
                    key.server
                );
                self.tell(What::Alert { job: Some(key.clone()), text }).await;
            }
        }
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
        let mut record = self.new_record(key, Origin::Adopted);
        record.cycle = self.cycle_id().filter(|_| turn);
        record.group = group.map(|group| group.id);
        record.baseline = baseline;
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
    async fn take(&mut self, key: &JobKey, view: &View, views: &Views) {
        let job = match view.job(key.job) {
            Some(job) => Some(job.clone()),
            None => match self.ask_job(key).await {
                Ok(job) => job,
                Err(error) => return self.try_later(key, unreachable(&error), error.to_string()).await,
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
                if !self.is_its_turn(key) {
                    return;
                }
                match prepared {
                    Prepared::Ready => self.trigger(key, listed(view, key), views).await,
                    Prepared::LookAgain => {}
                    Prepared::Not(why) => self.skip(key, Reason::DestinationDisabled, Some(why)).await,
                    Prepared::Later(reason, error) => self.try_later(key, reason, error).await,
                }
            }
        }
    }

    /// Whether nothing has come between a job and its turn.
    fn is_its_turn(&self, key: &JobKey) -> bool {
        self.queue.first() == Some(key) && self.lane() == Lane::Free && !self.leave.is_cancelled()
    }

    async fn ask_job(&self, key: &JobKey) -> Result<Option<crate::jetbackup::Job>, ApiError> {
        match self.client(&key.server) {
            Some(client) => client.job(key.job).await,
            None => Ok(None),
        }
    }

    /// Commits the intent, then sends the trigger: never twice for one run, whatever is answered.
    async fn trigger(&mut self, key: &JobKey, baseline: Vec<GroupId>, views: &Views) {
        let Some(client) = self.client(&key.server) else { return };
        let record = RunRecord { baseline, ..self.new_record(key, Origin::Triggered) };
        let record = RunRecord { began: self.clock.boot(), ..record };
        let Some(record) = self.commit_intent(record, views).await else { return };
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
                self.tell(What::TriggerWithdrawn { run: run.record, queued: true }).await;
                return self.try_later(key, Reason::NotSent, error.to_string()).await;
            }
        }
        self.queue.remove(key);
        if let Some(contact) = self.contact(&key.server) {
            contact.asked = Some(Instant::now());
        }
        self.runs.push(run);
    }

    /// Commits the intent to trigger a job. Where the disk takes longer than answers stay fresh, the servers are looked at
    /// again before anything is sent. `None`: the intent is withdrawn.
    async fn commit_intent(&mut self, mut record: RunRecord, views: &Views) -> Option<RunRecord> {
        let key = record.key.clone();
        self.tell(What::JobStarting(record.clone())).await;
        let mut fresh = views.are_fresh();
        for _ in 0..ROUNDS {
            if fresh {
                return Some(record);
            }
            let Some(views) = self.look(false, |_| true).await else { break };
            self.take_in(&views).await;
            self.obey_all().await;
            if !self.is_its_turn(&key) || self.is_held_by_others(&views).await {
                break;
            }
            let Some(Ok(view)) = views.get(&key.server) else { break };
            let baseline = listed(view, &key);
            if baseline == record.baseline {
                return Some(record);
            }
            record.baseline = baseline;
            self.tell(What::JobStarting(record.clone())).await;
            fresh = views.are_fresh();
        }
        let queued = self.queue.first() == Some(&key);
        self.tell(What::TriggerWithdrawn { run: record, queued }).await;
        if queued && self.not_before.is_none() {
            self.not_before = Some(Instant::now() + LOOK_AGAIN);
        }
        None
    }

    /// JetBackup refused. Perhaps because somebody else started the job just now; then that is its run.
    async fn refused(&mut self, key: &JobKey, mut run: Run, message: String) {
        self.queue.remove(key);
        let client = self.client(&key.server);
        let view = match client {
            Some(client) => client.look().await.ok(),
            None => None,
        };
        let taken = self.taken(None);
        let running = view.as_ref().is_some_and(|view| {
            let found: Vec<Group> = strangers(view, key.job, &taken).cloned().collect();
            let stuck = self.stuck(key, &found).len();
            found.len() > stuck || stuck == 0 && says_running(view, key.job) == Some(true)
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

    /// The job's server could not be asked, or not be told: it is tried once more when nothing else waits.
    async fn try_later(&mut self, key: &JobKey, reason: Reason, error: String) {
        match self.queue.last_turns() {
            None => self.defer(key, error).await,
            Some(_) => self.skip(key, reason, Some(error)).await,
        }
    }

    /// The turns pass of all deferred jobs whose servers gave no answer now: the one look was for all of them.
    async fn skip_out_of_reach(&mut self, views: &Views) {
        for job in self.queue.deferred() {
            if let Some(Err(error)) = views.get(&job.server) {
                self.skip(&job, unreachable(error), Some(error.to_string())).await;
            }
        }
    }
}

/// Why a job has no turn whose server gave this error.
fn unreachable(error: &ApiError) -> Reason {
    if error.is_list_too_long() { Reason::ListTooLong } else { Reason::Unreachable }
}

/// The job's groups listed now: none of them is a run that begins later.
fn listed(view: &View, key: &JobKey) -> Vec<GroupId> {
    view.groups_of(key.job).map(|group| group.id).collect()
}
