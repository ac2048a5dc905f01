//! What automations are made of: the event entity, device triggers, and the blueprints, each with as little as it asks
//! for, and with what it takes to tell later what was missed.

use jetbackup_sim::Run;
use serde_json::{Value, json};

use crate::farm::{brief, job, lasting, quick};
use crate::lab::{Lab, with};
use crate::site::Site;

/// Actions that tell what a blueprint says under a name of their own.
fn telling(name: &str) -> Value {
    let title = format!("{name}: {{{{ title }}}}");
    json!([{"action": "persistent_notification.create", "data": {"title": title, "message": "{{ message }}"}}])
}

/// How often there is a notification with this in its title.
fn told(lab: &mut Lab, text: &str) -> usize {
    lab.home.notifications().iter().filter(|(title, _)| title.contains(text)).count()
}

/// An automation that a device trigger of a job starts, with a notification under that name.
fn by_device_trigger(lab: &mut Lab, site: &Site, name: &str, kind: &str) {
    let device = lab.home.device_of(&site.job("sensor", name, "state"));
    let triggers = lab.home.ws("device_automation/trigger/list", json!({"device_id": device}));
    let mut found = triggers.as_array().unwrap().iter().filter(|trigger| trigger["type"] == kind);
    let mut trigger = found.next().unwrap_or_else(|| panic!("no {kind} in {triggers:#}")).clone();
    let fields = trigger.as_object_mut().unwrap();
    fields.shift_remove("metadata");
    let platform = fields.shift_remove("platform").unwrap();
    fields.insert("trigger".to_owned(), platform);
    let title = format!("device trigger {kind}");
    let action =
        json!({"action": "persistent_notification.create", "data": {"title": title, "message": "now"}});
    let id = format!("{}_by_device", site.hub("x", kind).replace('.', "_"));
    lab.home.automate(&id, json!({"triggers": [trigger], "actions": [action], "mode": "queued"}));
}

#[test]
fn a_time_limit_is_told_when_it_is_reached() {
    with(|lab| {
        let site = Site::new("limits", &lab.broker, [vec![lasting(8)], vec![brief()]]).limit(0, 0, 2);
        let _daemon = site.serve(lab);
        let mark = lab.home.mark();
        let alert = site.hub("event", "alert");
        let overrun = site.job("binary_sensor", "alpha 0", "overrun");
        lab.home.automate_by("limits_least", "time_limit", &json!({"event": alert}));
        let all = json!({"event": alert, "overruns": [overrun], "actions": telling("all")});
        lab.home.automate_by("limits_all", "time_limit", &all);
        by_device_trigger(lab, &site, "alpha 0", "time_limit");
        lab.home.press(&site.hub("button", "run_all"));
        lab.home.until_is(&overrun, "on");
        lab.home.until_is(&site.job("sensor", "alpha 0", "state"), "overrun");
        let message = lab.home.until_notified("Backup beyond its time limit: alpha 0 (alpha)");
        assert!(message.starts_with("alpha 0 (alpha) has been running for "), "{message}");
        assert!(message.ends_with("Its limit is 2 s. The queue goes on with the next job."), "{message}");
        lab.home.until_notified("all: Backup beyond its time limit: alpha 0 (alpha)");
        lab.home.until_notified("device trigger time_limit");
        lab.home.until_is(&site.job("sensor", "alpha 0", "result"), "completed");
        lab.home.until_is(&overrun, "off");
        site.until_over(lab, 2);
        assert_eq!(told(lab, "all: Backup beyond"), 1);
        lab.home.assert_content(mark);
    });
}

#[test]
fn a_failure_is_told_with_its_result() {
    with(|lab| {
        let runs = [vec![quick(Run::failed()), brief()], vec![quick(Run::partial())]];
        let site = Site::new("failures", &lab.broker, runs);
        let _daemon = site.serve(lab);
        let mark = lab.home.mark();
        let alert = site.hub("event", "alert");
        let beta = lab.home.device_of(&site.job("sensor", "beta 0", "state"));
        lab.home.automate_by("failures_least", "failure", &json!({"event": alert}));
        let one = json!({"event": alert, "jobs": [beta], "actions": telling("only beta")});
        lab.home.automate_by("failures_one", "failure", &one);
        by_device_trigger(lab, &site, "alpha 0", "failure");
        lab.home.press(&site.hub("button", "run_all"));
        let message = lab.home.until_notified("Backup failed: alpha 0 (alpha)");
        assert!(message.starts_with("alpha 0 (alpha) did not complete. Result: failed."), "{message}");
        lab.home.until_notified("Backup partial: beta 0 (beta)");
        lab.home.until_notified("only beta: Backup partial: beta 0 (beta)");
        lab.home.until_notified("device trigger failure");
        site.until_over(lab, 3);
        assert_eq!((told(lab, "alpha 1"), told(lab, "only beta: ")), (0, 1));
        lab.home.assert_content(mark);
    });
}

