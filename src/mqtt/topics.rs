//! Where everything is said and asked, below the base topic.

use crate::config::{Commands, Config};
use crate::model::{JobKey, ServerName};

/// The topics below one base topic.
#[derive(Debug, Clone)]
pub(crate) struct Topics {
    base: String,
}

/// What a command topic is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// To run what the payload names.
    Run,
    /// To stop what the payload names.
    Stop,
    /// To take off the lane what the payload names.
    Release,
    /// To run the jobs of this server.
    ServerRun(ServerName),
    /// To run this job.
    JobRun(JobKey),
    /// To stop this job.
    JobStop(JobKey),
}

impl Topics {
    /// The topics below `base`.
    pub(crate) fn new(base: &str) -> Self {
        Self { base: base.to_owned() }
    }

    /// `online` or `offline`; the latter is the last will.
    pub(crate) fn availability(&self) -> String {
        self.below("availability")
    }

    /// The queue.
    pub(crate) fn state(&self) -> String {
        self.below("state")
    }

    /// A server.
    pub(crate) fn server_state(&self, server: &ServerName) -> String {
        self.below(&format!("servers/{server}/state"))
    }

    /// A job.
    pub(crate) fn job_state(&self, job: &JobKey) -> String {
        self.below(&format!("jobs/{job}/state"))
    }

    /// What happens, as it happens.
    pub(crate) fn events(&self) -> String {
        self.below("events")
    }

    /// What becomes of commands.
    pub(crate) fn result(&self) -> String {
        self.below("command/result")
    }

    /// Where commands of this kind are sent. The answer to it is [`Topics::address`].
    pub(crate) fn command(&self, address: &Address) -> String {
        self.below(&match address {
            Address::Run => "command/run".to_owned(),
            Address::Stop => "command/stop".to_owned(),
            Address::Release => "command/release".to_owned(),
            Address::ServerRun(server) => format!("servers/{server}/command/run"),
            Address::JobRun(job) => format!("jobs/{job}/command/run"),
            Address::JobStop(job) => format!("jobs/{job}/command/stop"),
        })
    }

    /// The filters to subscribe to; none if no commands are taken. Servers and jobs that are not configured are among
    /// what they catch, and so are commands that are not permitted: whoever sends those is told why they do nothing.
    pub(crate) fn subscriptions(&self, config: &Config) -> Vec<String> {
        if config.mqtt.commands == Commands::All(false) {
            return Vec::new();
        }
        // Each by its name: `command/+` would catch `command/result`, and every answer would be answered.
        [
            "command/run",
            "command/stop",
            "command/release",
            "servers/+/command/run",
            "jobs/+/+/command/run",
            "jobs/+/+/command/stop",
        ]
        .map(|tail| self.below(tail))
        .into()
    }

    /// What a command on `topic` is for; `None` if `topic` is not exactly a command topic.
    pub(crate) fn address(&self, topic: &str) -> Option<Address> {
        let levels: Vec<&str> = topic.strip_prefix(&self.base)?.strip_prefix('/')?.split('/').collect();
        let job =
            |server: &str, job: &str| Some(JobKey { server: server.parse().ok()?, job: job.parse().ok()? });
        Some(match levels.as_slice() {
            ["command", "run"] => Address::Run,
            ["command", "stop"] => Address::Stop,
            ["command", "release"] => Address::Release,
            ["servers", server, "command", "run"] => Address::ServerRun(server.parse().ok()?),
            ["jobs", server, id, "command", "run"] => Address::JobRun(job(server, id)?),
            ["jobs", server, id, "command", "stop"] => Address::JobStop(job(server, id)?),
            _ => return None,
        })
    }

    /// `topic` without the base topic, as people are told of it.
    pub(crate) fn tail<'a>(&self, topic: &'a str) -> &'a str {
        topic.strip_prefix(&self.base).and_then(|tail| tail.strip_prefix('/')).unwrap_or(topic)
    }

    fn below(&self, tail: &str) -> String {
        format!("{}/{tail}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mqtt::testing::{config, key};

    fn matches(filter: &str, topic: &str) -> bool {
        let (filter, topic): (Vec<_>, Vec<_>) = (filter.split('/').collect(), topic.split('/').collect());
        filter.len() == topic.len() && filter.iter().zip(topic).all(|(f, t)| *f == "+" || *f == t)
    }

    #[test]
    fn every_command_topic_is_caught_and_understood_and_nothing_else() {
        let topics = Topics::new("home/backups");
        let filters = topics.subscriptions(&config());
        let caught = |topic: &str| filters.iter().any(|filter| matches(filter, topic));
        for address in [
            Address::Run,
            Address::Stop,
            Address::Release,
            Address::ServerRun("web-1.example".parse().unwrap()),
            Address::JobRun(key("web1", 1)),
            Address::JobStop(key("web1", 1)),
        ] {
            let topic = topics.command(&address);
            assert!(caught(&topic), "{topic}");
            assert_eq!(topics.address(&topic), Some(address), "{topic}");
        }
        let job = key("web1", 1);
        for topic in [
            topics.result(),
            topics.state(),
            topics.events(),
            topics.availability(),
            topics.server_state(&job.server),
            topics.job_state(&job),
        ] {
            assert!(!caught(&topic), "{topic}");
            assert_eq!(topics.address(&topic), None, "{topic}");
        }
    }

    #[test]
    fn what_only_looks_like_a_command_topic_is_none() {
        let topics = Topics::new("b");
        for topic in [
            "b",
            "b/",
            "b/command",
            "b/command/run/",
            "/b/command/run",
            "b//command/run",
            "bb/command/run",
            "b/Command/run",
            "b/command/result",
            "b/servers//command/run",
            "b/servers/a b/command/run",
            "b/servers/a/command/stop",
            "b/jobs/a/command/run",
            "b/jobs/a/123/command/run",
            "b/jobs/a/000000000000000000000001/command/release",
        ] {
            assert_eq!(topics.address(topic), None, "{topic}");
        }
    }

    #[test]
    fn who_takes_no_commands_hears_none() {
        let mut config = config();
        config.mqtt.commands = Commands::All(false);
        assert_eq!(Topics::new("b").subscriptions(&config), [""; 0]);
    }

    proptest! {
        #[test]
        fn any_topic_is_an_address_or_none(topic in r"b?/?[a-z0-9/+#éA-Z]{0,60}") {
            let topics = Topics::new("b");
            if let Some(address) = topics.address(&topic) {
                prop_assert_eq!(topics.command(&address).to_lowercase(), topic.to_lowercase());
            }
        }
    }
}
