//! A server's destination before its jobs: enabled, or a reason to skip them. `lowering` is what comes after them.
//!
//! What is about to be enabled is on record before the request leaves, so that it is disabled again whatever happens
//! to this process.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::activation::Activations;
use super::look::FRESH;
use super::lowering::Lowering;
use super::wheel::Orchestrator;
use crate::history::History;
use crate::jetbackup::{ApiError, Destination, SwitchError};
use crate::model::{DestinationId, Reason, ServerName, What};

/// Under this name the destinations enabled from here are kept in the history.
const KEPT_AS: &str = "destinations";
/// How long a destination that was seen enabled is not asked about again.
const SEEN_FOR: Duration = Duration::from_secs(5 * 60);
/// The pause before what an earlier process enabled is read again.
const READ_AGAIN: Duration = Duration::from_secs(60);

/// What is known of the destinations.
#[derive(Default)]
pub(super) struct Destinations {
    pub activations: Activations,
    pub lowerings: JoinSet<Lowering>,
    /// When each server's was last seen enabled.
    pub seen: HashMap<ServerName, Instant>,
    /// What was told of each server's last, so that it is told once.
    told: HashMap<ServerName, String>,
    /// What an earlier process enabled could not be read so far, and is tried again then.
    unread: Option<Instant>,
}

impl Destinations {
    /// Whether one of this server is being disabled: until that is over, nothing may be triggered there.
    pub fn is_lowering(&self, server: &ServerName) -> bool {
        self.activations.is_lowering(server)
    }

    /// The next attempt to disable one that has come to its end.
    pub async fn lowered(&mut self) -> Option<Result<Lowering, JoinError>> {
        self.lowerings.join_next().await
    }
}

/// Whether a server's job may be triggered, as far as its destination goes.
#[derive(Debug)]
pub(super) enum Prepared {
    /// It may.
    Ready,
    /// Not by what was seen before this: some time has passed.
    LookAgain,
    /// Its turn passes.
    Not(String),
    /// The server could not be asked or told.
    Later(Reason, String),
}

impl Orchestrator {
    /// Takes up what an earlier process enabled.
    pub(super) async fn recall_destinations(&mut self) {
        if let Err(error) = self.try_to_recall_destinations().await {
            let text = format!(
                "which destinations an earlier start enabled is not known: {error}; \
                 look with `destinations` whether one is enabled that should not be"
            );
            self.tell(What::Alert { job: None, text }).await;
        }
    }

    /// Takes it up now, if it could not be read before.
    pub(super) async fn recall_destinations_again(&mut self) {
        if self.destinations.unread.is_some_and(|at| at <= Instant::now())
            && let Err(error) = self.try_to_recall_destinations().await
        {
            tracing::debug!("which destinations an earlier start enabled is still not known: {error}");
        }
    }

    async fn try_to_recall_destinations(&mut self) -> Result<(), String> {
        self.destinations.unread = Some(Instant::now() + READ_AGAIN);
        let kept = self.history.kept(KEPT_AS).await.map_err(|error| error.to_string())?;
        // What was read and makes no sense makes no more sense the next time.
        self.destinations.unread = None;
        let recalled = Activations::read(kept.as_deref().unwrap_or("[]"));
        let recalled = recalled.map_err(|error| format!("the record makes no sense: {error}"))?;
        self.destinations.activations.take_in(recalled);
        let config = Arc::clone(&self.config);
        let is_known = |name: &ServerName| config.servers.iter().any(|server| server.name == *name);
        let lost = self.destinations.activations.drop_unknown(is_known);
        if lost.is_empty() {
            return Ok(());
        }
        for one in lost {
            let error = "the server is no longer configured; disable it in JetBackup there".to_owned();
            self.tell(What::DestinationStuck { server: one.server, destination: one.destination, error })
                .await;
        }
        // After it was told: nobody else knows of it then.
        self.keep_destinations().await;
        Ok(())
    }

