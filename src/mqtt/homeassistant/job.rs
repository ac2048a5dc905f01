//! A job: what it does now, how its last run went, and its buttons.

use super::Context;
use super::component::{Component, Device, value};
use crate::config::{Job, JobKind};
use crate::model::{JobKey, JobResult};
use crate::mqtt::topics::Address;

/// What a job may be doing.
pub(super) const PHASES: [&str; 7] =
    ["idle", "queued", "starting", "running", "stopping", "overrun", "unknown"];

/// What else is known of the last run.
const ATTRIBUTES: &str = "{{ {'reason': value_json.last.reason, 'error': value_json.last.error, \
                          'overrun': value_json.last.overrun} | to_json if value_json.last else '{}' }}";

/// Of the run under way, else of the last one.
const STARTED: &str = "{{ value_json.current.started if value_json.current \
                       else value_json.last.started if value_json.last else None }}";

/// Ends that are a failure: `result` is in every event that tells of an end.
const FAILURE: &str = "value_json.event_type in ('job_failed', 'job_aborted') or value_json.event_type == \
                       'job_overrun_ended' and value_json.result not in ('completed', 'partial')";

const TIME_LIMIT: &str = "value_json.event_type == 'job_timeout'";

pub(super) fn device(context: &Context, job: &Job) -> Device {
    let naming = &context.naming;
    let name = format!("{} {}", job.key.server, job.label);
    let kind = match job.kind {
        JobKind::Accounts => "accounts",
        JobKind::Directories => "directories",
        JobKind::Database => "database",
        JobKind::Other => "other",
    };
    Device::new(naming.job_id(&job.key), naming.job_stem(&job.key), &name, context.topics.job_state(&job.key))
        .made("JetBackup", kind)
        .via(naming.server_id(&job.key.server))
        .with(states(context, &job.key))
        .with(now())
        .with(past())
        .with(buttons(context, &job.key))
        .with([
            trigger(context, &job.key, "trigger_timeout", "time_limit", TIME_LIMIT),
            trigger(context, &job.key, "trigger_failure", "failure", FAILURE),
        ])
}

fn states(context: &Context, key: &JobKey) -> [Component; 6] {
    let yes_or_no = |key, name| Component::binary_sensor(key, name, value(key));
    [
        Component::sensor("state", "State", value("phase")).options(&PHASES).icon("state-machine"),
        Component::sensor("result", "Last result", value("last.result"))
            .options(&JobResult::ALL.map(JobResult::word))
            .attributes(context.topics.job_state(key), ATTRIBUTES)
            .icon("clipboard-check-outline")
            .past(),
        yes_or_no("running", "Running").class("running"),
        yes_or_no("problem", "Problem").class("problem").past(),
        yes_or_no("overrun", "Beyond time limit").class("problem"),
        yes_or_no("stale", "Stale").class("problem"),
    ]
}

fn now() -> [Component; 6] {
    [
        Component::sensor("progress", "Progress", value("current.progress"))
            .unit("%")
            .whole()
            .icon("progress-clock"),
        Component::sensor("eta", "Time left", value("current.eta")).seconds(),
        Component::sensor("queue_position", "Queue position", value("queue_position"))
            .whole()
            .icon("tray-full"),
        Component::sensor("elapsed", "Elapsed", value("current.elapsed")).seconds().disabled(),
        Component::sensor("items", "Items", value("current.items")).whole().icon("counter").disabled(),
        Component::sensor("items_completed", "Items completed", value("current.items_completed"))
            .whole()
            .icon("counter")
            .disabled(),
    ]
}

fn past() -> [Component; 6] {
    [
        Component::sensor("duration", "Last duration", value("last.duration")).seconds().measured().past(),
        Component::sensor("started", "Last started", STARTED).timestamp().past(),
        Component::sensor("finished", "Last finished", value("last.ended")).timestamp().past(),
        Component::sensor("last_success", "Last success", value("last_success")).timestamp().past(),
        Component::sensor("usual_duration", "Usual duration", value("usual_duration"))
            .seconds()
            .past()
            .disabled(),
        Component::sensor("limit", "Time limit", value("limit")).seconds().past().diagnostic().disabled(),
    ]
}

fn buttons(context: &Context, key: &JobKey) -> [Component; 2] {
    let topic = |address| context.topics.command(&address);
    let run = if context.runs() {
        Component::button("run", "Run", topic(Address::JobRun(key.clone()))).icon("play")
    } else {
        Component::absent("run", "button")
    };
    let stop = if context.stops() {
        Component::button("stop", "Stop", topic(Address::JobStop(key.clone()))).icon("stop")
    } else {
        Component::absent("stop", "button")
    };
    [run, stop]
}

/// A trigger that fires on this job's events where `condition` holds. Server names and ids hold nothing that could
/// end a text in a template.
fn trigger(
    context: &Context,
    job: &JobKey,
    key: &'static str,
    kind: &'static str,
    condition: &str,
) -> Component {
    let JobKey { server, job: id } = job;
    let template = format!(
        "{{{{ '{kind}' if value_json.server == '{server}' and value_json.job_id == '{id}' and ({condition}) else '' }}}}"
    );
    // Automations name a trigger by its type and subtype: neither may change with the label.
    Component::trigger(key, kind, "job", context.topics.events(), template)
}
