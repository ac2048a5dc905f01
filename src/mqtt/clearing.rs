//! Taking back everything this installation keeps at the broker.

use std::time::Duration;

use tokio::time::timeout;

use super::link::{Link, Who};
use super::topics::Topics;
use super::trouble::Trouble;
use crate::config::Config;
use crate::history::{History, HistoryError};

/// How long the broker may take for all of it.
const CLEARING: Duration = Duration::from_secs(60);

/// What was published could not be taken back.
#[derive(Debug, thiserror::Error)]
pub enum ClearError {
    /// What was published is not known, or that it was cleared cannot be noted.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// There is no connection to the broker.
    #[error("no connection to the broker {broker}: {reason}")]
    Broker {
        /// The broker, as host and port.
        broker: String,
        /// Why, and what to do about it.
        reason: String,
    },
}

/// What became of clearing.
#[derive(Debug, Default)]
pub struct Cleared {
    /// Topics that hold nothing of ours any more.
    pub topics: Vec<String>,
    /// Topics that the broker does not let us clear.
    pub refused: Vec<String>,
}

/// Clears every retained message that is on record as ours, and nothing else.
///
/// # Errors
/// If the record cannot be used or the broker not be reached. What was not confirmed stays on record.
pub async fn clear(config: &Config, history: &History) -> Result<Cleared, ClearError> {
    let topics = history.published().await?;
    if topics.is_empty() {
        return Ok(Cleared::default());
    }
    let mqtt = &config.mqtt;
    let failed =
        |reason: String| ClearError::Broker { broker: format!("{}:{}", mqtt.host, mqtt.port), reason };
    let client_id = match &mqtt.client_id {
        Some(client_id) => client_id.clone(),
        None => format!("jetbackup-remote-{}", history.instance_id().await?),
    };
    // Should this break off half-way, one topic more is cleared.
    let will = Some((Topics::new(&mqtt.base_topic).availability(), ""));
    let mut link =
        Link::connect(mqtt, &Who { client_id, will }).await.map_err(|error| failed(error.to_string()))?;
    let cleared = timeout(CLEARING, async {
        for topic in &topics {
            link.publish(topic, Vec::new(), true).await?;
        }
        link.settle().await
    })
    .await;
    match cleared {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return Err(failed(link.end().await.to_string())),
        Err(_) => return Err(failed(Trouble::Silent(CLEARING).to_string())),
    }
    let refused = link.refused();
    link.disconnect().await;
    let (refused, topics): (Vec<_>, Vec<_>) = topics.into_iter().partition(|topic| refused.contains(topic));
    history.forget_published(topics.clone()).await?;
    Ok(Cleared { topics, refused })
}
