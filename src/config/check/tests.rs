#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::config::file::File;
use crate::config::json_schema;

/// The places of all values that the schema knows, as JSON pointers; one server `a`, one item per list.
fn places(schema: &Value, defs: &Value, at: &str, found: &mut Vec<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(name) => &defs[name.trim_start_matches("#/$defs/")],
        None => schema,
    };
    found.push(at.to_owned());
    for choice in choices(schema).into_iter().flatten().filter(|choice| choice.get("$ref").is_some()) {
        places(choice, defs, at, found);
    }
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        places(schema, defs, &format!("{at}/{key}"), found);
    }
    for (key, name) in [("additionalProperties", "a"), ("items", "0")] {
        if schema[key].is_object() {
            places(&schema[key], defs, &format!("{at}/{name}"), found);
        }
    }
}

fn set(value: &mut Value, place: &str, leaf: Value) {
    let mut spot = value;
    for step in place.split('/').skip(1) {
        if step == "0" {
            if spot.as_array().is_none_or(Vec::is_empty) {
                *spot = json!([null]);
            }
            spot = &mut spot[0];
        } else {
            if !spot.is_object() {
                *spot = json!({});
            }
            spot = &mut spot[step];
        }
    }
    *spot = leaf;
}

fn leaf() -> impl Strategy<Value = Value> {
    let odd = vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(30),
        json!(30.0),
        json!(0.5),
        json!(-0.0),
        json!(1e20),
        json!(u32::MAX),
        json!(u64::from(u32::MAX) + 1),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1_000_000_000),
        json!(""),
        json!(" "),
        json!("x"),
        json!("run"),
        json!("starttls"),
        json!("daily"),
        json!("continue"),
        json!("strict"),
        json!("aaaaaaaaaaaaaaaaaaaaaaaa"),
        json!("0 2 * * *"),
        json!([]),
        json!({}),
        json!([1]),
        json!(["x"]),
        json!({"host": "h"}),
    ];
    prop::sample::select(odd)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn what_passes_or_was_mended_deserialises(
        values in prop::collection::vec((any::<prop::sample::Index>(), leaf()), 0..12),
    ) {
        let schema = json_schema();
        let mut known = Vec::new();
        places(&schema, &schema["$defs"], "", &mut known);
        let mut value = json!({});
        for (place, leaf) in values {
            set(&mut value, place.get::<String>(&known), leaf);
        }
        let mut checked = value.clone();
        let found = check(&schema, &mut checked);
        let read = File::deserialize(&checked);
        prop_assert!(read.is_ok(), "{value}\n{checked}\n{:?}\n{:?}", found.problems, read.err());
        prop_assert!(check(&schema, &mut checked).problems.is_empty(), "not mended: {checked}");
    }
}

#[test]
fn the_places_reach_into_every_section() {
    let schema = json_schema();
    let mut known = Vec::new();
    places(&schema, &schema["$defs"], "", &mut known);
    for place in [
        "/servers/a/host",
        "/jobs/0/priority",
        "/mqtt/tls/ca_file",
        "/loop/min_pause",
        "/notification/digest",
    ] {
        assert!(known.iter().any(|known| known == place), "{place} is not in {known:?}");
    }
}
