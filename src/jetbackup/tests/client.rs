//! The client's other questions, and how it makes do with what the gate lets through.

use super::super::{ApiError, Cause, LogStatus};
use super::*;
use crate::model::{GroupId, JobId};

/// Whether the predecessor's manual lets `command` through: five functions and the test.
fn five_functions(command: &str) -> bool {
    let five =
        ["getBackupJob", "runBackupJobManually", "listBackupJobs", "listQueueGroups", "stopQueueGroup"];
    command.starts_with("echo ") || five.contains(&function(command))
}

/// A server with jobs 1 and 2, the groups 11 (job 1, running) and 12 (job 2, completed), and two logs of job 1.
pub(super) fn server(command: &str) -> Result<Output, ExecError> {
    let jobs =
        [json!({"_id": id(1), "name": "Accounts", "running": "1"}), json!({"_id": id(2), "running": ""})];
    let groups = [group(11, 1, 2), group(12, 2, 100)];
    let find = |list: &[Value]| {
        let wanted = parameter(command, "_id");
        list.iter()
            .find(|object| object["_id"].as_str() == wanted)
            .cloned()
            .map_or_else(|| refusal("no such"), success)
    };
    match function(command) {
        "echo" => raw("Welcome\njetbackup-remote-ok\n", 0),
        "getInfo" => success(json!({"process": "1"})),
        "getBackupJob" => find(&jobs),
        "listBackupJobs" => success(json!({"jobs": jobs, "total": 2})),
        "getQueueGroup" => find(&groups),
        "listQueueGroups" => success(json!({"groups": groups, "total": 2})),
        "stopQueueGroup" => success(json!(null)),
        "listLogs" => success(json!({"logs": [
            {"_id": id(21), "start_time": 1_700_000_000, "status": 4, "info": {"ID": id(1)}},
            {"_id": id(22), "start_time": 1_700_000_500, "status": 1},
            {"_id": id(23), "start_time": 1_700_000_900, "status": 2, "info": {"ID": id(2)}},
        ], "total": 3})),
        other => panic!("{other}"),
    }
}

pub(super) fn narrow(command: &str) -> Result<Output, ExecError> {
    if five_functions(command) { server(command) } else { gate_refusal(command) }
}

fn job(number: u32) -> JobId {
    id(number).parse().unwrap()
}

fn run(number: u32) -> GroupId {
    id(number).parse().unwrap()
}

#[tokio::test]
async fn a_wide_gate_is_made_full_use_of() {
    let (client, server) = scripted(server);
    client.hello().await.unwrap();
    let info = client.info().await.unwrap();
    assert_eq!((info.process, info.version.as_deref()), (Some(true), Some("5.3.3")));
    assert_eq!(client.job(job(1)).await.unwrap().unwrap().running, Some(true));
    assert_eq!(client.group(run(12)).await.unwrap().unwrap().job, Some(job(2)));
    client.stop(run(11)).await.unwrap();
    let logs = client.logs(job(1), None).await.unwrap().unwrap();
    let statuses: Vec<_> = logs.iter().map(|log| log.status).collect();
    assert_eq!(statuses, [LogStatus::Completed, LogStatus::Partial], "newest first, other jobs left out");
    let expected = ["echo", "getInfo", "getBackupJob", "getQueueGroup", "stopQueueGroup", "listLogs"];
    assert_eq!(server.functions(), expected);
}

#[tokio::test]
async fn five_functions_are_enough_and_refused_ones_are_asked_once() {
    let (client, server) = scripted(narrow);
    client.hello().await.unwrap();
    for _ in 0..2 {
        assert!(client.info().await.unwrap_err().is_gate_refusal());
        assert!(client.logs(job(1), None).await.unwrap().is_none());
        assert_eq!(client.group(run(11)).await.unwrap().unwrap().job, Some(job(1)));
        let view = client.watch(&[(job(1), Some(run(11)))]).await.unwrap();
        assert_eq!(view.groups.len(), 2);
        assert_eq!(view.job(job(1)).unwrap().name.as_deref(), Some("Accounts"));
    }
    let view = client.look().await.unwrap();
    assert_eq!((view.groups.len(), view.jobs.len(), view.version.as_deref()), (2, 2, Some("5.3.3")));
    let functions = server.functions();
    for optional in ["getInfo", "listLogs", "getQueueGroup"] {
        assert_eq!(functions.iter().filter(|name| *name == optional).count(), 1, "{optional}");
    }
}