#[test]
fn what_was_missed_is_told_later() {
    with(|lab| {
        let runs = [vec![lasting(300).stop_after(1), quick(Run::failed())], vec![brief()]];
        let site = Site::new("missed", &lab.broker, runs).limit(0, 0, 2);
        let _daemon = site.serve(lab);
        lab.home.press(&site.server("button", "beta", "run"));
        site.until_over(lab, 1);
        let mark = lab.home.mark();
        let alert = site.hub("event", "alert");
        let overrun = site.job("binary_sensor", "alpha 0", "overrun");
        let result = site.job("sensor", "alpha 1", "result");
        let success = site.job("sensor", "beta 0", "last_success");
        lab.home.automate_by("missed_limit", "time_limit", &json!({"event": alert, "overruns": [overrun]}));
        lab.home.automate_by("missed_failure", "failure", &json!({"event": alert, "results": [result]}));
        let days = json!({"successes": [success], "days": 0});
        lab.home.automate_by("missed_success", "no_success", &days);
        lab.home.stop();
        lab.broker.publish(&site.topic("command/run"), r#"{"server": "alpha"}"#, &[]);
        site.farm.until("both happened", |farm| {
            let jobs = farm.status()["jobs"].clone();
            jobs[0]["overrun"] == true && jobs[1]["last"]["result"] == "failed"
        });
        lab.home.resume();
        let message = lab.home.until_notified("without a successful backup for 0 days");
        assert!(message.starts_with("beta beta 0: last success "), "{message}");
        lab.home.until_notified("Backup beyond its time limit: alpha alpha 0");
        let message = lab.home.until_notified("Backup failed: alpha alpha 1");
        assert!(message.contains("Result: failed."), "{message}");
        lab.broker.publish(&site.topic(&format!("jobs/alpha/{}/command/stop", job(0, 0))), "PRESS", &[]);
        lab.home.until_is(&site.job("sensor", "alpha 0", "result"), "aborted");
        lab.home.assert_content(mark);
    });
}

#[test]
fn all_jobs_run_when_the_nas_comes_online() {
    with(|lab| {
        let site = Site::new("nas", &lab.broker, [vec![brief()]]);
        let _daemon = site.serve(lab);
        let mark = lab.home.mark();
        let button = site.hub("button", "run_all");
        lab.home.automate_by("nas_least", "run_all", &json!({"button": button}));
        let nas = "binary_sensor.nas";
        let input = json!({
            "button": button, "time": "04:05:06", "nas": nas, "settle": "00:00:01", "hours": 20,
            "actions": [{"action": "persistent_notification.create", "data": {"title": "NAS", "message": "pressed"}}],
        });
        lab.home.automate_by("nas_once", "run_all", &input);
        for state in ["off", "on", "off", "on"] {
            lab.home.ask("http", json!(["POST", format!("/api/states/{nas}"), {"state": state}]));
            if state == "on" {
                site.until_over(lab, 1);
            }
        }
        lab.home.until_notified("NAS");
        // By hand, without its conditions, an automation does what it does.
        lab.home.call("automation.trigger", json!({"entity_id": "automation.nas_least"}));
        site.until_over(lab, 2);
        assert_eq!(site.farm.triggers(0, 0), 2, "not twice within 20 hours by the NAS");
        lab.home.assert_content(mark);
    });
}

#[test]
fn all_blueprints_are_listed() {
    with(|lab| {
        let listed = lab.home.ws("blueprint/list", json!({"domain": "automation"}));
        for name in ["failure", "no_success", "run_all", "time_limit"] {
            let blueprint = &listed[format!("jetbackup-remote/{name}.yaml")];
            assert_eq!(blueprint["metadata"]["domain"], "automation", "{name}: {blueprint:#}");
        }
    });
}
