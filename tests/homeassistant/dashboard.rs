//! The dashboard as it is printed for a configuration, looked at in a browser.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::farm::{Farm, brief, lasting};
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
