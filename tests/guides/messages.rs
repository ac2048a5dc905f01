//! Every message that is explained is one that the program says, and what it says most is explained.

use jetbackup_remote::model::{JobResult, Reason, RemarkKind};
use jetbackup_remote::words;
use serde_json::Value;

use crate::text::{guide, literals, messages, root, sayings, says, section};

/// The least that stands fixed in a message: less would be found anywhere.
const FIXED: usize = 8;

#[test]
fn every_message_that_is_explained_is_one_of_the_programs() {
    let (messages, sayings) = (messages(&guide("troubleshooting.md")), sayings());
    assert!(messages.len() > 200, "only {} messages were found", messages.len());
    let fixed = |message: &str| message.split('…').map(str::len).sum::<usize>();
    let vague: Vec<_> = messages.iter().filter(|message| fixed(message) < FIXED).collect();
    assert!(vague.is_empty(), "too little of these is fixed: {vague:#?}");
    let made_up: Vec<_> =
        messages.iter().filter(|message| !sayings.iter().any(|saying| says(saying, message))).collect();
    assert!(made_up.is_empty(), "the program says none of these: {made_up:#?}");
    assert!(!sayings.iter().any(|saying| says(saying, "the teapot is short and stout")));
}

#[test]
fn no_message_is_explained_twice_in_a_section() {
    let guide = guide("troubleshooting.md");
    for part in guide.split("\n## ") {
        let mut messages = messages(part);
        messages.sort();
        let before = messages.len();
        messages.dedup();
        assert_eq!(messages.len(), before, "{}", part.lines().next().unwrap());
    }
}

#[test]
fn every_result_reason_and_remark_is_explained() {
    let guide = guide("troubleshooting.md");
    for reason in Reason::ALL {
        assert!(messages(&guide).iter().any(|message| says(words::reason(reason), message)), "{reason:?}");
        assert!(guide.contains(&format!("(`{}`)", reason.word())), "{reason:?}");
    }
    for result in JobResult::ALL {
        let told = matches!(result, JobResult::Completed | JobResult::Skipped);
        assert!(told || guide.contains(&format!("(`{}`)", result.word())), "{result:?}");
    }
    let remarks = messages(section(&guide, "## Worth a look"));
    for kind in RemarkKind::ALL {
        let id = "64a1b2c3d4e5f60718293a4b";
        let said = match kind {
            RemarkKind::DestinationNearlyFull => words::nearly_full(Some("name"), id, 94, Some(95)),
            kind => words::remark(kind, Some("name"), id),
        };
        assert!(remarks.iter().any(|message| says(&said, message)), "{said}");
    }
}

#[test]
fn every_refusal_of_a_command_is_explained() {
    let guide = guide("troubleshooting.md");
    let explained = messages(section(&guide, "## A command is refused"));
    let golden = std::fs::read_to_string(root().join("src/mqtt/golden/refusals.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    let by_mqtt = golden.as_array().unwrap().iter().map(|case| case["reason"].as_str().unwrap().to_owned());
    let source = std::fs::read_to_string(root().join("src/orchestrator/commands.rs")).unwrap();
    let mut refusals: Vec<String> = by_mqtt.collect();
    for refusal in source.split("Answer::refused(").skip(1) {
        refusals.extend(literals(refusal).into_iter().next());
    }
    assert!(refusals.len() > 40, "{refusals:#?}");
    let unexplained: Vec<_> =
        refusals.iter().filter(|reason| !explained.iter().any(|message| says(reason, message))).collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
}

#[test]
fn every_fault_of_host_keys_and_of_the_key_is_explained() {
    let explained = messages(&guide("troubleshooting.md"));
    for (file, rare) in [
        // Of these two there is nothing to say beyond what they say.
        (
            "src/ssh/hostkeys.rs",
            &["host certificate", "in the middle of the connection", "unsupported types"][..],
        ),
        ("src/ssh/keys.rs", &[]),
        ("src/lock.rs", &[]),
        ("src/state_dir.rs", &[]),
    ] {
        let source = std::fs::read_to_string(root().join(file)).unwrap();
        for error in source.split("#[error(").skip(1) {
            let said = literals(error).into_iter().next().unwrap();
            let known = rare.iter().any(|rare| said.contains(rare));
            assert!(known || explained.iter().any(|message| says(&said, message)), "{file}: {said}");
        }
    }
}
