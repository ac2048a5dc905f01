//! JSON read strictly: a key that stands twice in one object is found, where the usual reader keeps the last in silence.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads `text`; answers the value and the paths of keys that stand twice. Keys with a leading underscore
/// are comments and may.
pub(super) fn read(text: &str) -> Result<(Value, Vec<String>), serde_json::Error> {
    let twice = RefCell::new(Vec::new());
    let mut source = serde_json::Deserializer::from_str(text);
    let value = Strict { path: String::new(), twice: &twice }.deserialize(&mut source)?;
    source.end()?;
    Ok((value, twice.into_inner()))
}

/// The path of `key` below `path`; a key that would not be seen to be one key stands in brackets.
pub(super) fn below(path: &str, key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if key.is_empty() || !key.chars().all(plain) {
        format!("{path}[{key:?}]")
    } else if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

struct Strict<'a> {
    path: String,
    twice: &'a RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let path = format!("{}[{}]", self.path, list.len());
            match items.next_element_seed(Strict { path, twice: self.twice })? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let path = below(&self.path, &key);
            let comment = key.starts_with('_');
            let value = entries.next_value_seed(Strict { path: path.clone(), twice: self.twice })?;
            if object.insert(key, value).is_some() && !comment {
                self.twice.borrow_mut().push(path);
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_that_stand_twice_are_found_with_their_path() {
        let (value, twice) = read(r#"{"a": 1, "b": [{"c": 1, "c": 2}], "a": null}"#).unwrap();
        assert_eq!(twice, ["b[0].c", "a"]);
        assert_eq!(value, serde_json::json!({"a": null, "b": [{"c": 2}]}));
    }

    #[test]
    fn comments_may_repeat_and_odd_keys_are_seen_as_one() {
        assert_eq!(read(r#"{"_comment": 1, "_comment": 2}"#).unwrap().1, [""; 0]);
        let (_, twice) = read(r#"{"servers": {"web1.example.com": {"port": 1, "port": 2}}}"#).unwrap();
        assert_eq!(twice, [r#"servers["web1.example.com"].port"#]);
    }

    proptest! {
        #[test]
        fn reads_what_the_usual_reader_reads(text in r#"[\[\]{}:,"a-c0-9. tfnul-]{0,60}"#) {
            let usual = serde_json::from_str::<Value>(&text);
            prop_assert_eq!(read(&text).map(|(value, _)| value).ok(), usual.ok());
        }
    }
}
