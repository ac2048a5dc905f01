//! The view on MQTT: whatever becomes of the connection, the broker soon has the truth again.
//!
//! After each connect everything is said anew, in this order: what was published before and is not wanted any more is
//! cleared, then come discovery, states, and last `online`: Home Assistant shows nothing of a device that is not
//! online, so it never shows an old state as the present one. Then only what changes is said, states before events, so
//! that an automation that is started by an event finds the state that belongs to it.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::backlog::Backlog;
use super::board::Board;
use super::inbox::Inbox;
use super::link::{Gone, Link, Message, Who};
use super::topics::Topics;
use super::trouble::Trouble;
use super::{events, homeassistant, states};
use crate::config::Config;
use crate::history::History;
use crate::model::view::BrokerState;
use crate::model::{Event, Snapshot, What};
use crate::orchestrator::{Handle, Request};

/// The pauses before another try to connect: from, to.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A connection that lasted so long was a good one: the next try comes soon.
const GOOD: Duration = Duration::from_secs(60);
/// How long to wait at most, at random, after Home Assistant said that it is there: others answer it too.
const AFTER_BIRTH: Duration = Duration::from_secs(3);
/// How long saying goodbye may take.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long the last events may take to arrive before goodbye is said.
const LAST_EVENTS: Duration = Duration::from_secs(1);
/// The pause before a session that broke is started again.
const AFTER_A_BREAK: Duration = Duration::from_secs(1);

const ONLINE: &str = "online";
const OFFLINE: &str = "offline";

/// A session with the broker that lasts over its connections.
#[derive(Debug)]
pub struct Session {
    state: watch::Receiver<BrokerState>,
    closing: CancellationToken,
    collecting: JoinHandle<()>,
    keeping: JoinHandle<()>,
}

/// Starts a session. Nothing is waited for, and no broker can hold anything up.
#[must_use]
pub fn start(config: &Arc<Config>, history: &History, handle: &Handle) -> Session {
    let mqtt = &config.mqtt;
    let broker = format!("{}:{}", mqtt.host, mqtt.port);
    let (tell_state, state) =
        watch::channel(BrokerState { broker, connected: false, error: None, since: Timestamp::now() });
    let backlog = Backlog::default();
    let closing = CancellationToken::new();
    let view = View {
        config: Arc::clone(config),
        topics: Topics::new(&mqtt.base_topic),
        history: history.clone(),
        snapshot: handle.snapshot.clone(),
        requests: handle.requests.clone(),
        backlog: backlog.clone(),
        closing: closing.clone(),
        state: Arc::new(tell_state),
    };
    let collecting = tokio::spawn(collect(handle.events.subscribe(), handle.snapshot.clone(), backlog));
    let keeping = tokio::spawn(view.keep());
    Session { state, closing, collecting, keeping }
}

impl Session {
    /// How the connection is, for `status`.
    #[must_use]
    pub fn broker(&self) -> watch::Receiver<BrokerState> {
        self.state.clone()
    }

    /// Says what is left to be said and goodbye; for 6 seconds at most.
    pub async fn close(self) {
        // The orchestrator has left, and its last event is on its way.
        let _ = timeout(LAST_EVENTS, self.collecting).await;
        self.closing.cancel();
        if timeout(FAREWELL, self.keeping).await.is_err() {
            tracing::warn!(
                "the broker did not take the last messages in time; its last will for us is `offline`"
            );
        }
    }
}

/// Puts what happens into words as it happens, connected or not.
async fn collect(
    mut events: broadcast::Receiver<Event>,
    snapshot: watch::Receiver<Snapshot>,
    backlog: Backlog,
) {
    loop {
        match events.recv().await {
            Ok(Event { what: What::Leaving, .. }) | Err(RecvError::Closed) => return,
            Ok(event) => {
                let payload = events::event(&event, &snapshot.borrow());
                if let Some(payload) = payload {
                    backlog.push(payload);
                }
            }
            Err(RecvError::Lagged(missed)) => tracing::warn!("{missed} events came too fast for MQTT"),
        }
    }
}

