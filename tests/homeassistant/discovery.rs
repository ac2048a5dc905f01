//! Every entity that is published is there, with the state that is the truth; what is taken out of the configuration
//! goes away.

use jetbackup_sim::Run;
use serde_json::Value;

use crate::farm::{brief, job, quick};
use crate::lab::with;
use crate::published::assert_taken;
use crate::site::Site;

/// The payloads of all devices of a site.
fn discovery(site: &Site, lab: &crate::lab::Lab) -> Vec<Value> {
    let retained = site.retained(&lab.broker);
    let configs = retained.into_iter().filter(|(topic, _)| topic.ends_with("/config"));
    configs.map(|(_, payload)| payload).collect()
}

#[test]
fn all_entities_are_there_with_their_states() {
    with(|lab| {
        let runs = [vec![brief(), quick(Run::partial())], vec![brief()]];
        let site = Site::new("entities", &lab.broker, runs);
        // Something to show: two jobs have run, one has not.
        site.farm.call(&["run", "--server", "alpha"]).ended_with(2);
        let mark = lab.home.mark();
        let daemon = site.serve(lab);
        let [good, partial, never] = ["alpha 0", "alpha 1", "beta 0"];
        let expected = [
            (site.hub("sensor", "state"), "idle"),
            (site.hub("sensor", "current_job"), "unknown"),
            (site.hub("sensor", "current_progress"), "unknown"),
            (site.hub("sensor", "queue_length"), "0"),
            (site.hub("sensor", "next_run"), "unknown"),
            (site.hub("sensor", "last_cycle_result"), "partial"),
            (site.hub("binary_sensor", "problem"), "on"),
            (site.hub("binary_sensor", "connectivity"), "on"),
            (site.hub("button", "run_all"), "unknown"),
            (site.hub("button", "stop_after_current"), "unknown"),
            (site.server("binary_sensor", "alpha", "reachable"), "on"),
            (site.server("binary_sensor", "alpha", "jetbackup"), "on"),
            (site.server("binary_sensor", "alpha", "attention"), "off"),
            (site.server("button", "beta", "run"), "unknown"),
            (site.job("sensor", good, "state"), "idle"),
            (site.job("sensor", good, "result"), "completed"),
            (site.job("binary_sensor", good, "running"), "off"),
            (site.job("binary_sensor", good, "problem"), "off"),
            (site.job("binary_sensor", good, "overrun"), "off"),
            (site.job("binary_sensor", good, "stale"), "off"),
            (site.job("sensor", good, "progress"), "unknown"),
            (site.job("sensor", good, "eta"), "unknown"),
            (site.job("sensor", good, "queue_position"), "unknown"),
            (site.job("sensor", partial, "result"), "partial"),
            (site.job("binary_sensor", partial, "problem"), "on"),
            (site.job("sensor", partial, "last_success"), "unknown"),
            (site.job("sensor", never, "result"), "unknown"),
            (site.job("sensor", never, "duration"), "unknown"),
            (site.job("button", never, "run"), "unknown"),
            (site.job("button", never, "stop"), "unknown"),
        ];
        for (entity, state) in &expected {
            lab.home.until_is(entity, state);
        }
        let history = site.farm.history();
        let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        for (key, told) in [("started", "started"), ("finished", "ended"), ("last_success", "ended")] {
            let shown = lab.home.state(&site.job("sensor", good, key)).unwrap();
            let shown: jiff::Timestamp = shown.parse().unwrap();
            assert_eq!(shown.as_second(), time(&history[0][told]).as_second(), "{key}");
        }
        let duration = lab.home.state(&site.job("sensor", good, "duration")).unwrap();
        assert_eq!(duration.parse::<f64>().ok(), history[0]["duration"].as_f64());

        let payloads = discovery(&site, lab);
        assert_eq!(payloads.len(), 1 + 2 + 3, "hub, servers, jobs");
        assert!(assert_taken(&mut lab.home, &payloads) >= 14 + 2 * 7 + 3 * 18);
        lab.home.assert_content(mark);
        // So that the log can be trusted to tell.
        lab.broker.publish("homeassistant/device/wrong/config", r#"{"dev": {"ids": "wrong"}}"#, &[]);
        lab.home.until_complained(mark, "Invalid MQTT device discovery payload");
        drop(daemon);
    });
}

#[test]
fn a_job_taken_out_of_the_configuration_disappears() {
    with(|lab| {
        let mut site = Site::new("removal", &lab.broker, [vec![brief(), brief()], vec![brief()]]);
        let daemon = site.serve(lab);
        let [stays, goes] = ["alpha 1", "alpha 0"].map(|name| site.job("sensor", name, "state"));
        lab.home.until_is(&goes, "idle");
        let device = lab.home.device_of(&goes);
        let mark = lab.home.mark();
        site.remove(0, 0);
        site.farm.status();
        daemon.signal("HUP");
        lab.home.until("the job is gone", |states| !states.contains_key(&goes));
        lab.home.until_is(&stays, "idle");
        let id = job(0, 0);
        let left = || -> Vec<String> {
            let retained = site.retained(&lab.broker);
            retained.into_iter().map(|(topic, _)| topic).filter(|topic| topic.contains(&id)).collect()
        };
        assert_eq!(left(), Vec::<String>::new(), "nothing of it is left at the broker");
        lab.home.until_forgotten(&device);
        // A whole server too.
        site.farm.change(|config| {
            config["jobs"].as_array_mut().unwrap().retain(|entry| entry["server"] != "beta");
            config["servers"].as_object_mut().unwrap().remove("beta");
        });
        let reachable = site.server("binary_sensor", "beta", "reachable");
        assert!(lab.home.state(&reachable).is_some());
        site.farm.status();
        daemon.signal("HUP");
        lab.home.until("the server is gone", |states| !states.contains_key(&reachable));
        lab.home.until_is(&stays, "idle");
        lab.home.assert_content(mark);
    });
}
