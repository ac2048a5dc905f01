//! A logged-in session: who uses it, how many channels it has, and when it must not be used any more.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::Disconnect;
use russh::client::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Target;
use super::fate::Fate;
use super::handler::Client;
use super::handshake::{ConnectError, establish};

/// Channels at once. sshd allows 10 sessions a connection (`MaxSessions`); being modest leaves room for slots that are
/// freed late.
const MOST_CHANNELS: usize = 4;
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// One SSH connection.
pub(super) struct Session {
    pub(super) handle: Handle<Client>,
    pub(super) fate: Arc<Fate>,
    /// One permit a channel.
    pub(super) slots: Semaphore,
    /// How many channels the server is believed to allow at once.
    allowed: AtomicUsize,
    usage: Mutex<Usage>,
    plug: CancellationToken,
}

struct Usage {
    /// How many leases are out.
    active: usize,
    /// No new leases; the last one back ends the connection.
    retired: bool,
    /// When the last lease came back.
    last: Instant,
}

impl Session {
    /// Connects and logs in. Dropping the future leaves nothing behind.
    pub(super) async fn open(target: &Target) -> Result<Arc<Self>, ConnectError> {
        let plug = CancellationToken::new();
        let unplug = plug.clone().drop_guard();
        let established = establish(target, &plug).await?;
        unplug.disarm();
        Ok(Arc::new(Self {
            handle: established.handle,
            fate: established.fate,
            slots: Semaphore::new(MOST_CHANNELS),
            allowed: AtomicUsize::new(MOST_CHANNELS),
            usage: Mutex::new(Usage { active: 0, retired: false, last: Instant::now() }),
            plug,
        }))
    }

    /// Permission to use the session, unless it is lost or retired.
    pub(super) fn lease(self: &Arc<Self>) -> Option<Lease> {
        if self.fate.is_gone() || self.handle.is_closed() {
            return None;
        }
        let mut usage = self.usage();
        if usage.retired {
            return None;
        }
        usage.active += 1;
        Some(Lease(Arc::clone(self)))
    }

    /// Takes no new commands from now on, lets those under way finish and then ends. Needed whenever a command was
    /// abandoned: closing its channel neither ends it over there nor frees its slot.
    pub(super) fn retire(&self, reason: &str) {
        self.fate.because(reason.to_owned());
        let mut usage = self.usage();
        usage.retired = true;
        if usage.active == 0 {
            self.plug.cancel();
        }
    }

    /// Notes that the server refused a channel while others of ours were open. Whether that taught us anything: with
    /// one channel at a time there is nothing to reduce.
    pub(super) fn allow_fewer(&self) -> bool {
        let fewer = |allowed: usize| allowed.checked_sub(1).filter(|fewer| *fewer > 0);
        self.allowed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok()
    }

    /// Ends the connection now, politely if the server listens.
    pub(super) async fn disconnect(&self, reason: &str) {
        self.fate.because(reason.to_owned());
        self.usage().retired = true;
        let goodbye = async {
            if self.handle.disconnect(Disconnect::ByApplication, "", "").await.is_ok() {
                self.fate.gone().await;
            }
        };
        if timeout(GOODBYE, goodbye).await.is_err() {
            debug!("the server does not listen, cutting the connection");
        }
        self.plug.cancel();
    }

    /// Ends the session once it has been unused for `limit`; returns when it is over for any reason.
    pub(super) async fn watch_idle(session: Arc<Self>, limit: Duration) {
        let (fate, weak) = (Arc::clone(&session.fate), Arc::downgrade(&session));
        drop(session);
        let mut due = Instant::now() + limit;
        loop {
            tokio::select! {
                () = sleep_until(due) => {}
                () = fate.gone() => return,
            }
            let Some(session) = weak.upgrade() else { return };
            match session.idle_until(limit) {
                Some(later) => due = later,
                None => return session.disconnect("unused for a while").await,
            }
        }
    }

    /// When to look again, or nothing if the time is up; then the session is retired already, so that no command can
    /// slip in.
    fn idle_until(&self, limit: Duration) -> Option<Instant> {
        let mut usage = self.usage();
        let now = Instant::now();
        let due = if usage.active > 0 { now + limit } else { usage.last + limit };
        if due > now {
            return Some(due);
        }
        usage.retired = true;
        None
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        // Nothing panics while holding it, and the counters would be right even so.
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.plug.cancel();
    }
}

/// One use of a session.
pub(super) struct Lease(Arc<Session>);

impl std::ops::Deref for Lease {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut usage = self.0.usage();
        usage.active -= 1;
        usage.last = Instant::now();
        if usage.retired && usage.active == 0 {
            self.0.plug.cancel();
        }
    }
}
