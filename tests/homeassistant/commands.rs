//! Buttons of Home Assistant and plain messages start and stop jobs, and what is not meant as a command does nothing.

use crate::farm::{brief, job, lasting};
use crate::lab::with;
use crate::site::Site;

#[test]
fn buttons_run_and_stop_jobs() {
    with(|lab| {
        let runs = [vec![lasting(300).stop_after(1)], vec![brief()]];
        let site = Site::new("buttons", &lab.broker, runs);
        let _daemon = site.serve(lab);
        let mark = lab.home.mark();
        let (first, second) = ("alpha 0", "beta 0");
        lab.home.press(&site.hub("button", "run_all"));
        site.farm.until("the first job writes", |farm| farm.wrote(0).0);
        lab.home.until_is(&site.job("sensor", first, "state"), "running");
        lab.home.until_is(&site.job("binary_sensor", first, "running"), "on");
        lab.home.until_is(&site.hub("sensor", "current_job"), "alpha 0 (alpha)");
        lab.home.until_is(&site.job("sensor", second, "queue_position"), "1");
        // Once more changes nothing.
        lab.home.press(&site.hub("button", "run_all"));
        lab.home.press(&site.job("button", first, "stop"));
        lab.home.until_is(&site.job("sensor", first, "result"), "aborted");
        site.until_over(lab, 2);
        assert_eq!(lab.home.state(&site.job("sensor", second, "result")).as_deref(), Some("completed"));
        assert_eq!([site.farm.triggers(0, 0), site.farm.triggers(1, 0)], [1, 1]);
        lab.home.press(&site.job("button", second, "run"));
        site.until_over(lab, 3);
        lab.home.press(&site.server("button", "beta", "run"));
        site.until_over(lab, 4);
        assert_eq!([site.farm.triggers(0, 0), site.farm.triggers(1, 0)], [1, 3]);
        site.farm.assert_one_writer();
        lab.home.assert_content(mark);
    });
}

#[test]
fn the_queue_stops_after_the_job_that_runs() {
    with(|lab| {
        let site = Site::new("after", &lab.broker, [vec![lasting(4)], vec![brief()]]);
        let _daemon = site.serve(lab);
        lab.home.press(&site.hub("button", "run_all"));
        site.farm.until("the first job writes", |farm| farm.wrote(0).0);
        lab.home.press(&site.hub("button", "stop_after_current"));
        lab.home.until_is(&site.hub("sensor", "state"), "stopping");
        site.until_over(lab, 2);
        for (name, result) in [("alpha 0", "completed"), ("beta 0", "skipped")] {
            assert_eq!(lab.home.state(&site.job("sensor", name, "result")).as_deref(), Some(result));
        }
        assert_eq!([site.farm.triggers(0, 0), site.farm.triggers(1, 0)], [1, 0]);
    });
}

#[test]
fn messages_run_and_stop_jobs() {
    with(|lab| {
        let site = Site::new("messages", &lab.broker, [vec![lasting(300).stop_after(1)]]);
        let _daemon = site.serve(lab);
        let [run, stop] = ["command/run", "command/stop"].map(|topic| site.topic(topic));
        // Retained, it would run again with every connect. Cleared, it is an empty one.
        lab.broker.publish(&run, "all", &["-r"]);
        lab.broker.publish(&run, "", &["-r"]);
        lab.broker.publish(&run, r#"{"job": "ffffffffffffffffffffffff"}"#, &[]);
        lab.broker.publish(&run, &format!(r#"{{"server": "alpha", "job": "{}"}}"#, job(0, 0)), &[]);
        let running = site.job("binary_sensor", "alpha 0", "running");
        lab.home.until_is(&running, "on");
        lab.broker.publish(&stop, &format!(r#"{{"server": "alpha", "job": "{}"}}"#, job(0, 0)), &[]);
        site.until_over(lab, 1);
        assert_eq!(lab.home.state(&site.job("sensor", "alpha 0", "result")).as_deref(), Some("aborted"));
        assert_eq!(lab.home.state(&running).as_deref(), Some("off"));
        assert_eq!(site.farm.triggers(0, 0), 1);
    });
}
