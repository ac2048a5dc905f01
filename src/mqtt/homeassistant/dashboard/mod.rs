//! A dashboard for a configuration, as YAML for Home Assistant: made of nothing but its own cards, and of entity ids
//! as discovery asks for them.

use super::Context;
use super::naming::{Naming, entity_id};
use crate::config::{Config, Job, Server};
use crate::mqtt::topics::Topics;

const BOARD: &str = include_str!("board.yaml");
const JOB: &str = include_str!("job.yaml");
const BUTTON: &str = include_str!("button.yaml");
/// How its templates write a duration, whatever unit a person has chosen for it.
const SPAN: &str = include_str!("span.jinja");

/// The dashboard of a configuration.
#[must_use]
pub fn dashboard(config: &Config) -> String {
    // Entity ids do not depend on the instance.
    let naming = Naming::new(config, "");
    let context = Context { config, topics: Topics::new(&config.mqtt.base_topic), naming };
    let jobs: Vec<Row> = config.jobs.iter().map(|job| Row::of_job(&context, job)).collect();
    let servers: Vec<Row> = config.servers.iter().map(|server| Row::of_server(&context, server)).collect();
    let graph = |key: &'static str| {
        let lines = jobs.iter().map(move |job| {
            format!("- entity: {}\n  name: {}", entity_id("sensor", &job.stem, key), quoted(&job.title))
        });
        listed(lines.collect::<Vec<_>>().join("\n"))
    };
    let list = |rows: &[Row]| rows.iter().map(Row::listed).collect::<Vec<_>>().join(",\n");
    let sections: Vec<String> = jobs.iter().map(|job| section(&context, job)).collect();
    let values = [
        ("hub", context.naming.hub_stem()),
        ("attention", attention(&servers)),
        ("jobs", list(&jobs)),
        ("servers", list(&servers)),
        ("span", SPAN.trim_end().to_owned()),
        ("hub_buttons", hub_buttons(&context)),
        ("server_buttons", server_buttons(&context, &servers)),
        ("states", graph("state")),
        ("durations", graph("duration")),
        ("sections", listed(sections.concat().trim_end().to_owned())),
    ];
    filled(BOARD, &values)
}

/// The lines of a list, which may be one of nothing.
fn listed(lines: String) -> String {
    if lines.is_empty() { "[]".to_owned() } else { lines }
}

/// A job or a server.
struct Row {
    /// What people call it.
    label: String,
    /// The same where its server is not shown beside it: several servers may have a job of that label.
    title: String,
    /// A job's server.
    server: Option<String>,
    /// What its entity ids begin with, after their domain.
    stem: String,
}

impl Row {
    fn of_job(context: &Context, job: &Job) -> Self {
        let stem = context.naming.job_stem(&job.key);
        let server = job.key.server.to_string();
        let is_shared = context.config.jobs.iter().filter(|other| other.label == job.label).count() > 1;
        let label = job.label.clone();
        let title = if is_shared { format!("{label} ({server})") } else { label.clone() };
        Self { label, title, server: Some(server), stem }
    }

    fn of_server(context: &Context, server: &Server) -> Self {
        let stem = context.naming.server_stem(&server.name);
        let label = server.name.to_string();
        Self { title: label.clone(), label, server: None, stem }
    }

    /// As a list in a template.
    fn listed(&self) -> String {
        let parts = [Some(&self.label), self.server.as_ref(), Some(&self.stem)];
        let parts: Vec<String> = parts.into_iter().flatten().map(|part| quoted(part)).collect();
        format!("[{}]", parts.join(", "))
    }
}

/// What a button looks like and asks before it is pressed.
struct Button<'a> {
    entity: String,
    name: &'a str,
    icon: &'a str,
    color: &'a str,
    question: &'a str,
    /// Under which condition it is shown.
    visibility: String,
}

impl Button<'_> {
    fn card(&self) -> String {
        let values = [
            ("entity", self.entity.clone()),
            ("name", quoted(self.name)),
            ("icon", self.icon.to_owned()),
            ("color", self.color.to_owned()),
            ("question", quoted(self.question)),
            ("visibility", self.visibility.clone()),
        ];
        filled(BUTTON, &values)
    }
}

/// The conditions that a server has something to look at.
fn attention(servers: &[Row]) -> String {
    let condition = |server: &Row| {
        let entity = entity_id("binary_sensor", &server.stem, "attention");
        format!("- condition: state\n  entity: {entity}\n  state: \"on\"")
    };
    servers.iter().map(condition).collect::<Vec<_>>().join("\n")
}

fn hub_buttons(context: &Context) -> String {
    let button = |key, name, icon, color, question| {
        let entity = entity_id("button", &context.naming.hub_stem(), key);
        Button { entity, name, icon, color, question, visibility: String::new() }.card()
    };
    let run = button("run_all", "Run all", "play", "green", "Run all jobs, one after the other?");
    let question = "Let the running job end, and start none of the others?";
    let stop = button("stop_after_current", "Stop after this", "stop", "red", question);
    offered(context, run, stop)
}

fn server_buttons(context: &Context, servers: &[Row]) -> String {
    let cards = servers.iter().map(|server| {
        let question = format!("Run all jobs of {}, one after the other?", server.label);
        Button {
            entity: entity_id("button", &server.stem, "run"),
            name: &format!("Run {}", server.label),
            icon: "play",
            color: "green",
            question: &question,
            visibility: String::new(),
        }
        .card()
    });
    offered(context, cards.collect(), String::new())
}

