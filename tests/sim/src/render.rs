//! How answers are written: the envelope, its many dialects, and the plain format.

use std::fmt::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::api::Answer;

/// What a call leaves behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
    /// The exit status.
    pub exit: i32,
    /// How long, in real time, whoever serves the world must wait before answering.
    pub delay: Duration,
}

impl Reply {
    /// Standard output as JSON; `null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_default()
    }
}

/// How booleans are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bools {
    /// `true` and `false`.
    #[default]
    Native,
    /// `1` and `0`.
    Digits,
    /// `"1"` and `"0"`.
    Text,
    /// `"1"` and `""`.
    EmptyFalse,
    /// `true` and `null`.
    NullFalse,
}

/// What `data` is in an answer of failure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureData {
    /// `[]`.
    #[default]
    List,
    /// `{}`.
    Object,
    /// `null`.
    Null,
    /// There is none.
    Missing,
}

/// The way values are written. The default is the documented one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialect {
    /// Booleans.
    pub bools: Bools,
    /// Numbers as strings.
    pub numbers_as_text: bool,
    /// Lists as objects with numeric keys.
    pub lists_as_objects: bool,
    /// `data` on failure.
    pub failure_data: FailureData,
}

/// Writes an answer down.
pub(crate) fn reply(answer: Answer, system: &Value, dialect: Dialect, as_json: bool) -> Reply {
    let (success, message, data) = match answer {
        Answer::Body(text) => return Reply { stdout: text.into_bytes(), ..Reply::default() },
        Answer::Success(message, data) => (1, message, Some(data)),
        Answer::Failure(message) => (0, message, failure_data(dialect.failure_data)),
    };
    let mut envelope = json!({"success": success, "message": message, "system": system});
    if let (Value::Object(fields), Some(data)) = (&mut envelope, data) {
        fields.insert("data".to_owned(), data);
    }
    let envelope = in_dialect(envelope, dialect);
    let mut text = String::new();
    if as_json {
        text = envelope.to_string();
        text.push('\n');
    } else {
        plain(&envelope, 0, &mut text);
    }
    Reply { stdout: text.into_bytes(), ..Reply::default() }
}

fn failure_data(shape: FailureData) -> Option<Value> {
    match shape {
        FailureData::List => Some(json!([])),
        FailureData::Object => Some(json!({})),
        FailureData::Null => Some(Value::Null),
        FailureData::Missing => None,
    }
}

fn in_dialect(value: Value, dialect: Dialect) -> Value {
    match value {
        Value::Bool(flag) => match (dialect.bools, flag) {
            (Bools::Native, _) | (Bools::NullFalse, true) => json!(flag),
            (Bools::Digits, _) => json!(i32::from(flag)),
            (Bools::Text | Bools::EmptyFalse, true) => json!("1"),
            (Bools::Text, false) => json!("0"),
            (Bools::EmptyFalse, false) => json!(""),
            (Bools::NullFalse, false) => Value::Null,
        },
        Value::Number(number) if dialect.numbers_as_text => json!(number.to_string()),
        Value::Array(items) => {
            let items = items.into_iter().map(|item| in_dialect(item, dialect));
            if dialect.lists_as_objects {
                let keyed = items.enumerate().map(|(index, item)| (index.to_string(), item));
                Value::Object(keyed.collect::<Map<_, _>>())
            } else {
                items.collect()
            }
        }
        Value::Object(fields) => {
            fields.into_iter().map(|(key, item)| (key, in_dialect(item, dialect))).collect()
        }
        other => other,
    }
}

/// The default output: indented `key: value` lines, values unquoted, so that it cannot be parsed safely.
fn plain(value: &Value, depth: usize, out: &mut String) {
    let fields: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, item)| (key.clone(), item)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
        }
        _ => return,
    };
    for (key, item) in fields {
        let text = match item {
            Value::String(text) => format!(" {text}"),
            Value::Number(number) => format!(" {number}"),
            Value::Bool(true) => " 1".to_owned(),
            _ => String::new(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{:indent$}{key}:{text}", "", indent = depth * 2);
        plain(item, depth + 1, out);
    }
}
