//! A look at every server: what a trigger is decided by.

use std::collections::{HashMap, HashSet};
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

/// What the servers answered. One whose look broke off is missing, and so is one that was not asked.
#[derive(Default)]
pub(super) struct Views {
    answers: HashMap<ServerName, Result<View, ApiError>>,
    asked: HashSet<ServerName>,
    /// When the oldest of the answers arrived.
    oldest: Option<Instant>,
}

impl Views {
    /// What one server answered, just now.
    pub fn of(server: ServerName, answer: Result<View, ApiError>) -> Self {
        let asked = HashSet::from([server.clone()]);
        Self { answers: HashMap::from([(server, answer)]), asked, oldest: Some(Instant::now()) }
    }

    /// Whether a server was asked, whatever came of it.
    pub fn has_asked(&self, server: &ServerName) -> bool {
        self.asked.contains(server)
    }

    /// What a server answered.
    pub fn get(&self, server: &ServerName) -> Option<&Result<View, ApiError>> {
        self.answers.get(server)
    }

    /// The views of the servers that answered.
    pub fn seen(&self) -> impl Iterator<Item = (&ServerName, &View)> {
        self.answers.iter().filter_map(|(server, answer)| Some((server, answer.as_ref().ok()?)))
    }

    /// Whether a trigger may still be decided by them.
    pub fn are_fresh(&self) -> bool {
        self.oldest.is_none_or(|at| at.elapsed() <= FRESH)
    }
}

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
    let mut views: HashMap<ServerName, Result<View, ApiError>> = HashMap::new();
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
    let answered = heard.iter().filter(|(name, _)| views.get(name).is_some_and(Result::is_ok));
    let oldest = answered.map(|(_, at)| *at).min();
    let asked = goals.into_iter().map(|goal| goal.name).collect();
    Views { answers: views, asked, oldest }
}

impl Goal {
    /// Asks again once: the first call may have met a connection that was lost while nobody looked.
    pub async fn look(&self) -> Result<View, ApiError> {
        match self.client.look().await {
            Err(error) if !self.lost && !error.is_list_too_long() => {
                tracing::debug!("looking again: {error}");
                self.client.look().await
            }
            answer => answer,
        }
    }
}
