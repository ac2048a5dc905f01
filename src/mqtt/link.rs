//! One connection to the broker, from connecting to its end.
//!
//! A task of its own drives it: `rumqttc` does everything inside `poll`, which must not be cancelled while it works.
//! Each connection begins with nothing: what an earlier one left unsent is not sent by the library but by the session,
//! which knows what is true now.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, Filter, LastWill, Packet, PubAckReason, Publish, SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{NetworkOptions, Outgoing, Transport};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::tls;
use super::trouble::Trouble;
use crate::config::Mqtt;

/// How long connecting may take, from the name to the broker's word.
const CONNECTING: Duration = Duration::from_secs(15);
/// How long nothing need be heard. A broker that is gone is noticed within twice this time.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// How long the broker may take to confirm a message, or to read one.
const CONFIRMING: Duration = Duration::from_secs(30);
/// The largest message taken. The broker is told and keeps larger ones back; commands are far smaller.
const MAX_INCOMING: u32 = 64 * 1024;
/// How many messages may be on their way at once.
const IN_FLIGHT: u16 = 16;
/// How many messages may wait inside the library: nothing that is not true any more should be.
const QUEUED: usize = 4;
/// How many messages heard may wait for the session. What comes beyond that is passed over.
const HEARD: usize = 256;

/// A message that was heard.
#[derive(Debug)]
pub(super) struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
    /// It was published with the retain flag, be it now or long ago.
    pub retain: bool,
}

/// What is said with the connection.
#[derive(Debug, Clone)]
pub(super) struct Who {
    pub client_id: String,
    /// What the broker says, and keeps, when this connection is lost: topic and payload, if anything.
    pub will: Option<(String, &'static str)>,
}

/// A connection.
pub(super) struct Link {
    client: AsyncClient,
    heard: mpsc::Receiver<Message>,
    /// Ends with the connection.
    driver: AbortOnDropHandle<Trouble>,
    underway: Arc<Mutex<Underway>>,
    /// Changes with every confirmation.
    confirmed: watch::Receiver<u64>,
    /// The largest packet the broker takes.
    largest: Option<usize>,
    /// Whether the broker keeps retained messages.
    retains: bool,
}

/// Messages between being handed to the library and the broker's word that it has them.
#[derive(Debug, Default)]
struct Underway {
    /// Handed over, oldest first.
    queued: VecDeque<String>,
    /// Sent, by packet id.
    sent: HashMap<u16, String>,
    /// Since when the broker owes a word.
    since: Option<Instant>,
    /// Rung when it begins to owe one.
    owes: Arc<Notify>,
    /// Topics on which the broker does not take messages.
    refused: BTreeSet<String>,
}

impl Underway {
    fn is_empty(&self) -> bool {
        self.queued.is_empty() && self.sent.is_empty()
    }

    fn queue(&mut self, topic: &str) {
        if self.since.is_none() {
            self.since = Some(Instant::now());
            self.owes.notify_one();
        }
        self.queued.push_back(topic.to_owned());
    }

    fn sent(&mut self, id: u16) {
        if let Some(topic) = self.queued.pop_front() {
            self.sent.insert(id, topic);
        }
    }

