//! Watching: open runs are polled server by server, and every answer moves the runs it speaks of.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::JoinError;
use tokio::time::Instant;

use super::flag::Flag;
use super::lane::holds;
use super::run::{News, Next, Run};
use super::sight::Sight;
use super::wheel::{Orchestrator, Station};
use crate::jetbackup::{ApiError, View};
use crate::model::{GroupId, JobResult, Reason, RunId, RunRecord, ServerName, What};

/// A poll that came back: whom it asked, about which runs, and what was answered.
pub(super) struct Polled {
    server: ServerName,
    runs: HashSet<RunId>,
    answer: Result<View, ApiError>,
}

impl Orchestrator {
    /// Takes up the runs that an earlier process left open. They keep the lane until they are settled.
    pub(super) async fn restore(&mut self, records: Vec<RunRecord>) {
        for mut record in records {
            self.complete_baseline(&mut record).await;
            let mut run = Run::restored(record, self.now());
            run.usual = self.usual(&run.record.key);
            if self.client(&run.record.key.server).is_none() {
                run.record.reason = Some(Reason::NotConfigured);
                run.end(JobResult::LostContact);
                self.tell(What::JobFinished { run: run.record, recovered: false }).await;
                continue;
            }
            tracing::info!("{} was left open by an earlier start and is taken up again", run.record.key);
            self.tell(What::RunNoted(run.record.clone())).await;
            self.runs.push(run);
        }
    }

    /// Where the groups listed before the trigger were lost, those that belong to other runs on record are no less known.
    async fn complete_baseline(&mut self, record: &mut RunRecord) {
        if !record.baseline_lost || record.group.is_some() {
            return;
        }
        match self.history.groups_of(&record.key).await {
            Ok(groups) => record.baseline.extend(groups),
            // What ended before the run was asked for is never taken for it all the same.
            Err(error) => tracing::warn!("the groups on record of {} are not known: {error}", record.key),
        }
    }

    /// When a server is to be polled next, as of `now`; never, if nothing is under way there or a poll is out.
    ///
    /// The caller's `now` is what makes "at once" not later than now: a clock read here would be ahead of it.
    pub(super) fn poll_due(&self, station: &Station, now: Instant) -> Option<Instant> {
        if station.contact.polling {
            return None;
        }
        let on_it = self.runs.iter().filter(|run| run.record.key.server == station.name);
        let pause = on_it.map(|run| run.poll_pause(now, self.pace(run))).min()?;
        Some(station.contact.asked.map_or(now, |asked| asked + pause))
    }

    pub(super) fn start_polls(&mut self) {
        let now = Instant::now();
        for at in 0..self.stations.len() {
            if self.poll_due(&self.stations[at], now).is_none_or(|due| due > now) {
                continue;
            }
            let server = self.stations[at].name.clone();
            let on_it = || self.runs.iter().filter(|run| run.record.key.server == server);
            let runs = on_it().map(|run| run.record.id).collect();
            let wanted: Vec<_> = on_it().map(|run| (run.record.key.job, run.record.group)).collect();
            let client = Arc::clone(&self.stations[at].client);
            let contact = &mut self.stations[at].contact;
            contact.asked = Some(now);
            contact.polling = true;
            self.polls.spawn(async move { Polled { server, runs, answer: client.watch(&wanted).await } });
        }
    }

    pub(super) async fn absorb_poll(&mut self, polled: Result<Polled, JoinError>) {
        let Polled { server, runs, answer } = match polled {
            Ok(polled) => polled,
            Err(error) => {
                // A poll that panicked belongs to no server any more: let each be asked again.
                tracing::error!("a poll failed: {error}");
                self.stations.iter_mut().for_each(|station| station.contact.polling = false);
                return;
            }
        };
        if let Some(contact) = self.contact(&server) {
            contact.polling = false;
        }
        match answer {
            Ok(view) => {
                self.hear(&server, &view).await;
                self.observe(&server, &view, Some(&runs)).await;
            }
            Err(error) => {
                tracing::debug!("polling {server}: {error}");
                if self.contact(&server).is_some_and(super::contact::Contact::missed) {
                    self.tell_unreachable(&server, &error).await;
                }
                self.lose(&server).await;
            }
        }
    }

    pub(super) fn contact(&mut self, server: &ServerName) -> Option<&mut super::contact::Contact> {
        self.stations.iter_mut().find(|station| station.name == *server).map(|station| &mut station.contact)
    }

    /// A server answered. Whether that is news.
    pub(super) async fn hear(&mut self, server: &ServerName, view: &View) -> bool {
        let news = self.contact(server).is_some_and(super::contact::Contact::heard);
        if news {
            let what = What::ServerReachable { server: server.clone(), version: view.version.clone() };
            self.tell(what).await;
        }
        news
    }

    pub(super) async fn tell_unreachable(&mut self, server: &ServerName, error: &ApiError) {
        let (server, by_ssh) = (server.clone(), !error.is_unreachable());
        self.tell(What::ServerUnreachable { server, error: error.to_string(), by_ssh }).await;
    }

