//! The program, the broker and Home Assistant go away in turn, and what is shown is the truth again.

use std::collections::BTreeMap;

use crate::farm::{brief, lasting};
use crate::home::States;
use crate::lab::{Lab, with};
use crate::published::assert_taken;
use crate::site::Site;

/// What its owner knows of a site: the state of each entity that is not about now.
fn known(states: &States, base: &str) -> BTreeMap<String, String> {
    let ours = states.iter().filter(|(entity, _)| entity.split(['.', '_']).nth(1) == Some(base));
    ours.map(|(entity, state)| (entity.clone(), state["state"].as_str().unwrap().to_owned())).collect()
}

/// A site of which one job has run.
fn site(base: &'static str, lab: &Lab) -> Site {
    let site = Site::new(base, &lab.broker, [vec![brief()], vec![lasting(4)]]);
    site.farm.call(&["run", "--server", "alpha"]).ended_with(0);
    site
}

#[test]
fn without_the_program_only_the_past_is_shown() {
    with(|lab| {
        let site = site("killed", lab);
        let daemon = site.serve(lab);
        let [past, now] = ["result", "state"].map(|key| site.job("sensor", "alpha 0", key));
        lab.home.until_is(&past, "completed");
        let mark = lab.home.mark();
        daemon.kill();
        lab.home.until_is(&now, "unavailable");
        for (entity, wanted) in [
            (site.hub("sensor", "state"), "unavailable"),
            (site.hub("button", "run_all"), "unavailable"),
            (site.hub("event", "alert"), "unavailable"),
            (site.hub("binary_sensor", "connectivity"), "off"),
            (site.hub("binary_sensor", "problem"), "off"),
            (site.hub("sensor", "last_cycle_result"), "completed"),
            (site.server("binary_sensor", "alpha", "reachable"), "unavailable"),
            (site.job("binary_sensor", "alpha 0", "running"), "unavailable"),
            (site.job("button", "alpha 0", "stop"), "unavailable"),
            (site.job("binary_sensor", "alpha 0", "problem"), "off"),
            (past, "completed"),
        ] {
            lab.home.until_is(&entity, wanted);
        }
        let _daemon = site.serve(lab);
        lab.home.until_is(&now, "idle");
        lab.home.until_is(&site.hub("binary_sensor", "connectivity"), "on");
        lab.home.assert_content(mark);
    });
}

#[test]
fn a_restart_of_home_assistant_changes_nothing() {
    with(|lab| {
        let site = site("restarted", lab);
        let _daemon = site.serve(lab);
        lab.home.press(&site.server("button", "beta", "run"));
        site.until_over(lab, 2);
        let alert = site.hub("event", "alert");
        let before = lab.home.until("the end of the cycle is told", |states| {
            states[&alert]["attributes"]["event_type"] == "cycle_finished"
        });
        let before = known(&before, "restarted");
        let mark = lab.home.mark();
        lab.home.stop();
        lab.home.resume();
        lab.home.until("everything is as before", |states| known(states, "restarted") == before);
        lab.home.assert_content(mark);
        // And it listens again.
        lab.home.press(&site.server("button", "beta", "run"));
        site.until_over(lab, 3);
    });
}

#[test]
fn the_truth_returns_with_the_broker() {
    with(|lab| {
        let site = site("broker", lab);
        let _daemon = site.serve(lab);
        let state = site.job("sensor", "beta 0", "state");
        let result = site.job("sensor", "beta 0", "result");
        for forgetful in [false, true] {
            lab.home.press(&site.job("button", "beta 0", "run"));
            lab.home.until_is(&state, "running");
            if forgetful {
                lab.broker.forget();
            } else {
                lab.broker.stop();
            }
            lab.home.until_is(&state, "unavailable");
            // The backup knows nothing of brokers.
            let runs = if forgetful { 2 } else { 1 };
            site.farm.until("the run ends meanwhile", |farm| farm.wrote(1).1 && farm.triggers(1, 0) == runs);
            let mark = lab.home.mark();
            lab.broker.resume();
            lab.home.until_is(&state, "idle");
            lab.home.until_is(&result, "completed");
            lab.home.until_is(&site.hub("sensor", "state"), "idle");
            lab.home.until_is(&site.hub("binary_sensor", "connectivity"), "on");
            lab.home.assert_content(mark);
        }
        // Nothing is missing at the broker that had forgotten everything.
        let retained = site.retained(&lab.broker);
        let configs = retained.into_iter().filter(|(topic, _)| topic.ends_with("/config"));
        let payloads: Vec<_> = configs.map(|(_, payload)| payload).collect();
        assert_eq!(payloads.len(), 1 + 2 + 2);
        assert_taken(&mut lab.home, &payloads);
    });
}
