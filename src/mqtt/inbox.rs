//! What is asked over MQTT: read strictly, passed on to the queue, and answered whatever becomes of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::commands::{self, Allowance, Incoming};
use super::link::Message;
use super::topics::Topics;
use crate::config::Config;
use crate::model::{Answer, Command};
use crate::orchestrator::{Request, SystemClock, WallClock as _};

/// How long the queue may take for a command: stopping a run asks its server.
const COMMAND_LIMIT: Duration = Duration::from_secs(90);
/// How many commands may wait for the queue's answer.
const MOST_AT_ONCE: usize = 32;
/// How many answers may wait to be published.
const ANSWERS: usize = 128;

/// Takes commands.
pub(super) struct Inbox {
    config: Arc<Config>,
    topics: Topics,
    requests: mpsc::Sender<Request>,
    allowance: Allowance,
    room: Arc<Semaphore>,
    answers: mpsc::Sender<Vec<u8>>,
    /// More comes than is taken, and that is in the log.
    flooded: bool,
}

impl Inbox {
    /// Takes commands for the queue behind `requests`. Their answers, ready to be published, come from the receiver.
    pub fn new(
        config: Arc<Config>,
        topics: Topics,
        requests: mpsc::Sender<Request>,
    ) -> (Self, mpsc::Receiver<Vec<u8>>) {
        let (answers, answered) = mpsc::channel(ANSWERS);
        let room = Arc::new(Semaphore::new(MOST_AT_ONCE));
        (
            Self {
                config,
                topics,
                requests,
                allowance: Allowance::new(Instant::now()),
                room,
                answers,
                flooded: false,
            },
            answered,
        )
    }

    /// Takes a message. Never waits.
    pub fn take(&mut self, message: &Message) {
        let prefix = format!("{}/", self.config.mqtt.base_topic);
        let name = message.topic.strip_prefix(&prefix).unwrap_or(&message.topic).to_owned();
        let incoming = Incoming { topic: &message.topic, payload: &message.payload, retain: message.retain };
        let within_limits = self.allowance.take(Instant::now());
        match commands::read(&self.topics, &self.config, &incoming) {
            _ if !within_limits => {
                let reason = "too many commands at a time; 5 a second are taken";
                // Once: the log is not to be flooded as well.
                if !std::mem::replace(&mut self.flooded, true) {
                    tracing::warn!("refused by MQTT: {name}: {reason}");
                }
                self.refuse(&name, reason);
            }
            Err(reason) => {
                self.flooded = false;
                tracing::warn!("refused by MQTT: {name}: {reason}");
                self.refuse(&name, &reason);
            }
            Ok(command) => match Arc::clone(&self.room).try_acquire_owned() {
                Err(_) => {
                    self.refuse(&name, "too many commands wait for their answer; try again in a moment")
                }
                Ok(permit) => {
                    self.flooded = false;
                    tracing::info!("command by MQTT: {name}: {command}");
                    let (requests, answers) = (self.requests.clone(), self.answers.clone());
                    tokio::spawn(async move {
                        let answer = carry_out(&requests, command).await;
                        drop(permit);
                        // Who would publish it is gone: there is nobody to tell.
                        let _ = answers.send(commands::result(&name, &answer, SystemClock.now())).await;
                    });
                }
            },
        }
    }

    fn refuse(&self, name: &str, reason: &str) {
        let answer = Answer::refused(reason);
        if self.answers.try_send(commands::result(name, &answer, SystemClock.now())).is_err() {
            tracing::debug!("too many refusals to publish them all");
        }
    }
}

async fn carry_out(requests: &mpsc::Sender<Request>, command: Command) -> Answer {
    let carried_out = async {
        let (answer, heard) = oneshot::channel();
        requests.send((command, answer)).await.ok()?;
        heard.await.ok()
    };
    match timeout(COMMAND_LIMIT, carried_out).await {
        Ok(Some(answer)) => answer,
        Ok(None) => Answer::refused("the program is ending and takes no more commands"),
        Err(_) => Answer::refused("the queue did not answer in time; it may still do it"),
    }
}
