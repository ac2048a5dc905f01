//! Destinations: their free space, and the credentials that come along with it.

use jetbackup_sim::{Allow, Bools, Dialect, SECRET, World};

use super::client::{narrow, server};
use super::*;
use crate::model::DestinationId;

fn destination(number: u32) -> DestinationId {
    id(number).parse().unwrap()
}

/// A server whose gate has `--allow destination`, with the destination 31.
fn with_destination(command: &str) -> Result<Output, ExecError> {
    let options = json!({"password": "hunter2"});
    let nas = json!({
        "_id": id(31), "name": "nas", "disabled": false, "readonly": "0", "options": options,
        "disk_usage": {"usage": "3", "free": 1_000_000_000_000_i64, "total": 4},
    });
    match function(command) {
        "getDestination" if parameter(command, "_id") == Some(&id(31)) => success(nas),
        "getDestination" => refusal("Destination not found"),
        "listDestinations" => success(json!({"destinations": [nas], "total": 1})),
        _ => server(command),
    }
}

#[tokio::test]
async fn a_destination_is_read_without_its_credentials() {
    let (client, server) = scripted(with_destination);
    let nas = client.destination(destination(31)).await.unwrap().unwrap();
    assert_eq!((nas.disabled, nas.readonly), (Some(false), Some(false)));
    assert_eq!((nas.free, nas.name.as_deref()), (Some(1_000_000_000_000), Some("nas")));
    assert!(!format!("{nas:?}").contains("hunter2"));
    assert_eq!(server.functions(), ["getDestination"]);
    assert!(client.destination(destination(32)).await.unwrap().is_none());
    assert_eq!(server.functions(), ["getDestination", "listDestinations"], "gone is said only by the list");
    // A refusal that the list does not bear out.
    let (client, _) = scripted(|command| match function(command) {
        "getDestination" => refusal("busy"),
        _ => with_destination(command),
    });
    assert_eq!(client.destination(destination(31)).await.unwrap(), Some(nas));
}

#[tokio::test]
async fn a_gate_without_the_word_for_destinations_is_asked_once() {
    let (client, server) = scripted(narrow);
    for _ in 0..2 {
        assert!(client.destination(destination(31)).await.unwrap_err().is_gate_refusal());
    }
    assert_eq!(server.functions(), ["getDestination"]);
}

#[tokio::test]
async fn no_credential_of_a_destination_gets_into_an_error() {
    let whole = r#"{"options":{"password":"hunter2"},"success":1,"data":{"options":{"password":"hunter2"}"#;
    for answer in [
        raw(whole, 0),
        Ok(Output {
            stdout: Vec::new(),
            stderr: "PHP Fatal error: connect('hunter2')".to_owned(),
            exit: 255,
        }),
        success(json!({"_id": id(30), "options": {"password": "hunter2"}})),
        success(json!([{"options": {"password": "hunter2"}}])),
    ] {
        let (client, _) = scripted(move |_| answer.clone());
        let error = client.destination(destination(31)).await.unwrap_err();
        assert!(
            !error.to_string().contains("hunter2") && !format!("{error:?}").contains("hunter2"),
            "{error}"
        );
        assert!(error.to_string().starts_with("web1: getDestination: "), "{error}");
    }
}

#[tokio::test]
async fn it_is_read_in_every_dialect_of_the_simulated_server() {
    for bools in [Bools::Native, Bools::Digits, Bools::Text, Bools::EmptyFalse] {
        for (numbers_as_text, lists_as_objects) in
            [(false, false), (true, false), (false, true), (true, true)]
        {
            let dialect = Dialect { bools, numbers_as_text, lists_as_objects, ..Dialect::default() };
            let nas =
                jetbackup_sim::Destination::new(id(31), "nas").read_only().disk(3, 5_000_000_000_000, 9);
            let unknown = jetbackup_sim::Destination::new(id(33), "new").disabled();
            let world = World::new("web1").allow(&[Allow::Destination]).destination(nas).destination(unknown);
            let world = Mutex::new(world.dialect(dialect));
            let (client, _) = scripted(move |command| {
                let reply = world.lock().unwrap().exec(jiff::Timestamp::now(), command);
                assert!(String::from_utf8_lossy(&reply.stdout).contains(SECRET) || command.contains(&id(32)));
                Ok(Output { stdout: reply.stdout, stderr: reply.stderr, exit: reply.exit.unsigned_abs() })
            });
            let nas = client.destination(destination(31)).await.unwrap().unwrap();
            let told = (nas.disabled, nas.readonly, nas.free);
            assert_eq!(told, (Some(false), Some(true), Some(5_000_000_000_000)), "{dialect:?}");
            let new = client.destination(destination(33)).await.unwrap().unwrap();
            assert_eq!(
                (new.disabled, new.readonly, new.free),
                (Some(true), Some(false), None),
                "{dialect:?}"
            );
            assert_eq!(client.destination(destination(32)).await.unwrap(), None);
        }
    }
}

