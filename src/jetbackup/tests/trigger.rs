//! What may be concluded from the answer to a trigger: the table on which "at most once" stands.

use super::super::Trigger;
use super::*;

async fn trigger(answer: impl Fn(&str) -> Result<Output, ExecError> + Send + Sync + 'static) -> Trigger {
    let (client, server) = scripted(answer);
    let trigger = client.trigger(id(1).parse().unwrap()).await;
    assert_eq!(server.functions(), ["runBackupJobManually"], "sent exactly once");
    trigger
}

#[tokio::test]
async fn only_a_well_formed_no_is_a_no() {
    for no in [json!(0), json!("0"), json!(false)] {
        for data in [json!([]), json!({}), json!(null)] {
            for exit in [0, 1, 255] {
                let envelope = json!({"success": no, "message": "Job\n\u{1b}disabled", "data": data});
                let text = format!("Welcome {{root}}\n{envelope}\n");
                let Trigger::Refused(words) = trigger(move |_| raw(&text, exit)).await else {
                    panic!("{no} {data} {exit}");
                };
                assert_eq!(words, "Job disabled");
            }
        }
    }
    let Trigger::Refused(words) = trigger(|_| raw(r#"{"success":0}"#, 0)).await else { panic!() };
    assert_eq!(words, "no reason given");
}

#[tokio::test]
async fn only_a_well_formed_yes_is_a_yes() {
    for exit in [0, 1, 137] {
        let yes =
            move |_: &str| raw(r#"{"success":"1","message":"will be added to the queue","data":null}"#, exit);
        assert!(matches!(trigger(yes).await, Trigger::Accepted), "exit {exit}");
    }
}

#[tokio::test]
async fn everything_else_may_have_started_it() {
    let garbage = [
        "",
        "OK",
        "Job is disabled",
        "{}",
        "[]",
        "{\"success\":",
        "{\"success\":null}",
        "{\"success\":\"\"}",
        "{\"success\":\"maybe\",\"message\":\"refused\"}",
        "{\"success\":1,\"data\":{\"success\":0",
        "{\"message\":\"refused\",\"data\":[]}",
        "PHP Fatal error:  Uncaught {\"success\"} in /usr/x.php",
    ];
    for text in garbage {
        for exit in 0..=255 {
            assert!(matches!(trigger(move |_| raw(text, exit)).await, Trigger::Maybe(_)), "{text:?} {exit}");
        }
    }
    assert!(matches!(trigger(|_| lost(Sent::Maybe)).await, Trigger::Maybe(_)));
    assert!(matches!(trigger(gate_refusal).await, Trigger::Maybe(_)));
}

#[tokio::test]
async fn what_never_left_may_be_sent_again() {
    let Trigger::NotSent(error) = trigger(|_| lost(Sent::No)).await else { panic!() };
    assert!(error.is_unreachable());
    assert_eq!(error.to_string(), "web1: runBackupJobManually: connection to web1 lost");
}

#[tokio::test]
async fn trouble_with_the_licence_is_told() {
    let envelope = json!({"success": 0, "message": "no", "system": {"licenseIssue": 1}});
    let Trigger::Refused(words) = trigger(move |_| says(&envelope)).await else { panic!() };
    assert_eq!(words, "it reports a licence issue (no); log in to JetBackup on the server and settle that");
}

proptest! {
    #[test]
    fn no_garbage_is_ever_a_no(text in r#"[{}\[\]",:a-z01 ]{0,60}"#, exit in 0_u32..=255) {
        prop_assume!(!text.contains("success"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let outcome = runtime.block_on(trigger(move |_| raw(&text, exit)));
        prop_assert!(matches!(outcome, Trigger::Maybe(_)));
    }
}
