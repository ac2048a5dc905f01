//! Those who are told over HTTP: an outside watcher and a webhook. Each has a courier of its own, so that one that
//! hangs costs the other nothing.

use std::time::Duration;

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::courier::{self, Queue};
use super::ping::Ping;
use super::webhook;
use crate::config::{Config, Secret, place};
use crate::model::{Event, Snapshot, What};
use crate::orchestrator::Handle;

/// How long the last words may take once the orchestrator has left: whoever waits for the end of a `run` waits for
/// them, too.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Telling over HTTP, at work. Dropped, it ends at once.
#[derive(Debug)]
pub struct Outside {
    watching: AbortOnDropHandle<()>,
    couriers: Vec<AbortOnDropHandle<()>>,
}

/// Starts to tell whoever is configured, with or without mail.
#[must_use]
pub fn outside(config: &Config, handle: &Handle) -> Option<Outside> {
    let wanted = &config.notification;
    let mut couriers = Vec::new();
    let mut start = |key, secret: Option<&Secret>, what| {
        let url = url(key, secret)?;
        let (courier, queue) = courier::start(what);
        couriers.push(courier);
        Some((url, queue))
    };
    let ping = start("notification.ping_url", wanted.ping_url.as_ref(), "the ping for the outside watcher");
    let webhook = start("notification.webhook_url", wanted.webhook_url.as_ref(), "the webhook");
    if couriers.is_empty() {
        return None;
    }
    let watching = tokio::spawn(watch(handle, Tellers { ping, webhook }));
    Some(Outside { watching: AbortOnDropHandle::new(watching), couriers })
}

impl Outside {
    /// Tells what is left to be told, for 5 s at most. The orchestrator has left.
    pub async fn close(self) {
        let rest = async {
            // Both end by themselves: the watching with the events, the couriers with what it has given them.
            let _ = self.watching.await;
            for courier in self.couriers {
                let _ = courier.await;
            }
        };
        if timeout(LAST_WORDS, rest).await.is_err() {
            tracing::warn!("not everybody outside could be told of the end in time");
        }
    }
}

/// The URL, if there is one that can be used.
fn url(key: &str, secret: Option<&Secret>) -> Option<String> {
    match secret?.read() {
        Ok(url) if place(&url).is_some() => Some(url),
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

/// Who is told: the URL and the queue of each.
#[derive(Clone)]
struct Tellers {
    ping: Option<(String, Queue)>,
    webhook: Option<(String, Queue)>,
}

/// Watches until the orchestrator leaves. Should an event break it, the next ones are watched all the same.
fn watch(handle: &Handle, tellers: Tellers) -> impl Future<Output = ()> + use<> {
    let (heard, again) = (handle.events.subscribe(), handle.events.downgrade());
    let snapshot = handle.snapshot.clone();
    async move {
        let mut heard = Some(heard);
        while let Some(events) = heard.take() {
            let telling = tokio::spawn(tell(events, snapshot.clone(), tellers.clone()));
            if let Err(error) = AbortOnDropHandle::new(telling).await {
                tracing::error!("an event could not be told outside: {error}; please report this");
                heard = again.upgrade().map(|events| events.subscribe());
            }
        }
    }
}

async fn tell(mut events: broadcast::Receiver<Event>, snapshot: watch::Receiver<Snapshot>, tellers: Tellers) {
    let mut ping = tellers.ping.map(|(url, queue)| (Ping::new(&url), queue));
    loop {
        match events.recv().await {
            Ok(Event { what: What::Leaving, .. }) | Err(RecvError::Closed) => return,
            Ok(event) => {
                if let Some((ping, queue)) = &mut ping {
                    queue.put(ping.about(&event));
                }
                if let Some((url, queue)) = &tellers.webhook {
                    queue.put(webhook::about(url, &event, &snapshot.borrow()));
                }
            }
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!("{missed} events came too fast to be told outside");
            }
        }
    }
}
