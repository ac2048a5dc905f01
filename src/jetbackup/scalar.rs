//! JetBackup's scalars and lists, as loosely typed as PHP writes them.
//!
//! One fact arrives as `true`, `1`, `"1"` or, where it is false, also as `""` or `null`; lists arrive as arrays or as
//! objects with numbers for keys. Whatever is not understood is `None`, never a guess.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::text::one_line;

/// The longest text kept of a server's own words, in characters.
const TEXT: usize = 250;

/// A yes or no. `""` is PHP's way to write `false`; `null` and a missing key are unknown.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(yes) => Some(*yes),
        Value::String(text) => match text.trim() {
            "1" => Some(true),
            "0" | "" => Some(false),
            word if word.eq_ignore_ascii_case("true") => Some(true),
            word if word.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        },
        Value::Number(_) => match integer(value) {
            Some(1) => Some(true),
            Some(0) => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Whether PHP would take `value` for true: the rule for warnings such as `licenseIssue`, whose type is not documented.
pub(crate) fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(_) => boolean(value) != Some(false),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// A whole number.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(yes) => Some(i64::from(*yes)),
        _ => None,
    }
}

/// The integer a float stands for. Beyond 2^53 a float no longer says which one it is.
fn whole(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0).then_some(float as i64)
}

/// A number of things, never negative.
pub(crate) fn count(value: &Value) -> Option<u64> {
    integer(value).and_then(|number| u64::try_from(number).ok())
}

/// A share of a hundred, 0 to 100.
pub(crate) fn percentage(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().trim_end_matches('%').parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite()).map(|number| number.clamp(0.0, 100.0))
}

/// A text in one line, at most 250 characters; `None` where it is empty.
pub(crate) fn text(value: &Value) -> Option<String> {
    let line = match value {
        Value::String(text) => one_line(text, TEXT),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!line.is_empty()).then_some(line)
}

/// A moment. JetBackup writes `2023-09-19T00:22:06+00:00`, and `""` for "not yet"; without an offset it is UTC. Numbers
/// are Unix seconds, and the epoch itself is PHP's "not yet".
pub(crate) fn time(value: &Value) -> Option<Timestamp> {
    let seconds = || integer(value).and_then(|seconds| Timestamp::from_second(seconds).ok());
    let time = match value {
        Value::Number(_) => seconds(),
        Value::String(text) => {
            let text = text.trim();
            seconds().or_else(|| text.parse().ok()).or_else(|| {
                let civil: DateTime = text.parse().ok()?;
                civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
            })
        }
        _ => None,
    };
    time.filter(|time| *time > Timestamp::UNIX_EPOCH)
}

/// An id: the 24 digits themselves, or an object that carries them as `_id` or, as MongoDB exports it, `$oid`.
pub(crate) fn id<T: FromStr>(value: &Value) -> Option<T> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        Value::Object(map) => {
            let inner = map.get("_id").or_else(|| map.get("$oid"))?;
            let inner = inner.get("$oid").unwrap_or(inner);
            inner.as_str()?.trim().parse().ok()
        }
        _ => None,
    }
}

/// The members of a list: an array, an object with a key for each, or a single object that was not put into a list.
pub(crate) fn list(value: &Value) -> Option<Vec<&Value>> {
    match value {
        Value::Array(list) => Some(list.iter().collect()),
        Value::Object(map) if map.contains_key("_id") => Some(vec![value]),
        Value::Object(map) => Some(map.values().collect()),
        _ => None,
    }
}

/// The ids of a list, or of a value that stands for a list of one. Whatever else the members hold is not looked at.
pub(crate) fn ids<T: FromStr>(value: &Value) -> Vec<T> {
    match list(value) {
        Some(members) => members.into_iter().filter_map(id).collect(),
        None => id(value).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jetbackup::tests::any_json;
    use crate::model::DestinationId;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn every_spelling_of_yes_no_and_unknown() {
        for yes in [json!(true), json!(1), json!("1"), json!(1.0), json!("true"), json!(" 1 ")] {
            assert_eq!(boolean(&yes), Some(true), "{yes}");
        }
        for no in [json!(false), json!(0), json!("0"), json!(""), json!("False")] {
            assert_eq!(boolean(&no), Some(false), "{no}");
        }
        for unknown in [json!(null), json!(2), json!("yes, surely"), json!([]), json!({}), json!(0.5)] {
            assert_eq!(boolean(&unknown), None, "{unknown}");
        }
    }

    #[test]
    fn warnings_count_in_any_shape() {
        for yes in [json!("Licence expired"), json!(7), json!({"code": 3}), json!(["x"]), json!(true)] {
            assert!(truthy(&yes), "{yes}");
        }
        for no in [json!(null), json!(""), json!("0"), json!(0), json!([]), json!({}), json!(false)] {
            assert!(!truthy(&no), "{no}");
        }
    }

    #[test]
    fn numbers_are_whole_or_nothing() {
        assert_eq!(integer(&json!("42")), Some(42));
        assert_eq!(integer(&json!(-1.0)), Some(-1));
        assert_eq!(integer(&json!(1.5)), None);
        assert_eq!(integer(&json!(1e300)), None);
        assert_eq!(integer(&json!("")), None);
        assert_eq!(count(&json!(-1)), None);
        assert_eq!(percentage(&json!("45.5%")), Some(45.5));
        assert_eq!(percentage(&json!(250)), Some(100.0));
        assert_eq!(percentage(&json!("NaN")), None);
    }

    #[test]
    fn times_in_all_the_ways_php_writes_them() {
        let expected: Timestamp = "2023-09-19T00:22:06Z".parse().unwrap();
        for same in [
            json!("2023-09-19T00:22:06+00:00"),
            json!("2023-09-19T02:22:06+02:00"),
            json!("2023-09-19 00:22:06"),
            json!(1_695_082_926),
            json!("1695082926"),
        ] {
            assert_eq!(time(&same), Some(expected), "{same}");
        }
        for unset in [
            json!(""),
            json!(null),
            json!(0),
            json!("0"),
            json!(false),
            json!("never"),
            json!("1970-01-01T00:00:00+00:00"),
            json!(i64::MAX),
        ] {
            assert_eq!(time(&unset), None, "{unset}");
        }
    }

    #[test]
    fn lists_and_ids_in_any_wrapping() {
        let a = "64abcdef0123456789abcdef";
        let wanted: Vec<DestinationId> = vec![a.parse().unwrap()];
        for same in [
            json!([a]),
            json!({"0": a}),
            json!(a),
            json!({"_id": a, "options": {"password": "hunter2"}}),
            json!([{"_id": {"$oid": a}}, "short", 7]),
        ] {
            assert_eq!(ids::<DestinationId>(&same), wanted, "{same}");
        }
        assert_eq!(ids::<DestinationId>(&json!(null)), []);
    }

    proptest! {
        #[test]
        fn nothing_panics_on_any_json(value in any_json()) {
            let _ = (boolean(&value), truthy(&value), integer(&value), count(&value), percentage(&value));
            let _ = (text(&value), time(&value), ids::<DestinationId>(&value));
        }

        #[test]
        fn any_number_comes_back(number in any::<i64>()) {
            prop_assert_eq!(integer(&json!(number)), Some(number));
            prop_assert_eq!(integer(&json!(number.to_string())), Some(number));
        }
    }
}
