//! Looks at servers that are out of reach, beside the turns of the others: nobody waits for them.

use std::sync::Arc;

use tokio::task::JoinError;
use tokio::time::Instant;

use super::look::{Goal, Views};
use super::wheel::{Orchestrator, Station};
use crate::jetbackup::{ApiError, View};
use crate::model::ServerName;

/// What became of a look beside the turns.
pub(super) struct Probed {
    server: ServerName,
    answer: Result<View, ApiError>,
}

impl Orchestrator {
    /// When a server out of reach is looked at next. While nothing is to be done the look around now and then is enough.
    pub(super) fn probe_due(&self, station: &Station, now: Instant) -> Option<Instant> {
        station.contact.probe_due(now).filter(|_| self.cycle.is_some())
    }

    pub(super) fn start_probes(&mut self) {
        let now = Instant::now();
        for at in 0..self.stations.len() {
            if self.probe_due(&self.stations[at], now).is_some_and(|due| due <= now) {
                self.start_probe(at);
            }
        }
    }

    /// Looks at a server out of reach in the background, unless that is under way.
    pub(super) fn start_probe(&mut self, at: usize) {
        let station = &mut self.stations[at];
        if std::mem::replace(&mut station.contact.probing, true) {
            return;
        }
        station.contact.asked = Some(Instant::now());
        let goal = Goal { name: station.name.clone(), client: Arc::clone(&station.client), lost: true };
        self.probes.spawn(async move { Probed { answer: goal.look().await, server: goal.name } });
    }

    pub(super) async fn absorb_probe(&mut self, probed: Result<Probed, JoinError>) {
        let Probed { server, answer } = match probed {
            Ok(probed) => probed,
            Err(error) => {
                // It belongs to no server any more: let each be looked at again.
                tracing::error!("a look at a server out of reach failed: {error}");
                self.stations.iter_mut().for_each(|station| station.contact.probing = false);
                return;
            }
        };
        if let Some(contact) = self.contact(&server) {
            contact.probing = false;
        }
        self.take_in(&Views::of(server, answer)).await;
    }
}
