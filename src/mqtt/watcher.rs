//! Puts what happens into words as it happens, connected or not.

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::backlog::Backlog;
use super::events;
use crate::model::{Event, Snapshot, What};
use crate::orchestrator::Handle;

/// Watches until the orchestrator leaves. Should an event break it, the next ones are watched all the same.
pub(super) fn watch(handle: &Handle, backlog: Backlog) -> impl Future<Output = ()> + use<> {
    let (heard, again) = (handle.events.subscribe(), handle.events.downgrade());
    let snapshot = handle.snapshot.clone();
    async move {
        let mut heard = Some(heard);
        while let Some(events) = heard.take() {
            let collecting = tokio::spawn(collect(events, snapshot.clone(), backlog.clone()));
            if let Err(error) = AbortOnDropHandle::new(collecting).await {
                tracing::error!("an event could not be put into words for MQTT: {error}");
                heard = again.upgrade().map(|events| events.subscribe());
            }
        }
    }
}

async fn collect(
    mut events: broadcast::Receiver<Event>,
    snapshot: watch::Receiver<Snapshot>,
    backlog: Backlog,
) {
    loop {
        match events.recv().await {
            Ok(Event { what: What::Leaving, .. }) | Err(RecvError::Closed) => return,
            Ok(event) => {
                let payload = events::event(&event, &snapshot.borrow());
                if let Some(payload) = payload {
                    backlog.push(payload);
                }
            }
            Err(RecvError::Lagged(missed)) => tracing::warn!("{missed} events came too fast for MQTT"),
        }
    }
}
