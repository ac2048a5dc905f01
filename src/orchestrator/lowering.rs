//! Disabling again what was enabled from here: as soon as nothing writes to it, until it works.

use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::Instant;

use super::queue::Queue;
use super::run::Run;
use super::sight::says_running;
use super::wheel::Orchestrator;
use crate::jetbackup::{Client, Destination, Job, View};
use crate::model::{DestinationId, ServerName, What};

/// How long a single run may take at its end to disable what it enabled.
const LAST_CHANCE: Duration = Duration::from_secs(2 * 60);

/// An attempt to disable a destination that has come to its end.
pub(super) struct Lowering {
    server: ServerName,
    destination: DestinationId,
    outcome: Lowered,
}

enum Lowered {
    /// It is disabled, or gone; `asked` if it was enabled before.
    Disabled {
        asked: bool,
    },
    Busy(String),
    Failed(String),
}

impl Orchestrator {
    /// Begins to disable what was enabled from here, wherever no job of the server is queued or may be running.
    pub(super) fn start_lowering(&mut self) {
        let (queue, runs) = (&self.queue, &self.runs);
        let due = self
            .destinations
            .activations
            .take_due(Instant::now(), |server| is_done_with(queue, runs, server));
        for (server, destination) in due {
            self.destinations.seen.remove(&server);
            let Some(client) = self.client(&server) else { continue };
            self.destinations.lowerings.spawn(async move {
                Lowering { outcome: lower(&client, destination).await, server, destination }
            });
        }
    }

    /// When the next one is to be disabled.
    pub(super) fn next_lowering(&self) -> Option<Instant> {
        self.destinations.activations.next(|server| is_done_with(&self.queue, &self.runs, server))
    }

    pub(super) async fn absorb_lowering(&mut self, lowering: Result<Lowering, JoinError>) {
        let Lowering { server, destination, outcome } = match lowering {
            Ok(lowering) => lowering,
            Err(error) => {
                // It belongs to no destination any more: each is tried again.
                tracing::error!("disabling a destination broke off: {error}");
                return self.destinations.activations.forget_attempts(Instant::now());
            }
        };
        let now = Instant::now();
        match outcome {
            Lowered::Disabled { asked } => {
                let Some(one) = self.destinations.activations.remove(&server, destination) else { return };
                if asked || one.confirmed || one.stuck {
                    let recovered = one.stuck;
                    self.tell(What::DestinationDisabled { server, destination, recovered }).await;
                }
                // After it was told: the next start tells it again rather than nobody.
                self.keep_destinations().await;
            }
            Lowered::Busy(why) => {
                tracing::info!("destination {destination} of {server} stays enabled for now: {why}");
                let one = self.destinations.activations.find(&server, destination);
                if one.is_some_and(|one| one.is_busy(why.clone(), now)) {
                    let text =
                        format!("destination {destination} of {server} stays enabled for hours: {why}");
                    self.tell(What::Alert { job: None, text }).await;
                }
            }
            Lowered::Failed(error) => {
                tracing::warn!("destination {destination} of {server} could not be disabled: {error}");
                let one = self.destinations.activations.find(&server, destination);
                if one.is_some_and(|one| one.failed(error.clone(), now)) {
                    self.keep_destinations().await;
                    self.tell(What::DestinationStuck { server, destination, error }).await;
                }
            }
        }
    }

    /// The last that a single run does: disables what it enabled, as far as nothing writes, and not for ever.
    pub(super) async fn lower_before_end(&mut self) {
        self.recall_destinations_again().await;
        let (leave, deadline) = (self.leave.clone(), Instant::now() + LAST_CHANCE);
        while !leave.is_cancelled() {
            self.start_lowering();
            let next = self.next_lowering().filter(|at| *at < deadline);
            if self.destinations.lowerings.is_empty() && next.is_none() {
                break;
            }
            tokio::select! {
                biased;
                () = leave.cancelled() => {}
                Some(lowering) = self.destinations.lowered() => self.absorb_lowering(lowering).await,
                () = tokio::time::sleep_until(next.unwrap_or(deadline)) => {}
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        self.tell_left_enabled().await;
    }

    /// What a single run leaves enabled, and why; not what was told as stuck.
    async fn tell_left_enabled(&mut self) {
        let given_up = self.destinations.activations.given_up();
        if !given_up.is_empty() {
            self.keep_destinations().await;
        }
        for (server, destination, error) in given_up {
            self.tell(What::DestinationStuck { server, destination, error }).await;
        }
        let why = |server: &ServerName| match () {
            () if !is_done_with(&self.queue, &self.runs, server) => "a backup may be writing to it",
            () if self.leave.is_cancelled() => "this program was told to end",
            () => "it could not be disabled in time",
        };
        let left = self.destinations.activations.iter().filter(|one| !one.told);
        let left: Vec<String> = left
            .map(|one| {
                let (destination, server) = (one.destination, &one.server);
                let why = one.why.as_deref().unwrap_or_else(|| why(server));
                format!("destination {destination} of {server} stays enabled until the next start: {why}")
            })
            .collect();
        for text in left {
            self.tell(What::Alert { job: None, text }).await;
        }
    }
}

/// No job of the server is queued, and no run of it is or may be under way.
fn is_done_with(queue: &Queue, runs: &[Run], server: &ServerName) -> bool {
    !queue.has_any_of(server) && runs.iter().all(|run| run.is_late() || run.record.key.server != *server)
}

/// Disables a destination, if nothing writes to it.
async fn lower(client: &Client, destination: DestinationId) -> Lowered {
    match client.look().await {
        Ok(view) => {
            if let Some(why) = writer(&view, destination) {
                return Lowered::Busy(why);
            }
        }
        Err(error) => {
            return Lowered::Failed(format!("whether something writes to it is not known: {error}"));
        }
    }
    client.hope_for_destinations();
    // Where that is not known, asking for it does no harm.
    if let Ok(Some(Destination { disabled: Some(true), .. }) | None) = client.destination(destination).await {
        return Lowered::Disabled { asked: false };
    }
    match client.switch_destination(destination, false).await {
        Ok(()) => Lowered::Disabled { asked: true },
        Err(error) => Lowered::Failed(error.to_string()),
    }
}

/// What may be writing to a destination, whoever started it, in words; a job that is known to write elsewhere is not.
fn writer(view: &View, destination: DestinationId) -> Option<String> {
    let elsewhere = |job: &Job| !job.destinations.is_empty() && !job.destinations.contains(&destination);
    let unfinished = view.groups.iter().filter(|group| !group.status.is_finished());
    for group in unfinished {
        let job = group.job.and_then(|id| view.job(id));
        if !job.is_some_and(elsewhere) {
            return Some(match group.job {
                Some(job) => format!("job {job} is running or queued there"),
                None => format!("queue group {} is not finished there", group.id),
            });
        }
    }
    let mut jobs = view.jobs.iter().filter(|job| !elsewhere(job));
    jobs.find(|job| says_running(view, job.id) == Some(true))
        .map(|job| format!("job {} says that it is running", job.id))
}
