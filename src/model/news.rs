//! What happens, as a JSON message for other programs: on MQTT and for a webhook.

use serde_json::{Map, Value, json};

use super::text::{TOLD, cut};
use super::view::LastCycle;
use super::{Event, JobKey, RunRecord, ServerName, Snapshot, What};

/// Every word that an event may have for its type.
pub const EVENT_TYPES: [&str; 16] = [
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
pub fn message(event: &Event, snapshot: &Snapshot) -> Option<Vec<u8>> {
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
            What::ServerUnreachable { server, .. }
            | What::ServerReachable { server, .. }
            | What::DestinationStuck { server, .. }
            | What::DestinationDisabled { server, .. }
            | What::Remarks { server, .. } => Self { server: Some(server), ..Self::default() },
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
        What::ServerUnreachable { error, .. } => json!({ "error": cut(error, TOLD) }),
        What::ServerReachable { version, .. } => json!({ "version": version }),
        What::Alert { text, .. } => json!({ "text": cut(text, TEXT) }),
        What::DestinationStuck { destination, error, .. } => {
            let text = format!("destination {destination} is still enabled: {error}");
            json!({ "text": cut(&text, TEXT) })
        }
        What::DestinationDisabled { destination, .. } => {
            json!({ "text": format!("destination {destination} is disabled again") })
        }
        What::Remarks { new, .. } => {
            let texts: Vec<&str> = new.iter().map(|remark| remark.text.as_str()).collect();
            json!({ "text": cut(&texts.join("; "), TEXT) })
        }
        What::CycleMissed { due, begins } => {
            let how = match begins {
                Some(_) => "begins too late",
                None => "has not begun",
            };
            let text = format!("the cycle due at {} {how}", due.strftime("%Y-%m-%d %H:%M UTC"));
            json!({ "text": text, "due": due, "begins": begins })
        }
        _ => Value::Null,
    }
}

fn end(run: &RunRecord) -> Value {
    json!({
        "result": run.result,
        "reason": run.reason,
        "error": run.error.as_ref().map(|error| cut(error, TOLD)),
        "duration": run.duration,
        "started": run.started,
        "ended": run.ended,
        "overrun": run.overrun,
    })
}
