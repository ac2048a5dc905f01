//! A server: whether it can be asked, and what it says of itself.

use std::net::IpAddr;

use super::Context;
use super::component::{Component, Device, value};
use crate::config::Server;
use crate::mqtt::topics::Address;

/// Whether there is something to look at. A state that an earlier version left at the broker has no remarks.
const ATTENTION: &str = "{{ (value_json.remarks | default([], true) | length) > 0 }}";
/// What there is to look at, as people read it.
const REMARKS: &str =
    "{{ {'remarks': value_json.remarks | default([], true) | map(attribute='text') | list} | to_json }}";

pub(super) fn device(context: &Context, server: &Server) -> Device {
    let naming = &context.naming;
    let state_topic = context.topics.server_state(&server.name);
    let run = if context.runs() {
        let topic = context.topics.command(&Address::ServerRun(server.name.clone()));
        Component::button("run", "Run", topic).icon("play")
    } else {
        Component::absent("run", "button")
    };
    let free = if server.destination_id.is_some() {
        Component::sensor("destination_free", "Destination free", value("destination_free"))
            .class("data_size")
            .unit("B")
            .whole()
            .measured()
    } else {
        Component::absent("destination_free", "sensor")
    };
    Device::new(
        naming.server_id(&server.name),
        naming.server_stem(&server.name),
        server.name.as_str(),
        state_topic,
    )
    .made("JetBackup", "JetBackup 5 server")
    .via(naming.hub_id())
    .address(address(&server.host))
    .with([
        Component::binary_sensor("reachable", "Reachable", value("reachable"))
            .class("connectivity")
            .diagnostic(),
        Component::binary_sensor("attention", "Attention", ATTENTION)
            .class("problem")
            .attributes(context.topics.server_state(&server.name), REMARKS)
            .diagnostic()
            .past(),
        Component::binary_sensor("jetbackup", "JetBackup", value("jetbackup")).class("running").diagnostic(),
        Component::sensor("version", "JetBackup version", value("version"))
            .icon("tag-outline")
            .diagnostic()
            .past(),
        free,
        Component::sensor("error", "Error", value("error"))
            .icon("alert-circle-outline")
            .diagnostic()
            .disabled(),
        Component::sensor("checked_at", "Last contact", value("checked_at"))
            .timestamp()
            .diagnostic()
            .disabled(),
        run,
    ])
}

/// Where a browser finds the server, if `host` is a name in the public sense: an address, or the name of one network
/// alone, is hardly where its panel answers.
fn address(host: &str) -> Option<String> {
    let name = host.strip_suffix('.').unwrap_or(host);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let real = name.contains('.')
        && name.parse::<IpAddr>().is_err()
        && name.split('.').all(|part| !part.is_empty() && part.chars().all(plain));
    real.then(|| format!("https://{}", name.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_real_host_name_is_an_address_for_browsers() {
        assert_eq!(address("Web1.example.com.").as_deref(), Some("https://web1.example.com"));
        for host in ["web1", "192.0.2.1", "2001:db8::1", "fe80::1%eth0", "my_host.example.com", "."] {
            assert_eq!(address(host), None, "{host}");
        }
    }
}
