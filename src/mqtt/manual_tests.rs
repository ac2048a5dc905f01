//! `docs/mqtt.md` says what is so: its settings, topics, messages, events and commands. Topics that any other page
//! names are the program's, too.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::commands::{Incoming, read};
use super::events::EVENT_TYPES;
use super::testing::{busy, every_event, key};
use super::topics::{Address, Topics};
use super::{events, states};
use crate::config::{self, Config};

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn manual() -> String {
    file("docs/mqtt.md")
}

fn example() -> Config {
    config::parse(&file("config.example.json"), Path::new("config.example.json")).unwrap().config
}

/// The samples in this language, in the order of the manual.
fn samples(language: &str) -> Vec<String> {
    let manual = manual();
    let fence = format!("```{language}\n");
    let blocks = manual.split(&fence).skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// Every key with the keys below it, as paths.
fn keys(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| {
                let below = keys(value).into_iter().map(move |inner| format!("{key}.{inner}"));
                std::iter::once(key.clone()).chain(below)
            })
            .collect(),
        Value::Array(values) => values.first().map(keys).unwrap_or_default(),
        _ => BTreeSet::new(),
    }
}

#[test]
fn the_settings_are_taken_without_a_warning() {
    let mut config: Value = serde_json::from_str(&file("config.example.json")).unwrap();
    let sample: Value = serde_json::from_str(&samples("json")[0]).unwrap();
    config["mqtt"] = sample["mqtt"].clone();
    // Its files need not be here.
    config["mqtt"]["password"] = "secret".into();
    let loaded = config::parse(&config.to_string(), Path::new("config.json")).unwrap();
    let unknown: Vec<_> = loaded.warnings.iter().filter(|warning| warning.path.starts_with("mqtt")).collect();
    assert!(unknown.iter().all(|warning| warning.path == "mqtt.password"), "{unknown:?}");
    assert!(loaded.config.mqtt.tls.is_some());
}

#[test]
fn the_states_shown_have_the_keys_they_have() {
    let shown: Vec<Value> = samples("json").iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let topics = Topics::new("jetbackup-remote");
    let said = states::states(&topics, &busy());
    let of = |topic: &str| {
        let (_, payload) = said.iter().find(|(said, _)| said == topic).unwrap();
        keys(&serde_json::from_slice(payload).unwrap())
    };
    let first = key("web1", 1);
    for (shown, topic) in [
        (&shown[1], topics.state()),
        (&shown[2], topics.server_state(&first.server)),
        (&shown[3], topics.job_state(&first)),
    ] {
        let (shown, is) = (keys(shown), of(&topic));
        // What is null here and there has no keys below it.
        let top = |keys: &BTreeSet<String>| {
            keys.iter().filter(|key| !key.contains('.')).cloned().collect::<BTreeSet<_>>()
        };
        assert_eq!(top(&shown), top(&is), "{topic}");
        assert!(is.is_subset(&shown), "{topic} lacks {:?}", is.difference(&shown).collect::<Vec<_>>());
    }
    let timeout = &shown[4];
    let event = every_event().into_iter().find(|event| event.event_type() == Some("job_timeout")).unwrap();
    let is: Value = serde_json::from_slice(&events::event(&event, &busy()).unwrap()).unwrap();
    assert_eq!(keys(timeout), keys(&is));
}

#[test]
fn every_event_and_topic_is_listed() {
    let manual = manual();
    for word in EVENT_TYPES {
        assert!(manual.contains(&format!("`{word}`")), "{word} is not in docs/mqtt.md");
    }
    let topics = Topics::new("<base>");
    for topic in [topics.availability(), topics.state(), topics.events(), topics.result()] {
        assert!(manual.contains(&format!("| `{topic}` |")), "{topic} is not in docs/mqtt.md");
    }
}

