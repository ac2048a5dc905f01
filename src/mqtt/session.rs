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

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::backlog::Backlog;
use super::board::Board;
use super::homeassistant;
use super::inbox::Inbox;
use super::link::{Gone, Link, Message, Who};
use super::states::states;
use super::topics::Topics;
use super::trouble::Trouble;
use super::watcher;
use crate::config::Config;
use crate::history::History;
use crate::model::Snapshot;
use crate::model::view::BrokerState;
use crate::orchestrator::{Handle, Request, SystemClock, WallClock as _};

/// The pauses before another try to connect: from, to.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A connection that lasted so long was a good one: the next try comes soon.
const GOOD: Duration = Duration::from_secs(60);
/// How long to wait at most, at random, after Home Assistant said that it is there: others answer it too.
const AFTER_BIRTH: Duration = Duration::from_secs(3);
/// How long events wait after discovery: Home Assistant loses what comes while it makes a new entity (measured: 0.1 s,
/// just after its own start 0.5 s).
const AFTER_DISCOVERY: Duration = Duration::from_secs(1);
/// How long changes are gathered before they are said.
const GATHERING: Duration = Duration::from_millis(100);
/// How long saying goodbye may take.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long the last events may take to arrive before goodbye is said.
const LAST_EVENTS: Duration = Duration::from_secs(1);
/// The pause before a session that broke is started again.
const AFTER_A_BREAK: Duration = Duration::from_secs(1);

const ONLINE: &str = "online";
const OFFLINE: &str = "offline";

/// A session with the broker that lasts over its connections. Dropped, it ends without a goodbye.
#[derive(Debug)]
pub struct Session {
    state: watch::Receiver<BrokerState>,
    closing: CancellationToken,
    watching: AbortOnDropHandle<()>,
    keeping: AbortOnDropHandle<()>,
}

