//! The answering side.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::line::{self, LineError};
use super::protocol::{self, Ask, MAX_REQUEST, Reply, Runner, Status};
use super::socket::Socket;
use super::{ControlError, feed};
use crate::model::view::BrokerState;
use crate::model::{Answer, Command, Event, Snapshot};

/// How many clients are listened to at once.
const MAX_CLIENTS: usize = 8;

/// How many clients may follow at once. They are counted apart, so that they keep nobody from asking.
const MAX_FOLLOWERS: usize = 8;

/// How long a client may take for its next request, and for reading a reply.
const CLIENT_LIMIT: Duration = Duration::from_secs(10);

/// How long the queue may take for a command: stopping a run asks its server.
pub(super) const COMMAND_LIMIT: Duration = Duration::from_secs(90);

/// How long clients may go on once the runner ends.
const GRACE: Duration = Duration::from_secs(2);

/// How long to pause when the system can't accept callers, say for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// A command, and where its answer goes.
pub type Asked = (Command, oneshot::Sender<Answer>);

/// The way to the queue.
///
/// An event has to be sent in the same step that lets the snapshot take it in (inside [`watch::Sender::send_modify`]):
/// a follower is given a snapshot and subscribes while it holds it still, and so has each event exactly once.
#[derive(Debug, Clone)]
pub struct Door {
    /// Takes commands.
    pub requests: mpsc::Sender<Asked>,
    /// Shows how the queue stands.
    pub snapshot: watch::Receiver<Snapshot>,
    /// Where what happens is to be had. Weak: the end of the events is the end of the queue, and being able to follow
    /// it must not put that off.
    pub events: broadcast::WeakSender<Event>,
    /// Shows how the connection to the broker is, where there is to be one.
    pub broker: Option<watch::Receiver<BrokerState>>,
}

impl Door {
    /// All that is known now.
    fn status(&self) -> Status {
        let broker = self.broker.as_ref().map(|broker| broker.borrow().clone());
        Status { broker, ..Status::of(&self.snapshot.borrow()) }
    }

    /// How the queue stands, and all that happens from then on.
    pub(super) fn join(&self) -> (Snapshot, broadcast::Receiver<Event>) {
        let snapshot = self.snapshot.borrow();
        let events = match self.events.upgrade() {
            Some(events) => events.subscribe(),
            // The queue has ended. A channel nobody sends to says the same.
            None => broadcast::channel(1).1,
        };
        (snapshot.clone(), events)
    }
}

/// The control socket, as long as it is served. Dropped, it takes no more callers and removes the file.
#[derive(Debug)]
pub struct Served {
    ending: CancellationToken,
    clients: TaskTracker,
    socket: Arc<Socket>,
}

impl Served {
    /// Takes no more callers, removes the file, and lets the replies under way arrive; for 2 s at most.
    pub async fn close(self) {
        let clients = self.clients.clone();
        drop(self);
        let _ = timeout(GRACE, clients.wait()).await;
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // The name goes first, so that nobody meets a runner that is about to hang up.
        self.socket.remove();
        self.ending.cancel();
    }
}

/// Serves the control socket at `path` in a task of its own, until the [`Served`] is closed or dropped.
///
/// The file gets mode 0660 and the group of its directory; a missing directory is made with mode 0750. A socket left
/// by a runner that was killed is taken over.
///
/// # Errors
/// If another runner serves it, if something else is in its place, or if the system refuses.
pub async fn serve(path: &Path, runner: Runner, door: Door) -> Result<Served, ControlError> {
    let socket = Arc::new(Socket::listen(path).await?);
    let clients = TaskTracker::new();
    let ending = CancellationToken::new();
    // Closed from the start: waiting for it means waiting until it is empty.
    clients.close();
    let host = Host { runner, door, followers: Arc::new(Semaphore::new(MAX_FOLLOWERS)) };
    clients.spawn(accept(Arc::clone(&socket), clients.clone(), ending.clone(), host));
    Ok(Served { ending, clients, socket })
}

/// Who answers.
#[derive(Debug, Clone)]
struct Host {
    runner: Runner,
    door: Door,
    /// The room for followers.
    followers: Arc<Semaphore>,
}

/// What comes of a request.
enum Next {
    /// This is said, and the conversation goes on.
    Reply(Box<Reply>),
    /// The client becomes a follower, and has this place among them.
    Follow(OwnedSemaphorePermit),
}

