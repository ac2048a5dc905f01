//! A look at every server: what a trigger is decided by.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::jetbackup::{ApiError, Client, View};
use crate::model::ServerName;

/// How old an answer may be when the last one arrives: a server out of reach takes a minute to say nothing, and much
/// can start elsewhere in a minute.
pub(super) const FRESH: Duration = Duration::from_secs(3);
/// How often servers are asked again because of others that were slower.
const ROUNDS: u32 = 3;

/// What each server answered. One whose look broke off is missing.
pub(super) type Views = HashMap<ServerName, Result<View, ApiError>>;

/// A server to be looked at.
#[derive(Clone)]
pub(super) struct Goal {
    pub name: ServerName,
    pub client: Arc<Client>,
    /// It is out of reach as far as is known: asking once is enough, for the sake of the others.
    pub lost: bool,
}

/// Asks all servers at once, and those again whose answer grew old while others were waited for.
pub(super) async fn look_everywhere(goals: Vec<Goal>) -> Views {
    let mut views = Views::new();
    let mut heard: HashMap<ServerName, Instant> = HashMap::new();
    let mut wanted = goals.clone();
    for _ in 0..ROUNDS {
        let mut looks = JoinSet::new();
        for goal in wanted {
            looks.spawn(async move { (goal.name.clone(), goal.look().await) });
        }
        while let Some(look) = looks.join_next().await {
            match look {
                Ok((name, view)) => {
                    heard.insert(name.clone(), Instant::now());
                    views.insert(name, view);
                }
                Err(error) => tracing::error!("a look failed: {error}"),
            }
        }
        let is_old = |name: &ServerName| heard.get(name).is_some_and(|at| at.elapsed() > FRESH);
        let answered = |name: &ServerName| views.get(name).is_some_and(Result::is_ok);
        wanted = goals.iter().filter(|goal| answered(&goal.name) && is_old(&goal.name)).cloned().collect();
        if wanted.is_empty() {
            break;
        }
    }
    views
}

impl Goal {
    /// Asks again once: the first call may have met a connection that was lost while nobody looked.
    async fn look(&self) -> Result<View, ApiError> {
        match self.client.look().await {
            Err(error) if !self.lost => {
                tracing::debug!("looking again: {error}");
                self.client.look().await
            }
            answer => answer,
        }
    }
}
