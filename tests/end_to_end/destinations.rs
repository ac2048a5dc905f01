//! Destinations, through the shipped gate: enabled and disabled where its owner allows that, left alone elsewhere.

use jetbackup_sim::{Destination, id};
use serde_json::Value;

use crate::farm::{Farm, brief, lasting};

fn nas() -> Destination {
    Destination::new(id(0x77), "NAS").disabled().disk(1, 1_500_000_000_000, 4_000_000_000_000)
}

fn forced(mut farm: Farm) -> Farm {
    farm.change(|config| config["destination"]["force_activate"] = true.into());
    farm
}

/// The calls of a server that enabled (`0`) or disabled (`1`) its destination.
fn switched(farm: &Farm, server: usize) -> Vec<String> {
    farm.world(server, |world, _| {
        let switches = world.calls().iter().filter(|call| call.function.starts_with("manage"));
        switches.map(|call| call.param("disabled").unwrap_or_default().to_owned()).collect()
    })
}

#[test]
fn it_is_enabled_for_the_jobs_and_disabled_after_them_where_the_gate_allows_it() {
    let farm = Farm::new([vec![brief(), brief()], vec![brief()]]);
    let farm = forced(farm.destination(0, nas(), &["log", "destination", "switch"]));
    farm.call(&["run"]).ended_with(0).says("Destination enabled").says("Destination disabled");
    assert_eq!(farm.results(), ["alpha 0, completed, -", "alpha 1, completed, -", "beta 0, completed, -"]);
    assert_eq!(switched(&farm, 0), ["0", "1"]);
    assert!(farm.world(0, |world, _| world.is_disabled(&id(0x77))));
    assert_eq!(farm.world(1, |world, _| world.count("getDestination")), 0, "it has none configured");
    farm.assert_one_writer();

    let listed = farm.call(&["destinations"]).ended_with(2);
    let listed = listed.says("NAS").says("DISABLED").says("1.5 TB").says("configured");
    listed.says("beta: the SSH gate there does not show destinations").says("`--allow destination`");
    let listed = farm.call(&["destinations", "--json"]).ended_with(2).json();
    let nas = &listed["destinations"][0];
    assert_eq!((&nas["disabled"], &nas["configured"]), (&Value::Bool(true), &Value::Bool(true)), "{listed}");
    assert!(!listed.to_string().contains(jetbackup_sim::SECRET));
    assert!(!farm.log().contains(jetbackup_sim::SECRET));
}

#[test]
fn without_the_words_at_the_gate_nothing_is_switched_and_what_is_missing_is_told() {
    let farm = Farm::new([vec![brief()]]);
    let farm = forced(farm.destination(0, nas(), &["log"]));
    // It is disabled, so JetBackup fails the job; that this was not known is no reason not to try.
    farm.call(&["run"]).ended_with(2).says("`--allow destination --allow switch`");
    assert_eq!(farm.results(), ["alpha 0, failed, -"]);

    let farm = Farm::new([vec![brief()]]);
    let farm = forced(farm.destination(0, nas(), &["destination"]));
    farm.call(&["run"]).ended_with(2).says("`--allow destination --allow switch`");
    assert_eq!(farm.results(), ["alpha 0, skipped, destination_disabled"]);
    assert_eq!((switched(&farm, 0).len(), farm.triggers(0, 0)), (0, 0));
}

#[test]
fn killed_while_a_job_writes_the_next_start_disables_it_after_that_run() {
    let farm = Farm::new([vec![lasting(5)], vec![brief()]]);
    let farm = forced(farm.destination(0, nas(), &["destination", "switch"]));
    let runner = farm.start(&["run"]);
    farm.until("the job writes", |farm| farm.wrote(0).0);
    runner.kill();
    farm.call(&["status"]).says("was enabled from here");
    farm.call(&["run", "--server", "beta"]).ended_with(0);
    assert_eq!(switched(&farm, 0), ["0", "1"]);
    assert!(farm.wrote(0).1, "not before its end");
    assert_eq!(farm.results(), ["alpha 0, completed, -", "beta 0, completed, -"]);
}
