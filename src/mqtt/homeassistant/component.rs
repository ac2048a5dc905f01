//! Builders for the messages: a device with its components. Every key that is ever sent is written here.

use serde_json::{Map, Value, json};

use super::naming::entity_id;
use crate::mqtt::commands::PRESS;
use crate::mqtt::topics::Topics;

/// The longest name of a device, in characters.
const NAME: usize = 120;

/// One component of a device: an entity, or a device trigger.
#[derive(Debug)]
pub(super) struct Component {
    key: &'static str,
    platform: &'static str,
    fields: Map<String, Value>,
}

impl Component {
    /// A value.
    pub(super) fn sensor(key: &'static str, name: &str, template: impl Into<String>) -> Self {
        Self::new(key, "sensor", name).with("val_tpl", template.into())
    }

    /// Yes, no or unknown. The template answers with a JSON truth value or null, which Home Assistant writes as here.
    pub(super) fn binary_sensor(key: &'static str, name: &str, template: impl Into<String>) -> Self {
        let sensor = Self::new(key, "binary_sensor", name).with("val_tpl", template.into());
        sensor.with("pl_on", "True").with("pl_off", "False")
    }

    /// Whether the program is there.
    pub(super) fn connectivity(key: &'static str, name: &str, topic: String) -> Self {
        let sensor = Self::new(key, "binary_sensor", name).with("stat_t", topic);
        sensor.class("connectivity").with("pl_on", "online").with("pl_off", "offline")
    }

    /// Something to press.
    pub(super) fn button(key: &'static str, name: &str, topic: String) -> Self {
        Self::new(key, "button", name).with("cmd_t", topic).with("pl_prs", PRESS)
    }

    /// Something that happens.
    pub(super) fn event(key: &'static str, name: &str, topic: String, types: &[&str]) -> Self {
        Self::new(key, "event", name).with("stat_t", topic).with("evt_typ", json!(types))
    }

    /// A trigger for automations: `template` answers `kind` when it fires, and anything else when not.
    pub(super) fn trigger(
        key: &'static str,
        kind: &'static str,
        about: &str,
        topic: String,
        template: String,
    ) -> Self {
        let trigger = Self { key, platform: "device_automation", fields: Map::new() };
        let trigger = trigger.with("atype", "trigger").with("type", kind).with("stype", about);
        trigger.with("t", topic).with("val_tpl", template).with("pl", kind)
    }

    /// One that is not there, though another configuration has it: Home Assistant keeps what is merely left out, and
    /// removes what is named with its platform alone. Where there is none, that does nothing.
    pub(super) fn absent(key: &'static str, platform: &'static str) -> Self {
        Self { key, platform, fields: Map::new() }
    }

    fn new(key: &'static str, platform: &'static str, name: &str) -> Self {
        Self { key, platform, fields: Map::new() }.with("name", name)
    }

    fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// What kind of value it is, in Home Assistant's words.
    pub(super) fn class(self, class: &str) -> Self {
        self.with("dev_cla", class)
    }

    /// One of these words.
    pub(super) fn options(self, words: &[&str]) -> Self {
        self.class("enum").with("ops", json!(words))
    }

    /// A point in time.
    pub(super) fn timestamp(self) -> Self {
        self.class("timestamp")
    }

    /// A number of seconds.
    pub(super) fn seconds(self) -> Self {
        self.class("duration").unit("s").whole()
    }

    /// What the number counts.
    pub(super) fn unit(self, unit: &str) -> Self {
        self.with("unit_of_meas", unit)
    }

    /// A whole number. It is also what makes Home Assistant take a value without a unit for a number.
    pub(super) fn whole(self) -> Self {
        self.with("sug_dsp_prc", 0)
    }

    /// Long-term statistics are kept of it.
    pub(super) fn measured(self) -> Self {
        self.with("stat_cla", "measurement")
    }

    /// The picture, for what has none by its class.
    pub(super) fn icon(self, name: &str) -> Self {
        self.with("ic", format!("mdi:{name}"))
    }

    /// More about it, for those who look.
    pub(super) fn attributes(self, topic: String, template: &str) -> Self {
        self.with("json_attr_t", topic).with("json_attr_tpl", template)
    }

