//! What Home Assistant is told there is: a device for the queue, one for each server and one for each job.
//!
//! One retained message a device, which Home Assistant takes or refuses as a whole; what it accepts was measured with
//! version 2026.11. Keys it does not know within a component it drops without a word, so that every key used here
//! stands in `component`, and every value that a template reads is proven to be in the states.

mod component;
mod dashboard;
mod hub;
mod job;
pub(crate) mod naming;
mod server;

use crate::config::{Commands, Config, Job, Server};
use crate::mqtt::topics::Topics;
pub use dashboard::dashboard;
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
///
/// Each message is made when its turn comes: for hundreds of jobs, all of them together are megabytes.
pub fn discovery<'a>(
    config: &'a Config,
    instance: &str,
) -> impl Iterator<Item = (String, Vec<u8>)> + use<'a> {
    enum Described<'a> {
        Hub,
        Server(&'a Server),
        Job(&'a Job),
    }
    let topics = Topics::new(&config.mqtt.base_topic);
    let context = Context { config, topics, naming: Naming::new(config, instance) };
    let servers = config.servers.iter().map(Described::Server);
    let jobs = config.jobs.iter().map(Described::Job);
    std::iter::once(Described::Hub).chain(servers).chain(jobs).map(move |described| {
        let device = match described {
            Described::Hub => hub::device(&context),
            Described::Server(server) => server::device(&context, server),
            Described::Job(job) => job::device(&context, job),
        };
        device.message(&config.mqtt.discovery_prefix, &context.topics)
    })
}

#[cfg(test)]
mod tests;
