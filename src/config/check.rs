//! Checks a value against the JSON Schema made from the file's types, and finds everything that is wrong at once.
//!
//! It knows the keywords that schema uses, no more. A wrong value is told and replaced by a harmless right one, so that
//! what is left can be deserialised and checked further: whoever mends a file wants to hear of all its problems.

use serde_json::{Map, Value};

use super::Finding;
use super::json::below;

/// What a check found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Wrong values and missing keys.
    pub problems: Vec<Finding>,
    /// Unknown keys.
    pub warnings: Vec<Finding>,
}

/// Checks `value` against `schema`, whose `$defs` are its own, and mends it.
pub(super) fn check(schema: &Value, value: &mut Value) -> Findings {
    let mut findings = Findings::default();
    Checker { defs: &schema["$defs"] }.value(schema, value, "", false, &mut findings);
    findings
}

struct Checker<'a> {
    defs: &'a Value,
}

impl<'a> Checker<'a> {
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let name = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/"));
        name.map_or(schema, |name| &self.defs[name])
    }

    fn value(&self, schema: &'a Value, value: &mut Value, path: &str, secret: bool, found: &mut Findings) {
        let secret = secret || schema["x-secret"] == true;
        let target = self.resolve(schema);
        if let Some(choices) = choices(target) {
            return self.choice(target, choices, value, path, secret, found);
        }
        let types = types(target);
        let fits = types.is_empty() || types.iter().any(|name| is_a(value, name));
        if !fits || !within(target, value) {
            found.problems.push(Finding::new(path, complaint(value, &self.wanted(target), secret)));
            *value = self.harmless(target, found.problems.len());
            return;
        }
        match value {
            Value::Object(object) => self.object(target, object, path, secret, found),
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    self.value(&target["items"], item, &format!("{path}[{at}]"), secret, found);
                }
            }
            _ => {}
        }
    }

    /// One of several schemas: the only one of the value's kind is checked in depth, so that its own problems show.
    fn choice(
        &self,
        schema: &'a Value,
        choices: &'a [Value],
        value: &mut Value,
        path: &str,
        secret: bool,
        found: &mut Findings,
    ) {
        let of_kind = |choice: &&Value| {
            let choice = self.resolve(choice);
            match choice.get("const") {
                Some(constant) => *constant == *value,
                None if choices_or_enum(choice) => true,
                None => types(choice).iter().any(|name| is_a(value, name)),
            }
        };
        match choices.iter().find(of_kind) {
            Some(choice) => self.value(choice, value, path, secret, found),
            None => {
                found.problems.push(Finding::new(path, complaint(value, &self.wanted(schema), secret)));
                *value = self.harmless(schema, found.problems.len());
            }
        }
    }

    fn object(
        &self,
        schema: &'a Value,
        object: &mut Map<String, Value>,
        path: &str,
        secret: bool,
        found: &mut Findings,
    ) {
        let known = schema["properties"].as_object();
        for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(required) {
                let wanted = known.map(|known| self.wanted(&known[required])).unwrap_or_default();
                found
                    .problems
                    .push(Finding::new(&below(path, required), format!("is missing; needed: {wanted}")));
            }
        }
        for (key, value) in object {
            let path = below(path, key);
            match known.and_then(|known| known.get(key)) {
                Some(property) => self.value(property, value, &path, secret, found),
                None if schema["additionalProperties"].is_object() => {
                    self.value(&schema["additionalProperties"], value, &path, secret, found);
                }
                // A leading underscore is how people write comments into JSON.
                None if key.starts_with('_') => {}
                None => found.warnings.push(Finding::new(&path, unknown(key, known))),
            }
        }
    }

    /// A value that passes; `unique` keeps ids apart.
    fn harmless(&self, schema: &'a Value, unique: usize) -> Value {
        let schema = self.resolve(schema);
        let first = |list: &'a Value| list.as_array().and_then(|list| list.first());
        if let Some(value) = schema.get("default").or_else(|| schema.get("const")).or(first(&schema["enum"]))
        {
            return value.clone();
        }
        if let Some(choice) = choices(schema).and_then(<[Value]>::first) {
            return self.harmless(choice, unique);
        }
        let types = types(schema);
        match types.first() {
            _ if types.contains(&"null") => Value::Null,
            Some(&"integer") => schema["minimum"].as_i64().unwrap_or_default().into(),
            Some(&"boolean") => false.into(),
            Some(&"array") => Value::Array(Vec::new()),
            Some(&"string") if schema["format"] == "object-id" => format!("{unique:024x}").into(),
            Some(&"string") => "x".into(),
            _ => Value::Object(Map::new()),
        }
    }

    /// What would be right, in words.
    fn wanted(&self, schema: &'a Value) -> String {
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

fn choices(schema: &Value) -> Option<&[Value]> {
    schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()).map(Vec::as_slice)
}

fn choices_or_enum(schema: &Value) -> bool {
    choices(schema).is_some() || schema["enum"].is_array()
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn within(schema: &Value, value: &Value) -> bool {
    if let Some(values) = schema["enum"].as_array() {
        return values.contains(value);
    }
    if let Some(constant) = schema.get("const") {
        return constant == value;
    }
    match value {
        Value::Number(number) => {
            let bound = |key: &str| schema[key].as_f64();
            let number = number.as_f64().unwrap_or_default();
            bound("minimum").is_none_or(|least| number >= least)
                && bound("maximum").is_none_or(|most| number <= most)
        }
        Value::String(text) => {
            let long_enough = schema["minLength"].as_u64().is_none_or(|least| text.len() as u64 >= least);
            long_enough && schema["format"].as_str().is_none_or(|format| has_format(format, text))
        }
        _ => true,
    }
}

/// The formats whose patterns the schema tells others; an engine for three patterns would be a fifth of a megabyte.
fn has_format(format: &str, text: &str) -> bool {
    match format {
        "object-id" => text.parse::<crate::model::JobId>().is_ok(),
        "topic" => text.split('/').all(|level| !level.is_empty() && !level.contains(['+', '#'])),
        "cron" => text.split_whitespace().count() == 5,
        _ => true,
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

/// Says what is there and what would be right.
pub(super) fn complaint(value: &Value, wanted: &str, secret: bool) -> String {
    if secret {
        return format!("has a value (not shown) that is not {wanted}");
    }
    let shown = value.to_string();
    let cut: String = shown.chars().take(60).collect();
    let dots = if cut.len() < shown.len() { "…" } else { "" };
    format!("is {cut}{dots}, but should be {wanted}")
}

fn unknown(key: &str, known: Option<&Map<String, Value>>) -> String {
    let names = known.into_iter().flat_map(Map::keys);
    match super::nearest(key, names.map(String::as_str)) {
        Some(nearest) => format!("is not known; did you mean {nearest}?"),
        None => "is not known and has no effect".into(),
    }
}
