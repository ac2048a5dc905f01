//! Every target with every input of its corpus, and with random changes of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jetbackup_sim::{Bools, Destination, Dialect, FailureData, Job, Run, World};
use proptest::prelude::*;
use proptest::sample::Index;

use super::{TARGETS, Target};

/// Inputs by the names of their files.
type Corpus = BTreeMap<String, Vec<u8>>;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

fn corpus(target: &str) -> Corpus {
    let files = fs::read_dir(folder(target)).unwrap_or_else(|error| panic!("{target}: {error}"));
    let read = |file: fs::DirEntry| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap());
    files.map(|file| read(file.unwrap())).collect()
}

/// One change of an input.
#[derive(Debug, Clone)]
enum Change {
    Flip(Index, u8),
    Cut(Index, Index),
    Repeat(Index, Index),
    Insert(Index, &'static str),
    /// The rest is another input's.
    Splice(Index, Index, Index),
}

/// What readers stumble over.
const STUMBLING: [&str; 24] = [
    "\0",
    "\n",
    "\r\n",
    " ",
    "\"",
    "\\",
    "\\u0000",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "true",
    "-0",
    "1e999",
    "99999999999999999999",
    "\u{feff}",
    "\u{202e}",
    "é",
    "*",
    "|1|",
    "\u{fffd}",
];

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Flip(at, byte)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Cut(from, to)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Repeat(from, to)),
        (any::<Index>(), prop::sample::select(&STUMBLING[..]))
            .prop_map(|(at, text)| Change::Insert(at, text)),
        (any::<Index>(), any::<Index>(), any::<Index>())
            .prop_map(|(at, other, from)| Change::Splice(at, other, from)),
    ]
}

fn changed(mut input: Vec<u8>, changes: &[Change], all: &[&Vec<u8>]) -> Vec<u8> {
    let span = |input: &[u8], from: &Index, to: &Index| {
        let (from, to) = (from.index(input.len() + 1), to.index(input.len() + 1));
        from.min(to)..from.max(to)
    };
    for change in changes {
        match change {
            Change::Flip(at, byte) if !input.is_empty() => {
                let at = at.index(input.len());
                input[at] ^= byte;
            }
            Change::Flip(..) => {}
            Change::Cut(from, to) => drop(input.drain(span(&input, from, to))),
            Change::Repeat(from, to) => {
                let span = span(&input, from, to);
                let again = input[span.start..span.end.min(span.start + 64)].to_vec();
                input.splice(span.end..span.end, again);
            }
            Change::Insert(at, text) => {
                let at = at.index(input.len() + 1);
                input.splice(at..at, text.bytes());
            }
            Change::Splice(at, other, from) => {
                let other = all[other.index(all.len())];
                input.truncate(at.index(input.len() + 1));
                input.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
        }
    }
    input
}

/// Runs a target with its corpus and `cases` changes of it.
fn drive(name: &str, cases: u32) {
    let target: Target = TARGETS.iter().find(|(known, _)| *known == name).unwrap().1;
    let corpus = corpus(name);
    assert!(!corpus.is_empty());
    corpus.values().for_each(|input| target(input));
    let all: Vec<&Vec<u8>> = corpus.values().collect();
    let changes = (any::<Index>(), prop::collection::vec(change(), 1..6));
    let mut config = ProptestConfig::with_cases(cases);
    config.source_file = Some(file!());
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let run = runner.run(&changes, |(which, changes)| {
        target(&changed(all[which.index(all.len())].clone(), &changes, &all));
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{name}: {error}"));
}

#[test]
fn any_answer_of_a_server_is_understood_or_refused() {
    drive("answer", 10_000);
}

#[test]
fn any_command_over_mqtt_is_configured_or_refused() {
    drive("command", 15_000);
}

#[test]
fn any_configuration_makes_sense_or_is_refused() {
    drive("config", 2000);
}

#[test]
fn any_line_over_the_socket_is_understood_or_refused() {
    drive("control", 20_000);
}

#[test]
fn any_known_hosts_file_is_understood_or_refused() {
    drive("known_hosts", 20_000);
}

#[test]
fn any_schedule_goes_on_or_is_refused() {
    drive("schedule", 10_000);
}

#[test]
fn any_url_tells_its_host_or_nothing() {
    drive("url", 30_000);
}

/// What a simulated server says, in each of its ways: the beginning of what can be changed.
#[test]
fn the_corpus_of_answers_is_what_servers_say() {
    let id = jetbackup_sim::id;
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let dialects = [
        Dialect::default(),
        Dialect {
            bools: Bools::Text,
            numbers_as_text: true,
            lists_as_objects: true,
            failure_data: FailureData::Null,
        },
        Dialect {
            bools: Bools::NullFalse,
            numbers_as_text: false,
            lists_as_objects: false,
            failure_data: FailureData::Missing,
        },
    ];
    let calls = [
        ("info", "getInfo", String::new()),
        ("jobs", "listBackupJobs", "type=1".to_owned()),
        ("job", "getBackupJob", format!("_id={}", id(1))),
        ("groups", "listQueueGroups", "type=1".to_owned()),
        ("logs", "listLogs", format!("find[type]=1&find[info.ID]={}", id(1))),
        ("destination", "getDestination", format!("_id={}", id(70))),
        ("triggered", "runBackupJobManually", format!("_id={}", id(2))),
        ("refused", "runBackupJobManually", format!("_id={}", id(9))),
        ("no_group", "stopQueueGroup", format!("_id={}", id(9))),
    ];
    let mut said = Corpus::new();
    for (dialect, number) in dialects.into_iter().zip(1..) {
        let mut world = World::new("sim")
            .job(Job::new(id(1), "Accounts").destination(id(70)).runs(Run::partial()))
            .job(Job::new(id(2), "Databases").databases())
            .job(Job::new(id(3), "Config").config())
            .destination(Destination::new(id(70), "NAS").disk(93, 7, 100))
            .dialect(dialect);
        world.start_by_person(&id(1), at("2026-01-10T02:00:00Z"));
        let now = at("2026-01-10T03:00:00Z");
        for (name, function, data) in &calls {
            let reply = world.call(now, &["-F", function, "-D", data, "-O", "json"]);
            let exit = u8::try_from(reply.exit).unwrap();
            said.insert(format!("{name}-{number}.json"), [&[exit][..], &reply.stdout].concat());
        }
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        for (name, answer) in &said {
            fs::write(folder("answer").join(name), answer).unwrap();
        }
    }
    let corpus = corpus("answer");
    for (name, answer) in &said {
        assert!(corpus.get(name) == Some(answer), "{name} differs; UPDATE_GOLDEN=1 accepts what is now");
    }
}
