//! Random and mutated commands: the script and the oracle must agree on each, to the last argument.

use crate::harness::{API_STATUS, Shell, World, refusal, shown};
use crate::oracle::{FUNCTIONS, Function, Verdict, decide};
use std::os::unix::fs::symlink;

/// How many commands each shell gets.
const CASES: usize = 500;

/// Reproduces a failure: the seed that it printed.
const SEED_VARIABLE: &str = "JETBACKUP_GATE_SEED";

/// A small generator (SplitMix64): the same numbers everywhere for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// What a mutation puts in: words of the grammar, near misses, and what shells care about.
const PIECES: [&str; 54] = [
    " ",
    "  ",
    "\t",
    "\n",
    "\r",
    "'",
    "\"",
    "''",
    "\\",
    "$",
    "`",
    "$(x)",
    "${x}",
    ";",
    "&",
    "&&",
    "|",
    ">",
    "<",
    "*",
    "?",
    "[x]",
    "{x,y}",
    "~",
    "!",
    "#",
    "%",
    "%2D1",
    "%00",
    "=",
    "-1",
    "-D",
    " -D ",
    " -O json",
    " -F ",
    "-F getInfo",
    "jetbackup5api",
    "/usr/bin/",
    "echo",
    "_id=",
    "limit=1",
    "&limit=1",
    "&skip=0",
    "&type=1",
    "disabled=1",
    "action=modify",
    "find[type]=1",
    "&sort[created]=1",
    "0",
    "a",
    "clearQueue",
    "\u{e9}",
    "\u{1b}",
    "64abcdef0123456789abcdef",
];

fn value(random: &mut Random, key: &str) -> String {
    let digits = |random: &mut Random, most: usize| {
        (0..=random.below(most)).map(|_| char::from(b'0' + u8::try_from(random.below(10)).unwrap())).collect()
    };
    match key {
        "_id" | "find[info.ID]" => {
            (0..24).map(|_| char::from(b"0123456789abcdefABCDEF"[random.below(22)])).collect()
        }
        // One digit more than is allowed now and then.
        "type" => digits(random, 4),
        "limit" | "skip" => digits(random, 7),
        "sort[created]" | "sort[start_time]" => random.pick(&["1", "-1", "%2D1"]).to_owned(),
        "disabled" => random.pick(&["0", "1"]).to_owned(),
        "action" => "modify".to_owned(),
        _ => "1".to_owned(),
    }
}

fn quoted(random: &mut Random, word: &str) -> String {
    let quote = random.pick(&["", "'", "\""]);
    format!("{quote}{word}{quote}")
}

