//! What is there and what would be right, in words. A text of the file is shown only where it can hold no secret.

use serde_json::{Map, Value};

use super::{Checker, choices, types};
use crate::config::nearest;

impl<'a> Checker<'a> {
    /// Says what is there and what would be right.
    pub(super) fn complaint(&self, schema: &'a Value, value: &Value, secret: bool) -> String {
        let wanted = self.wanted(schema);
        if secret {
            return format!("has a value (not shown) that is not {wanted}");
        }
        // Who writes a text for a whole section may have written its password into it.
        if self.holds_objects(schema) {
            return format!("is {}, but should be {wanted}", kind(value));
        }
        complaint(value, &wanted)
    }

    fn holds_objects(&self, schema: &'a Value) -> bool {
        let schema = self.resolve(schema);
        let kinds = types(schema);
        kinds.contains(&"object")
            || (kinds.contains(&"array") && self.holds_objects(&schema["items"]))
            || choices(schema).into_iter().flatten().any(|choice| self.holds_objects(choice))
    }

    /// What would be right, in words.
    pub(super) fn wanted(&self, schema: &'a Value) -> String {
        let schema = self.resolve(schema);
        if let Some(words) = schema["x-wanted"].as_str() {
            return words.to_owned();
        }
        if let Some(values) = schema["enum"].as_array() {
            return list(values.iter().map(Value::to_string).collect());
        }
        if let Some(constant) = schema.get("const") {
            return constant.to_string();
        }
        if let Some(choices) = choices(schema) {
            return list(
                choices.iter().filter(|choice| choice["type"] != "null").map(|c| self.wanted(c)).collect(),
            );
        }
        let words = types(schema).into_iter().filter(|name| *name != "null").map(|name| match name {
            "integer" => whole_number(schema),
            "number" => "a number".into(),
            "boolean" => "true or false".into(),
            "string" if schema["minLength"].as_u64() > Some(0) => "a text that is not empty".into(),
            "string" => "a text in double quotes".into(),
            "array" => "a list in [ ]".into(),
            _ => "an object in { }".into(),
        });
        list(words.collect())
    }
}

fn whole_number(schema: &Value) -> String {
    let least = schema["minimum"].as_i64();
    let most = schema["maximum"].as_i64();
    match (least, most) {
        (Some(least), Some(most)) => format!("a whole number from {least} to {most}"),
        (Some(least), None) => format!("a whole number of {least} or more"),
        _ => "a whole number".into(),
    }
}

fn list(words: Vec<String>) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// Says what is there and what would be right. Of a list or an object only that it is one: a secret may be in it.
pub(in crate::config) fn complaint(value: &Value, wanted: &str) -> String {
    if value.is_array() || value.is_object() {
        return format!("is {}, but should be {wanted}", kind(value));
    }
    let shown = value.to_string();
    let cut: String = shown.chars().take(60).collect();
    let dots = if cut.len() < shown.len() { "…" } else { "" };
    format!("is {cut}{dots}, but should be {wanted}")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What an unknown key is told with.
pub(super) fn unknown(key: &str, known: Option<&Map<String, Value>>) -> String {
    let names = known.into_iter().flat_map(Map::keys);
    match nearest(key, names.map(String::as_str)) {
        Some(nearest) => format!("is not known; did you mean {nearest}?"),
        None => "is not known and has no effect".into(),
    }
}
