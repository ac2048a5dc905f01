//! MQTT 3.1.1 in the broker's words.

use std::io;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode, UnsubAck,
};

use super::Publication;
use super::post::Letter;
use super::wire::{Filter, Heard, Said, not_served};

/// What a packet says.
pub fn heard(packet: Packet) -> io::Result<Heard> {
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
                    subscription: None,
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

/// The packet that says it.
pub fn said(said: Said) -> Packet {
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
        Said::Publish { letter: Letter { publication, .. }, id } => {
            let mut publish = Publish::new(publication.topic, qos(id.is_some()), publication.payload);
            (publish.retain, publish.pkid) = (publication.retain, id.unwrap_or_default());
            Packet::Publish(publish)
        }
    }
}
