//! The broker: whether it lets this in, and takes what it would be sent. Nothing is published.

use std::time::Duration;

use tokio::time::timeout;

use super::finding::{Finding, Level, Section};
use crate::config::Config;
use crate::mqtt::{self, Broker};
use crate::words::size;

/// Longer than connecting takes by itself.
const BOUND: Duration = Duration::from_secs(45);

/// Visits it.
pub(super) async fn examine(config: &Config) -> Section {
    const CHECK: &str = "connection";
    let mqtt = &config.mqtt;
    if !mqtt.enabled {
        return Section::of("MQTT", Finding::ok("broker", "none: mqtt.enabled is false"));
    }
    let mut section = Section::new(format!("MQTT {}:{}", mqtt.host, mqtt.port));
    let advice = "check mqtt.host and mqtt.port, and that the broker is up";
    let broker = match timeout(BOUND, mqtt::probe(config)).await {
        Ok(Ok(broker)) => broker,
        Ok(Err(error)) => {
            section.push(Finding::from_error(Level::Failure, CHECK, &error, advice));
            return section;
        }
        Err(_) => {
            let text = format!("it does not answer within {} s", BOUND.as_secs());
            section.push(Finding::failure(CHECK, text, advice));
            return section;
        }
    };
    let who = mqtt.username.as_deref().map_or_else(|| "without a user".into(), |user| format!("as {user}"));
    let over = if mqtt.tls.is_some() { "over TLS" } else { "not encrypted" };
    section.push(Finding::ok(CHECK, format!("the broker lets this in {who}, {over}")));
    section.findings.extend(judge(broker));
    section
}

fn judge(broker: Broker) -> Vec<Finding> {
    let bytes = |bytes: usize| size(bytes as u64);
    let mut findings = Vec::new();
    findings.push(match broker.largest {
        Some(largest) if largest < broker.needed => Finding::failure(
            "packet size",
            format!(
                "it takes at most {}, and the largest message has {}",
                bytes(largest),
                bytes(broker.needed)
            ),
            "raise the broker's limit (max_packet_size)",
        ),
        Some(largest) => Finding::ok("packet size", format!("at most {}, which is enough", bytes(largest))),
        None => Finding::ok("packet size", "no limit"),
    });
    if !broker.retains {
        findings.push(Finding::failure(
            "retained",
            "it keeps no retained messages, without which nothing can be shown",
            "have the broker keep them (retain_available)",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_must_take_the_largest_message_and_keep_it() {
        let levels = |largest, retains| {
            let found = judge(Broker { largest, needed: 5000, retains });
            found.iter().map(|finding| finding.level).collect::<Vec<_>>()
        };
        assert_eq!(levels(None, true), [Level::Ok]);
        assert_eq!(levels(Some(5000), true), [Level::Ok]);
        assert_eq!(levels(Some(4999), true), [Level::Failure]);
        assert_eq!(levels(None, false), [Level::Ok, Level::Failure]);
    }
}