/// Starts a session. Nothing is waited for, and no broker can hold anything up.
#[must_use]
pub fn start(config: &Arc<Config>, history: &History, handle: &Handle) -> Session {
    let mqtt = &config.mqtt;
    let broker = format!("{}:{}", mqtt.host, mqtt.port);
    let (tell_state, state) =
        watch::channel(BrokerState { broker, connected: false, error: None, since: SystemClock.now() });
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
    let watching = AbortOnDropHandle::new(tokio::spawn(watcher::watch(handle, backlog)));
    let keeping = AbortOnDropHandle::new(tokio::spawn(view.keep()));
    Session { state, closing, watching, keeping }
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
        let _ = timeout(LAST_EVENTS, self.watching).await;
        self.closing.cancel();
        if timeout(FAREWELL, self.keeping).await.is_err() {
            tracing::warn!(
                "the broker did not take the last messages in time; its last will for us is `offline`"
            );
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

/// Where commands go and their answers come from. It outlives connections: an answer to one is told on the next.
struct Desk {
    inbox: Inbox,
    answers: mpsc::Receiver<Vec<u8>>,
}

impl View {
    /// Keeps the session up until it is closed, even if it breaks.
    async fn keep(self) {
        while let Err(error) = AbortOnDropHandle::new(tokio::spawn(self.clone().connect_on_and_on())).await {
            tracing::error!("the MQTT session broke off and is started again: {error}");
            sleep(AFTER_A_BREAK).await;
        }
    }

    async fn connect_on_and_on(self) {
        let (inbox, answers) =
            Inbox::new(Arc::clone(&self.config), self.topics.clone(), self.requests.clone());
        let mut desk = Desk { inbox, answers };
        let (mut pause, longest) = PAUSES;
        loop {
            let began = Instant::now();
            let connected = tokio::select! {
                connected = self.connect() => connected,
                () = self.closing.cancelled() => return self.correct().await,
            };
            let trouble = match connected {
                Ok(link) => match self.serve(link, &mut desk).await {
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
                () = self.closing.cancelled() => return self.correct().await,
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
        let who = Who { client_id, will: Some((self.topics.availability(), OFFLINE)) };
        let link = Link::connect(mqtt, &who).await?;
        self.state.send_modify(|state| {
            tracing::info!("connected to the broker {}", state.broker);
            (state.connected, state.error, state.since) = (true, None, SystemClock.now());
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
                state.since = SystemClock.now();
            }
            (state.connected, state.error) = (false, Some(error));
        });
    }

    /// What the broker does not take is told where people look.
    fn tell_refused(&self, link: &Link) {
        let refused = link.refused();
        let Some(first) = refused.first() else { return };
        let others = match refused.len() - 1 {
            0 => String::new(),
            others => format!(" and {others} other topics"),
        };
        let error = format!("it takes no messages on {first}{others}; check what it allows this user");
        self.state.send_if_modified(|state| state.error.replace(error.clone()) != Some(error));
    }

    /// Out of contact at the end. A broker that is back, and kept what was said before, must not go on saying it.
    async fn correct(&self) {
        let corrected = async {
            let link = self.connect().await?;
            let said = self.say_goodbye(&link, &mut Board::default()).await;
            link.disconnect().await;
            said.map_err(|Gone| Trouble::Lost("the connection broke off".into()))
        };
        if let Err(trouble) = corrected.await {
            self.tell_trouble(&trouble);
        }
    }

    /// Serves a connection until its end, or until the session is closed.
    async fn serve(&self, mut link: Link, desk: &mut Desk) -> Result<(), Trouble> {
        match self.speak(&mut link, desk).await {
            Ok(()) => {
                link.disconnect().await;
                Ok(())
            }
            Err(Stop::Gone) => Err(link.end().await),
            Err(Stop::Trouble(trouble)) => Err(trouble),
        }
    }

    async fn speak(&self, link: &mut Link, desk: &mut Desk) -> Result<(), Stop> {
        let instance = self.history.instance_id().await.map_err(Trouble::from)?;
        let mqtt = &self.config.mqtt;
        let birth = mqtt.discovery.then(|| format!("{}/status", mqtt.discovery_prefix));
        link.subscribe(self.topics.subscriptions(&self.config).into_iter().chain(birth.clone())).await?;
        self.clear_unwanted(link, &instance).await?;

        let mut board = Board::default();
        let mut snapshot = self.snapshot.clone();
        board.tell(link, self.discovery(&instance)).await?;
        let events_from = Instant::now() + AFTER_DISCOVERY;
        // What is to be done, and not before when.
        let (mut say_states, mut say_again) = (Some(Instant::now()), None);
        let mut is_kept = true;
        loop {
            if is_due(say_states) {
                say_states = None;
                self.say_states(link, &mut board, &mut snapshot).await?;
                board.tell(link, [(self.topics.availability(), ONLINE.into())]).await?;
            }
            let may_tell_events = say_states.is_none() && Instant::now() >= events_from;
            if may_tell_events {
                self.send_events(link, &mut board, &mut snapshot).await?;
            }
            self.tell_refused(link);
            tokio::select! {
                () = self.closing.cancelled() => return Ok(self.say_goodbye(link, &mut board).await?),
                changed = snapshot.changed(), if is_kept && say_states.is_none() => {
                    is_kept = changed.is_ok();
                    say_states = Some(Instant::now() + GATHERING);
                }
                () = self.backlog.added(), if may_tell_events => {}
                heard = link.next() => {
                    let message = heard?;
                    if birth.as_ref() != Some(&message.topic) {
                        desk.inbox.take(&message);
                    } else if is_birth(&message) {
                        say_again.get_or_insert_with(|| Instant::now() + random(AFTER_BIRTH));
                    }
                }
                Some(answer) = desk.answers.recv() => {
                    link.publish(&self.topics.result(), answer, false).await?;
                }
                () = at(say_states) => {}
                () = sleep_until(events_from), if Instant::now() < events_from => {}
                () = at(say_again) => {
                    say_again = None;
                    board.forget();
                    board.tell(link, self.discovery(&instance)).await?;
                    say_states = Some(Instant::now());
                }
            }
        }
    }

    /// What Home Assistant is told, if it is.
    fn discovery(&self, instance: &str) -> impl Iterator<Item = (String, Vec<u8>)> + use<'_> {
        let wanted = self.config.mqtt.discovery.then(|| homeassistant::discovery(&self.config, instance));
        wanted.into_iter().flatten()
    }

    async fn say_states(
        &self,
        link: &Link,
        board: &mut Board,
        snapshot: &mut watch::Receiver<Snapshot>,
    ) -> Result<(), Gone> {
        let now = states(&self.topics, &snapshot.borrow_and_update());
        board.tell(link, now).await
    }

    /// Sends the events that wait, after the states that belong to them. One is done with only once the broker has it:
    /// after a lost connection it may come twice.
    async fn send_events(
        &self,
        link: &Link,
        board: &mut Board,
        snapshot: &mut watch::Receiver<Snapshot>,
    ) -> Result<(), Gone> {
        let lost = self.backlog.lost();
        if lost > 0 {
            tracing::warn!("{lost} events were too many to be kept until the broker was back");
        }
        while let Some(batch) = self.backlog.oldest() {
            // An event waits only once the snapshot has it. Whoever hears that it changed may not have been woken yet.
            if snapshot.has_changed().unwrap_or(true) {
                self.say_states(link, board, snapshot).await?;
            }
            for event in &batch.payloads {
                link.publish(&self.topics.events(), event.clone(), false).await?;
            }
            link.settle().await?;
            self.backlog.delivered(&batch);
        }
        Ok(())
    }

    async fn say_goodbye(&self, link: &Link, board: &mut Board) -> Result<(), Gone> {
        let mut snapshot = self.snapshot.clone();
        self.say_states(link, board, &mut snapshot).await?;
        self.send_events(link, board, &mut snapshot).await?;
        board.tell(link, [(self.topics.availability(), OFFLINE.into())]).await?;
        link.settle().await
    }

    /// Clears what was published before and is not wanted any more, and nothing else; notes what will be published.
    async fn clear_unwanted(&self, link: &Link, instance: &str) -> Result<(), Gone> {
        let now = states(&self.topics, &self.snapshot.borrow());
        let topics = self.discovery(instance).chain(now).map(|(topic, _)| topic);
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
            tracing::info!("to be cleared at the broker, not wanted any more: {topic}");
            link.publish(topic, Vec::new(), true).await?;
        }
        link.settle().await?;
        let refused = link.refused();
        let cleared = unwanted.into_iter().filter(|topic| !refused.contains(topic)).collect();
        if let Err(error) = self.history.forget_published(cleared).await {
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

fn is_due(moment: Option<Instant>) -> bool {
    moment.is_some_and(|moment| Instant::now() >= moment)
}

/// Waits for a moment; for ever, if there is none.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
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
