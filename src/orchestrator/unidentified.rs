//! Backups under way whose job cannot be read: they may be any job's, so they hold the lane, for so long at most.

use std::time::Duration;

use tokio::time::Instant;

use super::look::Views;
use crate::model::ServerName;

/// How long they hold the lane.
const WAIT: Duration = Duration::from_secs(4 * 3600);

/// What is known of such backups.
#[derive(Debug, Default)]
pub(super) struct Unidentified {
    /// The servers they run on, and since when there are any.
    since: Option<(Vec<ServerName>, Instant)>,
    told: bool,
}

impl Unidentified {
    /// Takes in what the servers show. One that did not answer is no reason to believe that its backup is over.
    pub fn update(&mut self, views: &Views) {
        let is_unreadable =
            |group: &crate::jetbackup::Group| group.job.is_none() && !group.status.is_finished();
        let shown = views.seen().filter(|(_, view)| view.groups.iter().any(is_unreadable));
        let mut servers: Vec<ServerName> = shown.map(|(server, _)| server.clone()).collect();
        let (known, since) = self.since.take().unwrap_or_else(|| (Vec::new(), Instant::now()));
        let is_unheard = |server: &ServerName| !views.get(server).is_some_and(Result::is_ok);
        servers.extend(known.into_iter().filter(is_unheard));
        servers.sort();
        servers.dedup();
        if servers.is_empty() {
            self.told = false;
        } else {
            self.since = Some((servers, since));
        }
    }

    /// Whether they hold the lane.
    pub fn holds(&self) -> bool {
        self.since.as_ref().is_some_and(|(_, since)| since.elapsed() < WAIT)
    }

    /// Why the lane is held, in words for a person.
    pub fn reason(&self) -> Option<String> {
        let (servers, _) = self.since.as_ref().filter(|_| self.holds())?;
        let names: Vec<&str> = servers.iter().map(ServerName::as_str).collect();
        Some(format!("a backup whose job cannot be read is under way on {}", names.join(", ")))
    }

    /// What is to be told once it has held the lane for as long as it may.
    pub fn alert(&mut self) -> Option<String> {
        let (servers, _) = self.since.as_ref().filter(|(_, since)| since.elapsed() >= WAIT)?;
        if std::mem::replace(&mut self.told, true) {
            return None;
        }
        let names: Vec<&str> = servers.iter().map(ServerName::as_str).collect();
        Some(format!(
            "a backup whose job cannot be read has been under way on {} for 4 hours; the queue goes on beside it. \
             Look at the queue there",
            names.join(", ")
        ))
    }
}
