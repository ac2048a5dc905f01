//! What is to be known now: one retained message for the queue, each server and each job.
//!
//! Home Assistant's templates fail on a key that is missing (and say so at every message), so that every key is in
//! every message, `null` where nothing is known.

use serde_json::{Value, json};

use super::topics::Topics;
use crate::model::text::{TOLD, cut};
use crate::model::view::{CurrentRun, JobState, LastRun, QueueState, ServerState};
use crate::model::{Remark, Snapshot};

/// Every state as topic and payload: the queue, then servers and jobs in the order of the configuration.
pub(crate) fn states(topics: &Topics, snapshot: &Snapshot) -> Vec<(String, Vec<u8>)> {
    let queue = (topics.state(), queue(snapshot.queue()));
    let servers = snapshot.servers().iter().map(|state| (topics.server_state(&state.server), server(state)));
    let jobs = snapshot.jobs();
    let jobs = jobs.iter().map(|state| (topics.job_state(&state.key), job(state)));
    let all = std::iter::once(queue).chain(servers).chain(jobs);
    all.map(|(topic, state)| (topic, state.to_string().into_bytes())).collect()
}

/// The most remarks on a server that are told: Home Assistant keeps no more than 16 kB beside a state.
const REMARKS: usize = 50;

fn queue(mut state: QueueState) -> Value {
    let waiting = state.queue.iter_mut().map(|job| &mut job.reason);
    for reason in waiting.chain([&mut state.reason]).flatten() {
        *reason = cut(reason, TOLD);
    }
    json!(state)
}

fn server(state: &ServerState) -> Value {
    json!({
        "reachable": state.reachable,
        "jetbackup": state.jetbackup,
        "version": state.version,
        "error": state.error.as_ref().or(state.destination_stuck.as_ref()).map(|error| cut(error, TOLD)),
        "since": state.since,
        "checked_at": state.checked_at,
        "destination_free": state.destination_free,
        "remarks": state.remarks.iter().take(REMARKS).map(remark).collect::<Vec<_>>(),
    })
}

fn remark(remark: &Remark) -> Value {
    json!({ "kind": remark.kind, "id": remark.id, "text": cut(&remark.text, TOLD), "since": remark.since })
}

fn job(state: &JobState) -> Value {
    json!({
        "phase": state.phase,
        "running": state.running,
        "queue_position": state.queue_position,
        "problem": state.problem,
        "stale": state.stale,
        "overrun": state.overrun,
        "limit": state.limit,
        "current": state.current.as_ref().map(current),
        "last": state.last.as_ref().map(last),
        "last_success": state.last_success,
        "usual_duration": state.usual_duration,
    })
}

fn last(run: &LastRun) -> LastRun {
    LastRun { error: run.error.as_ref().map(|error| cut(error, TOLD)), ..run.clone() }
}

