//! What is read from and written to one client, in MQTT 3.1.1 or 5, whichever it speaks.

use std::io;

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::{self, v4};
use rumqttc::v5::mqttbytes as mqttbytes5;
use rumqttc::v5::mqttbytes::v5;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Publication;

/// The largest packet taken.
const LARGEST: u32 = 1024 * 1024;
/// The byte of a CONNECT packet with the protocol's level, after one to four bytes of length.
const LEVEL_AFTER_LENGTH: usize = 1 + 2 + "MQTT".len();

/// What a client says.
pub enum Heard {
    Connect {
        client_id: String,
        keep_alive: u16,
        will: Option<Publication>,
    },
    /// With a packet id, it wants a word that the message has come.
    Publish {
        publication: Publication,
        confirm: Option<u16>,
    },
    Subscribe {
        id: u16,
        filters: Vec<Filter>,
    },
    Unsubscribe {
        id: u16,
        filters: Vec<String>,
    },
    Ping,
    Goodbye,
    /// It has a message.
    Confirmed,
}

/// What a client listens to.
pub struct Filter {
    pub path: String,
    /// It wants to confirm messages.
    pub confirms: bool,
    /// Messages keep the retain flag they were published with.
    pub preserves_retain: bool,
    /// What is retained is wanted at once.
    pub wants_retained: bool,
}

/// What a client is told.
pub enum Said {
    /// To the client that is called so.
    Welcome(String),
    Confirmed(u16),
    /// Whether each filter's messages will ask to be confirmed.
    Subscribed {
        id: u16,
        confirms: Vec<bool>,
    },
    Unsubscribed {
        id: u16,
        filters: usize,
    },
    Pong,
    /// With a packet id, it is to be confirmed.
    Publish {
        publication: Publication,
        id: Option<u16>,
    },
}

/// The connection to a client.
pub struct Wire {
    stream: TcpStream,
    read: BytesMut,
    is_v5: Option<bool>,
}

impl Wire {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, read: BytesMut::new(), is_v5: None }
    }

    /// What the client says next; `None` once it has hung up. To stop waiting loses nothing.
    pub async fn hear(&mut self) -> io::Result<Option<Heard>> {
        loop {
            if let Some(heard) = self.parse()? {
                return Ok(Some(heard));
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Ok(None);
            }
        }
    }

    pub async fn say(&mut self, said: Said) -> io::Result<()> {
        let mut written = BytesMut::new();
        if self.is_v5 == Some(true) {
            let packet = said_in_5(said);
            packet.write(&mut written, None).map_err(io::Error::other)?;
        } else {
            said_in_4(said).write(&mut written, usize::MAX).map_err(io::Error::other)?;
        }
        self.stream.write_all(&written).await
    }

    fn parse(&mut self) -> io::Result<Option<Heard>> {
        let Some(is_v5) = self.is_v5.or_else(|| level(&self.read).map(|level| level >= 5)) else {
            return Ok(None);
        };
        self.is_v5 = Some(is_v5);
        // The codec for MQTT 5 does not know a goodbye without a reason, the usual one.
        if self.read.starts_with(&[0xe0, 0]) {
            return Ok(Some(Heard::Goodbye));
        }
        if is_v5 {
            match v5::Packet::read(&mut self.read, Some(LARGEST)) {
                Ok(packet) => heard_in_5(packet).map(Some),
                Err(mqttbytes5::Error::InsufficientBytes(_)) => Ok(None),
                Err(error) => Err(io::Error::other(error)),
            }
        } else {
            match v4::Packet::read(&mut self.read, LARGEST as usize) {
                Ok(packet) => heard_in_4(packet).map(Some),
                Err(mqttbytes::Error::InsufficientBytes(_)) => Ok(None),
                Err(error) => Err(io::Error::other(error)),
            }
        }
    }
}

/// The protocol's level in a CONNECT packet, once it has come.
fn level(read: &[u8]) -> Option<u8> {
    let length = read.iter().skip(1).position(|byte| byte & 0x80 == 0)? + 1;
    read.get(length + LEVEL_AFTER_LENGTH).copied()
}

fn text(bytes: &[u8]) -> io::Result<String> {
    String::from_utf8(bytes.into()).map_err(io::Error::other)
}

fn not_served() -> io::Error {
    io::Error::other("the demo's broker does not serve such packets")
}

fn heard_in_5(packet: v5::Packet) -> io::Result<Heard> {
    use mqttbytes5::QoS;
    use v5::{Packet, RetainForwardRule};
    Ok(match packet {
        Packet::Connect(connect, will, _) => {
            let will = will.map(|will| publication(&will.topic, will.message, will.retain)).transpose()?;
            Heard::Connect { client_id: connect.client_id, keep_alive: connect.keep_alive, will }
        }
        Packet::Publish(publish) if publish.qos != QoS::ExactlyOnce => Heard::Publish {
            publication: publication(&publish.topic, publish.payload, publish.retain)?,
            confirm: (publish.qos == QoS::AtLeastOnce).then_some(publish.pkid),
        },
        Packet::Subscribe(subscribe) => Heard::Subscribe {
            id: subscribe.pkid,
            filters: (subscribe.filters.into_iter())
                .map(|filter| Filter {
                    path: filter.path,
                    confirms: filter.qos != QoS::AtMostOnce,
                    preserves_retain: filter.preserve_retain,
                    wants_retained: filter.retain_forward_rule != RetainForwardRule::Never,
                })
                .collect(),
        },
        Packet::Unsubscribe(unsubscribe) => {
            Heard::Unsubscribe { id: unsubscribe.pkid, filters: unsubscribe.filters }
        }
        Packet::PingReq(_) => Heard::Ping,
        Packet::PubAck(_) => Heard::Confirmed,
        Packet::Disconnect(_) => Heard::Goodbye,
        _ => return Err(not_served()),
    })
}