#[tokio::test]
async fn watching_known_runs_costs_two_small_requests_each() {
    let (client, server) = scripted(server);
    let view = client.watch(&[(job(1), Some(run(11))), (job(2), Some(run(12)))]).await.unwrap();
    assert_eq!(server.functions(), ["getBackupJob", "getBackupJob", "getQueueGroup", "getQueueGroup"]);
    let ids: Vec<_> = view.groups.iter().map(|group| group.id).collect();
    assert_eq!(ids, [run(12), run(11)]);
    assert_eq!(view.groups_of(job(1)).map(|group| group.id).collect::<Vec<_>>(), [run(11)]);
    assert!(view.group(run(12)).is_some_and(|group| group.status.is_finished()));
}

#[tokio::test]
async fn an_unknown_or_vanished_group_costs_one_list_for_all() {
    let (client, server) = scripted(server);
    client.watch(&[(job(1), Some(run(11))), (job(2), None)]).await.unwrap();
    assert_eq!(server.functions(), ["getBackupJob", "getBackupJob", "listQueueGroups"]);
    let view = client.watch(&[(job(1), Some(run(99)))]).await.unwrap();
    assert_eq!(server.functions(), ["getBackupJob", "getQueueGroup", "listQueueGroups"]);
    assert_eq!(view.groups.len(), 2);
    assert!(client.watch(&[]).await.unwrap().groups.is_empty());
    assert!(server.functions().is_empty());
}

#[tokio::test]
async fn gone_is_said_only_by_the_list() {
    let (client, server) = scripted(server);
    assert!(client.group(run(99)).await.unwrap().is_none());
    assert_eq!(server.functions(), ["getQueueGroup", "listQueueGroups"]);
    assert!(client.job(job(9)).await.unwrap().is_none());
    assert_eq!(server.functions(), ["getBackupJob", "listBackupJobs"]);

    // A single answer that is wrong in any way is not believed where the list can be asked.
    for answer in [
        "not json",
        r#"{"success":1,"data":null}"#,
        r#"{"success":1,"data":{"_id":"64abcdef000000000000000c"}}"#,
    ] {
        let (client, _) = scripted(move |command| match function(command) {
            "getQueueGroup" => raw(answer, 0),
            _ => super::client::server(command),
        });
        assert_eq!(client.group(run(11)).await.unwrap().unwrap().job, Some(job(1)), "{answer}");
    }

    // When JetBackup says no to everything, it knows no more than we do.
    let (client, _) = scripted(|_| refusal("database down"));
    assert!(client.job(job(1)).await.is_err());
    assert!(client.group(run(1)).await.is_err());
}

#[tokio::test]
async fn a_single_job_must_be_the_one_asked_for() {
    for data in [json!({"_id": id(2)}), json!({"name": "x"}), json!(null), json!([])] {
        let (client, _) = scripted(move |_| success(data.clone()));
        let error = client.job(job(1)).await.unwrap_err();
        assert!(matches!(error.cause, Cause::Shape { .. }), "{error}");
    }
    let (client, _) = scripted(|_| success(json!([{"_id": id(1)}])));
    assert!(client.job(job(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn the_test_wants_its_exact_line() {
    for (answer, fine) in [
        (raw("jetbackup-remote-ok", 0), true),
        (raw("motd\r\njetbackup-remote-ok\r\n", 0), true),
        (raw("jetbackup-remote-ok?", 0), false),
        (raw("", 0), false),
        (gate_refusal("echo"), false),
        (lost(Sent::No), false),
    ] {
        let (client, _) = scripted(move |_| answer.clone());
        assert_eq!(client.hello().await.is_ok(), fine);
    }
}

async fn error_of(answer: Result<Output, ExecError>) -> ApiError {
    let (client, _) = scripted(move |_| answer.clone());
    client.groups().await.unwrap_err()
}

#[tokio::test]
async fn errors_name_server_function_and_remedy() {
    let output =
        Output { stdout: vec![], stderr: "bash: jetbackup5api: \u{7}not found\n".to_owned(), exit: 127 };
    assert_eq!(
        error_of(Ok(output)).await.to_string(),
        "web1: listQueueGroups: exit status 127 without a usable answer (stdout: \"\", stderr: \"bash: jetbackup5api: not \
         found\"); try the same on the server by hand"
    );
    assert!(error_of(gate_refusal("x")).await.to_string().contains("install the jetbackup-ssh-gate.sh"));
    let error = error_of(refusal(&"long ".repeat(100))).await.to_string();
    assert!(error.chars().count() < 320, "{error}");
    let error = error_of(lost(Sent::No)).await;
    assert!(error.is_unreachable() && error.sent() == Sent::No);
    let error = error_of(raw(&"x".repeat(5000), 0)).await;
    assert!(!error.is_unreachable() && error.sent() == Sent::Maybe);
    assert!(error.to_string().len() < 320);
}

#[test]
fn futures_may_move_between_threads() {
    fn send<T: Send>(_: &T) {}
    let (client, _) = scripted(server);
    send(&client.look());
    send(&client.watch(&[]));
    send(&client.trigger(job(1)));
}