type Answer = fn(&str) -> Result<Output, ExecError>;

/// A destination that the functions in `works` really switch; the others answer `otherwise`.
fn switchable(
    works: &'static [&'static str],
    otherwise: Answer,
) -> impl Fn(&str) -> Result<Output, ExecError> {
    let disabled = Mutex::new(true);
    move |command| match function(command) {
        "getDestination" => success(json!({"_id": id(31), "disabled": *disabled.lock().unwrap()})),
        called if works.contains(&called) => {
            *disabled.lock().unwrap() = parameter(command, "disabled") == Some("1");
            success(json!([]))
        }
        called if called.starts_with("manage") => otherwise(command),
        _ => server(command),
    }
}

#[tokio::test]
async fn a_switch_is_believed_when_it_is_read_back_and_tried_by_the_older_function_else() {
    let (client, server) = scripted(switchable(&["manageDestination"], |_| panic!()));
    for enabled in [true, false] {
        client.switch_destination(destination(31), enabled).await.unwrap();
        assert_eq!(server.functions(), ["manageDestination", "getDestination"]);
    }
    // An unknown function is refused, or answered as if it were known; an older gate may not know it either.
    let acknowledged = |_: &str| success(json!([]));
    let unknown = |_: &str| refusal("Function manageDestination not found");
    let ways: [Answer; 3] = [unknown, acknowledged, |_| raw("[]", 0)];
    for otherwise in ways {
        let (client, server) = scripted(switchable(&["manageDestinationState"], otherwise));
        client.switch_destination(destination(31), true).await.unwrap();
        let asked = ["manageDestination", "getDestination", "manageDestinationState", "getDestination"];
        assert_eq!(server.functions(), asked);
    }
    let (client, server) = scripted(switchable(&["manageDestinationState"], gate_refusal));
    client.switch_destination(destination(31), true).await.unwrap();
    assert_eq!(server.functions(), ["manageDestination", "manageDestinationState", "getDestination"]);
}

#[tokio::test]
async fn a_switch_that_did_not_work_says_whether_that_is_sure_and_what_to_do() {
    let failed = async |otherwise| {
        let (client, _) = scripted(switchable(&[], otherwise));
        let error = client.switch_destination(destination(31), true).await.unwrap_err();
        (error.is_unchanged(), error.is_unreachable(), error.to_string())
    };
    let (unchanged, _, text) = failed(gate_refusal).await;
    assert!(unchanged && text.contains("`--allow destination --allow switch`"), "{text}");
    let (unchanged, _, text) = failed(|_| refusal("in use")).await;
    assert!(unchanged && text.contains("refused to enable") && text.ends_with("in use"), "{text}");
    let (unchanged, _, text) = failed(|_| success(json!([]))).await;
    assert!(unchanged && text.contains("still disabled"), "{text}");
    let (unchanged, unreachable, text) = failed(|_| lost(Sent::Maybe)).await;
    assert!(!unchanged && unreachable && text.contains("is not known"), "{text}");

    let (client, _) = scripted(|command| match function(command) {
        "manageDestination" => success(json!({"password": "hunter2"})),
        "getDestination" => raw("hunter2", 255),
        _ => server(command),
    });
    let error = client.switch_destination(destination(31), false).await.unwrap_err();
    assert!(!error.is_unchanged() && !error.to_string().contains("hunter2"), "{error}");

    let (client, _) = scripted(with_destination_switch);
    let error = client.switch_destination(destination(32), true).await.unwrap_err();
    assert!(error.to_string().contains("does not know destination"), "{error}");
}

fn with_destination_switch(command: &str) -> Result<Output, ExecError> {
    if function(command).starts_with("manage") {
        refusal("Object not found")
    } else {
        with_destination(command)
    }
}

#[tokio::test]
async fn a_gate_that_was_widened_meanwhile_is_asked_again() {
    let wide = std::sync::atomic::AtomicBool::new(false);
    let wide = Arc::new(wide);
    let gate = Arc::clone(&wide);
    let (client, _) = scripted(move |command| {
        let open = gate.load(std::sync::atomic::Ordering::Relaxed);
        if open || !function(command).contains("Destination") {
            with_destination(command)
        } else {
            gate_refusal(command)
        }
    });
    assert!(client.destination(destination(31)).await.unwrap_err().is_gate_refusal());
    wide.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(client.destinations().await.unwrap_err().is_gate_refusal());
    client.hope_for_destinations();
    assert_eq!(client.destinations().await.unwrap().len(), 1);
}