    /// The runs of a server are out of sight.
    pub(super) async fn lose(&mut self, server: &ServerName) {
        let now = Instant::now();
        for at in 0..self.runs.len() {
            let run = &mut self.runs[at];
            if run.record.key.server == *server && !run.is_late() {
                run.lose_contact(now);
                self.tell_progress(at).await;
            }
        }
    }

    pub(super) async fn tell_progress(&mut self, at: usize) {
        let run = &self.runs[at];
        let what = What::Progress { run: run.record.id, progress: run.progress(Instant::now()) };
        self.tell(what).await;
    }

    /// Moves the runs of a server by what it answered; only those in `asked`, where the answer is about some.
    pub(super) async fn observe(&mut self, server: &ServerName, view: &View, asked: Option<&HashSet<RunId>>) {
        let ids: Vec<RunId> = self
            .runs
            .iter()
            .filter(|run| run.record.key.server == *server)
            .map(|run| run.record.id)
            .filter(|id| asked.is_none_or(|asked| asked.contains(id)))
            .collect();
        for id in ids {
            let Some(at) = self.runs.iter().position(|run| run.record.id == id) else { continue };
            let taken = self.taken(Some(id));
            let (now, pace) = (self.now(), self.pace(&self.runs[at]));
            let created = self.runs[at].group_created(now.mono, pace);
            let sight = Sight::of(&self.runs[at].record, view, &taken, created.as_ref());
            let (mut news, next) = self.runs[at].observe(&sight, now, pace);
            let under_way = next == Next::Watch && !self.runs[at].is_late() && !self.runs[at].is_starting();
            if under_way && self.take_turn(at) && news.is_empty() {
                news.push(News::Noted);
            }
            for news in news {
                self.tell_news(at, news).await;
            }
            match next {
                Next::Watch => {
                    self.stop_if_accepted(at).await;
                    self.tell_progress(at).await;
                }
                Next::Ended => self.finish(at).await,
                Next::AskLog { otherwise } => self.ask_log(at, otherwise).await,
            }
        }
    }

    /// Groups that belong to runs under way other than `except`.
    pub(super) fn taken(&self, except: Option<RunId>) -> HashSet<GroupId> {
        let others = self.runs.iter().filter(|run| Some(run.record.id) != except);
        others.filter_map(|run| run.record.group).collect()
    }

    /// A run seen under way while its job waits in the queue is that job's turn: it is not triggered again.
    ///
    /// Answers whether it is so from now on; that has to be told.
    fn take_turn(&mut self, at: usize) -> bool {
        // One beside the lane may end before the turn comes.
        let beside = !holds(&self.runs[at], self.config.orchestrator.on_timeout);
        if beside || self.is_turn(&self.runs[at].record) || !self.queue.remove(&self.runs[at].record.key) {
            return false;
        }
        self.runs[at].record.cycle = self.cycle_id();
        true
    }

    async fn ask_log(&mut self, at: usize, otherwise: JobResult) {
        let key = self.runs[at].record.key.clone();
        let Some(client) = self.client(&key.server) else { return };
        let (leave, since) = (self.leave.clone(), self.runs[at].logs_since());
        let logs = tokio::select! {
            logs = client.logs(key.job, since) => logs,
            () = leave.cancelled() => return,
        };
        let logs = match logs {
            Ok(logs) => logs,
            // It answered a moment ago. The next poll asks again, but not for ever: the lane is waiting.
            Err(error) => {
                tracing::debug!("asking {} for its log: {error}", key.server);
                if !self.runs[at].miss_log() {
                    return;
                }
                None
            }
        };
        let run = &mut self.runs[at];
        let only_reported = run.is_only_reported();
        // Its job says that it runs. Only a log that was read can say otherwise.
        if only_reported && logs.is_none() {
            return;
        }
        if run.end_by_log(logs.as_deref(), otherwise) {
            if only_reported {
                run.outlive();
            }
            self.finish(at).await;
        }
    }

    /// A run's end is on its record: tells it, and watches on only if it may yet start.
    pub(super) async fn finish(&mut self, at: usize) {
        let record = self.runs[at].record.clone();
        if self.runs[at].is_outlived() {
            self.flagged.insert(record.key.clone(), Flag::left_over());
        }
        if record.result != Some(JobResult::DidNotStart) {
            // In their order: the newest of a job's runs is the last.
            self.runs.remove(at);
        }
        if self.is_turn(&record) {
            self.count_in_cycle(|cycle| {
                cycle.done += 1;
                cycle.completed += u32::from(!record.is_problem());
            });
        }
        let key = record.key.clone();
        let recovered = self.remember(&record);
        let usual = self.learn_usual(&record);
        self.tell(What::JobFinished { run: record, recovered }).await;
        if let Some(usual) = usual {
            self.tell(What::UsualKnown { job: key, usual: Some(usual) }).await;
        }
    }
}
