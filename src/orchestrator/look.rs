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
const FRESH: Duration = Duration::from_secs(3);
/// How often servers are asked again because of others that were slower.
const ROUNDS: u32 = 3;

/// What each server answered. One whose look broke off is missing.
pub(super) type Views = HashMap<ServerName, Result<View, ApiError>>;

/// Asks all servers at once, and those again whose answer grew old while others were waited for.
pub(super) async fn look_everywhere(clients: Vec<(ServerName, Arc<Client>)>) -> Views {
    let mut views = Views::new();
    let mut heard: HashMap<ServerName, Instant> = HashMap::new();
    let mut wanted = clients.clone();
    for _ in 0..ROUNDS {
        let mut looks = JoinSet::new();
        for (name, client) in wanted {
            looks.spawn(async move { (name, look_patiently(&client).await) });
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
        wanted = clients.iter().filter(|(name, _)| answered(name) && is_old(name)).cloned().collect();
        if wanted.is_empty() {
            break;
        }
    }
    views
}

/// A look asks again once: the first call may have met a connection that was lost while nobody looked.
async fn look_patiently(client: &Client) -> Result<View, ApiError> {
    match client.look().await {
        Ok(view) => Ok(view),
        Err(error) => {
            tracing::debug!("looking again: {error}");
            client.look().await
        }
    }
}
