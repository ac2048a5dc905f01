//! `mqtt`: what Home Assistant is told, taking it back, and a dashboard of it.

use std::path::Path;

use serde_json::{Map, Value};

use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::output::{print, print_error, print_warning};
use super::{DiscoveryArgs, MqttAction};
use crate::config::Config;
use crate::control::{self, Found};
use crate::history::History;
use crate::mqtt;
use crate::runner::Claim;
use crate::words::count;

/// Stands for the instance id where there is none yet.
const NO_INSTANCE: &str = "00000000";

pub(super) fn mqtt(path: &Path, verbose: u8, action: &MqttAction) -> Result<Exit, Failure> {
    let config = context::load(path)?;
    match action {
        MqttAction::Dashboard => {
            print(mqtt::dashboard(&config).trim_end())?;
            Ok(Exit::Done)
        }
        MqttAction::Discovery(DiscoveryArgs { clear: false }) => block_on(show(&config)),
        MqttAction::Discovery(DiscoveryArgs { clear: true }) => {
            let _log = context::log_to_stderr(verbose);
            block_on(clear(&config))
        }
    }
}

/// Prints what is published for Home Assistant, by topic.
async fn show(config: &Config) -> Result<Exit, Failure> {
    let instance = match History::read_only(&config.orchestrator.state_dir) {
        Ok(history) => history.instance_id().await.ok(),
        Err(_) => None,
    };
    if instance.is_none() {
        print_warning(&format!(
            "the instance id is made up when a runner first starts; {NO_INSTANCE} stands for it"
        ));
    }
    if !config.mqtt.discovery {
        print_warning("mqtt.discovery is false, so none of this is published");
    }
    let mut messages = Map::new();
    for (topic, payload) in mqtt::discovery(config, instance.as_deref().unwrap_or(NO_INSTANCE)) {
        messages.insert(topic, serde_json::from_slice::<Value>(&payload)?);
    }
    print(&serde_json::to_string_pretty(&messages)?)?;
    Ok(Exit::Done)
}

/// Takes back everything that is on record as published.
async fn clear(config: &Config) -> Result<Exit, Failure> {
    if !config.mqtt.enabled {
        return Err(Failure::Unusable(
            "mqtt.enabled is false: there is no broker to clear anything at".into(),
        ));
    }
    if let Found::Runner(runner) = control::connect(&config.orchestrator.control_socket).await? {
        return Err(Failure::Busy(format!(
            "{} is at work (process {}) and would publish everything again: end it first, or set mqtt.discovery to \
             false and reload it, which clears the discovery by itself",
            runner.runner().name(),
            runner.pid()
        )));
    }
    let claim = Claim::take(&config.orchestrator).await?;
    let mqtt::Cleared { topics, refused } = mqtt::clear(config, &claim.history).await?;
    if topics.is_empty() && refused.is_empty() {
        print("nothing is on record as published")?;
    }
    if !topics.is_empty() {
        print(&format!("cleared {}:\n{}", count(topics.len(), "topic", "topics"), topics.join("\n")))?;
    }
    if refused.is_empty() {
        return Ok(Exit::Done);
    }
    print_error(&format!(
        "the broker does not let this user clear {}: check what it allows\n{}",
        count(refused.len(), "topic", "topics"),
        refused.join("\n")
    ));
    Ok(Exit::CouldNotStart)
}