fn heard_in_4(packet: v4::Packet) -> io::Result<Heard> {
    use mqttbytes::QoS;
    use v4::Packet;
    Ok(match packet {
        Packet::Connect(connect) => Heard::Connect {
            client_id: connect.client_id,
            keep_alive: connect.keep_alive,
            will: connect.last_will.map(|will| Publication {
                topic: will.topic,
                payload: will.message,
                retain: will.retain,
            }),
        },
        Packet::Publish(publish) if publish.qos != QoS::ExactlyOnce => Heard::Publish {
            confirm: (publish.qos == QoS::AtLeastOnce).then_some(publish.pkid),
            publication: Publication {
                topic: publish.topic,
                payload: publish.payload,
                retain: publish.retain,
            },
        },
        Packet::Subscribe(subscribe) => Heard::Subscribe {
            id: subscribe.pkid,
            filters: (subscribe.filters.into_iter())
                .map(|filter| Filter {
                    path: filter.path,
                    confirms: filter.qos != QoS::AtMostOnce,
                    preserves_retain: false,
                    wants_retained: true,
                })
                .collect(),
        },
        Packet::Unsubscribe(unsubscribe) => {
            Heard::Unsubscribe { id: unsubscribe.pkid, filters: unsubscribe.topics }
        }
        Packet::PingReq => Heard::Ping,
        Packet::PubAck(_) => Heard::Confirmed,
        Packet::Disconnect => Heard::Goodbye,
        _ => return Err(not_served()),
    })
}

fn publication(topic: &[u8], payload: Bytes, retain: bool) -> io::Result<Publication> {
    Ok(Publication { topic: text(topic)?, payload, retain })
}

/// What this broker does not do.
fn terms(client_id: String) -> v5::ConnAckProperties {
    v5::ConnAckProperties {
        session_expiry_interval: Some(0),
        receive_max: None,
        max_qos: Some(1),
        retain_available: None,
        max_packet_size: Some(LARGEST),
        assigned_client_identifier: Some(client_id),
        topic_alias_max: None,
        reason_string: None,
        user_properties: Vec::new(),
        wildcard_subscription_available: None,
        subscription_identifiers_available: Some(0),
        shared_subscription_available: Some(0),
        server_keep_alive: None,
        response_information: None,
        server_reference: None,
        authentication_method: None,
        authentication_data: None,
    }
}

fn said_in_5(said: Said) -> v5::Packet {
    use mqttbytes5::QoS;
    use v5::{ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode, UnsubAck};
    let qos = |confirms| if confirms { QoS::AtLeastOnce } else { QoS::AtMostOnce };
    match said {
        Said::Welcome(client_id) => Packet::ConnAck(ConnAck {
            session_present: false,
            code: ConnectReturnCode::Success,
            properties: Some(terms(client_id)),
        }),
        Said::Confirmed(id) => Packet::PubAck(PubAck::new(id, None)),
        Said::Subscribed { id, confirms } => Packet::SubAck(SubAck {
            pkid: id,
            return_codes: confirms.into_iter().map(|each| SubscribeReasonCode::Success(qos(each))).collect(),
            properties: None,
        }),
        Said::Unsubscribed { id, filters } => Packet::UnsubAck(UnsubAck {
            pkid: id,
            reasons: vec![v5::UnsubAckReason::Success; filters],
            properties: None,
        }),
        Said::Pong => Packet::PingResp(v5::PingResp),
        Said::Publish { publication, id } => {
            let mut publish = Publish::new(publication.topic, qos(id.is_some()), publication.payload, None);
            (publish.retain, publish.pkid) = (publication.retain, id.unwrap_or_default());
            Packet::Publish(publish)
        }
    }
}

fn said_in_4(said: Said) -> v4::Packet {
    use mqttbytes::QoS;
    use v4::{ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode, UnsubAck};
    let qos = |confirms| if confirms { QoS::AtLeastOnce } else { QoS::AtMostOnce };
    match said {
        Said::Welcome(_) => Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false)),
        Said::Confirmed(id) => Packet::PubAck(PubAck::new(id)),
        Said::Subscribed { id, confirms } => {
            let codes = confirms.into_iter().map(|each| SubscribeReasonCode::Success(qos(each)));
            Packet::SubAck(SubAck::new(id, codes.collect()))
        }
        Said::Unsubscribed { id, .. } => Packet::UnsubAck(UnsubAck::new(id)),
        Said::Pong => Packet::PingResp,
        Said::Publish { publication, id } => {
            let mut publish = Publish::new(publication.topic, qos(id.is_some()), publication.payload);
            (publish.retain, publish.pkid) = (publication.retain, id.unwrap_or_default());
            Packet::Publish(publish)
        }
    }
}
