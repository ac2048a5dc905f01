//! Stand-ins for the pure half.
#![allow(missing_docs, dead_code)]
use crate::config::Config;
use crate::model::*;
use jiff::Timestamp;

pub mod topics {
    use super::*;
    #[derive(Debug, Clone)]
    pub struct Topics(String);
    impl Topics {
        pub fn new(base: &str) -> Self {
            Self(base.into())
        }
        pub fn availability(&self) -> String {
            format!("{}/availability", self.0)
        }
        pub fn state(&self) -> String {
            format!("{}/state", self.0)
        }
        pub fn events(&self) -> String {
            format!("{}/events", self.0)
        }
        pub fn result(&self) -> String {
            format!("{}/command/result", self.0)
        }
        pub fn subscriptions(&self, _config: &Config) -> Vec<String> {
            vec![format!("{}/command/run", self.0)]
        }
    }
}
pub mod states {
    use super::*;
    pub fn states(topics: &topics::Topics, snapshot: &Snapshot) -> Vec<(String, Vec<u8>)> {
        vec![(topics.state(), serde_json::to_vec(&snapshot.queue()).unwrap_or_default())]
    }
}
pub mod events {
    use super::*;
    pub fn event(event: &Event, _snapshot: &Snapshot) -> Option<Vec<u8>> {
        event.event_type().map(|word| word.as_bytes().to_vec())
    }
}
pub mod commands {
    use super::*;
    pub struct Incoming<'a> {
        pub topic: &'a str,
        pub payload: &'a [u8],
        pub retain: bool,
    }
    pub fn read(_: &topics::Topics, _: &Config, incoming: &Incoming<'_>) -> Result<Command, String> {
        if incoming.retain { Err("retained".into()) } else { Ok(Command::Run(Selection::default())) }
    }
    #[derive(Debug, Default)]
    pub struct Allowance;
    impl Allowance {
        pub fn take(&mut self, _: tokio::time::Instant) -> bool {
            true
        }
    }
    pub fn result(topic: &str, answer: &Answer, at: Timestamp) -> Vec<u8> {
        format!("{topic} {answer:?} {at}").into_bytes()
    }
}
pub mod homeassistant {
    use super::*;
    pub fn discovery(_: &Config, _: &str) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }
}