    /// A fact of the past, which stays true while the program is off.
    pub(super) fn past(self) -> Self {
        self.with("avty", json!([]))
    }

    /// About the machinery, not the backups.
    pub(super) fn diagnostic(self) -> Self {
        self.with("ent_cat", "diagnostic")
    }

    /// For the few who want it: it is offered, and does nothing until it is enabled.
    pub(super) fn disabled(self) -> Self {
        self.with("en", false)
    }

    fn is_entity(&self) -> bool {
        self.platform != "device_automation" && !self.fields.is_empty()
    }
}

/// A template that answers a value of the state: `phase`, or `current.progress` where `current` may be null.
/// Null becomes `None`, which Home Assistant takes for unknown. The inner key stands in brackets: after a dot, `items`
/// would be the method that every object has in a template.
pub(super) fn value(path: &str) -> String {
    match path.split_once('.') {
        Some((parent, key)) => {
            format!("{{{{ value_json.{parent}['{key}'] if value_json.{parent} else None }}}}")
        }
        None => format!("{{{{ value_json.{path} }}}}"),
    }
}

/// A device and its components.
#[derive(Debug)]
pub(super) struct Device {
    id: String,
    stem: String,
    about: Map<String, Value>,
    state_topic: String,
    components: Map<String, Value>,
}

impl Device {
    /// The device `id`, whose entity ids begin with `stem`.
    pub(super) fn new(id: String, stem: String, name: &str, state_topic: String) -> Self {
        let mut device = Self { id, stem, about: Map::new(), state_topic, components: Map::new() };
        device.tell("ids", json!([device.id]));
        // Labels are people's own; a name is a line of a length that can be shown.
        let name = name.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let name: String = name.collect::<Vec<_>>().join(" ").chars().take(NAME).collect();
        device.tell("name", name);
        device
    }

    fn tell(&mut self, key: &str, value: impl Into<Value>) {
        self.about.insert(key.to_owned(), value.into());
    }

    /// Who made it, and what it is.
    pub(super) fn made(mut self, manufacturer: &str, model: &str) -> Self {
        self.tell("mf", manufacturer);
        self.tell("mdl", model);
        self
    }

    /// The version of its software.
    pub(super) fn version(mut self, version: &str) -> Self {
        self.tell("sw", version);
        self
    }

    /// The device it is reached through, which must have been announced before.
    pub(super) fn via(mut self, id: String) -> Self {
        self.tell("via_device", id);
        self
    }

    /// Where a person configures it.
    pub(super) fn address(mut self, url: Option<String>) -> Self {
        if let Some(url) = url {
            self.tell("cu", url);
        }
        self
    }

    /// Gives it these components.
    pub(super) fn with(mut self, components: impl IntoIterator<Item = Component>) -> Self {
        for component in components {
            let entity = component.is_entity();
            let Component { key, platform, fields } = component;
            let mut all = Map::new();
            all.insert("p".into(), platform.into());
            if entity {
                all.insert("uniq_id".into(), format!("{}_{key}", self.id).into());
                all.insert("def_ent_id".into(), entity_id(platform, &self.stem, key).into());
            }
            all.extend(fields);
            self.components.insert(key.into(), Value::Object(all));
        }
        self
    }

    /// The message that announces it, with its topic below `prefix`.
    pub(super) fn message(self, prefix: &str, topics: &Topics) -> (String, Vec<u8>) {
        let topic = format!("{prefix}/device/jetbackup_remote_{}/config", self.id);
        // The availability is a list: with `avty_t` here, a component that opts out with an empty list is refused.
        let payload = json!({
            "dev": self.about,
            "o": origin(env!("CARGO_PKG_REPOSITORY")),
            "avty": [{ "t": topics.availability() }],
            "stat_t": self.state_topic,
            "qos": 1,
            "cmps": self.components,
        });
        (topic, payload.to_string().into_bytes())
    }
}

/// Who announces it: Home Assistant shows this where something is wrong.
fn origin(repository: &str) -> Value {
    let mut origin = json!({ "name": env!("CARGO_PKG_NAME"), "sw": env!("CARGO_PKG_VERSION") });
    if !repository.is_empty() {
        origin["url"] = repository.into();
    }
    origin
}
