//! Events that wait to be sent: the newest so many, with their own times.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// How many events wait at most.
const MOST: usize = 500;

/// Events that wait to be sent. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Backlog(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    added: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    payloads: VecDeque<Vec<u8>>,
    /// How many were given up for newer ones since this was last told.
    lost: u64,
}

impl Backlog {
    /// One more event. The oldest makes room.
    pub fn push(&self, payload: Vec<u8>) {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.payloads.len() == MOST {
            waiting.payloads.pop_front();
            waiting.lost += 1;
        }
        waiting.payloads.push_back(payload);
        self.0.added.notify_one();
    }

    /// The oldest event. It stays until [`Backlog::sent`].
    pub fn oldest(&self) -> Option<Vec<u8>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).payloads.front().cloned()
    }

    /// The oldest event is on its way.
    pub fn sent(&self) {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).payloads.pop_front();
    }

    /// How many events were given up since this was last asked.
    pub fn lost(&self) -> u64 {
        std::mem::take(&mut self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).lost)
    }

    /// Waits until there may be one to send.
    pub async fn added(&self) {
        self.0.added.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_in_order_and_the_lost_are_counted() {
        let backlog = Backlog::default();
        for number in 0..=MOST {
            backlog.push(number.to_string().into_bytes());
        }
        assert_eq!((backlog.lost(), backlog.lost()), (1, 0));
        assert_eq!(backlog.oldest().unwrap(), b"1");
        backlog.sent();
        assert_eq!(backlog.oldest().unwrap(), b"2");
    }
}
