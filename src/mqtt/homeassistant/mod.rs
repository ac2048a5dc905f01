//! What Home Assistant is told there is: a device for the queue, one for each server and one for each job.
//!
//! One retained message a device, which Home Assistant takes or refuses as a whole; what it accepts was measured with
//! version 2026.11. Keys it does not know within a component it drops without a word, so that every key used here
//! stands in `component`, and every value that a template reads is proven to be in the states.

mod component;
mod hub;
mod job;
pub(crate) mod naming;
mod server;

use crate::config::{Commands, Config};
use crate::mqtt::topics::Topics;
use naming::Naming;

/// What the descriptions are made of.
struct Context<'a> {
    config: &'a Config,
    topics: Topics,
    naming: Naming,
}

impl Context<'_> {
    /// Whether there are buttons to run jobs.
    fn runs(&self) -> bool {
        self.config.mqtt.commands != Commands::All(false)
    }

    /// Whether there are buttons to stop jobs.
    fn stops(&self) -> bool {
        self.config.mqtt.commands == Commands::All(true)
    }
}

/// Every device as topic and payload, to be published retained and in this order: a device that refers to another
/// one comes after it. `instance` tells this installation from others at the same broker, in 8 hexadecimal digits.
pub fn discovery(config: &Config, instance: &str) -> Vec<(String, Vec<u8>)> {
    let topics = Topics::new(&config.mqtt.base_topic);
    let context = Context { config, topics, naming: Naming::new(config, instance) };
    let hub = std::iter::once(hub::device(&context));
    let servers = config.servers.iter().map(|server| server::device(&context, server));
    let jobs = config.jobs.iter().map(|job| job::device(&context, job));
    let prefix = &config.mqtt.discovery_prefix;
    hub.chain(servers).chain(jobs).map(|device| device.message(prefix, &context.topics)).collect()
}

#[cfg(test)]
mod tests;
