//! A broker for the demo, so that it needs none on the machine: MQTT 5 and 3.1.1, retained messages, wildcards, last
//! wills and QoS 1, without passwords, TLS, QoS 2 or sessions that outlive their connection.
//!
//! It is here because the brokers among the crates do not keep the retain flag of live messages for those who ask for
//! it, and the program does: it tells a command that was retained from one that was not.

mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Zoned;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use wire::{Filter, Heard, Said, Wire};

/// How long a new client may take to say who it is.
const INTRODUCTION: Duration = Duration::from_secs(10);

/// A message.
#[derive(Debug, Clone)]
pub struct Publication {
    pub topic: String,
    pub payload: Bytes,
    pub retain: bool,
}

/// The broker. It is there until its runtime ends.
#[derive(Clone)]
pub struct Broker {
    address: SocketAddr,
    post: Arc<Mutex<Post>>,
}

/// What is kept, and who gets what.
#[derive(Default)]
struct Post {
    retained: BTreeMap<String, Bytes>,
    /// By client id.
    clients: BTreeMap<String, Client>,
    onlooker: Option<UnboundedSender<(Zoned, Publication)>>,
    connections: u64,
}

struct Client {
    /// A client that connects anew takes the place of its earlier connection.
    connection: u64,
    filters: Vec<Filter>,
    /// Messages, and whether they are to be confirmed.
    letterbox: UnboundedSender<(Publication, bool)>,
}

impl Broker {
    /// Listens. To be called in the runtime that is to serve it.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let broker = Self { address: listener.local_addr()?, post: Arc::default() };
        let serving = broker.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let broker = serving.clone();
                // How it ended is told by its last will, if anybody wants to know.
                tokio::spawn(async move { broker.serve(stream).await });
            }
        });
        Ok(broker)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All messages from now on, as they are published and when. There is one onlooker.
    pub fn look_on(&self) -> UnboundedReceiver<(Zoned, Publication)> {
        let (tell, told) = unbounded_channel();
        self.post().onlooker = Some(tell);
        told
    }

    /// What is retained on a topic.
    pub fn retained(&self, topic: &str) -> Option<Bytes> {
        self.post().retained.get(topic).cloned()
    }

    fn post(&self) -> MutexGuard<'_, Post> {
        self.post.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves a client until its end.
    async fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut wire = Wire::new(stream);
        let Some(Heard::Connect { client_id, keep_alive, will }) =
            timeout(INTRODUCTION, wire.hear()).await??
        else {
            return Err(io::Error::other("a client begins with CONNECT"));
        };
        let (connection, client_id, letters) = self.post().enter(client_id);
        wire.say(Said::Welcome).await?;
        let said_goodbye = self.attend(&mut wire, &client_id, keep_alive, letters).await;
        let mut post = self.post();
        if post.clients.get(&client_id).is_some_and(|client| client.connection == connection) {
            post.clients.remove(&client_id);
        }
        if let Some(will) = will.filter(|_| said_goodbye.is_err()) {
            post.publish(&will);
        }
        said_goodbye
    }

    /// Does as the client asks until it says goodbye; it is an error if it does not.
    async fn attend(
        &self,
        wire: &mut Wire,
        client_id: &str,
        keep_alive: u16,
        mut letters: UnboundedReceiver<(Publication, bool)>,
    ) -> io::Result<()> {
        // One and a half times what was agreed, as the protocol has it; none was agreed with 0.
        let silence = match keep_alive {
            0 => Duration::MAX,
            seconds => Duration::from_millis(u64::from(seconds) * 1500),
        };
        let mut last_id = 0u16;
        loop {
            tokio::select! {
                heard = timeout(silence, wire.hear()) => {
                    let heard = heard??.ok_or(io::ErrorKind::UnexpectedEof)?;
                    match self.answer(client_id, heard)? {
                        Answer::Said(said) => wire.say(said).await?,
                        Answer::Nothing => {}
                        Answer::Goodbye => return Ok(()),
                    }
                }
                letter = letters.recv() => {
                    let (publication, confirms) = letter.ok_or_else(|| io::Error::other("taken over"))?;
                    let id = confirms.then(|| {
                        last_id = last_id.checked_add(1).unwrap_or(1);
                        last_id
                    });
                    wire.say(Said::Publish { publication, id }).await?;
                }
            }
        }
    }

    fn answer(&self, client_id: &str, heard: Heard) -> io::Result<Answer> {
        let mut post = self.post();
        Ok(match heard {
            Heard::Publish { publication, confirm } => {
                post.publish(&publication);
                confirm.map_or(Answer::Nothing, |id| Answer::Said(Said::Confirmed(id)))
            }
            Heard::Subscribe { id, filters } => {
                let confirms = filters.iter().map(|filter| filter.confirms).collect();
                post.subscribe(client_id, filters);
                Answer::Said(Said::Subscribed { id, confirms })
            }
            Heard::Unsubscribe { id, filters } => {
                if let Some(client) = post.clients.get_mut(client_id) {
                    client.filters.retain(|filter| !filters.contains(&filter.path));
                }
                Answer::Said(Said::Unsubscribed { id, filters: filters.len() })
            }
            Heard::Ping => Answer::Said(Said::Pong),
            Heard::Confirmed => Answer::Nothing,
            Heard::Goodbye => Answer::Goodbye,
            Heard::Connect { .. } => return Err(io::Error::other("a client says CONNECT once")),
        })
    }
}

