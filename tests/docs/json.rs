//! `docs/json.md` shows what is printed with `--json`: the same keys, at every level.

use jetbackup_sim::Run;
use serde_json::{Map, Value};

use crate::farm::{Ran, brief, lasting, quick};
use crate::pages::{Page, root};
use crate::play::Play;

/// Objects whose keys are names: of the first value in each, the keys are compared.
const BY_NAME: [&str; 2] = ["remarks", "errors"];

/// What is different between the keys that are shown and those that are printed. `null` says nothing of either.
fn differences(path: &str, shown: &Value, printed: &Value) -> Vec<String> {
    match (shown, printed) {
        (Value::Object(shown), Value::Object(printed)) => {
            let by_name = BY_NAME.iter().any(|name| path.ends_with(name));
            let (shown, printed) =
                if by_name { (unnamed(shown), unnamed(printed)) } else { (shown.clone(), printed.clone()) };
            let mut found = Vec::new();
            // Where nobody is named just now, there is nothing to compare with.
            for key in shown.keys().filter(|key| !by_name && !printed.contains_key(*key)) {
                found.push(format!("{path}.{key} is shown and not printed"));
            }
            for (key, printed) in &printed {
                let path = format!("{path}.{key}");
                match shown.get(key) {
                    Some(shown) => found.extend(differences(&path, shown, printed)),
                    None if by_name => {}
                    None => found.push(format!("{path} is printed and not shown")),
                }
            }
            found
        }
        (Value::Array(shown), Value::Array(printed)) => {
            let pairs = shown.iter().flat_map(|shown| printed.iter().map(move |printed| (shown, printed)));
            pairs.flat_map(|(shown, printed)| differences(&format!("{path}[]"), shown, printed)).collect()
        }
        (Value::Null, _) | (_, Value::Null) => Vec::new(),
        (shown, printed) if std::mem::discriminant(shown) == std::mem::discriminant(printed) => Vec::new(),
        (shown, printed) => vec![format!("{path} is shown as {shown} and printed as {printed}")],
    }
}

fn unnamed(object: &Map<String, Value>) -> Map<String, Value> {
    object.values().take(1).map(|value| ("*".to_owned(), value.clone())).collect()
}

/// The sample below a heading of the page.
fn sample(page: &Page, heading: &str) -> Value {
    let (_, rest) =
        page.text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let text = rest.split("\n## ").next().unwrap().to_owned();
    let blocks = Page { name: page.name.clone(), text }.blocks_of("json");
    serde_json::from_str(&blocks[0]).unwrap()
}

/// What each command prints: after a night, and with a job at work.
fn printed() -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    let mut take = |what, ran: &Ran| all.push((what, ran.json()));
    let play = Play::of([quick(Run::partial()), brief(), brief()]);
    play.farm.call(&["run"]).ended_with(2);
    for (heading, command) in [
        ("history", "history"),
        ("status", "status"),
        ("list", "list"),
        ("destinations", "destinations"),
        ("doctor", "doctor"),
    ] {
        take(heading, &play.farm.call(&[command, "--json"]));
    }
    let play = Play::of([lasting(600), lasting(600), brief()]);
    let run = play.farm.start(&["run"]);
    let group = play.until_running(1);
    take("status", &play.farm.call(&["status", "--json"]));
    play.farm.call(&["stop", "--server", "web1", &group]).ended_with(0);
    run.signal("TERM");
    run.wait();
    take("history", &play.farm.call(&["history", "--json"]));
    all
}

#[test]
fn what_is_shown_is_what_is_printed() {
    let printed = printed();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text: String = printed.iter().map(|(what, value)| format!("{what}\n{value:#}\n\n")).collect();
        std::fs::write(root().join("target/manual-json.txt"), text).unwrap();
    }
    let page = Page::read("docs/json.md");
    for (heading, printed) in &printed {
        let found = differences(heading, &sample(&page, heading), printed);
        assert!(found.is_empty(), "{found:#?}\n{printed:#}");
    }
}

#[test]
fn every_key_shown_is_explained() {
    let page = Page::read("docs/json.md");
    let spans = page.spans();
    for heading in ["status", "list", "history", "destinations", "doctor"] {
        for key in keys(&sample(&page, heading)) {
            // Names of servers are no keys.
            let known = key.starts_with("web") || spans.contains(&key);
            assert!(known, "{heading}: {key} is not explained");
        }
    }
}

fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => {
            map.iter().flat_map(|(key, value)| std::iter::once(key.clone()).chain(keys(value))).collect()
        }
        Value::Array(list) => list.iter().flat_map(keys).collect(),
        _ => Vec::new(),
    }
}
