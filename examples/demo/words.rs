//! MQTT messages in a few words for people.

use serde_json::Value;

use crate::broker::Publication;
use crate::plans::{Plan, job_id};
use crate::site::BASE_TOPIC;

/// Where Home Assistant looks for devices.
pub const DISCOVERY: &str = "homeassistant/device/";

/// Of a server.
pub const NOT_ASKED: &str = "not asked yet";

/// What a topic is about, below the program's base topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic<'a> {
    Availability,
    Hub,
    Server,
    /// The job with this id.
    Job(&'a str),
    Event,
    Answer,
    /// A command for the job with this id, if it is for a job.
    Command(Option<&'a str>),
}

impl<'a> Topic<'a> {
    /// `None` if it is none of the program's topics.
    pub fn of(topic: &'a str) -> Option<Self> {
        Some(match tail(topic)?.split('/').collect::<Vec<_>>()[..] {
            ["availability"] => Self::Availability,
            ["state"] => Self::Hub,
            ["servers", _, "state"] => Self::Server,
            ["jobs", _, id, "state"] => Self::Job(id),
            ["events"] => Self::Event,
            ["command", "result"] => Self::Answer,
            ["jobs", _, id, "command", _] => Self::Command(Some(id)),
            ["command", _] | ["servers", _, "command", _] => Self::Command(None),
            _ => return None,
        })
    }

    /// The job it is about.
    pub fn job(self) -> Option<&'a str> {
        match self {
            Self::Job(id) => Some(id),
            Self::Command(id) => id,
            _ => None,
        }
    }

    /// What a message says.
    pub fn word(self, payload: &[u8]) -> String {
        let text = String::from_utf8_lossy(payload).into_owned();
        let Ok(said) = serde_json::from_str::<Value>(&text) else { return text };
        match self {
            Self::Hub => phase(&said),
            Self::Job(_) => match end(&said) {
                Some(end) if said["phase"] == "idle" => format!("{}: {end}", phase(&said)),
                _ => phase(&said),
            },
            Self::Server => match said["reachable"].as_bool() {
                Some(true) => "reachable".to_owned(),
                Some(false) => "not reachable".to_owned(),
                None => NOT_ASKED.to_owned(),
            },
            Self::Event => said["event_type"].as_str().unwrap_or_default().to_owned(),
            Self::Answer => {
                let accepted = if said["accepted"] == true { "accepted" } else { "refused" };
                format!("{accepted}: {}", said["reason"].as_str().unwrap_or_default())
            }
            Self::Availability | Self::Command(_) => text,
        }
    }
}

/// The part of a topic below the program's base topic.
pub fn tail(topic: &str) -> Option<&str> {
    topic.strip_prefix(BASE_TOPIC)?.strip_prefix('/')
}

/// The label of the job with this id.
pub fn label(plans: &[Plan], id: &str) -> &'static str {
    let mut plans = plans.iter().enumerate();
    plans.find(|(place, _)| job_id(*place) == id).map_or("", |(_, plan)| plan.label)
}

/// Whom an event is about.
pub fn subject(publication: &Publication) -> Option<String> {
    let event: Value = serde_json::from_slice(&publication.payload).ok()?;
    let server = event["server"].as_str()?;
    Some(match event["label"].as_str() {
        Some(label) => format!("{label} on {server}"),
        None => server.to_owned(),
    })
}

fn phase(said: &Value) -> String {
    said["phase"].as_str().unwrap_or_default().to_owned()
}

/// How a job's last run ended.
fn end(said: &Value) -> Option<String> {
    let late = if said["last"]["overrun"] == true { ", late" } else { "" };
    Some(format!("{}{late}", said["last"]["result"].as_str()?))
}
