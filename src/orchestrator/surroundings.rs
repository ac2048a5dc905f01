//! What lies around the queue on the servers: jobs that are in no queue, jobs and destinations that are disabled, room
//! that runs out. Asked for in the background after a look, so that no turn waits for it, and told when it changes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::look::Views;
use super::wheel::Orchestrator;
use crate::history::History;
use crate::jetbackup::{Client, Job};
use crate::model::{CycleId, DestinationId, Remark, ServerName, What};
use crate::watch::{Answer, Answers, look_over, wanted_destinations};

/// How long the end of a single cycle waits for what was asked for.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// What is known of the surroundings, and what is asked for.
pub(super) struct Surroundings {
    /// What was last told of each server.
    known: Vec<(ServerName, Vec<Remark>)>,
    asking: JoinSet<Told>,
    asked: HashSet<ServerName>,
    /// The cycle before whose first turn they were looked at.
    cycle: Option<CycleId>,
}

/// What a server told of its surroundings.
pub(super) struct Told {
    server: ServerName,
    jobs: Vec<Job>,
    destinations: Answers,
}

impl Surroundings {
    /// What an earlier process has told of these servers.
    pub async fn recalled(history: &History, servers: &[ServerName]) -> Self {
        let mut known = history.remarks().await.unwrap_or_else(|error| {
            tracing::warn!("what was remarked on the servers is not known and may be told again: {error}");
            Vec::new()
        });
        known.retain(|(server, _)| servers.contains(server));
        Self { known, asking: JoinSet::new(), asked: HashSet::new(), cycle: None }
    }

    /// What was last told of each server that there is something to tell of.
    pub fn known(&self) -> &[(ServerName, Vec<Remark>)] {
        &self.known
    }

    /// The next server that has told.
    pub async fn told(&mut self) -> Option<Result<Told, JoinError>> {
        self.asking.join_next().await
    }

    fn of(&self, server: &ServerName) -> &[Remark] {
        self.known.iter().find(|(known, _)| known == server).map_or(&[], |(_, remarks)| remarks)
    }

    fn set(&mut self, server: &ServerName, remarks: Vec<Remark>) {
        self.known.retain(|(known, _)| known != server);
        self.known.push((server.clone(), remarks));
    }
}

impl Orchestrator {
    /// Has the servers that answered a look asked for the rest, unless that is under way.
    pub(super) fn ask_around(&mut self, views: &Views) {
        for station in &self.stations {
            let Some(Ok(view)) = views.get(&station.name) else { continue };
            if !self.surroundings.asked.insert(station.name.clone()) {
                continue;
            }
            let (server, jobs) = (station.name.clone(), view.jobs.clone());
            let wanted = wanted_destinations(&self.config, &server, &jobs);
            let client = Arc::clone(&station.client);
            self.surroundings.asking.spawn(async move {
                let destinations = ask_destinations(&client, wanted).await;
                Told { server, jobs, destinations }
            });
        }
    }

    /// As [`Orchestrator::ask_around`], before the first turn of a cycle only.
    pub(super) fn ask_around_once_a_cycle(&mut self, views: &Views) {
        let cycle = self.cycle_id();
        if cycle.is_some() && self.surroundings.cycle != cycle {
            self.surroundings.cycle = cycle;
            self.ask_around(views);
        }
    }

    /// Tells what is new about the surroundings of a server.
    pub(super) async fn absorb_surroundings(&mut self, told: Result<Told, JoinError>) {
        let Told { server, jobs, destinations } = match told {
            Ok(told) => told,
            Err(error) => {
                // Whose it was is not known any more: let each be asked again.
                tracing::error!("asking for the surroundings failed: {error}");
                self.surroundings.asked.clear();
                return;
            }
        };
        self.surroundings.asked.remove(&server);
        let own = self.config.servers.iter().find(|known| known.name == server);
        let own = own.and_then(|own| destinations.get(&own.destination_id?));
        if let Some(Answer::Is(destination)) = own
            && let Some(free) = destination.free
        {
            let server = server.clone();
            self.tell(What::ServerSeen { server, destination_free: Some(free) }).await;
        }
        let known = self.surroundings.of(&server);
        let now = self.clock.is_plausible().then(|| self.clock.now());
        let remarks = look_over(&self.config, &server, &jobs, &destinations, known, now);
        if remarks == known {
            return;
        }
        let is_new = |remark: &&Remark| !known.iter().any(|known| known.is_about(remark));
        let new = remarks.iter().filter(is_new).cloned().collect();
        self.surroundings.set(&server, remarks.clone());
        self.tell(What::Remarks { server, remarks, new }).await;
    }

    /// Waits a little for what was asked for: the summary of a cycle is to have it.
    pub(super) async fn hear_the_last_of_surroundings(&mut self) {
        let leave = self.leave.clone();
        let until = Instant::now() + LAST_WORDS;
        loop {
            let told = tokio::select! {
                told = timeout_at(until, self.surroundings.told()) => told,
                () = leave.cancelled() => return,
            };
            match told {
                Ok(Some(told)) => self.absorb_surroundings(told).await,
                Ok(None) | Err(_) => return,
            }
        }
    }
}

/// How these destinations of a server stand.
pub async fn ask_destinations(client: &Client, wanted: Vec<DestinationId>) -> Answers {
    let mut answers = Answers::new();
    // One after the other: the first one that the gate refuses answers for the others.
    for id in wanted {
        let answer = match client.destination(id).await {
            Ok(Some(destination)) => Answer::Is(destination),
            Ok(None) => Answer::Nothing,
            Err(error) if error.is_gate_refusal() => Answer::Nothing,
            Err(error) => {
                tracing::debug!("how destination {id} stands is not known: {error}");
                Answer::Unasked
            }
        };
        answers.insert(id, answer);
    }
    answers
}
