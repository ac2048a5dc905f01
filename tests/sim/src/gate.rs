//! The gate's closed grammar, for worlds that are not behind the real gate.
//!
//! Written from the grammar's description, not from the gate, so that either can catch the other's mistakes.

use serde::{Deserialize, Serialize};

/// A word that widens what the gate lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Allow {
    /// `getLog`.
    Log,
    /// `getDestination` and `listDestinations`.
    Destination,
    /// `manageBackupJob`, `manageDestination` and `manageDestinationState`.
    Switch,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// The greeting, which the gate answers itself.
    Echo,
    /// `jetbackup5api` with these arguments.
    Api(Vec<String>),
}

/// What the values of a parameter may be.
#[derive(Clone, Copy)]
enum Values {
    Id,
    QueueType,
    Count,
    Direction,
    Flag,
    Only(&'static str),
}

impl Values {
    fn allow(self, value: &str) -> bool {
        let digits =
            |longest| (1..=longest).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
        match self {
            Self::Id => value.len() == 24 && value.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
            Self::QueueType => digits(3),
            Self::Count => digits(9),
            Self::Direction => matches!(value, "1" | "-1" | "%2D1"),
            Self::Flag => matches!(value, "0" | "1"),
            Self::Only(text) => value == text,
        }
    }
}

type Parameter = (&'static str, Values);

const PAGING: [Parameter; 2] = [("limit", Values::Count), ("skip", Values::Count)];
const SORTING: [Parameter; 2] =
    [("sort[created]", Values::Direction), ("sort[start_time]", Values::Direction)];
const ID: Parameter = ("_id", Values::Id);
const SWITCH: Parameter = ("disabled", Values::Flag);
const MODIFY: Parameter = ("action", Values::Only("modify"));

/// The parameters a function must and may have; `None` if it is not let through.
fn grammar(function: &str, allow: &[Allow]) -> Option<(Vec<Parameter>, Vec<Parameter>)> {
    let list = || [PAGING, SORTING].concat();
    Some(match function {
        "getInfo" => (vec![], vec![]),
        "getBackupJob" | "runBackupJobManually" | "stopQueueGroup" | "getQueueGroup" => (vec![ID], vec![]),
        "listBackupJobs" => (vec![], list()),
        "listQueueGroups" => (vec![("type", Values::QueueType)], list()),
        "listLogs" => {
            let find = [("find[type]", Values::Only("1")), ("find[info.ID]", Values::Id)];
            (vec![], [list(), find.to_vec()].concat())
        }
        "getLog" if allow.contains(&Allow::Log) => (vec![ID], vec![("content", Values::Only("1"))]),
        "getDestination" if allow.contains(&Allow::Destination) => (vec![ID], vec![]),
        "listDestinations" if allow.contains(&Allow::Destination) => (vec![], PAGING.to_vec()),
        "manageBackupJob" | "manageDestination" if allow.contains(&Allow::Switch) => {
            (vec![ID, SWITCH, MODIFY], vec![])
        }
        "manageDestinationState" if allow.contains(&Allow::Switch) => (vec![ID, SWITCH], vec![]),
        _ => return None,
    })
}

/// What a command line asks for, or `None` if the gate refuses it.
pub(crate) fn parse(line: &str, allow: &[Allow]) -> Option<Command> {
    if !line.starts_with("jetbackup5api -F ") && !line.starts_with("echo ") {
        return None;
    }
    let words: Vec<_> = line.split(' ').map(unquote).collect::<Option<_>>()?;
    let (function, parameters) = match words.as_slice() {
        ["echo", "jetbackup-remote-ok"] => return Some(Command::Echo),
        ["jetbackup5api", "-F", function] | ["jetbackup5api", "-F", function, "-O", "json"] => (function, ""),
        ["jetbackup5api", "-F", function, "-D", data]
        | ["jetbackup5api", "-F", function, "-D", data, "-O", "json"] => (function, *data),
        _ => return None,
    };
    let (required, optional) = grammar(function, allow)?;
    let given: Vec<_> = if parameters.is_empty() {
        Vec::new()
    } else {
        parameters.split('&').map(|pair| pair.split_once('=')).collect::<Option<_>>()?
    };
    let fits = |(key, value): &(&str, &str)| {
        let known = required.iter().chain(&optional).find(|(name, _)| name == key);
        known.is_some_and(|(_, values)| values.allow(value))
    };
    let once = |key: &str| given.iter().filter(|(name, _)| *name == key).count() == 1;
    let complete = required.iter().all(|(name, _)| once(name)) && given.iter().all(|(name, _)| once(name));
    (complete && given.iter().all(fits))
        .then(|| Command::Api(words[1..].iter().map(|word| (*word).to_owned()).collect()))
}

/// A word without its quotes; `None` if it is empty, half quoted, or has a character that means something to a shell.
fn unquote(word: &str) -> Option<&str> {
    let quoted = |mark| word.strip_prefix(mark).and_then(|rest: &str| rest.strip_suffix(mark));
    let bare = quoted('\'').or_else(|| quoted('"')).unwrap_or(word);
    let harmless = |c: char| c.is_ascii_alphanumeric() || "_-.=&%[]".contains(c);
    (!bare.is_empty() && bare.chars().all(harmless)).then_some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Allow; 3] = [Allow::Log, Allow::Destination, Allow::Switch];
    const JOB: &str = "_id=0123456789abcdef01234567";

    fn passes(line: &str) -> bool {
        parse(line, &ALL).is_some()
    }

    #[test]
    fn values_may_be_bare_or_quoted() {
        for line in [
            format!("jetbackup5api -F getBackupJob -D {JOB} -O json"),
            format!("jetbackup5api -F getBackupJob -D '{JOB}' -O json"),
            format!("jetbackup5api -F getBackupJob -D \"{JOB}\""),
            "jetbackup5api -F getInfo -O json".to_owned(),
            "jetbackup5api -F listQueueGroups -D 'type=1&limit=500&sort[created]=%2D1' -O json".to_owned(),
            format!("jetbackup5api -F manageBackupJob -D 'action=modify&{JOB}&disabled=1' -O json"),
        ] {
            assert!(passes(&line), "{line}");
        }
        assert_eq!(parse("echo \"jetbackup-remote-ok\"", &[]), Some(Command::Echo));
        assert_eq!(parse("echo jetbackup-remote-ok", &[]), Some(Command::Echo));
    }

    #[test]
    fn anything_else_is_refused() {
        for line in [
            String::new(),
            "jetbackup5api".to_owned(),
            "jetbackup5api -F clearQueue -O json".to_owned(),
            "jetbackup5api -F getBackupJob -O json".to_owned(),
            format!("jetbackup5api  -F getBackupJob -D {JOB}"),
            format!("jetbackup5api -F getBackupJob -D {JOB} "),
            format!("jetbackup5api -F getBackupJob -D '{JOB}\""),
            format!("jetbackup5api -F getBackupJob -D {JOB}; reboot"),
            format!("jetbackup5api -F getBackupJob -D {JOB}&{JOB}"),
            format!("jetbackup5api -F getBackupJob -D {JOB}&limit=1"),
            format!("jetbackup5api -F getBackupJob -D {}", JOB.to_uppercase()),
            format!("jetbackup5api -F manageBackupJob -D {JOB}&disabled=1"),
            "jetbackup5api -F listQueueGroups -D sort[created]=-1".to_owned(),
            "jetbackup5api -F listQueueGroups -D type=1000".to_owned(),
        ] {
            assert!(!passes(&line), "{line}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_the_closed_grammar_passes(line in ".*", tail in "[^a-z]{1,3}") {
            prop_assert!(line.starts_with("echo ") || !passes(&line));
            prop_assert!(!passes(&format!("jetbackup5api -F getInfo -O json{tail}")), "{tail:?}");
        }
    }

    #[test]
    fn extras_need_their_word() {
        let line = format!("jetbackup5api -F getDestination -D {JOB} -O json");
        assert_eq!(parse(&line, &[Allow::Log, Allow::Switch]), None);
        assert!(parse(&line, &[Allow::Destination]).is_some());
    }
}
