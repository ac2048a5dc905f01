//! What was said over MQTT, in lines for a person: states where they changed, and events.

use std::collections::BTreeMap;

use jiff::Zoned;
use serde_json::Value;

use crate::broker::Publication;

/// What all topics but those of discovery begin with.
const BASE: &str = "jetbackup-remote/";

/// The most of a text that is shown, in characters.
const WIDTH: usize = 80;

/// What was said so far.
#[derive(Default)]
pub struct Chronicle {
    /// The last line about each topic.
    said: BTreeMap<String, String>,
    discovered: usize,
    unchanged: usize,
}

impl Chronicle {
    /// The line for a message, if it tells anything new.
    pub fn line(&mut self, at: &Zoned, publication: &Publication) -> Option<String> {
        let Some(topic) = publication.topic.strip_prefix(BASE) else {
            self.discovered += 1;
            return None;
        };
        let text = text(topic, &publication.payload);
        let is_state = publication.retain;
        if is_state && self.said.insert(topic.to_owned(), text.clone()).as_ref() == Some(&text) {
            self.unchanged += 1;
            return None;
        }
        Some(format!("  {}  {topic:<42}  {text}", at.strftime("%H:%M:%S")))
    }

    /// What was said beside the lines.
    pub fn beside(&self) -> String {
        format!(
            "\nNot shown: {} messages about progress, and {} that tell Home Assistant what there is.",
            self.unchanged, self.discovered
        )
    }
}

/// What a message says, as far as it is worth a line.
fn text(topic: &str, payload: &[u8]) -> String {
    let Ok(message) = serde_json::from_slice::<Value>(payload) else {
        return String::from_utf8_lossy(payload).into_owned();
    };
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let parts = match topic.split('/').next() {
        Some("state") => vec![
            word(&message["phase"]),
            word(&message["reason"]),
            match &message["current"] {
                Value::Null => String::new(),
                current => format!("{} ({})", word(&current["label"]), word(&current["server"])),
            },
        ],
        Some("jobs") => vec![
            word(&message["phase"]),
            match &message["last"] {
                Value::Null => String::new(),
                last => format!("last {}", word(&last["result"])),
            },
        ],
        Some("servers") => vec![match message["reachable"].as_bool() {
            Some(true) => format!("reachable, JetBackup {}", word(&message["version"])),
            Some(false) => word(&message["error"]),
            None => "not asked yet".to_owned(),
        }],
        Some("events") => {
            vec![word(&message["event_type"]), word(&message["server"]), word(&message["label"])]
        }
        Some("command") if message["accepted"].is_boolean() => {
            let said = if message["accepted"] == true { "taken" } else { "refused" };
            vec![said.to_owned(), word(&message["reason"])]
        }
        _ => vec![message.to_string()],
    };
    let text = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    text.chars().take(WIDTH).collect()
}
