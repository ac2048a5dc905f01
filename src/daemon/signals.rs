//! What the daemon is told by signals.

use std::io;

use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// SIGTERM or SIGINT: end.
    End,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The signals listened to.
pub(super) struct Signals {
    terminate: Listener,
    interrupt: Listener,
    hang_up: Listener,
    /// It was heard, and not passed on yet.
    told_to_end: bool,
}

impl Signals {
    /// From now on signals are heard here.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            told_to_end: false,
        })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Signal {
        if std::mem::take(&mut self.told_to_end) {
            return Signal::End;
        }
        let Self { terminate, interrupt, hang_up, .. } = self;
        tokio::select! {
            _ = terminate.recv() => Signal::End,
            _ = interrupt.recv() => Signal::End,
            _ = hang_up.recv() => Signal::Reload,
        }
    }

    async fn end(&mut self) {
        let Self { terminate, interrupt, .. } = self;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }

    /// Waits for the end of `work`, which ends this process if `is_ending`. To be told so meanwhile is heeded afterwards the
    /// first time; the second time ends the process where it stands.
    pub async fn or_at_once<T>(&mut self, work: impl Future<Output = T>, is_ending: bool) -> T {
        let mut work = std::pin::pin!(work);
        self.told_to_end = is_ending;
        loop {
            tokio::select! {
                done = &mut work => return done,
                // To be told to read the configuration again meanwhile is heeded afterwards.
                () = self.end() => {
                    if std::mem::replace(&mut self.told_to_end, true) {
                        tracing::warn!("told to end again: ending at once; what runs is left alone and on record");
                        std::process::exit(2);
                    }
                }
            }
        }
    }
}
