//! The webhook: every event that is somebody's news, as JSON.

use serde_json::Value;

use super::http::{Body, Message};
use crate::model::{Event, JobKey, Snapshot, news};
use crate::words;

/// The most of the sentence that is posted, in characters.
const MOST: usize = 2000;

/// What to post there about an event: what is told over MQTT, with a sentence for people as `text`. `None` if it is
/// nobody's news.
pub(super) fn about(url: &str, event: &Event, snapshot: &Snapshot) -> Option<Message> {
    let mut message: Value = serde_json::from_slice(&news::message(event, snapshot)?).ok()?;
    let label = |key: &JobKey| snapshot.jobs().into_iter().find(|job| job.key == *key).map(|job| job.label);
    // An alert has a `text` of its own; its sentence holds that.
    message["text"] = words::sentence_with(event, &label)
        .map(|sentence| sentence.chars().take(MOST).collect::<String>())
        .into();
    let body = Body { kind: "application/json", text: message.to_string() };
    Some(Message { url: url.to_owned(), body: Some(body) })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::What;

    fn posted(what: What) -> Option<Value> {
        let event = Event { at: Timestamp::UNIX_EPOCH, what };
        let body = about("https://example.com/hook", &event, &Snapshot::new(&[], Vec::new()))?.body.unwrap();
        assert_eq!(body.kind, "application/json");
        Some(serde_json::from_str(&body.text).unwrap())
    }

    #[test]
    fn news_are_posted_with_a_sentence() {
        let server = "web1".parse().unwrap();
        let posted = posted(What::ServerReachable { server, version: Some("5.3.3".into()) }).unwrap();
        assert_eq!(posted["event_type"], "server_reachable");
        assert_eq!(posted["version"], "5.3.3");
        assert_eq!(posted["time"], "1970-01-01T00:00:00Z");
        assert_eq!(posted["text"], "Reachable: web1, JetBackup 5.3.3");
    }

    #[test]
    fn an_alert_keeps_its_words() {
        let posted = posted(What::Alert { job: None, text: "look there".into() }).unwrap();
        assert_eq!(posted["text"], "Attention: look there");
    }

    #[test]
    fn what_is_nobody_s_news_is_not_posted() {
        assert_eq!(posted(What::Waiting { reason: None }), None);
        assert_eq!(posted(What::Leaving), None);
    }
}