    fn confirmed(&mut self, id: u16, reason: PubAckReason) {
        let topic = self.sent.remove(&id);
        self.since = (!self.is_empty()).then(Instant::now);
        if let (PubAckReason::Success | PubAckReason::NoMatchingSubscribers, _) | (_, None) = (reason, &topic)
        {
            return;
        }
        if let Some(topic) = topic
            && self.refused.insert(topic.clone())
        {
            tracing::error!(
                "the broker does not take messages on {topic}: {reason:?}; check what it allows this user"
            );
        }
    }
}

fn locked(underway: &Mutex<Underway>) -> MutexGuard<'_, Underway> {
    underway.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The connection is gone.
#[derive(Debug)]
pub(super) struct Gone;

impl Link {
    /// Connects.
    pub async fn connect(mqtt: &Mqtt, who: &Who) -> Result<Self, Trouble> {
        let (client, mut events) = AsyncClient::new(options(mqtt, who)?, QUEUED);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(CONNECTING.as_secs());
        events.options.set_network_options(network);
        // The library bounds this too; it is the one step where being cut off does no harm.
        let connack = match timeout(CONNECTING * 2, events.poll()).await {
            Ok(Ok(Event::Incoming(Packet::ConnAck(connack)))) => connack,
            Ok(Ok(other)) => return Err(Trouble::Lost(format!("the broker began with {other:?}"))),
            Ok(Err(error)) => return Err(Trouble::from(error).at_once(mqtt.tls.is_some())),
            Err(_) => return Err(Trouble::Silent(CONNECTING * 2)),
        };
        let (tell, heard) = mpsc::channel(HEARD);
        let (confirm, confirmed) = watch::channel(0);
        let underway = Arc::<Mutex<Underway>>::default();
        let driver = tokio::spawn(drive(events, tell, Arc::clone(&underway), confirm));
        let driver = AbortOnDropHandle::new(driver);
        Ok(Self {
            client,
            heard,
            driver,
            underway,
            confirmed,
            largest: largest(&connack),
            retains: retains(&connack),
        })
    }

    /// The largest packet the broker takes, in bytes, if it says.
    pub fn largest(&self) -> Option<usize> {
        self.largest
    }

    /// Whether the broker keeps retained messages.
    pub fn retains(&self) -> bool {
        self.retains
    }

    /// Publishes with QoS 1. Waits while the broker is busy with earlier messages.
    pub async fn publish(&self, topic: &str, payload: Vec<u8>, retain: bool) -> Result<(), Gone> {
        let size = packet_size(topic, &payload);
        if let Some(largest) = self.largest.filter(|largest| size > *largest) {
            tracing::error!(
                "{topic}: a message of {size} bytes is too large for the broker, which takes {largest}; raise its limit \
                 (max_packet_size)"
            );
            return Ok(());
        }
        locked(&self.underway).queue(topic);
        let published = self.client.publish(topic, QoS::AtLeastOnce, retain, payload).await;
        // The only other reason, a topic that is none, is ruled out by the configuration's check.
        published.map_err(|_| Gone)
    }

    /// Listens to these topics. Messages keep their retain flag, so that retained ones are known as such even when they
    /// come live.
    pub async fn subscribe(&self, filters: impl IntoIterator<Item = String>) -> Result<(), Gone> {
        let filters: Vec<Filter> = filters
            .into_iter()
            .map(|path| Filter { preserve_retain: true, ..Filter::new(path, QoS::AtLeastOnce) })
            .collect();
        if filters.is_empty() {
            return Ok(());
        }
        self.client.subscribe_many(filters).await.map_err(|_| Gone)
    }

    /// Waits until the broker has answered for everything that was published.
    pub async fn settle(&self) -> Result<(), Gone> {
        let mut confirmed = self.confirmed.clone();
        confirmed.wait_for(|_| locked(&self.underway).is_empty()).await.map(drop).map_err(|_| Gone)
    }

    /// Topics on which the broker does not take messages, as far as it was tried.
    pub fn refused(&self) -> BTreeSet<String> {
        locked(&self.underway).refused.clone()
    }

    /// The next message, or why there will be none.
    pub async fn next(&mut self) -> Result<Message, Trouble> {
        tokio::select! {
            Some(message) = self.heard.recv() => Ok(message),
            ended = &mut self.driver => Err(ended.unwrap_or_else(broke_off)),
        }
    }

    /// Waits for the connection's end and answers why it ended.
    pub async fn end(&mut self) -> Trouble {
        (&mut self.driver).await.unwrap_or_else(broke_off)
    }

