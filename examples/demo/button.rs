//! A client of the broker that does what a button in Home Assistant does.

use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use serde_json::Value;

use crate::broker::Broker;
use crate::plans::{ASKED_FOR, job_id, night};
use crate::site::BASE_TOPIC;

/// Presses the button of a job that has ended as partial, once.
pub async fn press_after_partial(broker: Broker) {
    let job = job_id(ASKED_FOR);
    let Some(server) = night().get(ASKED_FOR).map(|plan| plan.server) else { return };
    let address = broker.address();
    let mut options = MqttOptions::new("home-assistant", address.ip().to_string(), address.port());
    options.set_keep_alive(Duration::from_secs(30));
    let (client, mut connection) = AsyncClient::new(options, 4);
    // What was not said is noticed in the end: the job has run once only.
    let _ = client.subscribe(format!("{BASE_TOPIC}/events"), QoS::AtLeastOnce).await;
    while let Ok(event) = connection.poll().await {
        match event {
            Event::Incoming(Packet::Publish(message)) => {
                let event: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
                if event["event_type"] == "job_partial" && event["job_id"] == job {
                    let topic = format!("{BASE_TOPIC}/jobs/{server}/{job}/command/run");
                    let _ = client.publish(topic, QoS::AtLeastOnce, false, "PRESS").await;
                }
            }
            Event::Incoming(Packet::PubAck(_)) => {
                let _ = client.disconnect().await;
            }
            _ => {}
        }
    }
}
