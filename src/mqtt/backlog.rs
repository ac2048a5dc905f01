//! Events that wait to be sent: the newest so many, with their own times.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// How many events wait at most.
const MOST: usize = 500;
/// How many are on their way at once.
const BATCH: usize = 16;

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
    /// How many have left the queue, sent or given up: the number of the oldest that waits.
    first: u64,
    /// How many were given up for newer ones since this was last told.
    lost: u64,
}

/// Some of the oldest events that wait.
#[derive(Debug)]
pub(super) struct Batch {
    /// The events, oldest first.
    pub payloads: Vec<Vec<u8>>,
    /// The number of the one after the last.
    end: u64,
}

impl Backlog {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more event. The oldest makes room.
    pub fn push(&self, payload: Vec<u8>) {
        let mut waiting = self.waiting();
        if waiting.payloads.len() == MOST {
            waiting.payloads.pop_front();
            waiting.first += 1;
            waiting.lost += 1;
        }
        waiting.payloads.push_back(payload);
        self.0.added.notify_one();
    }

    /// The oldest events, if there are any. They stay until [`Backlog::delivered`].
    pub fn oldest(&self) -> Option<Batch> {
        let waiting = self.waiting();
        let payloads: Vec<Vec<u8>> = waiting.payloads.iter().take(BATCH).cloned().collect();
        let end = waiting.first + payloads.len() as u64;
        (!payloads.is_empty()).then_some(Batch { payloads, end })
    }

    /// The broker has these.
    pub fn delivered(&self, batch: &Batch) {
        let mut waiting = self.waiting();
        // Some may have made room for newer ones meanwhile.
        while waiting.first < batch.end && waiting.payloads.pop_front().is_some() {
            waiting.first += 1;
        }
    }

    /// How many events were given up since this was last asked.
    pub fn lost(&self) -> u64 {
        std::mem::take(&mut self.waiting().lost)
    }

    /// Waits until there may be one more.
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
        let batch = backlog.oldest().unwrap();
        assert_eq!((batch.payloads.len(), batch.payloads[0].as_slice()), (BATCH, b"1".as_slice()));
        // While they are on their way, two more come.
        backlog.push(b"x".to_vec());
        backlog.push(b"y".to_vec());
        backlog.delivered(&batch);
        assert_eq!(backlog.oldest().unwrap().payloads[0], (BATCH + 1).to_string().into_bytes());
        while let Some(batch) = backlog.oldest() {
            backlog.delivered(&batch);
        }
        backlog.push(b"z".to_vec());
        assert_eq!(backlog.oldest().unwrap().payloads, [b"z"]);
    }
}