    /// Says goodbye: the last will is not executed.
    pub async fn disconnect(mut self) {
        if self.client.disconnect().await.is_ok() {
            self.end().await;
        }
    }
}

fn broke_off(error: JoinError) -> Trouble {
    Trouble::Lost(format!("the connection broke off: {error}"))
}

fn options(mqtt: &Mqtt, who: &Who) -> Result<MqttOptions, Trouble> {
    let mut options = MqttOptions::new(&who.client_id, &mqtt.host, mqtt.port);
    options.set_keep_alive(KEEP_ALIVE);
    options.set_clean_start(true);
    options.set_session_expiry_interval(Some(0));
    options.set_max_packet_size(Some(MAX_INCOMING));
    options.set_connection_timeout(CONNECTING.as_secs());
    options.set_outgoing_inflight_upper_limit(IN_FLIGHT);
    if let Some((topic, payload)) = &who.will {
        options.set_last_will(LastWill::new(topic, *payload, QoS::AtLeastOnce, true, None));
    }
    if let Some(user) = &mqtt.username {
        let password = mqtt.password.as_ref().map(|password| password.read()).transpose()?;
        options.set_credentials(user, password.unwrap_or_default());
    }
    if let Some(tls) = &mqtt.tls {
        options.set_transport(Transport::tls_with_config(tls::client_config(tls)?.into()));
    }
    Ok(options)
}

/// How large a message is on its way, in bytes: topic, payload, and the few bytes around them.
pub(super) fn packet_size(topic: &str, payload: &[u8]) -> usize {
    topic.len() + payload.len() + 16
}

/// MQTT 5.0, section 3.2.2.3.5: what is not said is available.
fn retains(connack: &ConnAck) -> bool {
    connack.properties.as_ref().and_then(|properties| properties.retain_available) != Some(0)
}

fn largest(connack: &ConnAck) -> Option<usize> {
    let largest = connack.properties.as_ref()?.max_packet_size?;
    usize::try_from(largest).ok()
}

/// Drives the connection until its end and answers why it ended.
async fn drive(
    mut events: EventLoop,
    tell: mpsc::Sender<Message>,
    underway: Arc<Mutex<Underway>>,
    confirm: watch::Sender<u64>,
) -> Trouble {
    loop {
        let event = match step(&mut events, &underway).await {
            Ok(event) => event,
            Err(trouble) => return trouble,
        };
        match event {
            Event::Outgoing(Outgoing::Publish(id)) => locked(&underway).sent(id),
            Event::Incoming(Packet::PubAck(ack)) => {
                locked(&underway).confirmed(ack.pkid, ack.reason);
                confirm.send_modify(|confirmed| *confirmed += 1);
            }
            Event::Incoming(Packet::SubAck(ack)) => {
                let refused = |code: &&SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
                if let Some(code) = ack.return_codes.iter().find(refused) {
                    tracing::error!(
                        "the broker does not let commands be listened to: {code:?}; check what it allows this user"
                    );
                }
            }
            Event::Incoming(Packet::Publish(publish)) => {
                // Waiting here would keep the session waiting, which may be about to publish.
                if tell.try_send(message(publish)).is_err() {
                    tracing::warn!("more messages came by MQTT than can be read; one was passed over");
                }
            }
            Event::Outgoing(Outgoing::Disconnect) => {
                return Trouble::Lost("this side has said goodbye".into());
            }
            Event::Incoming(_) | Event::Outgoing(_) => {}
        }
    }
}

/// The library's next step, for as long as the broker keeps up with us.
async fn step(events: &mut EventLoop, underway: &Mutex<Underway>) -> Result<Event, Trouble> {
    let mut step = std::pin::pin!(events.poll());
    let owes = Arc::clone(&locked(underway).owes);
    loop {
        let since = locked(underway).since;
        if since.is_some_and(|since| since.elapsed() >= CONFIRMING) {
            return Err(Trouble::Silent(CONFIRMING));
        }
        let overdue = async {
            match since {
                Some(since) => sleep_until(since + CONFIRMING).await,
                None => std::future::pending().await,
            }
        };
        // The step stays where it is while the clock is looked at. Giving it up ends the whole connection.
        tokio::select! {
            event = &mut step => return event.map_err(Into::into),
            () = overdue => {}
            () = owes.notified() => {}
        }
    }
}

fn message(publish: Publish) -> Message {
    Message {
        topic: String::from_utf8_lossy(&publish.topic).into_owned(),
        payload: publish.payload.to_vec(),
        retain: publish.retain,
    }
}