fn section(context: &Context, job: &Row) -> String {
    let button = |key, name, icon, color, question: String, condition| {
        let running = entity_id("binary_sensor", &job.stem, "running");
        let visibility =
            format!("visibility:\n  - condition: state\n    entity: {running}\n    {condition}: \"on\"");
        let entity = entity_id("button", &job.stem, key);
        Button { entity, name, icon, color, question: &question, visibility }.card()
    };
    let question = format!("Run {}?", job.title);
    let run = button("run", "Run", "play", "green", question, "state_not");
    let question = format!("Stop {}? The backup that is running is not finished then.", job.title);
    let stop = button("stop", "Stop", "stop", "red", question, "state");
    let values =
        [("label", quoted(&job.title)), ("job", job.stem.clone()), ("buttons", offered(context, run, stop))];
    filled(JOB, &values)
}

/// The cards of the buttons that there are.
fn offered(context: &Context, run: String, stop: String) -> String {
    let run = if context.runs() { run } else { String::new() };
    let stop = if context.stops() { stop } else { String::new() };
    (run + &stop).trim_end().to_owned()
}

/// A text in quotation marks, as JSON, YAML and templates read it alike.
fn quoted(text: &str) -> String {
    let printable =
        |c: char| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') { ' ' } else { c };
    serde_json::Value::from(text.chars().map(printable).collect::<String>()).to_string()
}

/// `template` with each `@name@` replaced by its value. One that stands alone in its line gives its indentation to all
/// lines of the value, and its line goes when there are none.
fn filled(template: &str, values: &[(&str, String)]) -> String {
    let mut text = String::new();
    for line in template.lines() {
        let bare = line.trim_start();
        let indentation = &line[..line.len() - bare.len()];
        let alone = values
            .iter()
            .find(|(name, _)| bare.strip_prefix('@').and_then(|rest| rest.strip_suffix('@')) == Some(name));
        if let Some((_, value)) = alone {
            for line in value.lines() {
                text.extend([indentation, line, "\n"]);
            }
            continue;
        }
        let mut rest = line;
        // What was put in is not looked at again: it may be anything.
        while let Some((at, name, value)) = next(rest, values) {
            text.extend([&rest[..at], value]);
            rest = &rest[at + name.len() + 2..];
        }
        text.extend([rest, "\n"]);
    }
    text
}

/// The first of the names in a text, where it is, and its value.
fn next<'a>(text: &str, values: &'a [(&str, String)]) -> Option<(usize, &'a str, &'a str)> {
    let found = values
        .iter()
        .filter_map(|(name, value)| Some((text.find(&format!("@{name}@"))?, *name, value.as_str())));
    found.min_by_key(|(at, ..)| *at)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::mqtt::testing::parse;

    fn example() -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.json");
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn the_one_that_is_shipped_is_that_of_the_example() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("homeassistant/dashboard.yaml");
        let text = dashboard(&parse(&example()));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let shipped = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            text == shipped,
            "homeassistant/dashboard.yaml differs; UPDATE_GOLDEN=1 accepts what is now:\n{text}"
        );
    }

    #[test]
    fn there_are_no_buttons_for_what_is_not_allowed() {
        for (commands, run, stop) in
            [("true", true, true), (r#""run""#, true, false), ("false", false, false)]
        {
            let mut config: serde_json::Value = serde_json::from_str(&example()).unwrap();
            config["mqtt"]["commands"] = serde_json::from_str(commands).unwrap();
            let text = dashboard(&parse(&config.to_string()));
            assert_eq!(text.contains("_run\n") && text.contains("_run_all\n"), run, "{commands}");
            assert_eq!(
                text.contains("_stop\n") || text.contains("_stop_after_current\n"),
                stop,
                "{commands}"
            );
            assert!(!text.contains('@'), "{text}");
        }
    }

    #[test]
    fn jobs_that_share_a_label_are_told_apart() {
        let mut config: serde_json::Value = serde_json::from_str(&example()).unwrap();
        let jobs = config["jobs"].as_array_mut().unwrap();
        let servers: Vec<String> =
            jobs.iter().map(|job| job["server"].as_str().unwrap().to_owned()).collect();
        let last = jobs.len() - 1;
        assert_ne!(servers[0], servers[last]);
        for place in [0, last] {
            jobs[place]["label"] = "Accounts".into();
        }
        let text = dashboard(&parse(&config.to_string()));
        for server in [&servers[0], &servers[last]] {
            assert!(text.contains(&format!("name: \"Accounts ({server})\"")), "{text}");
            assert!(text.contains(&format!("text: \"Run Accounts ({server})?\"")), "{text}");
        }
    }

    #[test]
    fn what_needs_attention_on_a_server_is_shown_and_brings_the_card_up() {
        let config = parse(&example());
        let text = dashboard(&config);
        let naming = Naming::new(&config, "");
        for server in &config.servers {
            let entity = entity_id("binary_sensor", &naming.server_stem(&server.name), "attention");
            let condition = format!("entity: {entity}\n                    state: \"on\"\n");
            assert!(text.contains(&condition), "{text}");
        }
        assert!(text.contains(r#"state_attr("binary_sensor." ~ id ~ "_attention", "remarks")"#), "{text}");
    }

    proptest! {
        #[test]
        fn a_label_stays_within_its_quotation_marks(label in any::<String>()) {
            let quoted = quoted(&label);
            prop_assert_eq!(quoted.lines().count(), 1);
            prop_assert!(!quoted.contains(char::is_control));
            let inner = &quoted[1..quoted.len() - 1];
            prop_assert!(!inner.replace(r"\\", "").replace("\\\"", "").contains('"'));
        }

        #[test]
        fn what_is_put_in_is_not_looked_at_again(text in any::<String>()) {
            let text = text.replace(['\n', '\r'], " ");
            let values = [("a", text.clone()), ("b", "@a@".to_owned())];
            prop_assert_eq!(filled("x @a@ @b@ y", &values), format!("x {text} @a@ y\n"));
        }
    }
}
