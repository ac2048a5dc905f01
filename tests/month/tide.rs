//! The paused clock, for programs that talk to peers over real sockets.
//!
//! Tokio's paused clock jumps to the next timer as soon as no task has anything to do, even while bytes are on their
//! way through the loopback device. So before each jump the sockets are looked at a few times without letting time
//! pass; whoever moves bytes asks for some more looks. The same place counts its turns, to kill in the middle of things.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often the sockets are looked at before time passes.
const LOOKS: u32 = 2;

/// Says when time may pass.
#[derive(Clone, Default)]
pub struct Tide(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// So many looks until time may pass.
    looks: AtomicU32,
    /// When the looks were last counted.
    seen: Mutex<Option<Instant>>,
    look: Notify,
    /// So many turns until the program is killed; 0 for never.
    fuse: AtomicU64,
    kill: Notify,
}

impl Tide {
    /// A runtime on the paused clock.
    pub fn runtime(&self) -> Runtime {
        let tide = self.clone();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .on_thread_park(move || tide.turn())
            .build()
            .unwrap();
        let inner = Arc::clone(&self.0);
        runtime.spawn(async move {
            loop {
                inner.look.notified().await;
                // The runtime looks at the sockets, and no time passes, since there is something to do afterwards.
                tokio::task::yield_now().await;
            }
        });
        runtime
    }

    /// Nobody has anything to do.
    fn turn(&self) {
        let inner = &self.0;
        let now = Instant::now();
        if inner.seen.lock().unwrap().replace(now) != Some(now) {
            self.moved();
        }
        if inner.looks.load(Ordering::Relaxed) > 0 {
            inner.looks.fetch_sub(1, Ordering::Relaxed);
            inner.look.notify_one();
            return;
        }
        let fuse = inner.fuse.load(Ordering::Relaxed);
        if fuse > 0 {
            inner.fuse.store(fuse - 1, Ordering::Relaxed);
            if fuse == 1 {
                self.kill();
            }
        }
    }

    /// Bytes are on their way.
    pub fn moved(&self) {
        self.0.looks.store(LOOKS, Ordering::Relaxed);
    }

    /// The program is killed after so many turns; 0 for never.
    pub fn set_fuse(&self, turns: u64) {
        self.0.fuse.store(turns, Ordering::Relaxed);
    }

    /// The program is killed now.
    pub fn kill(&self) {
        self.0.kill.notify_one();
    }

    /// Returns when the program is to be killed.
    pub async fn killed(&self) {
        self.0.kill.notified().await;
    }
}