async fn accept(socket: Arc<Socket>, clients: TaskTracker, ending: CancellationToken, host: Host) {
    let room = Arc::new(Semaphore::new(MAX_CLIENTS));
    loop {
        let accepted = tokio::select! {
            () = ending.cancelled() => return,
            accepted = socket.listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("cannot accept callers at the control socket: {error}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            turn_away(stream, host.runner);
            continue;
        };
        let (host, ending) = (host.clone(), ending.clone());
        clients.spawn(host.converse(stream, ending, permit));
    }
}

/// Tells a caller there is no room. Whether it is heard is the caller's business: nothing is waited for.
fn turn_away(stream: UnixStream, runner: Runner) {
    let busy = format!("{MAX_CLIENTS} callers are being answered already; try again in a moment");
    if let (Ok(line), Ok(stream)) = (protocol::line(&Reply::error(runner, busy)), stream.into_std()) {
        let _ = io::Write::write(&mut &stream, &line);
    }
}

impl Host {
    /// Answers one client until it hangs up, breaks a bound or the runner ends. A client that becomes a follower gives
    /// its place back.
    async fn converse(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        ending: CancellationToken,
        place: OwnedSemaphorePermit,
    ) {
        let mut stream = BufReader::new(stream);
        loop {
            let heard = tokio::select! {
                () = ending.cancelled() => return,
                heard = line::read(&mut stream, MAX_REQUEST, CLIENT_LIMIT) => heard,
            };
            let (reply, last) = match heard {
                Ok(Some(line)) => match self.obey(&line).await {
                    Next::Reply(reply) => (*reply, false),
                    Next::Follow(_followers_place) => {
                        drop(place);
                        return feed::feed(&mut stream, &self.door, self.runner, &ending).await;
                    }
                },
                // Where the next request begins is not known any more.
                Err(error @ LineError::TooLong { .. }) => {
                    (Reply::error(self.runner, error.to_string()), true)
                }
                Ok(None) | Err(LineError::TimedOut { .. } | LineError::Io(_)) => return,
            };
            let Ok(line) = protocol::line(&reply) else { return };
            if line::write(&mut stream, &line, CLIENT_LIMIT).await.is_err() || last {
                return;
            }
        }
    }

    async fn obey(&self, line: &[u8]) -> Next {
        let hello = Reply::hello(self.runner);
        Next::Reply(Box::new(match protocol::read_request(line) {
            Ok(Ask::Hello) => hello,
            Ok(Ask::Status) => Reply { status: Some(self.door.status()), ..hello },
            Ok(Ask::Follow) => match Arc::clone(&self.followers).try_acquire_owned() {
                Ok(place) => return Next::Follow(place),
                Err(_) => {
                    let full = format!("{MAX_FOLLOWERS} others follow already; `status` shows how it goes");
                    Reply { error: Some(full), ..hello }
                }
            },
            Ok(Ask::Command(command)) => match self.carry_out(command).await {
                Ok(answer) => {
                    let applied = Some(self.door.snapshot.borrow().applied());
                    Reply { answer: Some(answer), applied, ..hello }
                }
                Err(error) => Reply { error: Some(error.to_owned()), ..hello },
            },
            Err(error) => Reply { error: Some(error), ..hello },
        }))
    }

    async fn carry_out(&self, command: Command) -> Result<Answer, &'static str> {
        let carried_out = async {
            let (answer, heard) = oneshot::channel();
            self.door.requests.send((command, answer)).await.map_err(|_| ())?;
            heard.await.map_err(|_| ())
        };
        match timeout(COMMAND_LIMIT, carried_out).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(())) => Err("the runner is ending and takes no more commands"),
            Err(_) => Err("the queue did not answer in time; it may still do it: look at `status`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn host() -> (Host, mpsc::Receiver<Asked>) {
        let (requests, asked) = mpsc::channel(1);
        let (_, snapshot) = watch::channel(Snapshot::new(&[], Vec::new()));
        let events = broadcast::channel(1).0.downgrade();
        let followers = Arc::new(Semaphore::new(1));
        (
            Host { runner: Runner::Run, door: Door { requests, snapshot, events, broker: None }, followers },
            asked,
        )
    }

    /// Everything said to a client that sends `bytes` and then no more.
    async fn said_to(bytes: &[u8]) -> Vec<String> {
        let (host, asked) = host();
        drop(asked);
        let (mut near, far) = tokio::io::duplex(64 * 1024);
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let conversing = tokio::spawn(host.converse(far, CancellationToken::new(), place));
        near.write_all(bytes).await.unwrap();
        near.shutdown().await.unwrap();
        let mut said = String::new();
        near.read_to_string(&mut said).await.unwrap();
        conversing.await.unwrap();
        said.lines().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn a_line_too_long_is_told_and_ends_the_conversation() {
        let mut bytes = vec![b'x'; MAX_REQUEST + 1];
        bytes.extend_from_slice(b"\n{\"version\":1,\"ask\":\"hello\"}\n");
        let said = said_to(&bytes).await;
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("longer than 4096 bytes"), "{said:?}");
    }

    #[tokio::test]
    async fn a_command_no_one_takes_any_more_is_told() {
        let said = said_to(b"{\"version\":1,\"ask\":{\"command\":\"stop_after_current\"}}\n").await;
        assert!(said[0].contains("takes no more commands"), "{said:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_nobody_answers_is_given_up() {
        let (host, mut asked) = host();
        let (reply, pending) = tokio::join!(host.carry_out(Command::StopAfterCurrent), asked.recv());
        assert!(pending.is_some());
        assert!(reply.unwrap_err().contains("did not answer in time"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_with_an_error_or_the_end(
            bytes in prop::collection::vec(any::<u8>(), 0..6000)
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let lines = bytes.split(|byte| *byte == b'\n').count();
            let said = runtime.block_on(said_to(&bytes));
            prop_assert!(said.len() <= lines);
            for line in said {
                prop_assert!(protocol::read_reply(line.as_bytes()).unwrap().error.is_some());
            }
        }
    }
}