    /// Sees to it that the destination of a server's jobs is enabled, as far as the configuration asks for it.
    pub(super) async fn prepare_destination(&mut self, server: &ServerName) -> Prepared {
        let rules = self.config.destination;
        let configured = self.config.servers.iter().find(|known| known.name == *server);
        let (Some(destination), Some(client)) =
            (configured.and_then(|server| server.destination_id), self.client(server))
        else {
            return Prepared::Ready;
        };
        let wanted = rules.force_activate || rules.skip_if_disabled;
        if !wanted || self.destinations.seen.get(server).is_some_and(|at| at.elapsed() < SEEN_FOR) {
            return Prepared::Ready;
        }
        if self.destinations.is_lowering(server) {
            // Whichever way that ends, it is known then.
            return Prepared::LookAgain;
        }
        if rules.force_activate {
            client.hope_for_destinations();
        }
        let begun = Instant::now();
        let Some(answer) = self.meanwhile(async move { client.destination(destination).await }).await else {
            return Prepared::LookAgain;
        };
        match answer {
            Ok(Some(Destination { disabled: Some(false), .. })) => {
                self.destinations.seen.insert(server.clone(), Instant::now());
                self.destinations.told.remove(server);
                self.destinations.activations.use_again(server, destination);
            }
            Ok(Some(Destination { disabled: Some(true), .. })) if rules.force_activate => {
                return self.enable(server, destination).await;
            }
            Ok(Some(Destination { disabled: Some(true), .. })) => {
                return Prepared::Not(format!(
                    "destination {destination} is disabled; enable it in JetBackup, or have that done with \
                     destination.force_activate"
                ));
            }
            Err(error) if rules.force_activate && error.is_unreachable() => {
                return Prepared::Later(Reason::Unreachable, error.to_string());
            }
            unknown => self.tell_unknown(server, destination, &unknown).await,
        }
        if begun.elapsed() > FRESH {
            // What was seen of the other servers has grown old; what was seen of this destination has not.
            self.destinations.seen.insert(server.clone(), Instant::now());
            return Prepared::LookAgain;
        }
        Prepared::Ready
    }

    /// Whether it is enabled cannot be told: the job gets its turn, and JetBackup fails it if it was not.
    async fn tell_unknown(
        &mut self,
        server: &ServerName,
        destination: DestinationId,
        answer: &Result<Option<Destination>, ApiError>,
    ) {
        let why = match answer {
            Ok(Some(_)) => format!("{server} does not say whether it is enabled"),
            Ok(None) => SwitchError::NotFound { server: server.clone(), destination }.to_string(),
            Err(error) if error.is_gate_refusal() => {
                SwitchError::Forbidden { server: server.clone() }.to_string()
            }
            Err(error) => error.to_string(),
        };
        if !self.config.destination.force_activate {
            tracing::info!("whether destination {destination} of {server} is enabled is not known: {why}");
            return;
        }
        let text = format!("destination {destination} of {server} was not enabled for its jobs: {why}");
        if self.destinations.told.insert(server.clone(), text.clone()).as_ref() != Some(&text) {
            self.tell(What::Alert { job: None, text }).await;
        }
    }

    /// It is disabled and to be enabled: what is about to be done is on record first.
    async fn enable(&mut self, server: &ServerName, destination: DestinationId) -> Prepared {
        let Some(client) = self.client(server) else { return Prepared::Ready };
        self.destinations.activations.add(server, destination);
        self.destinations.activations.use_again(server, destination);
        self.keep_destinations().await;
        let switch = async move { client.switch_destination(destination, true).await };
        let Some(switched) = self.meanwhile(switch).await else { return Prepared::LookAgain };
        match switched {
            Ok(()) => {
                self.destinations.seen.insert(server.clone(), Instant::now());
                self.destinations.told.remove(server);
                if let Some(one) = self.destinations.activations.find(server, destination) {
                    one.confirmed = true;
                }
                self.tell(What::DestinationEnabled { server: server.clone(), destination }).await;
                Prepared::LookAgain
            }
            Err(error) => {
                if error.is_unchanged() {
                    self.destinations.activations.remove(server, destination);
                    self.keep_destinations().await;
                }
                if error.is_unreachable() {
                    return Prepared::Later(Reason::DestinationDisabled, error.to_string());
                }
                Prepared::Not(error.to_string())
            }
        }
    }

    pub(super) async fn keep_destinations(&mut self) {
        // What is on record from before must not be written over by what is known now.
        if self.destinations.unread.is_some()
            && let Ok(Some(kept)) = self.history.kept(KEPT_AS).await
            && let Ok(recalled) = Activations::read(&kept)
        {
            self.destinations.activations.take_in(recalled);
        }
        let text = self.destinations.activations.written();
        if let Err(error) = self.history.keep(KEPT_AS, text).await {
            let text = format!(
                "which destinations are enabled from here is not on record: {error}; \
                 should this program end now, look with `destinations`"
            );
            self.tell(What::Alert { job: None, text }).await;
        }
    }

    /// Does what is asked while something takes its time. `None` if this process is to end before it is done.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let leave = self.leave.clone();
        tokio::pin!(work);
        loop {
            let nap = self.nap();
            tokio::select! {
                biased;
                () = leave.cancelled() => return None,
                Some(request) = self.inbox.recv() => self.answer(request).await,
                done = &mut work => return Some(done),
                () = tokio::time::sleep(nap) => self.show_life(),
            }
        }
    }
}

/// The destinations that are on record as enabled from here. While a runner is at work that is as it should be.
///
/// A record that cannot be read shows nothing: the next start tells what is wrong with it.
pub async fn left_enabled(history: &History) -> Vec<(ServerName, DestinationId)> {
    let kept = history.kept(KEPT_AS).await.ok().flatten();
    let activations = kept.and_then(|text| Activations::read(&text).ok()).unwrap_or_default();
    activations.iter().map(|one| (one.server.clone(), one.destination)).collect()
}
