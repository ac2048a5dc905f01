//! What is kept, and who gets what.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::filter::takes;
use super::wire::Filter;
use super::{Notice, Publication};

#[derive(Default)]
pub struct Post {
    pub retained: BTreeMap<String, Bytes>,
    /// By client id.
    pub clients: BTreeMap<String, Client>,
    pub onlooker: Option<UnboundedSender<(Timestamp, Notice)>>,
    connections: u64,
}

pub struct Client {
    /// A client that connects anew takes the place of its earlier connection.
    connection: u64,
    filters: Vec<Filter>,
    letterbox: UnboundedSender<Letter>,
}

/// A message for a client.
pub struct Letter {
    pub publication: Publication,
    /// It is to be confirmed.
    pub confirms: bool,
    /// What the client calls the subscriptions that it is for.
    pub subscriptions: Vec<usize>,
}

impl Letter {
    /// `retain` is whether it was kept and not just said.
    fn new<'a>(
        publication: &Publication,
        retain: bool,
        filters: impl Iterator<Item = &'a Filter> + Clone,
    ) -> Self {
        let retain = publication.retain && (retain || filters.clone().any(|filter| filter.preserves_retain));
        Self {
            publication: Publication { retain, ..publication.clone() },
            confirms: filters.clone().any(|filter| filter.confirms),
            subscriptions: filters.filter_map(|filter| filter.subscription).collect(),
        }
    }
}

impl Post {
    /// A client comes. Answers the number of its connection, what it is called, and its letters.
    pub fn enter(&mut self, client_id: String) -> (u64, String, UnboundedReceiver<Letter>) {
        self.connections += 1;
        let connection = self.connections;
        let client_id = if client_id.is_empty() { format!("guest-{connection}") } else { client_id };
        let (letterbox, letters) = unbounded_channel();
        self.notice(Notice::Came(client_id.clone()));
        let client = Client { connection, filters: Vec::new(), letterbox };
        self.clients.insert(client_id.clone(), client);
        (connection, client_id, letters)
    }

    /// A connection has ended. The client may have another one by now.
    pub fn leave(&mut self, client_id: &str, connection: u64) {
        if self.clients.get(client_id).is_some_and(|client| client.connection == connection) {
            self.clients.remove(client_id);
            self.notice(Notice::Went(client_id.to_owned()));
        }
    }

    pub fn publish(&mut self, publication: &Publication) {
        if publication.retain && publication.payload.is_empty() {
            self.retained.remove(&publication.topic);
        } else if publication.retain {
            self.retained.insert(publication.topic.clone(), publication.payload.clone());
        }
        self.notice(Notice::Published(publication.clone()));
        for client in self.clients.values() {
            let filters = client.filters.iter().filter(|filter| takes(&filter.path, &publication.topic));
            if filters.clone().next().is_some() {
                // Who has just gone needs none.
                let _ = client.letterbox.send(Letter::new(publication, false, filters));
            }
        }
    }

    pub fn subscribe(&mut self, client_id: &str, filters: Vec<Filter>) {
        let Some(client) = self.clients.get_mut(client_id) else { return };
        for filter in filters {
            let wanted = self.retained.iter().filter(|_| filter.wants_retained);
            for (topic, payload) in wanted.filter(|(topic, _)| takes(&filter.path, topic)) {
                let kept = Publication { topic: topic.clone(), payload: payload.clone(), retain: true };
                let _ = client.letterbox.send(Letter::new(&kept, true, [&filter].into_iter()));
            }
            client.filters.retain(|known| known.path != filter.path);
            client.filters.push(filter);
        }
    }

    pub fn unsubscribe(&mut self, client_id: &str, filters: &[String]) {
        if let Some(client) = self.clients.get_mut(client_id) {
            client.filters.retain(|filter| !filters.contains(&filter.path));
        }
    }

    fn notice(&self, notice: Notice) {
        if let Some(onlooker) = &self.onlooker {
            // It may have seen enough.
            let _ = onlooker.send((Timestamp::now(), notice));
        }
    }
}
