//! What people ask of the queue, done or refused with the reason.

use tokio::time::Instant;

use super::lane::Claim;
use super::queue::Asked;
use super::run::{News, Run};
use super::wheel::{Orchestrator, Request};
use crate::model::{Answer, Command, GroupId, JobKey, Selection, ServerName, What};

impl Orchestrator {
    /// Does what was asked so far.
    pub(super) async fn obey_all(&mut self) {
        while let Ok(request) = self.inbox.try_recv() {
            self.answer(request).await;
        }
    }

    pub(super) async fn answer(&mut self, (command, reply): Request) {
        let answer = self.obey(command).await;
        // Whoever asked may have gone.
        let _ = reply.send(answer);
    }

    async fn obey(&mut self, command: Command) -> Answer {
        match command {
            Command::Run(selection) => self.enqueue(&selection).await,
            Command::Stop { server, group } => self.stop(&server, group).await,
            Command::StopJob(key) => self.stop_job(&key).await,
            Command::Release(key) => self.release(&key).await,
            Command::StopAfterCurrent => self.stop_after_current().await,
        }
    }

    async fn enqueue(&mut self, selection: &Selection) -> Answer {
        if self.stopping {
            return Answer::refused("the queue is stopping");
        }
        let jobs = self.planned(selection);
        if jobs.is_empty() {
            return Answer::refused("no configured job matches");
        }
        let is_running = |job: &JobKey| self.runs.iter().any(|run| run.record.key == *job && !run.is_late());
        let (running, asked): (Vec<_>, Vec<_>) = jobs.into_iter().partition(is_running);
        let mut words: Vec<String> = running.iter().map(|job| format!("{job} is already running")).collect();
        if self.cycle.is_none() && !asked.is_empty() {
            words.extend(
                asked.iter().zip(1..).map(|(job, place)| format!("{job} is queued at place {place}")),
            );
            self.begin(asked).await;
            return Answer::accepted(words.join("; "));
        }
        for job in asked {
            match self.queue.ask(&job) {
                Asked::Queued(place) => {
                    words.push(format!("{job} is queued at place {place}"));
                    self.count_in_cycle(|cycle| cycle.total += 1);
                    self.tell(What::JobQueued { job }).await;
                }
                Asked::AlreadyQueued(place) => {
                    words.push(format!("{job} is already queued at place {place}"))
                }
            }
        }
        Answer::accepted(words.join("; "))
    }

    async fn stop_after_current(&mut self) -> Answer {
        if let Some(duties) = &mut self.duties {
            duties.called_off();
        }
        if self.cycle.is_none() {
            return Answer::accepted("nothing is queued");
        }
        self.stopping = true;
        self.tell(What::Stopping).await;
        self.skip_the_rest().await;
        Answer::accepted("nothing more is started; what runs goes on")
    }

    async fn release(&mut self, key: &JobKey) -> Answer {
        let policy = self.config.orchestrator.on_timeout;
        let claim = |run: &Run| Claim::of(&run.record, policy);
        let of_job =
            |claims: Claim| self.runs.iter().position(|run| run.record.key == *key && claim(run) == claims);
        // One beyond its limit keeps the lane too, where as many are as may be.
        let Some(at) = of_job(Claim::Holds).or_else(|| of_job(Claim::Overrun)) else {
            return Answer::refused(format!("no run of {key} keeps the lane"));
        };
        let run = &mut self.runs[at];
        if !run.may_be_released() {
            return Answer::refused(format!(
                "{key} runs within its time limit; stop it if it should not go on"
            ));
        }
        run.record.released = true;
        let record = run.record.clone();
        self.tell(What::Released(record)).await;
        Answer::accepted(format!("{key} no longer keeps the lane; it stays watched"))
    }

    /// Stops a job's run, the newest if there are several.
    async fn stop_job(&mut self, key: &JobKey) -> Answer {
        let under_way = |(_, run): &(usize, &Run)| run.record.key == *key && !run.is_late();
        let began = |(_, run): &(usize, &Run)| run.record.started.unwrap_or(run.record.asked);
        let newest = self.runs.iter().enumerate().filter(under_way).max_by_key(began);
        let Some((at, run)) = newest else { return Answer::refused(format!("{key} is not running")) };
        if let Some(group) = run.record.group {
            return self.stop(&key.server, group).await;
        }
        self.runs[at].accept_stop();
        self.tell_news(at, News::Noted).await;
        Answer::accepted(format!("{key} is stopped as soon as its queue group is listed"))
    }

    /// A group that a stop has waited for is listed.
    pub(super) async fn stop_if_accepted(&mut self, at: usize) {
        let Some(group) = self.runs[at].stop_to_send() else { return };
        let key = self.runs[at].record.key.clone();
        let answer = self.stop(&key.server, group).await;
        if !answer.accepted {
            let text = format!("it was to be stopped: {}", answer.reason);
            self.tell(What::Alert { job: Some(key), text }).await;
        }
    }

    async fn stop(&mut self, server: &ServerName, group: GroupId) -> Answer {
        let Some(client) = self.client(server) else {
            return Answer::refused(format!("no server {server} is configured"));
        };
        let meant = |run: &Run| run.record.key.server == *server && run.record.group == Some(group);
        let Some(at) = self.runs.iter().position(|run| meant(run) && !run.is_late()) else {
            return Answer::refused(format!(
                "no managed run with queue group {group} is under way on {server}"
            ));
        };
        let leave = self.leave.clone();
        let stopped = tokio::select! {
            stopped = client.stop(group) => stopped,
            () = leave.cancelled() => {
                // Whether it arrived is not known: the next start sends it again, which does no harm.
                self.runs[at].accept_stop();
                self.tell_news(at, News::Noted).await;
                return Answer::accepted(format!("{server} is asked to stop queue group {group} at the next start"));
            }
        };
        if let Err(error) = stopped {
            // Nothing is stopped later that was refused now.
            if self.runs[at].record.stop.is_some() {
                self.runs[at].refuse_stop();
                self.tell_news(at, News::Noted).await;
            }
            return Answer::refused(format!("the stop could not be sent: {error}"));
        }
        tracing::info!("{} was asked to stop, with queue group {group}", self.runs[at].record.key);
        self.runs[at].stop_sent(Instant::now());
        self.tell_news(at, News::Noted).await;
        self.tell_progress(at).await;
        Answer::accepted(format!("{server} was asked to stop queue group {group}"))
    }
}