/// A command that is mostly right.
fn sensible(random: &mut Random) -> String {
    if random.chance(3) {
        return format!("echo {}", quoted(random, "jetbackup-remote-ok"));
    }
    let Function { name, required, optional, .. } = &FUNCTIONS[random.below(FUNCTIONS.len())];
    let mut keys: Vec<&str> = required.to_vec();
    keys.extend(optional.iter().filter(|_| random.chance(40)));
    match random.below(12) {
        0 => keys.push(random.pick(&["_id", "limit", "content", "disabled", "type", "find[type]"])),
        1 => drop(keys.pop()),
        2 => keys.extend_from_within(..keys.len().min(1)),
        _ => {}
    }
    for at in (1..keys.len()).rev() {
        keys.swap(at, random.below(at + 1));
    }
    let data: Vec<_> = keys.iter().map(|key| format!("{key}={}", value(random, key))).collect();

    let mut command = random.pick(&["jetbackup5api", "jetbackup5api", "/usr/bin/jetbackup5api"]).to_owned();
    command += &format!(" -F {}", quoted(random, name));
    if !data.is_empty() {
        command += &format!(" -D {}", quoted(random, &data.join("&")));
    }
    if random.chance(70) {
        command += &format!(" -O {}", quoted(random, "json"));
    }
    command
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len() + 1);
    let end = (at + random.below(12)).min(bytes.len());
    match random.below(7) {
        0 => drop(bytes.drain(at..end)),
        1 => drop(bytes.splice(at..at, random.pick(&PIECES).bytes())),
        2 => drop(bytes.splice(at..end, random.pick(&PIECES).bytes())),
        3 => bytes.insert(at, u8::try_from(1 + random.below(255)).unwrap()),
        4 => {
            let copy = bytes[at..end].to_vec();
            drop(bytes.splice(end..end, copy));
        }
        5 => {
            // Words in another order.
            let mut words: Vec<_> = bytes.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect();
            let (one, other) = (random.below(words.len()), random.below(words.len()));
            words.swap(one, other);
            *bytes = words.join(&b' ');
        }
        _ => {
            // The beginning of this and the end of another one.
            let other = sensible(random).into_bytes();
            let from = random.below(other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
    }
}

fn command(random: &mut Random) -> Vec<u8> {
    let mut bytes = match random.below(20) {
        0 => (0..random.below(200)).map(|_| u8::try_from(1 + random.below(255)).unwrap()).collect(),
        1 => (0..random.below(20)).flat_map(|_| random.pick(&PIECES).bytes()).collect(),
        _ => sensible(random).into_bytes(),
    };
    if random.chance(55) {
        for _ in 0..=random.below(3) {
            mutate(random, &mut bytes);
        }
    }
    if bytes.is_empty() {
        bytes.push(b' ');
    }
    bytes
}

fn agrees_under(shell: Shell) {
    let seed = std::env::var(SEED_VARIABLE).map_or_else(
        |_| u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() % (1 << 63)).unwrap(),
        |seed| seed.parse().expect("the seed is a number"),
    );
    eprintln!("{shell:?}: {SEED_VARIABLE}={seed}");
    let mut random = Random(seed);
    let world = World::new(shell);
    // The log has its own tests.
    std::fs::remove_file(world.path("bin/logger")).unwrap();
    symlink("/bin/true", world.path("bin/logger")).unwrap();

    let (mut calls, mut denials) = (0, 0);
    for case in 0..CASES {
        let allow: Vec<_> =
            ["log", "destination", "switch"].into_iter().filter(|_| random.chance(75)).collect();
        let sent = command(&mut random);
        let outcome = world.run(&allow, &sent);
        let context = format!(
            "{shell:?}, {SEED_VARIABLE}={seed}, case {case}, allow {allow:?}: {:?}: {outcome:?}",
            sent.escape_ascii().to_string()
        );
        assert!(outcome.tripped.is_empty(), "{context}");
        match decide(&allow, &sent) {
            Verdict::Hello => {
                assert_eq!(outcome.stdout, b"jetbackup-remote-ok\n", "{context}");
                assert_eq!((outcome.status, outcome.calls.len()), (Some(0), 0), "{context}");
            }
            Verdict::Call(vector) => {
                calls += 1;
                assert_eq!(outcome.calls, [vector], "{context}");
                assert_eq!(outcome.status, Some(API_STATUS), "{context}");
            }
            Verdict::Denied => {
                denials += 1;
                assert!(outcome.calls.is_empty() && outcome.stdout.is_empty(), "{context}");
                assert_eq!(outcome.status, Some(1), "{context}");
                let said = refusal(&shown(&sent), &allow);
                assert_eq!(String::from_utf8_lossy(&outcome.stderr), said, "{context}");
            }
        }
    }
    // Otherwise it has proved nothing.
    assert!(calls > CASES / 10 && denials > CASES / 10, "{calls} calls, {denials} denials of {CASES}");
}

#[test]
fn script_and_oracle_agree_under_dash() {
    agrees_under(Shell::Dash);
}

#[test]
fn script_and_oracle_agree_under_bash() {
    agrees_under(Shell::Bash);
}

#[test]
fn script_and_oracle_agree_under_bash_posix() {
    agrees_under(Shell::BashPosix);
}

#[test]
fn script_and_oracle_agree_under_busybox() {
    agrees_under(Shell::BusyboxAsh);
}
