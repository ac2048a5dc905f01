//! JetBackup's envelope, found in whatever a login shell, PHP and JetBackup wrote to standard output.

use serde_json::{Deserializer, Map, Value};

use super::scalar;

/// The keys of `system` that, when set, mean that the product refuses to work (vendor's API documentation), and what
/// they stand for.
const TROUBLES: [(&str, &str); 3] = [
    ("licenseIssue", "a licence issue"),
    ("agreement", "an agreement to accept"),
    ("dr", "disaster recovery mode"),
];

/// A well-formed answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Envelope {
    /// Whether JetBackup says it did what was asked. The exit status says nothing.
    pub(crate) success: bool,
    /// JetBackup's words in one line: for people, never to be matched on.
    pub(crate) message: String,
    /// The answer proper; anything at all, above all where `success` is false.
    pub(crate) data: Value,
    /// JetBackup's version.
    pub(crate) version: Option<String>,
    /// Why the product refuses to work, where it says so.
    pub(crate) troubles: Vec<&'static str>,
}

/// Why there is no envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoEnvelope {
    /// No undamaged JSON object with a key `success`.
    NotJson,
    /// There is one, but it says neither yes nor no.
    NoSuccess,
}

impl Envelope {
    /// Finds the envelope in `stdout`, noise before and after it.
    pub(crate) fn find(stdout: &[u8]) -> Result<Self, NoEnvelope> {
        let text = String::from_utf8_lossy(stdout);
        let mut object = find_object(&text).ok_or(NoEnvelope::NotJson)?;
        // Only what means no without doubt is a no: after a trigger it permits to trigger again. So the empty values
        // that elsewhere pass for false do not count here.
        let success = match object.get("success") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.trim().is_empty() => None,
            Some(value) => scalar::boolean(value),
        };
        let success = success.ok_or(NoEnvelope::NoSuccess)?;
        let data = object.remove("data").unwrap_or(Value::Null);
        let text = |value: Option<&Value>| value.and_then(scalar::text);
        let system = object.get("system").unwrap_or(&Value::Null);
        let troubles = TROUBLES.iter().filter(|(key, _)| scalar::truthy(&system[key]));
        Ok(Self {
            success,
            message: text(object.get("message")).unwrap_or_default(),
            data,
            version: text(system.get("version")),
            troubles: troubles.map(|(_, what)| *what).collect(),
        })
    }
}

/// The first JSON object with the key `success`.
///
/// Noise may hold braces and even whole JSON objects; the latter are passed over at one go, so that nothing inside
/// them is taken for the envelope. An envelope that is damaged or cut short yields nothing, rather than some object
/// from its inside. The work is linear in the length of `text`.
fn find_object(text: &str) -> Option<Map<String, Value>> {
    let mut budget = text.len().saturating_mul(4);
    let mut at = 0;
    while let Some(found) = text[at..].find('{') {
        let start = at + found;
        at = start + 1;
        let inside = text[at..].trim_start();
        if !inside.starts_with('"') {
            continue;
        }
        let mut objects = Deserializer::from_str(&text[start..]).into_iter::<Map<String, Value>>();
        match objects.next()? {
            Ok(object) if object.contains_key("success") => return Some(object),
            Ok(_) => at = start + objects.byte_offset(),
            Err(error) if error.is_eof() || opens_envelope(inside) => return None,
            Err(error) => budget = budget.checked_sub(1 + reached(&text[start..], &error))?,
        }
    }
    None
}

/// Whether what follows a brace is how JetBackup's envelope begins.
fn opens_envelope(inside: &str) -> bool {
    inside.strip_prefix("\"success\"").is_some_and(|rest| rest.trim_start().starts_with(':'))
}

