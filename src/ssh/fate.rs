//! Whether a connection still lives and what it died of.

use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;
use tracing::info;

/// Written by the library's callbacks, read by whoever uses the connection.
pub(super) struct Fate {
    server: String,
    begun: OnceLock<()>,
    reason: OnceLock<String>,
    gone: CancellationToken,
}

impl Fate {
    pub(super) fn new(server: String) -> Self {
        Self { server, begun: OnceLock::new(), reason: OnceLock::new(), gone: CancellationToken::new() }
    }

    /// The login succeeded.
    pub(super) fn begun(&self) {
        if self.begun.set(()).is_ok() {
            info!(server = %self.server, "connected");
        }
    }

    /// Notes the cause of the end; the first one told is the true one.
    pub(super) fn because(&self, reason: String) {
        // A later cause is a consequence of the first.
        let _ = self.reason.set(reason);
    }

    /// It is over.
    pub(super) fn ended(&self) {
        self.gone.cancel();
        if self.begun.get().is_some() {
            info!(server = %self.server, reason = %self.reason(), "disconnected");
        }
    }

    /// Waits for the end.
    pub(super) async fn gone(&self) {
        self.gone.cancelled().await;
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.is_cancelled()
    }

    pub(super) fn reason(&self) -> String {
        self.reason.get().cloned().unwrap_or_else(|| "the connection ended".to_owned())
    }
}