#[test]
fn every_command_shown_is_taken() {
    let config = example();
    let topics = Topics::new(&config.mqtt.base_topic);
    let samples = samples("sh");
    let commands: Vec<&str> = samples
        .iter()
        .flat_map(|block| block.lines())
        .filter(|line| line.starts_with("mosquitto_pub"))
        .collect();
    assert!(commands.len() > 8, "{commands:?}");
    for line in commands {
        let (topic, payload) = line.strip_prefix("mosquitto_pub -t ").unwrap().split_once(" -m ").unwrap();
        let payload = payload.trim_matches('\'');
        let taken = read(&topics, &config, &Incoming { topic, payload: payload.as_bytes(), retain: false });
        assert!(taken.is_ok(), "{line}: {taken:?}");
        let retained = read(&topics, &config, &Incoming { topic, payload: payload.as_bytes(), retain: true });
        assert!(retained.is_err(), "{line}");
    }
}

/// The pages that users read.
fn pages() -> Vec<(String, String)> {
    let docs = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")).unwrap();
    let docs = docs.map(|entry| format!("docs/{}", entry.unwrap().file_name().into_string().unwrap()));
    let named = ["README.md", "homeassistant/README.md"].map(str::to_owned);
    let pages = named.into_iter().chain(docs.filter(|name| name.ends_with(".md")));
    pages.map(|name| (file(&name), name)).map(|(text, name)| (name, text)).collect()
}

/// What topics begin with on the pages; the last ones are of the guide to several machines on one broker.
const BASES: [&str; 6] = [
    "jetbackup-remote",
    "<base>",
    "jetbackup-remote-nas2",
    "jetbackup-remote/berlin",
    "jetbackup-remote/madrid",
    "jetbackup-remote/+",
];

/// The words of a page that are topics.
fn topics_in(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| c.is_whitespace() || "`'\"|,;()".contains(c));
    let below = |word: &&str| BASES.iter().any(|base| tail(base, word).is_some());
    let words = words.map(|word| word.trim_end_matches(['.', ':']));
    words.filter(below).filter(|word| !BASES.contains(word)).collect()
}

/// What stands below the base.
fn tail<'a>(base: &str, topic: &'a str) -> Option<&'a str> {
    topic.strip_prefix(base)?.strip_prefix('/')
}

/// Whether `topic`, which may have placeholders and wildcards, can be one of the program's.
fn is_known(topic: &str) -> bool {
    BASES.iter().filter_map(|base| tail(base, topic)).any(is_known_below_the_base)
}

fn is_known_below_the_base(tail: &str) -> bool {
    let (topics, job) = (Topics::new("base"), key("web1", 1));
    let named = tail.replace("<server>", "web1").replace("<job_id>", &job.job.to_string());
    let named = format!("base/{named}");
    let addresses = [
        Address::Run,
        Address::Stop,
        Address::Release,
        Address::ServerRun(job.server.clone()),
        Address::JobRun(job.clone()),
        Address::JobStop(job.clone()),
    ];
    let mut known: Vec<String> = addresses.iter().map(|address| topics.command(address)).collect();
    known.extend([topics.availability(), topics.state(), topics.events(), topics.result()]);
    known.extend([topics.server_state(&job.server), topics.job_state(&job)]);
    let id = |level: &str| level.len() == 24 && level.bytes().all(|byte| byte.is_ascii_hexdigit());
    let same = |known: &str, level: &str| level == "+" || known == level || (id(known) && id(level));
    known.iter().any(|known| {
        let (known, named): (Vec<_>, Vec<_>) = (known.split('/').collect(), named.split('/').collect());
        match named.split_last() {
            Some((&"#", above)) => {
                known.len() >= above.len() && above.iter().zip(known).all(|(n, k)| same(k, n))
            }
            _ => known.len() == named.len() && named.iter().zip(known).all(|(n, k)| same(k, n)),
        }
    })
}

#[test]
fn every_topic_that_any_page_names_is_one() {
    let mut seen = 0;
    for (name, text) in pages() {
        for topic in topics_in(&text) {
            seen += 1;
            assert!(is_known(topic), "{name} names {topic}, which is no topic");
        }
    }
    assert!(seen > 40, "only {seen} topics were found");
    for wrong in ["<base>/status", "<base>/servers/<server>", "<base>/job/+/+/state", "<base>/command/start"]
    {
        assert!(!is_known(wrong), "{wrong}");
    }
}