/// How many bytes of `text` were read until `error`.
fn reached(text: &str, error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    lines.map(str::len).sum::<usize>() + error.column()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jetbackup::tests::any_json;
    use proptest::prelude::*;
    use serde_json::json;

    fn find(text: &str) -> Result<Envelope, NoEnvelope> {
        Envelope::find(text.as_bytes())
    }

    #[test]
    fn the_documented_envelope() {
        let envelope = find(
            r#"{"success":1,"message":"","data":{"jobs":[],"total":0},"system":{"version":"5.3.3","version_panel":
            "5.3.3","tier":"EDGE","type":"cPanel","retry_ms":0,"disableui":"","dr":"","agreement":"","licenseIssue":""}}"#,
        );
        let expected = Envelope {
            success: true,
            message: String::new(),
            data: json!({"jobs": [], "total": 0}),
            version: Some("5.3.3".to_owned()),
            troubles: vec![],
        };
        assert_eq!(envelope, Ok(expected));
    }

    #[test]
    fn noise_around_it_does_not_matter() {
        for noise in [
            "",
            "Welcome to {web1}\nLast login: today\n",
            "PHP Warning:  Undefined array key {\"a\": 1 in /usr/{x}.php on line 3\n",
            "Array { [0] => { \"success\" } }\n",
            "{\"level\":\"notice\",\"inner\":{\"success\":0}}\n",
            "{ { { {\"\n",
            "no line end here: ",
        ] {
            let text = format!("{noise}{{\"success\":\"1\",\"data\":[]}}\ntrailing {{ \"noise\" }}");
            assert_eq!(find(&text).map(|envelope| envelope.success), Ok(true), "{noise:?}");
        }
    }

    #[test]
    fn a_damaged_envelope_is_none_at_all() {
        let inner = r#"{"success":1,"data":{"success":0,"message":"no"}"#;
        for bad in [
            "",
            "ok",
            "{}",
            "[1]",
            "{\"data\":1}",
            inner,
            &format!("{inner}\nPHP Fatal error"),
            r#"{"message":"m","data":{"success":0}"#,
        ] {
            assert_eq!(find(bad), Err(NoEnvelope::NotJson), "{bad:?}");
        }
    }

    #[test]
    fn success_must_be_said_clearly() {
        for (value, expected) in [
            ("1", Ok(true)),
            ("true", Ok(true)),
            ("\"0\"", Ok(false)),
            ("false", Ok(false)),
            ("null", Err(NoEnvelope::NoSuccess)),
            ("\"\"", Err(NoEnvelope::NoSuccess)),
            ("2", Err(NoEnvelope::NoSuccess)),
            ("[]", Err(NoEnvelope::NoSuccess)),
        ] {
            let found = find(&format!("{{\"success\":{value}}}"));
            assert_eq!(found.map(|envelope| envelope.success), expected, "{value}");
        }
    }

    #[test]
    fn licence_trouble_is_seen_in_any_shape() {
        let text = r#"{"success":0,"system":{"licenseIssue":{"code":1},"agreement":"1","dr":0}}"#;
        assert_eq!(find(text).unwrap().troubles, ["a licence issue", "an agreement to accept"]);
    }

    #[test]
    fn hostile_noise_costs_linear_work() {
        // Every one of these openings could be parsed up to the recursion limit or to the end.
        let mut text = "{\"a\":".repeat(200_000);
        text.push_str("]{\"success\":1}");
        let _ = find(&text);
        let mut text = "{\"a\":[".to_owned() + &"{\"a\":1},".repeat(100_000);
        text.push('!');
        let _ = find(&text);
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_envelope_or_none(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Envelope::find(&bytes);
        }

        #[test]
        fn any_jsonish_text_is_an_envelope_or_none(text in r#"[{}\[\]",:0-9a-z \n]{0,200}"#) {
            let _ = find(&text);
        }

        #[test]
        fn any_envelope_comes_back(
            success in any::<bool>(), spelling in 0_usize..5, data in any_json(), version in "[0-9.]{1,8}",
            noise in "[a-zA-Z {}\\n]{0,60}", pretty in any::<bool>(),
        ) {
            let yes = [json!(true), json!(1), json!("1"), json!("true"), json!(1.0)];
            let no = [json!(false), json!(0), json!("0"), json!("false"), json!(0.0)];
            let spelled = if success { &yes[spelling] } else { &no[spelling] };
            let envelope = json!({"success": spelled, "message": "m", "data": data, "system": {"version": version}});
            let text = if pretty { serde_json::to_string_pretty(&envelope) } else { serde_json::to_string(&envelope) };
            let text = text.unwrap();
            let expected = Envelope {
                success, message: "m".to_owned(), data: envelope["data"].clone(), version: Some(version), troubles: vec![],
            };
            prop_assert_eq!(find(&format!("{noise}{text}\n{noise}")), Ok(expected));
            // Cut anywhere, it is nothing.
            let cut = text.char_indices().map(|(at, _)| at).nth(text.chars().count() / 2).unwrap_or(0);
            prop_assert_eq!(find(&text[..cut]), Err(NoEnvelope::NotJson));
        }
    }
}
