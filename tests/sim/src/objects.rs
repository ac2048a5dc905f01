//! The objects as the API shows them, in the documented form.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::group::Group;
use crate::job::Job;
use crate::run::{Origin, Outcome};
use crate::timeline::Event;
use crate::world::World;

/// `2023-09-19T00:22:06+00:00`.
fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

fn time_or_empty(moment: Option<Timestamp>) -> String {
    moment.map(time).unwrap_or_default()
}

impl World {
    /// The part of every answer that is about the product.
    pub(crate) fn system(&self) -> Value {
        json!({
            "version": self.version,
            "version_panel": self.version,
            "tier": "STABLE",
            "type": "cPanel",
            "retry_ms": 0,
            "disableui": false,
            "dr": false,
            "agreement_panel": false,
            "agreement": false,
            "licenseIssue": self.licence_issue,
        })
    }

    pub(crate) fn job_object(&self, job: &Job, now: Timestamp) -> Value {
        let own = || self.groups.iter().filter(|group| group.kind == 1 && group.subject.0 == job.id);
        let active = own().any(|group| group.triggered <= now && !group.finished(now));
        let next_run = (self.timeline.iter())
            .filter(|(_, event)| {
                matches!(event, Event::Start { job: id, origin: Origin::Schedule } if *id == job.id)
            })
            .map(|(at, _)| *at)
            .min();
        let names =
            |id: &String| self.destinations.iter().find(|dest| dest.id == *id).map(|dest| dest.name.clone());
        json!({
            "_id": job.id,
            "name": job.name,
            "destination": job.destinations,
            "destination_name": job.destinations.iter().filter_map(names).collect::<Vec<_>>(),
            "type": job.kind,
            "contains": job.contains,
            "structure": 1,
            "state": if active { 2 } else { 0 },
            "next_run": time_or_empty(next_run),
            "last_run": time_or_empty(own().filter_map(|group| group.started(now)).max()),
            "last_completed": time_or_empty(own().filter_map(|group| group.ended(now)).map(|(end, _)| end).max()),
            "running": own().any(|group| group.running(now)),
            "disabled": job.disabled,
            "hidden": false,
            "schedules": [],
        })
    }
}

/// What lists of groups are sorted by.
pub(crate) fn group_brief(group: &Group) -> Value {
    json!({"_id": group.id, "created": time(group.created)})
}

pub(crate) fn group_object(group: &Group, now: Timestamp) -> Value {
    let (completed, percentage) = group.progress(now);
    let in_hand = (completed + 1).min(group.script.items);
    json!({
        "_id": group.id,
        "owner": "5f0000000000000000000001",
        "owner_name": "root",
        "created": time(group.created),
        "started": time_or_empty(group.started(now)),
        "ended": time_or_empty(group.ended(now).map(|(end, _)| end)),
        "type": group.kind,
        "items": group.script.items,
        "items_completed": completed,
        "finalize": false,
        "status": group.status(now),
        "status_time": time(group.status_since(now)),
        "can_rerun": matches!(group.status(now), 101 | 102),
        "rerun_failed": false,
        "log_id": group.log_id,
        "progress": {
            "name": format!("account{in_hand}"),
            "total": 100,
            "completed": percentage,
            "subtotal": 0,
            "subcompleted": 0,
            "percentage": percentage,
            "percentage_sub": 0,
        },
        "execution_time": group.execution_time(now),
        "actual_time": group.execution_time(now),
        "data": {"_id": group.subject.0, "name": group.subject.1},
    })
}

/// The log of a group, once there is one. Logs outlive the queue.
pub(crate) fn log_object(group: &Group, now: Timestamp, content: bool) -> Option<Value> {
    let ended = group.ended(now);
    let start = group.started(now).or(ended.map(|_| group.created))?;
    let mut log = group.script.logged.then(|| {
        json!({
            "_id": group.log_id,
            "type": log_type(group.kind),
            "status": ended.map_or(6, |(_, outcome)| outcome.log_code()),
            "start_time": time(start),
            "end_time": time_or_empty(ended.map(|(end, _)| end)),
            "execution_time": group.execution_time(now),
            "actual_time": group.execution_time(now),
            "info": {"Backup Job": group.subject.1, "ID": group.subject.0, "Type": "Accounts"},
        })
    })?;
    if content {
        let mut text = format!("[{}] Backup of {} started\n", time(start), group.subject.1);
        if let Some((end, outcome)) = ended {
            let said = match outcome {
                Outcome::Completed => "Backup completed",
                Outcome::Partial => "Backup completed, some accounts were not saved",
                _ => "Backup aborted: rsync error: connection to the destination lost",
            };
            text += &format!("[{}] {said}\n", time(end));
        }
        log["content"] = json!(text);
    }
    Some(log)
}

/// Logs are numbered differently from queues: 1 backup, 5 system.
fn log_type(queue: i64) -> i64 {
    if queue == 1 { 1 } else { 5 }
}
