//! Those who are told over HTTP: an outside watcher and a webhook. Each has a queue of its own, so that one that hangs
//! costs the other nothing.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::http::{Post, host};
use super::ping::Ping;
use crate::config::{Config, Secret};
use crate::model::{Event, Snapshot, What, news};
use crate::orchestrator::Handle;
use crate::words;

/// How many posts wait at most for somebody who does not answer.
const MOST_WAITING: usize = 100;

/// Telling over HTTP, at work. Dropped, it ends at once.
#[derive(Debug)]
pub struct Outside {
    watching: AbortOnDropHandle<()>,
    couriers: Vec<AbortOnDropHandle<()>>,
}

/// Starts to tell whoever is configured.
#[must_use]
pub fn outside(config: &Config, handle: &Handle) -> Option<Outside> {
    let wanted = &config.notification;
    let (mut couriers, mut tellers) = (Vec::new(), Tellers::default());
    if let Some(url) = url("notification.ping_url", wanted.ping_url.as_ref()) {
        let (courier, queue) = courier("the ping for the outside watcher");
        couriers.push(courier);
        tellers.ping = Some((Ping::new(url), queue));
    }
    if let Some(url) = url("notification.webhook_url", wanted.webhook_url.as_ref()) {
        let (courier, queue) = courier("the webhook");
        couriers.push(courier);
        tellers.webhook = Some((url, queue));
    }
    if couriers.is_empty() {
        return None;
    }
    let watching = watch_events(handle.events.subscribe(), handle.snapshot.clone(), tellers);
    Some(Outside { watching: AbortOnDropHandle::new(tokio::spawn(watching)), couriers })
}

impl Outside {
    /// Tells what is left to be told, for so long at most. The orchestrator has left.
    pub async fn close(self, most: Duration) {
        let rest = async {
            // It ends with the events, and the couriers with what it has given them.
            let _ = self.watching.await;
            for courier in self.couriers {
                let _ = courier.await;
            }
        };
        if timeout(most, rest).await.is_err() {
            tracing::warn!("not everybody outside could be told of the end in time");
        }
    }
}

/// The URL, if there is one that can be used.
fn url(key: &str, secret: Option<&Secret>) -> Option<String> {
    match secret?.read() {
        Ok(url) if host(&url).is_some() => Some(url),
        Ok(_) => {
            tracing::error!("{key} holds no URL as in https://example.com/path; nobody is told there");
            None
        }
        Err(error) => {
            tracing::error!("{key}: {error}; nobody is told there");
            None
        }
    }
}

/// Who is told, and the queue to each.
#[derive(Default)]
struct Tellers {
    ping: Option<(Ping, mpsc::Sender<Post>)>,
    webhook: Option<(String, mpsc::Sender<Post>)>,
}

async fn watch_events(
    mut events: broadcast::Receiver<Event>,
    snapshot: watch::Receiver<Snapshot>,
    mut tellers: Tellers,
) {
    loop {
        match events.recv().await {
            Ok(Event { what: What::Leaving, .. }) | Err(RecvError::Closed) => return,
            Ok(event) => {
                if let Some((ping, queue)) = &mut tellers.ping {
                    put(queue, ping.about(&event));
                }
                if let Some((url, queue)) = &tellers.webhook {
                    put(queue, about(url, &event, &snapshot));
                }
            }
            Err(RecvError::Lagged(missed)) => tracing::warn!("{missed} events came too fast for the webhook"),
        }
    }
}

/// What the webhook is told of an event: what MQTT is told, and a sentence.
fn about(url: &str, event: &Event, snapshot: &watch::Receiver<Snapshot>) -> Option<Post> {
    let message = {
        let snapshot = snapshot.borrow();
        let mut message: Value = serde_json::from_slice(&news::message(event, &snapshot)?).ok()?;
        let label = |key: &crate::model::JobKey| {
            snapshot.jobs().into_iter().find(|job| job.key == *key).map(|job| job.label)
        };
        message["sentence"] = words::sentence_with(event, &label).into();
        message
    };
    Some(Post { url: url.to_owned(), kind: "application/json", body: message.to_string() })
}

fn put(queue: &mpsc::Sender<Post>, post: Option<Post>) {
    if let Some(post) = post
        && queue.try_send(post).is_err()
    {
        tracing::debug!("too much waits to be told outside; one message is left out");
    }
}

/// Someone who posts one thing after the other.
fn courier(what: &'static str) -> (AbortOnDropHandle<()>, mpsc::Sender<Post>) {
    let (queue, mut posts) = mpsc::channel::<Post>(MOST_WAITING);
    let going = tokio::spawn(async move {
        let mut failing = false;
        while let Some(post) = posts.recv().await {
            match post.send().await {
                Ok(()) if failing => {
                    failing = false;
                    tracing::info!("{what} works again");
                }
                Ok(()) => {}
                Err(error) if failing => tracing::debug!("{what}: {error}"),
                Err(error) => {
                    failing = true;
                    tracing::warn!("{what}: {error}");
                }
            }
        }
    });
    (AbortOnDropHandle::new(going), queue)
}
