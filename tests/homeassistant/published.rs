//! What was published for discovery, compared with what Home Assistant made of it. Keys it does not know it drops
//! without a word, so every key is either compared or known to be proved by another test.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::home::Home;

/// Keys whose effect is what other tests look at: states, availability, commands.
const BEHAVIOUR: [&str; 12] = [
    "val_tpl",
    "json_attr_tpl",
    "json_attr_t",
    "stat_t",
    "cmd_t",
    "avty",
    "pl_prs",
    "pl_on",
    "pl_off",
    "evt_typ",
    "t",
    "pl",
];

/// Keys of a component that its entry in the entity registry repeats.
const REPEATED: [(&str, &str); 4] = [
    ("def_ent_id", "/entity_id"),
    ("name", "/original_name"),
    ("ent_cat", "/entity_category"),
    ("sug_dsp_prc", "/options/sensor/suggested_display_precision"),
];

/// Keys of a component that the attributes of its state repeat while it is available.
const ATTRIBUTES: [(&str, &str); 5] = [
    ("ic", "icon"),
    ("dev_cla", "device_class"),
    ("unit_of_meas", "unit_of_measurement"),
    ("stat_cla", "state_class"),
    ("ops", "options"),
];

/// The keys of a device that the device registry repeats.
const DEVICE: [(&str, &str); 6] = [
    ("name", "name"),
    ("mf", "manufacturer"),
    ("mdl", "model"),
    ("mdl_id", "model_id"),
    ("sw", "sw_version"),
    ("cu", "configuration_url"),
];

/// Everything Home Assistant has made of these payloads is as they say, and nothing more. Answers how many entities.
#[track_caller]
pub fn assert_taken(home: &mut Home, payloads: &[Value]) -> usize {
    let (devices, entities, states) = (home.devices(), home.entities(), home.states());
    let mut expected = BTreeMap::new();
    for payload in payloads {
        let device = assert_device(&devices, &payload["dev"]);
        for (key, component) in payload["cmps"].as_object().unwrap() {
            // Nothing but its platform says that it is not there.
            if component.as_object().unwrap().len() == 1 {
                continue;
            }
            if component["p"] == "device_automation" {
                assert_trigger(home, device, component);
                continue;
            }
            let id = component["uniq_id"].as_str().unwrap();
            let entity = entities.get(id).unwrap_or_else(|| panic!("{key} was refused: {component:#}"));
            assert_eq!(entity["device_id"], device["id"], "{key}");
            let state = &states.get(entity["entity_id"].as_str().unwrap());
            assert_entity(component, entity, *state);
            expected.insert(id, ());
        }
    }
    let ids: Vec<&Value> =
        payloads.iter().map(|payload| &devices[identifier(&payload["dev"])]["id"]).collect();
    let more = entities
        .iter()
        .filter(|(id, entity)| ids.contains(&&entity["device_id"]) && !expected.contains_key(id.as_str()));
    assert_eq!(more.map(|(id, _)| id).collect::<Vec<_>>(), Vec::<&String>::new(), "nothing more");
    expected.len()
}

fn identifier(device: &Value) -> &str {
    device["ids"].as_str().or_else(|| device["ids"][0].as_str()).unwrap()
}

fn assert_device<'a>(devices: &'a BTreeMap<String, Value>, published: &Value) -> &'a Value {
    let made = devices.get(identifier(published)).unwrap_or_else(|| panic!("no device of {published:#}"));
    for (key, value) in published.as_object().unwrap() {
        if key == "ids" {
        } else if key == "via_device" {
            assert_eq!(made["via_device_id"], devices[value.as_str().unwrap()]["id"], "{published:#}");
        } else {
            let (_, name) =
                DEVICE.iter().find(|(known, _)| known == key).unwrap_or_else(|| panic!("unknown: {key}"));
            assert_eq!(&made[*name], value, "{key} of {published:#}");
        }
    }
    made
}

fn assert_entity(published: &Value, entity: &Value, state: Option<&Value>) {
    for (key, value) in published.as_object().unwrap() {
        let repeated = REPEATED.iter().find(|(known, _)| known == key);
        let attribute = ATTRIBUTES.iter().find(|(known, _)| known == key);
        let context = || format!("{key} of {published:#} is not that of {entity:#} {state:#?}");
        if let Some((_, pointer)) = repeated {
            // How a value is shown is looked at when it is enabled.
            let later = key == "sug_dsp_prc" && state.is_none();
            assert!(later || entity.pointer(pointer) == Some(value), "{}", context());
        } else if let Some((_, name)) = attribute {
            // One that is disabled has no state.
            let made = state.map(|state| &state["attributes"][*name]);
            assert!(made.is_none_or(|made| made == value), "{}", context());
        } else if key == "en" {
            let disabled = if *value == json!(false) { json!("integration") } else { Value::Null };
            assert_eq!(entity["disabled_by"], disabled, "{}", context());
            assert_eq!(state.is_none(), *value == json!(false), "{}", context());
        } else {
            let known = ["p", "uniq_id"].contains(&key.as_str()) || BEHAVIOUR.contains(&key.as_str());
            assert!(known, "nothing proves that Home Assistant knows the key {key} of {published:#}");
        }
    }
    let domain = entity["entity_id"].as_str().unwrap().split('.').next();
    assert_eq!(domain, published["p"].as_str());
}

fn assert_trigger(home: &mut Home, device: &Value, published: &Value) {
    let triggers = home.ws("device_automation/trigger/list", json!({"device_id": device["id"]}));
    let known = triggers.as_array().unwrap().iter().any(|trigger| {
        trigger["domain"] == "mqtt"
            && trigger["type"] == published["type"]
            && trigger["subtype"] == published["stype"]
    });
    assert!(known, "{published:#} is not among {triggers:#}");
}
