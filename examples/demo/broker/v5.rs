//! MQTT 5 in the broker's words.

use std::io;

use bytes::Bytes;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnAckProperties, ConnectReturnCode, Packet, PingResp, PubAck, Publish, PublishProperties,
    RetainForwardRule, SubAck, SubscribeReasonCode, UnsubAck, UnsubAckReason,
};

use super::Publication;
use super::post::Letter;
use super::wire::{Filter, Heard, LARGEST, Said, not_served};

/// What a packet says.
pub fn heard(packet: Packet) -> io::Result<Heard> {
    Ok(match packet {
        Packet::Connect(connect, will, _) => {
            let will = will.map(|will| publication(&will.topic, will.message, will.retain)).transpose()?;
            Heard::Connect { client_id: connect.client_id, keep_alive: connect.keep_alive, will }
        }
        Packet::Publish(publish) if publish.qos != QoS::ExactlyOnce => Heard::Publish {
            publication: publication(&publish.topic, publish.payload, publish.retain)?,
            confirm: (publish.qos == QoS::AtLeastOnce).then_some(publish.pkid),
        },
        Packet::Subscribe(subscribe) => {
            let subscription = subscribe.properties.and_then(|properties| properties.id);
            Heard::Subscribe {
                id: subscribe.pkid,
                filters: (subscribe.filters.into_iter())
                    .map(|filter| Filter {
                        path: filter.path,
                        subscription,
                        confirms: filter.qos != QoS::AtMostOnce,
                        preserves_retain: filter.preserve_retain,
                        wants_retained: filter.retain_forward_rule != RetainForwardRule::Never,
                    })
                    .collect(),
            }
        }
        Packet::Unsubscribe(unsubscribe) => {
            Heard::Unsubscribe { id: unsubscribe.pkid, filters: unsubscribe.filters }
        }
        Packet::PingReq(_) => Heard::Ping,
        Packet::PubAck(_) => Heard::Confirmed,
        Packet::Disconnect(_) => Heard::Goodbye,
        _ => return Err(not_served()),
    })
}

fn publication(topic: &[u8], payload: Bytes, retain: bool) -> io::Result<Publication> {
    Ok(Publication { topic: text(topic)?, payload, retain })
}

fn text(bytes: &[u8]) -> io::Result<String> {
    String::from_utf8(bytes.into()).map_err(io::Error::other)
}

/// What this broker does not do.
fn terms(client_id: String) -> ConnAckProperties {
    ConnAckProperties {
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
        subscription_identifiers_available: None,
        shared_subscription_available: Some(0),
        server_keep_alive: None,
        response_information: None,
        server_reference: None,
        authentication_method: None,
        authentication_data: None,
    }
}

/// The packet that says it.
pub fn said(said: Said) -> Packet {
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
            reasons: vec![UnsubAckReason::Success; filters],
            properties: None,
        }),
        Said::Pong => Packet::PingResp(PingResp),
        Said::Publish { letter: Letter { publication, subscriptions, .. }, id } => {
            let properties =
                PublishProperties { subscription_identifiers: subscriptions, ..PublishProperties::default() };
            let mut publish =
                Publish::new(publication.topic, qos(id.is_some()), publication.payload, Some(properties));
            (publish.retain, publish.pkid) = (publication.retain, id.unwrap_or_default());
            Packet::Publish(publish)
        }
    }
}