fn current(run: &CurrentRun) -> Value {
    json!({
        "started": run.started,
        "progress": run.progress,
        "items": run.items,
        "items_completed": run.items_completed,
        "eta": run.eta,
        "elapsed": run.elapsed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, JobResult, RemarkKind, RunId, RunRecord, What};
    use crate::mqtt::testing::{busy, fresh, golden, key};

    fn said(snapshot: &Snapshot) -> Value {
        let said = states(&Topics::new("jetbackup-remote"), snapshot);
        said.into_iter()
            .map(|(topic, text)| (topic, serde_json::from_slice::<Value>(&text).unwrap()))
            .collect()
    }

    #[test]
    fn states_before_anything_happened() {
        golden("states-fresh.json", &said(&fresh()));
    }

    #[test]
    fn states_in_the_middle_of_a_night() {
        golden("states-busy.json", &said(&busy()));
    }

    #[test]
    fn the_error_of_a_server_that_answers_is_its_destinations() {
        let mut snapshot = fresh();
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        let server = || "web1".parse().unwrap();
        let error =
            |snapshot: &Snapshot| said(snapshot)["jetbackup-remote/servers/web1/state"]["error"].clone();
        snapshot.apply(&Event {
            at,
            what: What::DestinationStuck {
                server: server(),
                destination: "dddddddddddddddddddddddd".parse().unwrap(),
                error: "JetBackup refused".into(),
            },
        });
        assert_eq!(error(&snapshot), "JetBackup refused");
        let lost = What::ServerUnreachable { server: server(), error: "no route".into(), by_ssh: false };
        snapshot.apply(&Event { at, what: lost });
        assert_eq!(error(&snapshot), "no route");
    }

    #[test]
    fn reasons_are_cut() {
        let mut snapshot = busy();
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        snapshot.apply(&Event { at, what: What::Waiting { reason: Some("ñ".repeat(300)) } });
        let state = &said(&snapshot)["jetbackup-remote/state"];
        for reason in [&state["reason"], &state["queue"][0]["reason"]] {
            assert_eq!(reason.as_str().unwrap().chars().count(), 250);
        }
    }

    #[test]
    fn errors_are_kept_longer_than_they_are_told() {
        let mut snapshot = busy();
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        let error = "ñ".repeat(300);
        let mut run = RunRecord::new(RunId(77), key("web1", 1), "Accounts", at, 3600);
        run.result = Some(JobResult::Skipped);
        run.tell(&error);
        snapshot.apply(&Event { at, what: What::JobSkipped(run) });
        let lost = What::ServerUnreachable { server: "web1".parse().unwrap(), error, by_ssh: false };
        snapshot.apply(&Event { at, what: lost });
        assert_eq!(snapshot.servers()[0].error.as_ref().unwrap().chars().count(), 300);
        let said = said(&snapshot);
        let job = &said[format!("jetbackup-remote/jobs/{}/state", key("web1", 1))]["last"];
        for error in [&job["error"], &said["jetbackup-remote/servers/web1/state"]["error"]] {
            let error = error.as_str().unwrap();
            assert_eq!((error.chars().count(), error.ends_with('…')), (250, true));
        }
    }

    #[test]
    fn of_many_long_remarks_as_many_are_told_as_home_assistant_keeps() {
        let mut snapshot = fresh();
        let remark = |n: usize| Remark {
            kind: RemarkKind::JobInNoQueue,
            id: format!("{n:024x}"),
            text: "ñ".repeat(300),
            since: None,
        };
        let remarks: Vec<Remark> = (0..200).map(remark).collect();
        let server = "web1".parse().unwrap();
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        snapshot.apply(&Event { at, what: What::Remarks { server, remarks, new: Vec::new() } });
        let remarks = &said(&snapshot)["jetbackup-remote/servers/web1/state"]["remarks"];
        assert_eq!(remarks.as_array().unwrap().len(), 50);
        assert_eq!(remarks[49]["text"].as_str().unwrap().chars().count(), 250);
    }

    /// The design's topic table, key by key.
    #[test]
    fn every_key_of_the_table_and_no_other_is_always_there() {
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        for snapshot in [fresh(), busy()] {
            let said = said(&snapshot);
            let job = &said[format!("jetbackup-remote/jobs/{}/state", key("web1", 1))];
            assert_eq!(
                keys(&said["jetbackup-remote/state"]),
                "phase reason current queue writers cycle last_cycle next_run problem outbox checked_at"
            );
            assert_eq!(
                keys(&said["jetbackup-remote/servers/web1/state"]),
                "reachable jetbackup version error since checked_at destination_free remarks"
            );
            assert_eq!(
                keys(job),
                "phase running queue_position problem stale overrun limit current last last_success usual_duration"
            );
        }
        let said = said(&busy());
        let job = &said[format!("jetbackup-remote/jobs/{}/state", key("web1", 1))];
        assert_eq!(keys(&job["current"]), "started progress items items_completed eta elapsed");
        assert_eq!(keys(&job["last"]), "result reason started ended duration overrun error");
        let remark = &said["jetbackup-remote/servers/web1/state"]["remarks"][0];
        assert_eq!(keys(remark), "kind id text since");
        let queue = &said["jetbackup-remote/state"];
        assert_eq!(keys(&queue["current"]), "server job_id label phase progress eta");
        assert_eq!(keys(&queue["queue"][0]), "server job_id label position reason");
        assert_eq!(keys(&queue["cycle"]), "started done total");
        assert_eq!(keys(&queue["last_cycle"]), "started ended duration result completed problems");
    }
}