/// What a session works with.
#[derive(Clone)]
struct View {
    config: Arc<Config>,
    topics: Topics,
    history: History,
    snapshot: watch::Receiver<Snapshot>,
    requests: mpsc::Sender<Request>,
    backlog: Backlog,
    closing: CancellationToken,
    state: Arc<watch::Sender<BrokerState>>,
}

impl View {
    /// Keeps the session up until it is closed, even if it breaks.
    async fn keep(self) {
        while let Err(error) = tokio::spawn(self.clone().connect_again_and_again()).await {
            tracing::error!("the MQTT session broke off and is started again: {error}");
            sleep(AFTER_A_BREAK).await;
        }
    }

    async fn connect_again_and_again(self) {
        let (mut pause, longest) = PAUSES;
        loop {
            let began = Instant::now();
            let connected = tokio::select! {
                connected = self.connect() => connected,
                () = self.closing.cancelled() => return,
            };
            let trouble = match connected {
                Ok(link) => match self.serve(link).await {
                    Ok(()) => return,
                    Err(trouble) => trouble,
                },
                Err(trouble) => trouble,
            };
            self.tell_trouble(&trouble);
            if began.elapsed() >= GOOD {
                pause = PAUSES.0;
            }
            tokio::select! {
                () = sleep(pause / 2 + random(pause / 2)) => {}
                () = self.closing.cancelled() => return,
            }
            pause = (pause * 2).min(longest);
        }
    }

    async fn connect(&self) -> Result<Link, Trouble> {
        let mqtt = &self.config.mqtt;
        let client_id = match &mqtt.client_id {
            Some(client_id) => client_id.clone(),
            None => format!("jetbackup-remote-{}", self.history.instance_id().await?),
        };
        let who = Who { client_id, will: (self.topics.availability(), OFFLINE) };
        let link = Link::connect(mqtt, &who).await?;
        self.state.send_modify(|state| {
            tracing::info!("connected to the broker {}", state.broker);
            (state.connected, state.error, state.since) = (true, None, Timestamp::now());
        });
        Ok(link)
    }

    fn tell_trouble(&self, trouble: &Trouble) {
        let error = trouble.to_string();
        self.state.send_modify(|state| {
            if state.connected || state.error.as_ref() != Some(&error) {
                tracing::warn!("no connection to the broker {}: {error}", state.broker);
            } else {
                tracing::debug!("still no connection to the broker {}: {error}", state.broker);
            }
            if state.connected || state.error.is_none() {
                state.since = Timestamp::now();
            }
            (state.connected, state.error) = (false, Some(error));
        });
    }

    /// Serves a connection until its end, or until the session is closed.
    async fn serve(&self, mut link: Link) -> Result<(), Trouble> {
        let served = self.speak(&mut link).await;
        match served {
            Ok(()) => {
                link.disconnect().await;
                Ok(())
            }
            Err(Stop::Gone) => Err(link.end().await),
            Err(Stop::Trouble(trouble)) => Err(trouble),
        }
    }

