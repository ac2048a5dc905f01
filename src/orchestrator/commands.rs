//! What people ask of the queue, done or refused with the reason.

use tokio::time::Instant;

use super::lane::holds;
use super::queue::Asked;
use super::run::Run;
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
        let Some(at) = self.runs.iter().position(|run| run.record.key == *key && holds(run, policy)) else {
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
        let under_way = |run: &Run| run.record.key == *key && !run.is_late();
        match self.runs.iter_mut().rev().find(|run| under_way(run)) {
            Some(run) => match run.record.group {
                Some(group) => self.stop(&key.server, group).await,
                None => {
                    run.want_stop();
                    Answer::accepted(format!("{key} is stopped as soon as its queue group is listed"))
                }
            },
            None => Answer::refused(format!("{key} is not running")),
        }
    }

    /// A group that a stop has waited for is listed.
    pub(super) async fn stop_if_wanted(&mut self, at: usize) {
        let Some(group) = self.runs[at].wanted_stop() else { return };
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
        if !self.runs.iter().any(|run| meant(run) && !run.is_late()) {
            return Answer::refused(format!(
                "no managed run with queue group {group} is under way on {server}"
            ));
        }
        let leave = self.leave.clone();
        let stopped = tokio::select! {
            stopped = client.stop(group) => stopped,
            () = leave.cancelled() => {
                return Answer::refused("this program is ending; whether the stop arrived is not known");
            }
        };
        if let Err(error) = stopped {
            return Answer::refused(format!("the stop could not be sent: {error}"));
        }
        if let Some(at) = self.runs.iter().position(meant) {
            tracing::info!("{} was asked to stop, with queue group {group}", self.runs[at].record.key);
            self.runs[at].stop_sent(Instant::now());
            self.tell_progress(at).await;
        }
        Answer::accepted(format!("{server} was asked to stop queue group {group}"))
    }
}
