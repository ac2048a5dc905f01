//! A visit at the broker that changes nothing: another client id, no last will, no topic.

use std::time::Duration;

use tokio::time::timeout;

use super::homeassistant::discovery;
use super::link::{Link, Who, packet_size};
use crate::config::Config;

/// How long saying goodbye may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// Stands for the instance id, which is as long.
const INSTANCE: &str = "00000000";
/// Bytes. States and events are smaller than this but for queues of hundreds of jobs.
const LEAST: usize = 4096;

/// What a broker said of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broker {
    /// The largest packet it takes, in bytes; `None`: whatever comes.
    pub largest: Option<usize>,
    /// The largest packet it would be sent, in bytes.
    pub needed: usize,
    /// Whether it keeps retained messages.
    pub retains: bool,
}

/// Connects with the configured credentials and says goodbye. A session under way and its last will are not touched.
///
/// # Errors
/// Why there is no connection, in words that say what to do.
pub async fn probe(config: &Config) -> Result<Broker, String> {
    let who = Who { client_id: format!("jetbackup-remote-doctor-{}", std::process::id()), will: None };
    let link = Link::connect(&config.mqtt, &who).await.map_err(|trouble| trouble.to_string())?;
    let (largest, retains) = (link.largest(), link.retains());
    let _ = timeout(FAREWELL, link.disconnect()).await;
    Ok(Broker { largest, needed: needed(config), retains })
}

fn needed(config: &Config) -> usize {
    if !config.mqtt.discovery {
        return LEAST;
    }
    let sizes = discovery(config, INSTANCE).map(|(topic, payload)| packet_size(&topic, &payload));
    sizes.max().unwrap_or_default().max(LEAST)
}