    async fn speak(&self, link: &mut Link) -> Result<(), Stop> {
        let instance = self.history.instance_id().await.map_err(Trouble::from)?;
        let birth =
            self.config.mqtt.discovery.then(|| format!("{}/status", self.config.mqtt.discovery_prefix));
        let filters = self.topics.subscriptions(&self.config).into_iter().chain(birth.clone());
        link.subscribe(filters).await?;
        self.clear_unwanted(link, &instance).await?;

        let (mut inbox, mut answers) =
            Inbox::new(Arc::clone(&self.config), self.topics.clone(), self.requests.clone());
        let mut snapshot = self.snapshot.clone();
        let mut board = Board::default();
        board.tell(link, self.discovery(&instance)).await?;
        let mut say_again: Option<Instant> = None;
        let mut queue_is_kept = true;
        loop {
            let now = states::states(&self.topics, &snapshot.borrow_and_update());
            board.tell(link, now).await?;
            board.tell(link, [(self.topics.availability(), ONLINE.into())]).await?;
            self.send_events(link).await?;
            tokio::select! {
                () = self.closing.cancelled() => return self.say_goodbye(link, &mut board).await,
                changed = snapshot.changed(), if queue_is_kept => queue_is_kept = changed.is_ok(),
                () = self.backlog.added() => {}
                heard = link.next() => {
                    let message = heard?;
                    if birth.as_ref() == Some(&message.topic) {
                        say_again = say_again.or_else(|| is_birth(&message).then(|| Instant::now() + random(AFTER_BIRTH)));
                    } else {
                        inbox.take(&message);
                    }
                }
                Some(answer) = answers.recv() => link.publish(&self.topics.result(), answer, false).await?,
                () = sleep_until(say_again.unwrap_or_else(Instant::now)), if say_again.is_some() => {
                    say_again = None;
                    board.forget();
                    board.tell(link, self.discovery(&instance)).await?;
                }
            }
        }
    }

    /// What Home Assistant is told. Not kept: for hundreds of jobs it is megabytes, and it is rarely needed.
    fn discovery(&self, instance: &str) -> Vec<(String, Vec<u8>)> {
        if self.config.mqtt.discovery { homeassistant::discovery(&self.config, instance) } else { Vec::new() }
    }

    async fn send_events(&self, link: &Link) -> Result<(), Gone> {
        let lost = self.backlog.lost();
        if lost > 0 {
            tracing::warn!("{lost} events were too many to be kept until the broker was back");
        }
        while let Some(event) = self.backlog.oldest() {
            link.publish(&self.topics.events(), event, false).await?;
            self.backlog.sent();
        }
        Ok(())
    }

    async fn say_goodbye(&self, link: &Link, board: &mut Board) -> Result<(), Stop> {
        let last = states::states(&self.topics, &self.snapshot.borrow());
        board.tell(link, last).await?;
        self.send_events(link).await?;
        board.tell(link, [(self.topics.availability(), OFFLINE.into())]).await?;
        link.settle().await?;
        Ok(())
    }

    /// Clears what was published before and is not wanted any more, and nothing else; notes what will be published.
    async fn clear_unwanted(&self, link: &Link, instance: &str) -> Result<(), Gone> {
        let now = states::states(&self.topics, &self.snapshot.borrow());
        let topics = self.discovery(instance).into_iter().chain(now).map(|(topic, _)| topic);
        let wanted: BTreeSet<String> = topics.chain([self.topics.availability()]).collect();
        let published = match self.history.published().await {
            Ok(published) => published,
            Err(error) => {
                tracing::warn!("what was published before is not known, so nothing is cleared: {error}");
                return Ok(());
            }
        };
        let unwanted: Vec<String> =
            published.iter().filter(|topic| !wanted.contains(*topic)).cloned().collect();
        if let Err(error) = self.history.record_published(wanted.into_iter().collect()).await {
            tracing::warn!("what is published is not on record and will not be cleared by itself: {error}");
        }
        if unwanted.is_empty() {
            return Ok(());
        }
        for topic in &unwanted {
            tracing::info!("cleared at the broker, not wanted any more: {topic}");
            link.publish(topic, Vec::new(), true).await?;
        }
        link.settle().await?;
        if let Err(error) = self.history.forget_published(unwanted).await {
            tracing::warn!("what was cleared will be cleared again: {error}");
        }
        Ok(())
    }
}

/// Why nothing more can be said.
enum Stop {
    /// The connection is gone; it knows why.
    Gone,
    Trouble(Trouble),
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// Home Assistant says that it is there. It says so live; a message that was kept says nothing about now.
fn is_birth(message: &Message) -> bool {
    message.payload == ONLINE.as_bytes() && !message.retain
}

/// Some part of `most`, at random.
fn random(most: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    most.mul_f64((random >> 11) as f64 / (1u64 << 53) as f64)
}
