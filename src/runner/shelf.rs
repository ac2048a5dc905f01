//! The logs that JetBackup keeps on its servers, for those who write about runs.

use std::pin::Pin;
use std::sync::Arc;

use crate::jetbackup::Client;
use crate::model::{RunRecord, ServerName};
use crate::notify::Logs;

/// The way to the logs of every server.
pub(super) struct Shelf(Vec<(ServerName, Arc<Client>)>);

impl Shelf {
    pub fn new(clients: Vec<(ServerName, Arc<Client>)>) -> Self {
        Self(clients)
    }
}

impl Logs for Shelf {
    fn tail<'a>(
        &'a self,
        run: &'a RunRecord,
        lines: usize,
    ) -> Pin<Box<dyn Future<Output = Vec<String>> + Send + 'a>> {
        Box::pin(async move {
            let client =
                self.0.iter().find(|(server, _)| *server == run.key.server).map(|(_, client)| client);
            let (Some(client), Some(group)) = (client, run.group) else { return Vec::new() };
            client
                .log_tail(group, lines)
                .await
                .unwrap_or_else(|error| {
                    tracing::debug!("the log of {} cannot be had: {error}", run.key);
                    None
                })
                .unwrap_or_default()
        })
    }
}
