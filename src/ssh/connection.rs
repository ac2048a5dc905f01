//! A server's connection over time: made when needed, shared, given up when unused, not made too often when it fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use super::backoff::Backoff;
use super::command::{self, Bounds, Outcome};
use super::handshake::{ConnectError, Retry};
use super::session::{Lease, Session};
use super::{Exec, ExecError, ExecFuture, MeetError, Meeting, Output, Sent, Target, meeting};

/// How long a connection is kept unused.
const IDLE: Duration = Duration::from_secs(60);
/// A call waits this long for a pause between two attempts to end, and fails at once if it takes longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// One server's connection. Cheap to make: nothing happens before the first command.
pub struct Connection {
    inner: Arc<Inner>,
}

struct Inner {
    target: Target,
    idle: Duration,
    /// Held while connecting, so that a burst of calls makes one connection.
    state: Arc<Mutex<State>>,
    /// Counts attempts that ended. Readable without the lock, so that a call that finds a higher number than when it
    /// began shares that attempt's result.
    attempts: Arc<AtomicU64>,
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    backoff: Backoff,
    /// The last failure and when the next attempt is allowed.
    failure: Option<(ConnectError, Instant)>,
}

impl Connection {
    /// A connection that will be made when the first command comes. Closes itself after 60 s unused.
    pub fn new(target: Target) -> Self {
        Self { inner: Arc::new(Inner::new(target, IDLE)) }
    }

    /// The same with another time after which an unused connection closes.
    #[must_use]
    pub fn with_idle_limit(self, idle: Duration) -> Self {
        Self { inner: Arc::new(Inner::new(self.inner.target.clone(), idle)) }
    }

    /// Asks the server for its host key, on a connection of its own and without logging in.
    ///
    /// # Errors
    /// If it cannot be reached, or shows another key than the one on file.
    pub async fn meet(&self) -> Result<Meeting, MeetError> {
        meeting::meet(&self.inner.target).await
    }

    /// Ends the connection, and any command still on it. A later command makes a new one.
    pub async fn close(&self) {
        let session = self.inner.state.lock().await.session.take();
        if let Some(session) = session {
            session.disconnect("closed from this side").await;
        }
    }
}

impl Exec for Connection {
    fn exec(&self, command: String, limit: Duration) -> ExecFuture<'_> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            // A task of its own: a caller that holds the future without polling it must not leave a channel unread,
            // for that stalls the whole connection. Dropping the handle ends the task.
            let task = AbortOnDropHandle::new(tokio::spawn(async move { inner.exec(&command, limit).await }));
            task.await.unwrap_or_else(|error| {
                Err(ExecError {
                    sent: Sent::Maybe,
                    transient: true,
                    message: format!("running a command: {error}"),
                })
            })
        })
    }
}

impl Inner {
    fn new(target: Target, idle: Duration) -> Self {
        Self { target, idle, state: Arc::default(), attempts: Arc::default() }
    }

    async fn exec(&self, command: &str, limit: Duration) -> Result<Output, ExecError> {
        let server = self.target.to_string();
        let bounds = Bounds { server: &server, limit, deadline: Instant::now() + limit };
        let mut retried = false;
        loop {
            let (lease, reused) = self.lease(&bounds).await?;
            match command::run(&lease, command, &bounds).await {
                Outcome::Done(output) => return Ok(output),
                // The connection died unnoticed while it was idle. Nothing was sent, so once more on a new one.
                Outcome::Stale(error) if reused && !retried => {
                    debug!(%server, %error, "connecting anew");
                    retried = true;
                }
                Outcome::Stale(error) | Outcome::Failed(error) => return Err(error),
            }
        }
    }

    /// A session to use, and whether it was there before.
    async fn lease(&self, bounds: &Bounds<'_>) -> Result<(Lease, bool), ExecError> {
        let late = || self.unsent(&format!("not done within {} s", bounds.limit.as_secs_f32()));
        let mut seen = self.attempts.load(Ordering::Acquire);
        let mut connected = false;
        loop {
            let locked = timeout_at(bounds.deadline, Arc::clone(&self.state).lock_owned()).await;
            let state = locked.map_err(|_| late())?;
            if let Some(lease) = state.session.as_ref().and_then(Session::lease) {
                return Ok((lease, !connected));
            }
            let attempted = self.attempts.load(Ordering::Acquire) > seen;
            match &state.failure {
                // This call made the attempt or waited for it.
                Some((error, _)) if attempted => return Err(unsent(error)),
                Some((error, until)) if *until > Instant::now() => {
                    let until = *until;
                    if until > bounds.deadline || until > Instant::now() + PATIENCE {
                        return Err(unsent(error));
                    }
                    drop(state);
                    seen = self.attempts.load(Ordering::Acquire);
                    sleep_until(until).await;
                    continue;
                }
                _ => {}
            }
            if connected {
                return Err(self.unsent("the server closed the connection right after the login"));
            }
            connected = true;
            // A task of its own: a caller that gives up must not waste the attempt for the others.
            let task =
                tokio::spawn(attempt(self.target.clone(), self.idle, state, Arc::clone(&self.attempts)));
            timeout_at(bounds.deadline, task).await.map_err(|_| late())?.map_err(|_| late())?;
        }
    }

    fn unsent(&self, text: &str) -> ExecError {
        ExecError {
            sent: Sent::No,
            transient: true,
            message: format!("connecting to {}: {text}", self.target),
        }
    }
}

fn unsent(error: &ConnectError) -> ExecError {
    ExecError { sent: Sent::No, transient: error.transient, message: error.to_string() }
}

/// Connects and leaves the result in the state. Bounded by the target's time limit.
async fn attempt(
    target: Target,
    idle: Duration,
    mut state: OwnedMutexGuard<State>,
    attempts: Arc<AtomicU64>,
) {
    state.session = None;
    let result = Session::open(&target).await;
    attempts.fetch_add(1, Ordering::Release);
    match result {
        Ok(session) => {
            state.failure = None;
            state.backoff.reset();
            tokio::spawn(Session::watch_idle(Arc::clone(&session), idle));
            state.session = Some(session);
        }
        Err(error) => {
            let pause = match error.retry {
                Retry::AtOnce => Duration::ZERO,
                Retry::Later => state.backoff.after_failure(),
                Retry::Refused => state.backoff.after_refusal(),
            };
            debug!(server = %target, %error, ?pause, "no connection");
            state.failure = Some((error, Instant::now() + pause));
        }
    }
}
