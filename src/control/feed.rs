//! What a follower is told, on the answering side. The queue never waits for a follower: one that is too slow misses
//! events and is told how things stand after them, and one that stops reading is let go.

use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::line;
use super::protocol::{self, News, Reply, Runner};
use super::server::Door;

/// After so long without any other line, one is sent that only shows that the runner is alive.
pub(super) const ALIVE: Duration = Duration::from_secs(20);

/// How long a follower may take to read a line.
pub(super) const READ_LIMIT: Duration = Duration::from_secs(30);

/// Tells a follower what happens until it hangs up, stops reading, or the runner ends.
pub(super) async fn feed(
    stream: &mut (impl AsyncBufRead + AsyncWrite + Unpin),
    door: &Door,
    runner: Runner,
    ending: &CancellationToken,
) {
    let (snapshot, mut events) = door.join();
    // How many events the follower has heard of, one by one or taken in by a snapshot.
    let mut heard = snapshot.applied();
    let first = Reply { snapshot: Some(snapshot), ..Reply::hello(runner) };
    let mut line = protocol::line(&first);
    let mut last = false;
    loop {
        let Ok(text) = line else { return };
        if line::write(stream, &text, READ_LIMIT).await.is_err() || last {
            return;
        }
        let news = tokio::select! {
            // In this order, so that what has happened before the end is told before the end.
            biased;
            event = events.recv() => match event {
                Ok(event) => {
                    heard += 1;
                    News { event: Some(event), ..News::default() }
                }
                Err(RecvError::Lagged(_)) => {
                    let snapshot;
                    (snapshot, events) = door.join();
                    let missed = snapshot.applied().saturating_sub(heard);
                    heard = snapshot.applied();
                    News { missed: Some(missed), snapshot: Some(snapshot), ..News::default() }
                }
                Err(RecvError::Closed) => News { ended: true, ..News::default() },
            },
            () = ending.cancelled() => News { ended: true, ..News::default() },
            // A follower has nothing more to say: whatever comes from it is its end.
            _ = stream.fill_buf() => return,
            () = sleep(ALIVE) => News::default(),
        };
        last = news.ended;
        line = protocol::line(&news);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, Snapshot, What};
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
    use tokio::sync::{broadcast, mpsc, watch};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    /// A queue that tells what the test says.
    struct Queue {
        events: broadcast::Sender<Event>,
        shown: watch::Sender<Snapshot>,
        door: Door,
        ending: CancellationToken,
    }

    impl Queue {
        fn new(room: usize) -> Self {
            let (events, _) = broadcast::channel(room);
            let (shown, snapshot) = watch::channel(Snapshot::new(&[], Vec::new()));
            let door =
                Door { requests: mpsc::channel(1).0, snapshot, events: events.downgrade(), broker: None };
            Self { events, shown, door, ending: CancellationToken::new() }
        }

        fn tell(&self, reason: &str) {
            let event = Event {
                at: jiff::Timestamp::UNIX_EPOCH,
                what: What::Waiting { reason: Some(reason.to_owned()) },
            };
            self.shown.send_modify(|snapshot| {
                snapshot.apply(&event);
                let _ = self.events.send(event);
            });
        }

        /// A follower whose connection holds `room` bytes, and the task that feeds it.
        fn follower(&self, room: usize) -> (BufReader<DuplexStream>, JoinHandle<()>) {
            let (near, far) = tokio::io::duplex(room);
            let (door, ending) = (self.door.clone(), self.ending.clone());
            let feeding = tokio::spawn(async move {
                feed(&mut BufReader::new(far), &door, Runner::Run, &ending).await;
            });
            (BufReader::new(near), feeding)
        }
    }

    /// The next line in short: the reason an event gives, or what else it is.
    async fn said(follower: &mut BufReader<DuplexStream>) -> String {
        let mut line = String::new();
        follower.read_line(&mut line).await.unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let reason = |waiting: &serde_json::Value| waiting["reason"].as_str().map(str::to_owned);
        match &line {
            line if line["missed"].is_u64() => {
                format!("missed {}, now {}", line["missed"], line["snapshot"]["waiting"])
            }
            line if line["snapshot"].is_object() => format!("now {}", line["snapshot"]["waiting"]),
            line => reason(&line["event"]["what"]["waiting"]).unwrap_or_else(|| line.to_string()),
        }
    }

    #[tokio::test]
    async fn all_that_happened_is_told_before_the_end() {
        let queue = Queue::new(8);
        queue.tell("one");
        let (mut follower, feeding) = queue.follower(64 * 1024);
        assert_eq!(said(&mut follower).await, r#"now "one""#);
        queue.tell("two");
        queue.tell("three");
        queue.ending.cancel();
        let said = [said(&mut follower).await, said(&mut follower).await, said(&mut follower).await];
        assert_eq!(said, ["two", "three", r#"{"ended":true}"#]);
        feeding.await.unwrap();
    }

    #[tokio::test]
    async fn the_end_of_the_events_is_the_end_and_following_does_not_put_it_off() {
        let queue = Queue::new(8);
        let (mut follower, feeding) = queue.follower(64 * 1024);
        assert_eq!(said(&mut follower).await, "now null");
        let Queue { events, door, .. } = queue;
        drop(events);
        assert_eq!(said(&mut follower).await, r#"{"ended":true}"#);
        feeding.await.unwrap();
        assert!(door.events.upgrade().is_none());
    }

    #[tokio::test]
    async fn a_slow_follower_is_told_how_things_stand_after_what_it_missed() {
        let queue = Queue::new(2);
        // Room for not even the first line: nothing more is taken from the events until it is read.
        let (mut follower, feeding) = queue.follower(16);
        while queue.events.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
        for number in 0..5 {
            queue.tell(&format!("{number}"));
        }
        assert_eq!(said(&mut follower).await, "now null");
        assert_eq!(said(&mut follower).await, r#"missed 5, now "4""#);
        queue.tell("at last");
        assert_eq!(said(&mut follower).await, "at last");
        follower.shutdown().await.unwrap();
        feeding.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_queue_is_seen_to_be_alive() {
        let queue = Queue::new(2);
        let (mut follower, _feeding) = queue.follower(64 * 1024);
        let begun = Instant::now();
        assert_eq!(said(&mut follower).await, "now null");
        assert_eq!([said(&mut follower).await, said(&mut follower).await], ["{}", "{}"]);
        assert_eq!(begun.elapsed(), ALIVE * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_follower_that_stops_reading_is_let_go() {
        let queue = Queue::new(2);
        let (mut follower, feeding) = queue.follower(16);
        let begun = Instant::now();
        feeding.await.unwrap();
        assert_eq!(begun.elapsed(), READ_LIMIT);
        let mut rest = String::new();
        follower.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest.len(), 16, "the connection is closed");
    }

    #[tokio::test]
    async fn a_follower_that_hangs_up_is_let_go_at_once() {
        let queue = Queue::new(2);
        let (mut follower, feeding) = queue.follower(64 * 1024);
        assert_eq!(said(&mut follower).await, "now null");
        drop(follower);
        feeding.await.unwrap();
    }
}
