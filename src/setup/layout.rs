//! JSON laid out for people: two spaces a level, and what is short and simple on one line.

use serde_json::Value;

/// The width that a line keeps to where it can.
const WIDTH: usize = 100;
const STEP: usize = 2;

/// The value as text, with a line end after it.
#[must_use]
pub fn layout(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, 0, false, &mut text);
    text.push('\n');
    text
}

/// Writes a value at this indent; `before` is what its line holds already, `spread` wants it on lines of its own.
fn write(value: &Value, indent: usize, before: usize, spread: bool, text: &mut String) {
    // The outermost value is spread whatever its size.
    if indent > 0 && !spread && is_simple(value) {
        let line = on_one_line(value);
        // A comma may follow.
        if before + line.chars().count() < WIDTH {
            text.push_str(&line);
            return;
        }
    }
    match value {
        Value::Object(map) if !map.is_empty() => {
            let entries = map.iter().map(|(key, value)| (Some(key.as_str()), value));
            lines(entries, ['{', '}'], indent, false, text);
        }
        Value::Array(items) if !items.is_empty() => {
            // Like things look alike: all of them on one line each, or none.
            let inner = indent + STEP;
            let fits = |item: &Value| is_simple(item) && inner + on_one_line(item).chars().count() < WIDTH;
            let spread = !items.iter().all(fits);
            lines(items.iter().map(|item| (None, item)), ['[', ']'], indent, spread, text);
        }
        _ => text.push_str(&value.to_string()),
    }
}

fn lines<'a>(
    entries: impl Iterator<Item = (Option<&'a str>, &'a Value)>,
    brackets: [char; 2],
    indent: usize,
    spread: bool,
    text: &mut String,
) {
    let inner = indent + STEP;
    text.push(brackets[0]);
    for (at, (key, value)) in entries.enumerate() {
        text.push_str(if at == 0 { "\n" } else { ",\n" });
        let key = key.map(|key| format!("{}: ", Value::from(key))).unwrap_or_default();
        text.push_str(&" ".repeat(inner));
        text.push_str(&key);
        write(value, inner, inner + key.chars().count(), spread, text);
    }
    text.push('\n');
    text.push_str(&" ".repeat(indent));
    text.push(brackets[1]);
}

/// Whether a value holds nothing that holds something.
fn is_simple(value: &Value) -> bool {
    let is_scalar = |value: &Value| match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    };
    match value {
        Value::Object(map) => map.values().all(|value| is_scalar(value) || is_short_list(value)),
        Value::Array(items) => items.iter().all(is_scalar),
        _ => true,
    }
}

/// A list of one text, as of one recipient.
fn is_short_list(value: &Value) -> bool {
    matches!(value, Value::Array(items) if items.len() == 1 && items[0].is_string())
}

fn on_one_line(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), on_one_line(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(on_one_line).collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_looks_as_it_is_shipped() {
        let example = include_str!("../../config.example.json");
        assert_eq!(layout(&serde_json::from_str(example).unwrap()), example);
    }

    #[test]
    fn empty_and_plain_values_are_json() {
        assert_eq!(layout(&serde_json::json!({})), "{}\n");
        assert_eq!(layout(&serde_json::json!({"a": [], "b": {}})), "{\n  \"a\": [],\n  \"b\": {}\n}\n");
        assert_eq!(layout(&serde_json::json!([1, [2]])), "[\n  1,\n  [2]\n]\n");
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::vec((".{0,12}", inner), 0..6)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_layout_changes_nothing_but_the_looks(value in json()) {
            let text = layout(&value);
            prop_assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), &value);
            prop_assert_eq!(layout(&serde_json::from_str(&text).unwrap()), text);
        }
    }
}
