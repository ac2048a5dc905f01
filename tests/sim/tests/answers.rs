#![allow(clippy::unwrap_used, clippy::expect_used)]
//! Proves what answers look like: lists, switches, refusals, dialects and faults.

mod common;

use common::{call, groups, job, status, t0, trigger, world};
use jetbackup_sim::clock::after;
use jetbackup_sim::{
    Bools, Destination, Dialect, DisabledAnswer, Effect, FailureData, Fault, Job, Run, SECRET, Spoil, World,
    id,
};
use serde_json::json;

#[test]
fn triggers_are_refused_in_many_ways() {
    let mut unknown = World::new("alpha");
    assert_eq!(trigger(&mut unknown, 0)["success"], 0);
    let mut licence = world(Run::completed());
    licence.set_licence_issue(true);
    let answer = trigger(&mut licence, 0);
    assert_eq!((&answer["success"], &answer["system"]["licenseIssue"]), (&json!(0), &json!(true)));
    let mut scripted = world(Run::refused("No")).job(Job::new(id(2), "other"));
    let answer = trigger(&mut scripted, 0);
    assert_eq!((&answer["success"], &answer["message"]), (&json!(0), &json!("No")));
    let disabled = Job::new(id(1), "off").disabled();
    let mut refusing = World::new("alpha").job(disabled.clone());
    assert_eq!(trigger(&mut refusing, 0)["success"], 0);
    let short = DisabledAnswer::ShortBody("{\"success\":1}\n".to_owned());
    let mut short = World::new("alpha").job(disabled.when_disabled(short));
    assert_eq!(trigger(&mut short, 0), json!({"success": 1}));
    for world in [unknown, licence, scripted, refusing, short] {
        assert!(world.runs_at(after(t0(), 1000)).is_empty());
    }
}

