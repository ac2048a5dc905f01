//! The gate's grammar once more, written from its table and not from the script: the two must agree.

use std::collections::BTreeMap;

/// What should become of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The gate answers `jetbackup-remote-ok`.
    Hello,
    /// `jetbackup5api` is started with these arguments.
    Call(Vec<String>),
    Denied,
}

/// One function: its name, the `--allow` word it needs (or none), the keys it must and may have.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) needs: Option<&'static str>,
    pub(crate) required: &'static [&'static str],
    pub(crate) optional: &'static [&'static str],
}

const fn function(
    name: &'static str,
    needs: Option<&'static str>,
    required: &'static [&'static str],
    optional: &'static [&'static str],
) -> Function {
    Function { name, needs, required, optional }
}

const LIST: &[&str] = &["limit", "skip", "sort[created]", "sort[start_time]"];

/// The whole grammar.
pub(crate) const FUNCTIONS: [Function; 14] = [
    function("getInfo", None, &[], &[]),
    function("getBackupJob", None, &["_id"], &[]),
    function("runBackupJobManually", None, &["_id"], &[]),
    function("stopQueueGroup", None, &["_id"], &[]),
    function("getQueueGroup", None, &["_id"], &[]),
    function("listBackupJobs", None, &[], LIST),
    function("listQueueGroups", None, &["type"], LIST),
    function("listLogs", None, &["find[type]", "find[info.ID]"], LIST),
    function("getLog", Some("log"), &["_id", "content"], &[]),
    function("getDestination", Some("destination"), &["_id"], &[]),
    function("listDestinations", Some("destination"), &[], &["limit", "skip"]),
    function("manageBackupJob", Some("switch"), &["_id", "disabled", "action"], &[]),
    function("manageDestination", Some("switch"), &["_id", "disabled", "action"], &[]),
    function("manageDestinationState", Some("switch"), &["_id", "disabled"], &[]),
];

/// Decides about `sent` for a key with the words `allow`.
pub(crate) fn decide(allow: &[&str], sent: &[u8]) -> Verdict {
    understand(allow, sent).unwrap_or(Verdict::Denied)
}

fn understand(allow: &[&str], sent: &[u8]) -> Option<Verdict> {
    let text = std::str::from_utf8(sent).ok()?;
    if text.len() > 1024 {
        return None;
    }
    let words: Vec<(String, bool)> = text.split(' ').map(word).collect::<Option<_>>()?;
    let plain: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
    let quoted = |at: usize| words.get(at).is_some_and(|(_, quoted)| *quoted);

    if plain == ["echo", "jetbackup-remote-ok"] && !quoted(0) {
        return Some(Verdict::Hello);
    }
    // Program and option names are never quoted: they stand at the even places but for the program's own shift.
    if !matches!(*plain.first()?, "jetbackup5api" | "/usr/bin/jetbackup5api") || quoted(0) {
        return None;
    }
    if (1..words.len()).step_by(2).any(quoted) {
        return None;
    }
    let (name, data, json) = match plain[1..] {
        ["-F", name] => (name, None, false),
        ["-F", name, "-O", "json"] => (name, None, true),
        ["-F", name, "-D", data] => (name, Some(data), false),
        ["-F", name, "-D", data, "-O", "json"] => (name, Some(data), true),
        _ => return None,
    };
    let function = FUNCTIONS.iter().find(|function| function.name == name)?;
    if function.needs.is_some_and(|word| !allow.contains(&word)) {
        return None;
    }
    let mut parameters = BTreeMap::new();
    for pair in data.map(|data| data.split('&')).into_iter().flatten() {
        let (key, value) = pair.split_once('=')?;
        if parameters.insert(key, value).is_some() || !is_value(key, value) {
            return None;
        }
    }
    let known = |key: &&str| function.required.contains(key) || function.optional.contains(key);
    if !parameters.keys().all(known) || !function.required.iter().all(|key| parameters.contains_key(key)) {
        return None;
    }
    let mut vector = vec!["-F".to_owned(), name.to_owned()];
    if let Some(data) = data {
        vector.extend(["-D".to_owned(), data.to_owned()]);
    }
    if json {
        vector.extend(["-O".to_owned(), "json".to_owned()]);
    }
    Some(Verdict::Call(vector))
}

/// A word without its quotes, and whether it had some.
fn word(raw: &str) -> Option<(String, bool)> {
    for quote in ['\'', '"'] {
        if let Some(inner) = raw.strip_prefix(quote) {
            let inner = inner.strip_suffix(quote)?;
            return (!inner.is_empty() && !inner.contains(['\'', '"'])).then(|| (inner.to_owned(), true));
        }
    }
    (!raw.is_empty() && !raw.contains(['\'', '"'])).then(|| (raw.to_owned(), false))
}

fn is_value(key: &str, value: &str) -> bool {
    let digits =
        |most: usize| (1..=most).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
    match key {
        "_id" | "find[info.ID]" => value.len() == 24 && value.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "type" => digits(3),
        "limit" | "skip" => digits(6),
        "sort[created]" | "sort[start_time]" => matches!(value, "1" | "-1" | "%2D1"),
        "find[type]" | "content" => value == "1",
        "disabled" => matches!(value, "0" | "1"),
        "action" => value == "modify",
        _ => false,
    }
}
