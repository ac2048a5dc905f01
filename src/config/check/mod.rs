//! Checks a value against the JSON Schema made from the file's types, and finds everything that is wrong at once.
//!
//! It knows the keywords that schema uses, no more. A wrong value is told and replaced by a harmless right one, so that
//! what is left can be deserialised and checked further: whoever mends a file wants to hear of all its problems.

mod words;

use serde_json::{Map, Value};

use super::Finding;
use super::json::below;
pub(super) use words::complaint;
use words::unknown;

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
        if takes(target, "null") && value.as_str().is_some_and(|text| text.trim().is_empty()) {
            *value = Value::Null;
        }
        if takes(target, "integer")
            && let Some(whole) = whole(value)
        {
            *value = whole.into();
        }
        if let Some(choices) = choices(target) {
            return self.choice(target, choices, value, path, secret, found);
        }
        let types = types(target);
        let fits = types.is_empty() || types.iter().any(|name| is_a(value, name));
        if !fits || !within(target, value) {
            found.problems.push(Finding::new(path, self.complaint(target, value, secret)));
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
                None if choices_or_enum(choice) => !value.is_null(),
                None => types(choice).iter().any(|name| is_a(value, name)),
            }
        };
        match choices.iter().find(of_kind) {
            Some(choice) => self.value(choice, value, path, secret, found),
            None => {
                found.problems.push(Finding::new(path, self.complaint(schema, value, secret)));
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
                let mended =
                    known.map_or(Value::Null, |known| self.harmless(&known[required], found.problems.len()));
                object.insert(required.to_owned(), mended);
            }
        }
        // A leading underscore is how people write comments into JSON; in a map of objects only an object is meant.
        let open = schema["additionalProperties"].is_object();
        object.retain(|key, value| !(open && key.starts_with('_') && !value.is_object()));
        for (key, value) in object {
            let path = below(path, key);
            match known.and_then(|known| known.get(key)) {
                Some(property) => self.value(property, value, &path, secret, found),
                None if open => {
                    self.value(&schema["additionalProperties"], value, &path, secret, found);
                }
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
            Some(&"string") if schema["minLength"].as_u64() > Some(0) => "x".into(),
            Some(&"string") => "".into(),
            _ => {
                let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let mended = |key: &str| (key.to_owned(), self.harmless(&schema["properties"][key], unique));
                Value::Object(required.map(mended).collect())
            }
        }
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

/// Whether one of the kinds that `schema` takes is `name`.
fn takes(schema: &Value, name: &str) -> bool {
    let among = choices(schema).into_iter().flatten();
    types(schema).contains(&name) || among.into_iter().any(|choice| choice["type"] == name)
}

/// A number that is written with a point and is whole all the same, as far as such numbers are exact.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn whole(value: &Value) -> Option<i64> {
    let number = value.as_f64().filter(|_| value.is_f64())?;
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

/// A whole number of any size JSON can give, for comparisons that do not round.
fn exact(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
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
        Value::Number(_) => {
            let number = exact(value);
            exact(&schema["minimum"]).is_none_or(|least| number >= Some(least))
                && exact(&schema["maximum"]).is_none_or(|most| number.is_some_and(|number| number <= most))
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

#[cfg(test)]
mod tests;
