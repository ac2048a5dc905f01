//! What the broker holds and was told in the end, beside what had to be.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use crate::broker::Notice;
use crate::plans::{ASKED_FOR, Plan, job_id};
use crate::site::BASE_TOPIC;
use crate::words::DISCOVERY;

/// Everything that is not as it should be, in sentences.
pub fn flaws(
    retained: &BTreeMap<String, Bytes>,
    notices: &[(Timestamp, Notice)],
    plans: &[Plan],
) -> Vec<String> {
    let mut flaws = Vec::new();
    let mut expect = |what: String, found: &Value, wanted: Value| {
        if *found != wanted {
            flaws.push(format!("by MQTT {what} is {found}, not {wanted}"));
        }
    };
    let availability = retained.get(&format!("{BASE_TOPIC}/availability"));
    let availability = availability.map(|text| String::from_utf8_lossy(text).into_owned());
    expect("the availability".to_owned(), &availability.into(), "offline".into());

    let queue = state(retained, "state");
    let turns = || plans.iter().flat_map(|plan| plan.ends);
    let completed = turns().filter(|end| is_good(**end)).count();
    expect("the queue's phase".to_owned(), &queue["phase"], "idle".into());
    expect("the number of writers".to_owned(), &queue["writers"], 0.into());
    let cycle = &queue["last_cycle"];
    expect("the number of completed jobs".to_owned(), &cycle["completed"], completed.into());
    expect("the number of problems".to_owned(), &cycle["problems"], (turns().count() - completed).into());

    for (place, plan) in plans.iter().enumerate() {
        let (server, id) = (plan.server, job_id(place));
        let (result, late) = plan.ends.last().copied().unwrap_or_default();
        let job = state(retained, &format!("jobs/{server}/{id}/state"));
        for (key, found, wanted) in [
            ("phase", &job["phase"], Value::from("idle")),
            ("last result", &job["last"]["result"], result.into()),
            ("lateness", &job["last"]["overrun"], late.into()),
            ("last problem", &job["problem"], (!is_good((result, late))).into()),
        ] {
            expect(format!("the {key} of {} of {server}", plan.label), found, wanted);
        }
        // A retained end is of use to whoever comes later, an event to whoever is there.
        let ends = events(notices).filter(|event| event["job_id"] == id && !event["result"].is_null());
        let ends: Value = ends.map(|event| event["result"].clone()).collect();
        let wanted = plan.ends.iter().map(|end| end.0).collect();
        expect(format!("what the events told of {} of {server}", plan.label), &ends, wanted);
    }

    let asked = plans.get(ASKED_FOR).map_or("", |plan| plan.server);
    let command = format!("jobs/{asked}/{}/command/run", job_id(ASKED_FOR));
    let answers = payloads(notices, "command/result").map(|answer| {
        (answer["command"] == command && answer["accepted"] == true).then_some(command.clone())
    });
    expect("what was accepted".to_owned(), &answers.collect(), vec![command.clone()].into());
    let devices = retained.keys().filter(|topic| topic.starts_with(DISCOVERY)).count();
    // The program itself, its three servers, its jobs.
    expect("the number of devices".to_owned(), &devices.into(), (1 + 3 + plans.len()).into());
    flaws
}

/// What ends beyond its limit is a problem, even if it completes.
fn is_good(end: (&str, bool)) -> bool {
    end == ("completed", false)
}

fn state(retained: &BTreeMap<String, Bytes>, tail: &str) -> Value {
    let payload = retained.get(&format!("{BASE_TOPIC}/{tail}"));
    payload.and_then(|payload| serde_json::from_slice(payload).ok()).unwrap_or_default()
}

fn events(notices: &[(Timestamp, Notice)]) -> impl Iterator<Item = Value> {
    payloads(notices, "events")
}

fn payloads(notices: &[(Timestamp, Notice)], tail: &str) -> impl Iterator<Item = Value> {
    let topic = format!("{BASE_TOPIC}/{tail}");
    notices.iter().filter_map(move |(_, notice)| match notice {
        Notice::Published(publication) if publication.topic == topic => {
            serde_json::from_slice(&publication.payload).ok()
        }
        _ => None,
    })
}
