//! The broker: what is needed while it is used.

use super::Assembly;
use crate::config::file::{MqttSection, TlsSection};
use crate::config::{Mqtt, Tls, host};

impl Assembly<'_> {
    pub(super) fn mqtt(&mut self, entry: MqttSection) -> Mqtt {
        let used = entry.enabled;
        match &entry.host {
            Some(host) => {
                if let Some(fault) = host::fault(host) {
                    self.fault(used, "mqtt.host", fault);
                }
            }
            None if used => {
                self.problem(
                    "mqtt.host",
                    "is missing; needed while enabled: the broker's host name or address",
                );
            }
            None => {}
        }
        let default_port = if entry.tls.is_some() { 8883 } else { 1883 };
        let tls = entry.tls.map(|tls| self.tls(tls));
        Mqtt {
            enabled: entry.enabled,
            host: entry.host.unwrap_or_default(),
            port: entry.port.unwrap_or(default_port),
            username: entry.username,
            password: self.secret(used, "mqtt.password", entry.password.as_deref()),
            client_id: entry.client_id,
            base_topic: entry.base_topic,
            discovery: entry.discovery,
            discovery_prefix: entry.discovery_prefix,
            commands: entry.commands,
            tls,
        }
    }

    fn tls(&mut self, entry: TlsSection) -> Tls {
        let mut file = |key: &str, text: Option<String>| {
            text.map(|text| self.key_path(&format!("mqtt.tls.{key}"), &text))
        };
        let ca_file = file("ca_file", entry.ca_file);
        let client = match (file("client_cert", entry.client_cert), file("client_key", entry.client_key)) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => {
                self.problem("mqtt.tls", "has client_cert without client_key or the reverse; needed: both");
                None
            }
        };
        Tls { ca_file, client }
    }
}
