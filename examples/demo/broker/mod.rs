//! A broker for the demo, so that it needs none on the machine: MQTT 5 and 3.1.1, retained messages, wildcards, last
//! wills and QoS 1, without passwords, TLS, QoS 2 or sessions that outlive their connection.
//!
//! It is here because the brokers among the crates do not keep the retain flag of live messages for those who ask for
//! it, and the program does: it tells a command that was retained from one that was not.

mod filter;
mod post;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
mod v4;
mod v5;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use post::{Letter, Post};
use wire::{Heard, Said, Wire};

/// How long a new client may take to say who it is.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// How long clients may take to hear the last messages.
const FAREWELL: Duration = Duration::from_secs(2);

/// A message.
#[derive(Debug, Clone)]
pub struct Publication {
    pub topic: String,
    pub payload: Bytes,
    pub retain: bool,
}

/// What happens at the broker.
#[derive(Debug, Clone)]
pub enum Notice {
    Published(Publication),
    /// A client with this id has connected.
    Came(String),
    /// It has gone.
    Went(String),
}

/// The broker. It is there until its runtime ends.
#[derive(Clone)]
pub struct Broker {
    address: SocketAddr,
    post: Arc<Mutex<Post>>,
    serving: TaskTracker,
}

impl Broker {
    /// Listens. To be called in the runtime that is to serve it.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let broker =
            Self { address: listener.local_addr()?, post: Arc::default(), serving: TaskTracker::new() };
        let serving = broker.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let broker = serving.clone();
                // How it ended is told by its last will, if anybody wants to know.
                serving.serving.spawn(async move { broker.serve(stream).await });
            }
        });
        Ok(broker)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All that happens from now on, and when. There is one onlooker.
    pub fn look_on(&self) -> UnboundedReceiver<(Timestamp, Notice)> {
        let (tell, told) = unbounded_channel();
        self.post().onlooker = Some(tell);
        told
    }

    /// All that is retained, by topic.
    pub fn retained(&self) -> BTreeMap<String, Bytes> {
        self.post().retained.clone()
    }

    /// Publishes a message as a client would.
    #[allow(dead_code, reason = "tests that borrow this broker do")]
    pub fn publish(&self, publication: &Publication) {
        self.post().publish(publication);
    }

    /// Sees to it that all clients have what was published for them, and ends their connections.
    pub async fn close(&self) {
        self.post().clients.clear();
        self.serving.close();
        // Who does not listen has to do without.
        let _ = timeout(FAREWELL, self.serving.wait()).await;
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
        wire.say(Said::Welcome(client_id.clone())).await?;
        let said_goodbye = self.attend(&mut wire, &client_id, keep_alive, letters).await;
        let mut post = self.post();
        post.leave(&client_id, connection);
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
        mut letters: UnboundedReceiver<Letter>,
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
                    let letter = letter.ok_or_else(|| io::Error::other("taken over"))?;
                    let id = letter.confirms.then(|| {
                        last_id = last_id.checked_add(1).unwrap_or(1);
                        last_id
                    });
                    wire.say(Said::Publish { letter, id }).await?;
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
                post.unsubscribe(client_id, &filters);
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
