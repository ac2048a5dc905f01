//! The functions: what is asked, what it does, what comes back.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::calls::Effect;
use crate::group::Group;
use crate::list;
use crate::objects::{group_brief, group_object, log_object};
use crate::params::Params;
use crate::run::Origin;
use crate::timeline::Refusal;
use crate::world::World;

/// An answer before it is written down.
#[derive(Debug)]
pub(crate) enum Answer {
    /// `success: 1`, a message and `data`.
    Success(String, Value),
    /// `success: 0` and a message. The exit status is 0 all the same.
    Failure(String),
    /// Something without an envelope.
    Body(String),
}

impl Answer {
    /// A success that says nothing.
    pub fn acknowledged() -> Self {
        data(json!([]))
    }
}

fn data(value: Value) -> Answer {
    Answer::Success(String::new(), value)
}

fn fail(message: impl Into<String>) -> Answer {
    Answer::Failure(message.into())
}

fn found(object: Option<Value>, what: &str) -> Answer {
    object.map_or_else(|| fail(format!("{what} not found")), data)
}

pub(crate) fn dispatch(
    world: &mut World,
    now: Timestamp,
    function: &str,
    params: &Params,
) -> (Answer, Effect) {
    let refused = |message: &str| (fail(message), Effect::Refused);
    let Some(id) = params.get("_id").or(NEEDS_NO_ID.contains(&function).then_some("")) else {
        return if KNOWN.contains(&function) {
            refused("Missing parameter _id")
        } else {
            refused(&format!("Function {function} not found"))
        };
    };
    let id = id.to_owned();
    match function {
        "runBackupJobManually" => run(world, now, &id),
        "stopQueueGroup" => stop(world, now, &id),
        "manageBackupJob" => {
            let known = world.jobs.iter().any(|job| job.id == id);
            manage(world, params, &id, known && params.get("action") == Some("modify"))
        }
        "manageDestination" => {
            let known = world.destinations.iter().any(|destination| destination.id == id);
            manage(world, params, &id, known && params.get("action") == Some("modify"))
        }
        "manageDestinationState" => {
            let known = world.destinations.iter().any(|destination| destination.id == id);
            manage(world, params, &id, known)
        }
        _ => {
            let answer = look(world, now, function, params, &id);
            let effect = if matches!(answer, Answer::Failure(_)) { Effect::Refused } else { Effect::None };
            (answer, effect)
        }
    }
}

const NEEDS_NO_ID: [&str; 5] =
    ["getInfo", "listBackupJobs", "listQueueGroups", "listLogs", "listDestinations"];

/// Functions that want an id.
const KNOWN: [&str; 9] = [
    "getBackupJob",
    "runBackupJobManually",
    "getQueueGroup",
    "stopQueueGroup",
    "getLog",
    "getDestination",
    "manageBackupJob",
    "manageDestination",
    "manageDestinationState",
];

/// The functions that change nothing.
fn look(world: &World, now: Timestamp, function: &str, params: &Params, id: &str) -> Answer {
    match function {
        "getInfo" => data(json!({"process": world.process, "version": world.version})),
        "getBackupJob" => {
            let job = world.jobs.iter().find(|job| job.id == id);
            found(job.map(|job| world.job_object(job, now)), "Backup job")
        }
        "listBackupJobs" => {
            let jobs = world.jobs.iter().map(|job| world.job_object(job, now)).collect();
            data(list::page("jobs", jobs, params))
        }
        "getQueueGroup" => {
            let group = world.groups.iter().find(|group| group.id == id && group.listed(now));
            found(group.map(|group| group_object(group, now)), "Queue group")
        }
        "listQueueGroups" => match params.get("type").and_then(|kind| kind.parse::<i64>().ok()) {
            None => fail("Missing parameter type"),
            Some(kind) => {
                let listed = world.groups.iter().filter(|group| group.kind == kind && group.listed(now));
                let brief = |group: &&Group| group_brief(group);
                let full = |group: &&Group| {
                    let mut row = group_object(group, now);
                    if world.blurred {
                        row["data"] = Value::Null;
                    }
                    row
                };
                data(list::long_page("groups", listed.collect(), brief, full, params))
            }
        },
        "getLog" => {
            let content = params.get("content") == Some("1");
            let group = world.groups.iter().find(|group| group.log_id == id);
            found(group.and_then(|group| log_object(group, now, content)), "Log")
        }
        "listLogs" => {
            let logs = world.groups.iter().filter_map(|group| log_object(group, now, false)).collect();
            data(list::page("logs", logs, params))
        }
        "getDestination" => {
            let destination = world.destinations.iter().find(|destination| destination.id == id);
            found(destination.map(|destination| destination.object()), "Destination")
        }
        "listDestinations" => {
            let all = world.destinations.iter().map(|destination| destination.object()).collect();
            data(list::page("destinations", all, params))
        }
        _ => fail(format!("Function {function} not found")),
    }
}

fn run(world: &mut World, now: Timestamp, id: &str) -> (Answer, Effect) {
    let outcome = world.trigger(now, id, Origin::Api);
    let accepted = |world: &World| {
        let job = world.jobs.iter().find(|job| job.id == id).map(|job| world.job_object(job, now));
        Answer::Success("Backup job will be added to the queue".to_owned(), job.unwrap_or_default())
    };
    match outcome {
        Ok(()) => (accepted(world), Effect::Triggered(id.to_owned())),
        Err(Refusal::Swallowed) => (accepted(world), Effect::None),
        Err(Refusal::Failure(message)) => (fail(message), Effect::Refused),
        Err(Refusal::Body(text)) => (Answer::Body(text), Effect::Refused),
    }
}

fn stop(world: &mut World, now: Timestamp, id: &str) -> (Answer, Effect) {
    match world.groups.iter_mut().find(|group| group.id == id && group.listed(now)) {
        None => (fail("Queue group not found"), Effect::Refused),
        Some(group) if group.finished(now) => (fail("Queue group is not running"), Effect::Refused),
        Some(group) => {
            group.stop(now);
            (Answer::Success("Stop signal sent".to_owned(), json!([])), Effect::StopAsked(id.to_owned()))
        }
    }
}

fn manage(world: &mut World, params: &Params, id: &str, valid: bool) -> (Answer, Effect) {
    let disabled = match params.get("disabled") {
        Some("1") => true,
        Some("0") => false,
        _ => return (fail("Nothing to modify"), Effect::Refused),
    };
    if !valid {
        return (fail("Object not found"), Effect::Refused);
    }
    let changed = world.set_disabled(id, disabled);
    let effect = if changed { Effect::Modified(id.to_owned()) } else { Effect::None };
    (Answer::Success("Saved successfully".to_owned(), json!([])), effect)
}
