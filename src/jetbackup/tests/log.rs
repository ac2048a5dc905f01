//! The end of JetBackup's own log of a run.

use super::client::narrow;
use super::*;
use crate::model::GroupId;

fn run(number: u32) -> GroupId {
    id(number).parse().unwrap()
}

/// A server with the groups 21, which has the log 41, and 22, which has none.
fn with_log(command: &str) -> Result<Output, ExecError> {
    match (function(command), parameter(command, "_id")) {
        ("getQueueGroup", Some(group)) if group == id(21) => {
            success(json!({"_id": id(21), "type": 1, "status": 102, "log_id": id(41)}))
        }
        ("getQueueGroup", Some(group)) if group == id(22) => {
            success(json!({"_id": id(22), "type": 1, "status": 102, "log_id": ""}))
        }
        ("getLog", Some(log)) if log == id(41) && parameter(command, "content") == Some("1") => {
            success(json!({"_id": id(41), "content": "one\n\nlogin password=hunter2\nlost\n"}))
        }
        _ => refusal("not found"),
    }
}

#[tokio::test]
async fn the_last_lines_of_a_run_are_found_by_its_group() {
    let (client, server) = scripted(with_log);
    let tail = client.log_tail(run(21), 2).await.unwrap().unwrap();
    assert_eq!(tail, ["login password=***", "lost"]);
    assert_eq!(server.functions(), ["getQueueGroup", "getLog"]);
}

#[tokio::test]
async fn a_run_without_a_log_has_no_last_lines() {
    let (client, server) = scripted(with_log);
    assert_eq!(client.log_tail(run(22), 2).await.unwrap(), None);
    assert_eq!(server.functions(), ["getQueueGroup"]);
    let (client, _) = scripted(|command| match function(command) {
        "getLog" => refusal("Log not found"),
        _ => with_log(command),
    });
    assert_eq!(client.log_tail(run(21), 2).await.unwrap(), None);
}

#[tokio::test]
async fn a_gate_without_the_word_for_logs_is_asked_once() {
    let (client, server) = scripted(|command| match function(command) {
        "getLog" => gate_refusal(command),
        _ => with_log(command),
    });
    for _ in 0..2 {
        assert_eq!(client.log_tail(run(21), 2).await.unwrap(), None);
    }
    assert_eq!(server.functions(), ["getQueueGroup", "getLog"]);
    // One that lets nothing of it through.
    let (client, _) = scripted(narrow);
    assert_eq!(client.log_tail(run(21), 2).await.unwrap(), None);
}

proptest! {
    #[test]
    fn any_answer_makes_few_short_lines(data in any_json(), lines in 0_usize..20) {
        let answer = data.clone();
        let (client, _) = scripted(move |command| match function(command) {
            "getLog" => success(answer.clone()),
            _ => with_log(command),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        // Whether it can be read is another matter.
        if let Ok(Some(tail)) = runtime.block_on(client.log_tail(run(21), lines)) {
            prop_assert!(tail.len() <= lines);
        }
    }
}
