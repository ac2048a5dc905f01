//! The end of a log that JetBackup keeps of a run.

use serde_json::Value;

use super::text::one_line;

/// How much of a line is shown, in characters.
const LINE: usize = 250;
/// What is written in place of something that looks like a password.
const HIDDEN: &str = "***";
/// What stands before a secret, in lower case.
const SECRETS: [&str; 6] = ["password", "passwd", "secret", "token", "api_key", "apikey"];

/// The last lines of a log's text, each in one line of ours and with what looks like a secret left out; `None` where
/// the object holds no text. The text is `content`, as one text or as a list of lines.
pub(super) fn tail(log: &Value, lines: usize) -> Option<Vec<String>> {
    // An object, or a list with that one object.
    let log = log.as_array().and_then(|list| list.first()).unwrap_or(log);
    let all: Vec<&str> = match &log["content"] {
        Value::String(text) => text.lines().collect(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).flat_map(str::lines).collect(),
        _ => return None,
    };
    let mut last: Vec<String> = (all.iter().rev())
        .map(|line| one_line(&without_secrets(line), LINE))
        .filter(|line| !line.is_empty())
        .take(lines)
        .collect();
    last.reverse();
    Some(last).filter(|last| !last.is_empty())
}

/// The line without the words that follow `password=`, `token:` and the like.
fn without_secrets(line: &str) -> String {
    // Only ASCII letters change, and they keep their place.
    let lower = line.to_ascii_lowercase();
    let mut out = String::new();
    let mut at = 0;
    while let Some((name, begin)) = next_secret(&lower, at) {
        let value = begin + name;
        out.push_str(&line[at..value]);
        let end = line[value..].find([' ', '&', ',', ';', '"', '\'']).map_or(line.len(), |more| value + more);
        if end > value {
            out.push_str(HIDDEN);
        }
        at = end;
    }
    out.push_str(&line[at..]);
    out
}

/// Where the next name of a secret begins, and how far it is from there to its value.
fn next_secret(lower: &str, from: usize) -> Option<(usize, usize)> {
    let found = SECRETS.iter().filter_map(|name| {
        let mut begin = from;
        loop {
            let at = begin + lower[begin..].find(name)?;
            let after = at + name.len();
            let rest = &lower[after..];
            let skipped = rest.len() - rest.trim_start_matches(['"', '\'', ' ']).len();
            if rest[skipped..].starts_with(['=', ':']) {
                let value = &rest[skipped + 1..];
                let gap = value.len() - value.trim_start_matches(['"', '\'', ' ']).len();
                return Some((name.len() + skipped + 1 + gap, at));
            }
            begin = after;
        }
    });
    found.min_by_key(|(_, at)| *at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_lines_count_and_empty_ones_do_not() {
        let log = json!({"content": "one\n\ntwo \u{1b}[31m\nthree\n\n"});
        assert_eq!(tail(&log, 2).unwrap(), ["two [31m", "three"]);
        assert_eq!(tail(&json!([{"content": ["one", "two"]}]), 5).unwrap(), ["one", "two"]);
        for nothing in [json!({}), json!({"content": ""}), json!({"content": []}), json!([]), json!(null)] {
            assert_eq!(tail(&nothing, 5), None, "{nothing}");
        }
    }

    #[test]
    fn what_looks_like_a_secret_is_left_out() {
        for (line, shown) in [
            ("login password=hunter2 failed", "login password=*** failed"),
            ("{\"api_key\": \"abc\", \"x\": 1}", "{\"api_key\": \"***\", \"x\": 1}"),
            ("Token: abc&next=1", "Token: ***&next=1"),
            ("the password was wrong", "the password was wrong"),
            ("ñ PASSWD='ñandú' ñ", "ñ PASSWD='***' ñ"),
        ] {
            assert_eq!(without_secrets(line), shown);
        }
    }

    proptest! {
        #[test]
        fn any_text_makes_few_short_lines(text in any::<String>(), lines in 0usize..20) {
            let last = tail(&json!({"content": text}), lines).unwrap_or_default();
            prop_assert!(last.len() <= lines);
            for line in last {
                prop_assert!(line.chars().count() <= LINE + 1);
                prop_assert!(!line.contains(char::is_control));
            }
        }

        #[test]
        fn no_secret_stays(secret in "[a-zA-Z0-9]{8,20}", before in "[ a-z=\"]{0,10}") {
            let line = format!("{before} password={secret} after");
            prop_assert!(!without_secrets(&line).contains(&secret));
        }
    }
}
