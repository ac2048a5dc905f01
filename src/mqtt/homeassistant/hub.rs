//! The queue itself: the device everything else hangs on.

use super::Context;
use super::component::{Component, Device, value};
use crate::mqtt::events::EVENT_TYPES;
use crate::mqtt::topics::Address;

/// The base topic whose hub needs no name of its own.
const USUAL_BASE: &str = "jetbackup-remote";

/// What the queue may be doing.
pub(super) const PHASES: [&str; 5] = ["idle", "running", "waiting", "stopping", "waiting_for_clock"];

/// How a cycle may have gone.
const CYCLE_RESULTS: [&str; 3] = ["completed", "partial", "failed"];

/// The first jobs of the queue, cut to what Home Assistant's recorder keeps of attributes (16 kB).
const ATTRIBUTES: &str = "{{ {'reason': value_json.reason, 'queue': value_json.queue[:20] | map(attribute='label') \
                          | map('truncate', 60, True, '…', 0) | list} | to_json }}";

/// A state has 255 characters at most; a label may have any number.
const CURRENT_JOB: &str = "{{ (value_json.current.label | truncate(160, True, '…', 0)) ~ ' (' \
                           ~ value_json.current.server ~ ')' if value_json.current else None }}";

pub(super) fn device(context: &Context) -> Device {
    let base = &context.config.mqtt.base_topic;
    let name = match base.as_str() {
        USUAL_BASE => "JetBackup Remote".to_owned(),
        other => format!("JetBackup Remote ({other})"),
    };
    let topics = &context.topics;
    Device::new(context.naming.hub_id(), context.naming.hub_stem(), &name, topics.state())
        .made("jetbackup-remote", "Backup queue")
        .version(env!("CARGO_PKG_VERSION"))
        .with(now(context))
        .with(past())
        .with(machinery(context))
        .with(buttons(context))
        .with([Component::event("alert", "Alert", topics.events(), &EVENT_TYPES).icon("bell-outline")])
}

fn now(context: &Context) -> [Component; 5] {
    [
        Component::sensor("state", "State", value("phase"))
            .options(&PHASES)
            .attributes(context.topics.state(), ATTRIBUTES)
            .icon("playlist-play"),
        Component::sensor("current_job", "Current job", CURRENT_JOB).icon("backup-restore"),
        Component::sensor("current_progress", "Current progress", value("current.progress"))
            .unit("%")
            .whole()
            .icon("progress-clock"),
        Component::sensor("queue_length", "Queue length", "{{ value_json.queue | length }}")
            .whole()
            .measured()
            .icon("tray-full"),
        Component::sensor("next_run", "Next run", value("next_run")).timestamp(),
    ]
}

fn past() -> [Component; 4] {
    [
        Component::sensor("last_cycle_result", "Last cycle result", value("last_cycle.result"))
            .options(&CYCLE_RESULTS)
            .icon("history")
            .past(),
        Component::sensor("last_cycle_duration", "Last cycle duration", value("last_cycle.duration"))
            .seconds()
            .measured()
            .past(),
        Component::sensor("last_cycle_finished", "Last cycle finished", value("last_cycle.ended"))
            .timestamp()
            .past(),
        Component::binary_sensor("problem", "Problem", value("problem")).class("problem").past(),
    ]
}

/// Why mail waits, for those who look.
const OUTBOX: &str = "{{ {'last_error': value_json.outbox.last_error, 'given_up': value_json.outbox.given_up} \
                      | to_json if value_json.outbox else '{}' }}";

fn machinery(context: &Context) -> [Component; 4] {
    let outbox = if context.config.notification.enabled {
        Component::sensor("outbox", "Mail waiting", value("outbox.waiting"))
            .whole()
            .measured()
            .attributes(context.topics.state(), OUTBOX)
            .icon("email-fast-outline")
            .diagnostic()
    } else {
        Component::absent("outbox", "sensor")
    };
    [
        outbox,
        Component::sensor("writers", "Writers", value("writers"))
            .whole()
            .measured()
            .icon("harddisk")
            .diagnostic()
            .disabled(),
        Component::sensor("checked_at", "Last change", value("checked_at"))
            .timestamp()
            .diagnostic()
            .disabled(),
        Component::connectivity("connectivity", "Connected", context.topics.availability())
            .diagnostic()
            .past(),
    ]
}

fn buttons(context: &Context) -> [Component; 2] {
    let topic = |address| context.topics.command(&address);
    let run = if context.runs() {
        Component::button("run_all", "Run all", topic(Address::Run)).icon("play")
    } else {
        Component::absent("run_all", "button")
    };
    let stop = if context.stops() {
        Component::button("stop_after_current", "Stop after current", topic(Address::Stop)).icon("stop")
    } else {
        Component::absent("stop_after_current", "button")
    };
    [run, stop]
}
