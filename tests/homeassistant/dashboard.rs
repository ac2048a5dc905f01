//! The dashboard as it is printed for a configuration, looked at in a browser.

use std::fs;
use std::path::Path;

use jetbackup_sim::Run;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::farm::{Farm, brief, lasting, quick};
use crate::home::View;
use crate::lab::with;
use crate::site::Site;

const FILE: &str = "dashboards/jetbackup-remote.yaml";

#[test]
fn the_dashboard_shows_and_asks_before_it_acts() {
    with(|lab| {
        let site = Site::new("board", &lab.broker, [vec![lasting(20).items(40)], vec![brief()]]);
        let _daemon = site.serve(lab);
        let mark = lab.home.mark();
        lab.home.write(FILE, &site.farm.call(&["mqtt", "dashboard"]).ended_with(0).stdout);
        // Every entity it names is there.
        let config = lab.home.ws("lovelace/config", json!({"url_path": "jetbackup-remote", "force": true}));
        let text = config.to_string();
        let states = lab.home.states();
        let domains = ["sensor.", "binary_sensor.", "button."];
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"_.".contains(c));
        let named: Vec<&str> = words
            .filter(|word| domains.iter().any(|domain| word.starts_with(domain)) && word.contains(".board_"))
            .collect();
        assert!(named.len() > 30, "{named:?}");
        for entity in named {
            assert!(states.contains_key(entity), "{entity} is on the dashboard only");
        }
        let ask = "Run all jobs, one after the other?";
        let desktop = View { name: "desktop", width: 1280, dark: false };
        let page = lab.home.page(
            "/jetbackup-remote/backups",
            "Nothing is running.",
            &desktop,
            &[["Run all", ask], ["OK", "alpha 0 (alpha)"]],
        );
        assert_eq!(page.errors, Vec::<String>::new());
        site.farm.until("the job writes", |farm| farm.wrote(0).0);
        for (path, view) in [
            ("backups", View { name: "phone", width: 390, dark: true }),
            ("jobs", View { name: "jobs", width: 1280, dark: true }),
        ] {
            let page = lab.home.page(&format!("/jetbackup-remote/{path}"), "beta 0", &view, &[]);
            assert_eq!(page.errors, Vec::<String>::new(), "{path}");
            assert!(fs::metadata(view.picture()).unwrap().len() > 10_000, "{path} is empty");
        }
        site.until_over(lab, 2);
        lab.home.assert_content(mark);
    });
}

/// What the picture in the README shows: copied from `target/homeassistant/night.png` when the dashboard changes.
#[test]
fn the_dashboard_shows_a_night() {
    with(|lab| {
        let night = [
            vec![brief().items(24), quick(Run::partial())],
            vec![lasting(600).items(90), quick(Run::failed())],
            vec![lasting(600).items(60), brief()],
        ];
        let mut site = Site::new("night", &lab.broker, night).limit(1, 0, 3);
        site.farm.change(|config| {
            config["orchestrator"]["on_timeout"] = "continue".into();
            let kinds = ["Accounts", "Databases"];
            let jobs = config["jobs"].as_array_mut().unwrap();
            for (place, job) in jobs.iter_mut().enumerate() {
                job["label"] = kinds[place % 2].into();
            }
            // As servers are called where people have them.
            let text = ["alpha", "beta", "gamma"].into_iter().zip(["web1", "web2", "web3"]);
            let text = text.fold(config.to_string(), |text, (from, to)| text.replace(from, to));
            *config = serde_json::from_str(&text).unwrap();
        });
        let daemon = site.serve(lab);
        let mark = lab.home.mark();
        lab.home.write(FILE, &site.farm.call(&["mqtt", "dashboard"]).ended_with(0).stdout);
        lab.home.ws("lovelace/config", json!({"url_path": "jetbackup-remote", "force": true}));
        // Weeks of nights before this one, in place of waiting for them.
        for (place, server) in ["web1", "web2", "web3"].into_iter().enumerate() {
            let nights = (1..=28).map(|night| {
                let start = Timestamp::now().as_second() / 3600 * 3600 - night * 86_400;
                let start = Timestamp::from_second(start).unwrap().to_string();
                let seconds = 900 * (i64::try_from(place).unwrap() + 2) + (night * 7919) % 400;
                json!({"start": start, "min": seconds, "mean": seconds, "max": seconds})
            });
            let metadata = json!({
                "statistic_id": format!("sensor.night_{server}_accounts_duration"), "source": "recorder",
                "unit_of_measurement": "s", "unit_class": "duration", "name": null, "has_sum": false,
                "mean_type": 1,
            });
            let stats = nights.collect::<Vec<_>>();
            lab.home.ws("recorder/import_statistics", json!({"metadata": metadata, "stats": stats}));
        }
        lab.broker.publish(&site.topic("command/run"), "all", &[]);
        lab.home.until("web3 is far enough", |states| {
            let progress = &states["sensor.night_web3_accounts_progress"]["state"];
            progress
                .as_str()
                .and_then(|percent| percent.parse::<f64>().ok())
                .is_some_and(|percent| percent > 8.0)
        });
        let view = View { name: "night", width: 1280, dark: false };
        let page = lab.home.page("/jetbackup-remote/backups", "Beyond its time limit", &view, &[]);
        assert_eq!(page.errors, Vec::<String>::new());
        for text in ["Accounts (web2)", "Databases (web1)", "Last run: partial", "Queue"] {
            assert!(page.text.contains(text), "{text:?} is missing: {}", page.text);
        }
        lab.home.assert_content(mark);
        daemon.kill();
    });
}

#[test]
fn the_instructions_are_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("homeassistant/README.md")).unwrap();
    // The block of YAML is what the instance of these tests is configured with.
    assert!(readme.contains(&format!("filename: {FILE}")) && readme.contains(&format!("to `{FILE}`")));
    for entry in fs::read_dir(root.join("homeassistant/blueprints/automation/jetbackup-remote")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(readme.contains(&format!("| `{name}` |")), "it tells of {name}");
    }
    let (_, rest) = readme.split_once("```json\n").unwrap();
    let shown: Value = serde_json::from_str(rest.split_once("```").unwrap().0).unwrap();
    let mut farm = Farm::new([vec![brief()]]);
    farm.change(move |config| config["mqtt"] = shown["mqtt"].clone());
    farm.call(&["validate"]).ended_with(0).says("mqtt: broker.example.com:1883");
    let (_, command) = readme.split_once("```sh\njetbackup-remote ").unwrap();
    let (arguments, _) = command.split_once(" > ").unwrap();
    let arguments: Vec<&str> = arguments.split(' ').collect();
    farm.call(&arguments).ended_with(0).says("sensor.jetbackup_remote_alpha_alpha_0_state");
}