enum Answer {
    Said(Said),
    Nothing,
    Goodbye,
}

impl Post {
    fn enter(&mut self, client_id: String) -> (u64, String, UnboundedReceiver<(Publication, bool)>) {
        self.connections += 1;
        let connection = self.connections;
        let client_id = if client_id.is_empty() { format!("guest-{connection}") } else { client_id };
        let (letterbox, letters) = unbounded_channel();
        let client = Client { connection, filters: Vec::new(), letterbox };
        self.clients.insert(client_id.clone(), client);
        (connection, client_id, letters)
    }

    fn publish(&mut self, publication: &Publication) {
        if publication.retain && publication.payload.is_empty() {
            self.retained.remove(&publication.topic);
        } else if publication.retain {
            self.retained.insert(publication.topic.clone(), publication.payload.clone());
        }
        if let Some(onlooker) = &self.onlooker {
            let _ = onlooker.send((Zoned::now(), publication.clone()));
        }
        for client in self.clients.values() {
            let filters = || client.filters.iter().filter(|filter| matches(&filter.path, &publication.topic));
            if filters().next().is_some() {
                let preserves_retain = filters().any(|filter| filter.preserves_retain);
                let letter =
                    Publication { retain: publication.retain && preserves_retain, ..publication.clone() };
                let _ = client.letterbox.send((letter, filters().any(|filter| filter.confirms)));
            }
        }
    }

    fn subscribe(&mut self, client_id: &str, filters: Vec<Filter>) {
        let Some(client) = self.clients.get_mut(client_id) else { return };
        for filter in filters {
            for (topic, payload) in self.retained.iter().filter(|(topic, _)| matches(&filter.path, topic)) {
                if filter.wants_retained {
                    let letter = Publication { topic: topic.clone(), payload: payload.clone(), retain: true };
                    let _ = client.letterbox.send((letter, filter.confirms));
                }
            }
            client.filters.retain(|known| known.path != filter.path);
            client.filters.push(filter);
        }
    }
}

/// Whether a topic filter, with its wildcards, takes a topic.
fn matches(filter: &str, topic: &str) -> bool {
    // What the broker says of itself, below `$`, is never meant by a wildcard at the beginning.
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(level), Some(name)) if level == name => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_take_the_topics_that_the_protocol_says() {
        for (filter, topic) in
            [("a/b", "a/b"), ("a/+", "a/b"), ("+/b", "a/b"), ("a/#", "a/b/c"), ("a/#", "a"), ("#", "a/b")]
        {
            assert!(matches(filter, topic), "{filter} takes {topic}");
        }
        for (filter, topic) in [("a/b", "a"), ("a", "a/b"), ("a/+", "a/b/c"), ("+", "a/b"), ("#", "$SYS/x")] {
            assert!(!matches(filter, topic), "{filter} does not take {topic}");
        }
    }

    fn retained(topic: &str, payload: &str) -> Publication {
        Publication { topic: topic.to_owned(), payload: payload.to_owned().into(), retain: true }
    }

    #[test]
    fn what_is_retained_is_kept_until_it_is_cleared() {
        let mut post = Post::default();
        post.publish(&retained("a", "1"));
        let (_, client, mut letters) = post.enter("me".to_owned());
        let filter = |preserves_retain| Filter {
            path: "#".to_owned(),
            confirms: true,
            preserves_retain,
            wants_retained: true,
        };
        post.subscribe(&client, vec![filter(false)]);
        assert!(letters.try_recv().unwrap().0.retain, "it was there before");
        post.publish(&retained("a", "2"));
        assert!(!letters.try_recv().unwrap().0.retain, "it is news");
        post.subscribe(&client, vec![filter(true)]);
        letters.try_recv().unwrap();
        post.publish(&retained("a", ""));
        assert!(letters.try_recv().unwrap().0.retain, "as it was published");
        assert_eq!(post.retained.len(), 0);
    }
}