#[test]
fn old_and_foreign_groups_fill_the_lists() {
    let mut world = world(Run::completed())
        .old_groups(&id(1), 150, t0())
        .other_group(64, after(t0(), -86_400), None)
        .other_group(128, after(t0(), -86_400), Some(10));
    let list = call(&mut world, 0, "listQueueGroups", "type=1")["data"].clone();
    assert_eq!((list["groups"].as_array().unwrap().len(), &list["total"]), (100, &json!(150)));
    let created: Vec<_> =
        list["groups"].as_array().unwrap().iter().map(|group| group["created"].as_str().unwrap()).collect();
    assert!(!created.is_sorted() && !created.iter().rev().is_sorted());
    assert_eq!(call(&mut world, 0, "listQueueGroups", "type=64")["data"]["groups"][0]["status"], 2);
    assert_eq!(call(&mut world, 0, "listQueueGroups", "type=128")["data"]["groups"][0]["status"], 100);
    assert_eq!(call(&mut world, 0, "listQueueGroups", "")["success"], 0);
    trigger(&mut world, 0);
    assert_eq!(groups(&mut world, 10).len(), 100);
    assert_eq!(status(&mut world, 10), Some(2));
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn jobs_and_destinations_are_switched() {
    let mut world = World::new("alpha")
        .job(Job::new(id(1), "accounts").destination(id(9)))
        .destination(Destination::new(id(9), "nas").disk(1, 2, 3))
        .destination(Destination::new(id(8), "stubborn").sticky());
    let switch = |world: &mut World, function: &str, id: String| {
        call(world, 0, function, &format!("action=modify&_id={id}&disabled=1"))["success"].as_i64().unwrap()
    };
    let destination = call(&mut world, 0, "getDestination", &format!("_id={}", id(9)))["data"].clone();
    assert_eq!(destination["disk_usage"], json!({"usage": 1, "free": 2, "total": 3}));
    assert!(destination.to_string().contains(SECRET));
    assert_eq!(switch(&mut world, "manageDestination", id(9)), 1);
    assert_eq!(switch(&mut world, "manageDestinationState", id(8)), 1);
    assert_eq!((world.is_disabled(&id(9)), world.is_disabled(&id(8))), (true, false));
    trigger(&mut world, 0);
    assert_eq!(status(&mut world, 100), Some(102));
    assert_eq!(world.runs()[0].started, None);
    assert_eq!(switch(&mut world, "manageBackupJob", id(1)), 1);
    assert_eq!(job(&mut world, 100)["disabled"], true);
    assert_eq!(switch(&mut world, "editBackupJob", id(1)), 0);
    let effects: Vec<_> = world.calls().iter().map(|call| &call.effect).collect();
    assert_eq!(effects[1], &Effect::Modified(id(9)));
    assert_eq!(effects[2], &Effect::None);
}

#[test]
fn values_come_in_every_dialect() {
    let ask = |dialect| {
        let mut world = world(Run::completed()).dialect(dialect);
        let list = call(&mut world, 0, "listBackupJobs", "")["data"].clone();
        let failure = call(&mut world, 0, "getBackupJob", "_id=x");
        (list, failure)
    };
    let base = Dialect::default();
    for (bools, no) in [
        (Bools::Native, json!(false)),
        (Bools::Digits, json!(0)),
        (Bools::Text, json!("0")),
        (Bools::EmptyFalse, json!("")),
        (Bools::NullFalse, json!(null)),
    ] {
        assert_eq!(ask(Dialect { bools, ..base }).0["jobs"][0]["running"], no);
    }
    let (list, _) = ask(Dialect { lists_as_objects: true, numbers_as_text: true, ..base });
    assert_eq!((&list["jobs"]["0"]["type"], &list["total"]), (&json!("1"), &json!("1")));
    for (shape, data) in [
        (FailureData::List, Some(json!([]))),
        (FailureData::Object, Some(json!({}))),
        (FailureData::Null, Some(json!(null))),
        (FailureData::Missing, None),
    ] {
        assert_eq!(ask(Dialect { failure_data: shape, ..base }).1.get("data").cloned(), data);
    }
}

#[test]
fn faults_strike_by_function_occurrence_and_time() {
    let fault = Fault::new(Spoil::Garbage).on("getInfo").skip(1).times(1);
    let window = Fault::new(Spoil::Empty).between(after(t0(), 100), after(t0(), 200));
    let mut world = world(Run::completed()).fault(fault).fault(window);
    let mut stdout =
        |seconds, function: &str| world.call(after(t0(), seconds), &["-F", function, "-O", "json"]).stdout;
    assert!(stdout(0, "getInfo").starts_with(b"{"));
    assert!(stdout(0, "listBackupJobs").starts_with(b"{"));
    assert!(stdout(0, "getInfo").starts_with(b"\xff"));
    assert!(stdout(0, "getInfo").starts_with(b"{"));
    assert!(stdout(100, "getInfo").is_empty());
    assert!(stdout(200, "getInfo").starts_with(b"{"));
}

#[test]
fn a_spoiled_trigger_takes_effect_unless_told_otherwise() {
    for spoil in [
        Spoil::Banner,
        Spoil::Before("{not} ".to_owned()),
        Spoil::Garbage,
        Spoil::Empty,
        Spoil::Truncated,
        Spoil::Exit(255),
        Spoil::Replace("ok".to_owned()),
        Spoil::ConnectionRefused,
        Spoil::Dialect(Dialect { numbers_as_text: true, ..Dialect::default() }),
        Spoil::Hang(9),
        Spoil::Nothing,
    ] {
        let argv = ["-F", "runBackupJobManually", "-D", &format!("_id={}", id(1)), "-O", "json"];
        let plain = world(Run::completed()).call(t0(), &argv);
        let mut effective = world(Run::completed()).fault(Fault::new(spoil.clone()));
        let reply = effective.call(t0(), &argv);
        assert_eq!(reply == plain, spoil == Spoil::Nothing, "{spoil:?}");
        assert_eq!(effective.runs().len(), 1, "{spoil:?}");
        let mut idle = world(Run::completed()).fault(Fault::new(spoil).without_effect());
        idle.call(t0(), &argv);
        assert_eq!((idle.runs().len(), idle.triggers(&id(1))), (0, 1));
        assert!(idle.calls()[0].spoiled);
    }
}

#[test]
fn unknown_functions_fail_with_exit_status_zero() {
    let mut world = world(Run::completed());
    for params in ["", "_id=1"] {
        let answer = call(&mut world, 0, "makeCoffee", params);
        assert_eq!(
            (&answer["success"], &answer["message"]),
            (&json!(0), &json!("Function makeCoffee not found"))
        );
    }
    assert_eq!(call(&mut world, 0, "getBackupJob", "")["success"], 0);
}
