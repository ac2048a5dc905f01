//! The objects that commands may carry: a few known keys, each once, each a text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::text::quoted;
use crate::config::nearest;

/// The keys and texts of a payload.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    texts: Vec<(&'a str, String)>,
    wanted: &'a str,
}

impl<'a> Fields<'a> {
    /// Reads `payload`, which may have the keys `known`; `wanted` says what payloads would be right.
    pub(super) fn read(payload: &str, known: &[&'a str], wanted: &'a str) -> Result<Self, String> {
        if !payload.trim_start().starts_with('{') {
            return Err(format!("{} is not understood; send {wanted}", quoted(payload)));
        }
        let Entries(entries) = serde_json::from_str(payload)
            .map_err(|error| format!("{} is no JSON object: {error}; send {wanted}", quoted(payload)))?;
        let mut texts: Vec<(&'a str, String)> = Vec::new();
        for (key, value) in entries {
            let Some(&key) = known.iter().find(|known| **known == key) else {
                let hint = nearest(&key, known.iter().copied());
                let hint = hint.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
                return Err(format!("the key {} is not known{hint}; send {wanted}", quoted(&key)));
            };
            let Value::String(text) = value else {
                return Err(format!("{key} is {}, but should be a text in double quotes", kind(&value)));
            };
            if texts.iter().any(|(earlier, _)| *earlier == key) {
                return Err(format!("{key} stands twice; send {wanted}"));
            }
            texts.push((key, text));
        }
        Ok(Self { texts, wanted })
    }

    /// What stands there for `key`.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.texts.iter().find(|(known, _)| *known == key).map(|(_, text)| text.as_str())
    }

    /// What stands there for `key`, which must be there.
    pub(super) fn required(&self, key: &str) -> Result<&str, String> {
        self.text(key).ok_or_else(|| format!("{key} is missing; send {}", self.wanted))
    }
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

/// The entries of an object as they stand: the usual map keeps the last of two equal keys in silence.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        source.deserialize_map(Reader)
    }
}
