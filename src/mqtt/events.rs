//! What happens, as one message each: never retained, so that nothing happens twice after a restart of who listens.

pub(crate) use crate::model::news::{EVENT_TYPES, message as event};

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::{Event, RunId, RunRecord, What};
    use crate::mqtt::testing::{busy, every_event, golden, key};

    fn said(happened: &Event) -> Option<Value> {
        event(happened, &busy()).map(|text| serde_json::from_slice(&text).unwrap())
    }

    #[test]
    fn one_message_of_every_kind() {
        let said: Vec<Value> = every_event().iter().filter_map(said).collect();
        golden("events.json", &Value::Array(said));
    }

    #[test]
    fn every_message_has_the_common_keys_and_a_known_type_and_no_type_is_without_a_message() {
        let mut types = Vec::new();
        for happened in every_event() {
            let message = said(&happened);
            assert_eq!(message.is_some(), happened.event_type().is_some());
            let Some(Value::Object(message)) = message else { continue };
            let first: Vec<&str> = message.keys().map(String::as_str).take(5).collect();
            assert_eq!(first, ["event_type", "time", "server", "job_id", "label"]);
            types.push(message["event_type"].as_str().unwrap().to_owned());
        }
        let mut wanted = EVENT_TYPES.map(str::to_owned);
        wanted.sort();
        types.sort();
        types.dedup();
        assert_eq!(types, wanted);
    }

    #[test]
    fn texts_are_cut() {
        let at = every_event()[0].at;
        let alert = Event { at, what: What::Alert { job: None, text: "ñ".repeat(5000) } };
        assert_eq!(said(&alert).unwrap()["text"].as_str().unwrap().chars().count(), 1000);
        let mut run = RunRecord::new(RunId(77), key("web1", 1), "Accounts", at, 3600);
        run.tell("ñ".repeat(5000));
        assert_eq!(run.error.as_ref().unwrap().chars().count(), 1000);
        let skipped = Event { at, what: What::JobSkipped(run) };
        assert_eq!(said(&skipped).unwrap()["error"].as_str().unwrap().chars().count(), 250);
    }
}
