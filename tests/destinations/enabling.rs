//! Before the jobs: enabled, or a reason to skip them, or neither.

use jetbackup_remote::model::{Command, Selection, What};
use jetbackup_sim::{Allow, Destination, Fault, Spoil};
use serde_json::json;

use crate::night::{Lost, Night, id, seconds};
use crate::*;

#[tokio::test(start_paused = true)]
async fn without_a_word_about_it_no_destination_is_switched() {
    let world = || with(vec![completed(60)], Destination::new(id(NAS), "NAS"));
    let unconfigured = Night::new(vec![("a", world())], &["a/1"], json!({}));
    let mut unforced = Night::new(vec![("a", world())], &["a/1"], json!({}));
    unforced.configure(|config| config.destination.force_activate = true);
    let indifferent = night(vec![("a", world())], &["a/1"], json!({}), false, false);
    for night in [unconfigured, unforced, indifferent] {
        assert_eq!(night.run().await.completed, 1);
        only_looked_at(&night);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_enabled_already_is_not_ours_to_disable() {
    let world = with(vec![completed(60)], Destination::new(id(NAS), "NAS"));
    let night = forced(vec![("a", world)], &["a/1"]);
    night.run().await;
    only_looked_at(&night);
    assert!(!is_disabled(&night, "a"));
}

/// Whatever was asked about the destination changes nothing there.
fn only_looked_at(night: &Night) {
    let asked = asked(night, "a");
    assert!(asked.iter().all(|function| function == "getDestination"), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn jobs_are_skipped_while_it_is_disabled_and_nobody_is_to_enable_it() {
    let night = night(vec![("a", server(vec![completed(60)]))], &["a/1"], json!({}), false, true);
    night.run().await;
    assert_eq!(night.results().await, ["a/1 skipped destination_disabled"]);
    assert_eq!((night.triggers("a/1"), switched(&night, "a")), (0, vec![]));
    let error = night.records().await[0].error.clone().unwrap();
    assert!(error.contains("force_activate"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn not_to_know_is_no_reason_to_skip() {
    for force in [false, true] {
        for spoil in [None, Some(Spoil::Garbage), Some(Spoil::Empty)] {
            let mut world = with(vec![completed(60)], Destination::new(id(NAS), "NAS"));
            world = match spoil {
                None => world.allow(&[Allow::Log]),
                Some(spoil) => world.fault(Fault::new(spoil).on("getDestination")),
            };
            let night = night(vec![("a", world)], &["a/1"], json!({}), force, true);
            let mut runner = night.start(Selection::default()).await;
            until(&mut runner, |what| matches!(what, What::JobStarting(_))).await;
            runner.end().await;
            assert_eq!(night.results().await, ["a/1 completed"]);
            assert_eq!(switched(&night, "a"), [""; 0], "what is not known to be disabled is left alone");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_gate_has_to_allow_is_told_once() {
    let world = with(vec![completed(60), completed(60)], Destination::new(id(NAS), "NAS")).allow(&[]);
    let night = forced(vec![("a", world)], &["a/1", "a/2"]);
    let mut runner = night.serve().await;
    runner.ask(all()).await;
    until(&mut runner, |what| matches!(what, What::Alert { text, .. } if text.contains("`--allow destination --allow switch`")))
        .await;
    until(&mut runner, |what| matches!(what, What::CycleFinished(_))).await;
    assert_eq!(told(&mut runner), [""; 0]);
    runner.leave().await;

    // With the word for looking alone, it is known to be disabled, and cannot be enabled.
    let world = server(vec![completed(60)]).allow(&[Allow::Destination]);
    let night = forced(vec![("a", world)], &["a/1"]);
    night.run().await;
    assert_eq!(night.results().await, ["a/1 skipped destination_disabled"]);
    let error = night.records().await[0].error.clone().unwrap();
    assert!(error.contains("--allow switch"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_enabled_costs_its_servers_jobs_and_no_others() {
    let refusing = || Fault::new(Spoil::Replace(REFUSED.into())).without_effect();
    let refused = server(vec![completed(60), completed(60)])
        .fault(refusing().on("manageDestination"))
        .fault(refusing().on("manageDestinationState"));
    let sticky =
        with(vec![completed(60), completed(60)], Destination::new(id(NAS), "NAS").disabled().sticky());
    for (world, why) in [(refused, "the NAS sleeps"), (sticky, "still disabled")] {
        let night = forced(vec![("a", world), ("b", server(vec![completed(60)]))], &["a/1", "a/2", "b/1"]);
        let mut runner = night.start(Selection::default()).await;
        until(&mut runner, |what| matches!(what, What::CycleFinished(_))).await;
        assert_eq!(told(&mut runner), [""; 0], "what was never enabled is nothing to disable");
        runner.end().await;
        assert_eq!(
            night.results().await,
            ["a/1 skipped destination_disabled", "a/2 skipped destination_disabled", "b/1 completed"]
        );
        let error = night.records().await[0].error.clone().unwrap();
        assert!(error.contains(why), "{error}");
        assert!(!switched(&night, "a").iter().any(|switch| switch.ends_with('1')));
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_jetbackup_is_asked_by_its_own_function() {
    let unknown = Fault::new(Spoil::Replace(UNKNOWN.into())).on("manageDestination").without_effect();
    let night = forced(vec![("a", server(vec![completed(60)]).fault(unknown))], &["a/1"]);
    night.run().await;
    assert_eq!(night.results().await, ["a/1 completed"]);
    let both = |flag| [format!("manageDestination {flag}"), format!("manageDestinationState {flag}")];
    assert_eq!(switched(&night, "a"), [both(0), both(1)].concat());
    assert!(is_disabled(&night, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_lost_while_enabling_is_tried_again_and_nothing_is_left_enabled() {
    for lost in [Lost::Command, Lost::Answer] {
        let night = forced(vec![("a", server(vec![completed(60)]))], &["a/1"]);
        night.lose("a", "manageDestination", lost);
        night.run().await;
        assert_eq!(night.results().await, ["a/1 completed"], "{lost:?}");
        assert!(is_disabled(&night, "a"), "{lost:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_arrives_while_it_is_enabled_comes_before_the_trigger() {
    let slow = Fault::new(Spoil::Hang(10)).on("manageDestination").times(1);
    let night = forced(vec![("a", server(vec![completed(60)]).fault(slow))], &["a/1"]);
    let mut daemon = night.serve().await;
    daemon.ask(all()).await;
    while switched(&night, "a").is_empty() {
        tokio::time::sleep(seconds(1)).await;
    }
    assert!(daemon.ask(Command::StopAfterCurrent).await.accepted);
    until(&mut daemon, |what| matches!(what, What::DestinationDisabled { .. })).await;
    daemon.leave().await;
    assert_eq!((night.triggers("a/1"), is_disabled(&night, "a")), (0, true));
    assert_eq!(night.results().await, ["a/1 skipped stopped_by_user"]);
}
