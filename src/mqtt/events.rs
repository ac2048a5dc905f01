//! What happens, as one message each: never retained, so that nothing happens twice after a restart of who listens.

use serde_json::{Map, Value, json};

use crate::model::view::LastCycle;
use crate::model::{Event, JobKey, RunRecord, ServerName, Snapshot, What};

/// Every word that an event may have for its type.
pub(crate) const EVENT_TYPES: [&str; 16] = [
    "cycle_started",
    "cycle_finished",
    "job_queued",
    "job_started",
    "job_completed",
    "job_partial",
    "job_failed",
    "job_aborted",
    "job_timeout",
    "job_overrun_ended",
    "job_skipped",
    "job_recovered",
    "job_stale",
    "server_unreachable",
    "server_reachable",
    "alert",
];

/// The most of a text that is told, in characters: what hears of it may show it as it is.
const TEXT: usize = 1000;

/// The message that tells of `event`; `None` if it is nobody's news. `snapshot` knows what jobs are called.
pub(crate) fn event(event: &Event, snapshot: &Snapshot) -> Option<Vec<u8>> {
    let event_type = event.event_type()?;
    let Subject { server, job, label } = Subject::of(&event.what, snapshot);
    let mut message = Map::new();
    let mut put = |key: &str, value: Value| message.insert(key.to_owned(), value);
    put("event_type", event_type.into());
    put("time", json!(event.at));
    put("server", json!(server));
    put("job_id", json!(job.map(|key| key.job)));
    put("label", json!(label));
    if let Value::Object(details) = details(&event.what) {
        message.extend(details);
    }
    Some(Value::Object(message).to_string().into_bytes())
}

/// Whom an event is about.
#[derive(Default)]
struct Subject<'a> {
    server: Option<&'a ServerName>,
    job: Option<&'a JobKey>,
    label: Option<String>,
}

impl<'a> Subject<'a> {
    fn of(what: &'a What, snapshot: &Snapshot) -> Self {
        match what {
            What::JobStarted(run)
            | What::JobTimeout { run, .. }
            | What::JobFinished { run, .. }
            | What::JobSkipped(run) => {
                Self { server: Some(&run.key.server), job: Some(&run.key), label: Some(run.label.clone()) }
            }
            What::JobQueued { job } | What::JobStale { job, .. } | What::Alert { job: Some(job), .. } => {
                let known = snapshot.jobs().into_iter().find(|known| known.key == *job);
                Self { server: Some(&job.server), job: Some(job), label: known.map(|known| known.label) }
            }
            What::ServerUnreachable { server, .. } | What::ServerReachable { server, .. } => {
                Self { server: Some(server), ..Self::default() }
            }
            _ => Self::default(),
        }
    }
}

fn details(what: &What) -> Value {
    match what {
        What::CycleStarted { cycle, .. } => json!({ "total": cycle.total }),
        What::CycleFinished(cycle) => json!({
            "result": LastCycle::from(*cycle).result,
            "completed": cycle.completed,
            "problems": cycle.problems,
            "total": cycle.total,
            "duration": cycle.duration,
        }),
        What::JobStarted(run) => json!({ "started": run.started }),
        What::JobFinished { run, .. } | What::JobSkipped(run) => end(run),
        What::JobTimeout { run, elapsed, next } => {
            json!({ "elapsed": elapsed, "limit": run.limit, "next": next })
        }
        What::JobStale { last_success, .. } => json!({ "last_success": last_success }),
        What::ServerUnreachable { error, .. } => json!({ "error": cut(error, 250) }),
        What::ServerReachable { version, .. } => json!({ "version": version }),
        What::Alert { text, .. } => json!({ "text": cut(text, TEXT) }),
        _ => Value::Null,
    }
}

fn end(run: &RunRecord) -> Value {
    json!({
        "result": run.result,
        "reason": run.reason,
        "error": run.error,
        "duration": run.duration,
        "started": run.started,
        "ended": run.ended,
        "overrun": run.overrun,
    })
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::testing::{busy, every_event, golden};

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
    }
}
