//! The gate on a server: which one it is, what it opens, and that it refuses what it must.

use super::finding::Finding;
use crate::config::{Config, Server};
use crate::ssh::Output;

/// The version that comes with this program. The gate has its own, which changes when the gate does.
const OURS: &str = "1";
const REFUSAL: &str = "ERROR: Command not allowed";
const TAG: &str = "jetbackup-ssh-gate ";
/// What every command must be answered with that is none of the gate's.
pub(super) const SHELL: &str = "id";
/// More of what a gate must refuse, with what each would show. None of them changes anything where none does.
pub(super) const FORBIDDEN: [(&str, &str); 6] = [
    ("sh", "a bare shell"),
    ("jetbackup5api -F getInfo; id", "a second command"),
    ("echo \"jetbackup-remote-ok\" | id", "a pipe"),
    ("jetbackup5api -F getInfo\nid", "a second line"),
    ("jetbackup5api -F getBackupJob -D _id=000000000000000000000000$(id)", "a substitution"),
    ("jetbackup5api -F listAccounts -D 'limit=1' -O json", "a function that is not needed"),
];
const INSTALL: &str = "install gate/jetbackup-ssh-gate.sh on the server (gate/install.sh), and have authorized_keys \
                       start it for this key (restrict,command=\"…\")";

/// What became of a command that must be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was refused by a gate, which may have said more of itself.
    Refused(Option<Gate>),
    /// It was run.
    Run,
    /// Something else happened, which is no gate's refusal.
    Odd(String),
}

/// What a gate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gate {
    version: String,
    /// The words of `--allow`.
    allow: Vec<String>,
}

/// What the answer to a forbidden command means.
pub(super) fn judge(output: &Output) -> Verdict {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let all = || output.stderr.lines().chain(stdout.lines());
    if output.exit != 0 && all().any(|line| line.starts_with(REFUSAL)) && !all().any(is_identity) {
        return Verdict::Refused(all().find_map(introduction));
    }
    // 126 and 127: a shell has looked for the program.
    if output.exit == 0 || matches!(output.exit, 126 | 127) || all().any(is_identity) {
        return Verdict::Run;
    }
    Verdict::Odd(all().find(|line| !line.trim().is_empty()).unwrap_or("no word").chars().take(120).collect())
}

/// What `id` prints.
fn is_identity(line: &str) -> bool {
    line.contains("uid=")
}

/// `jetbackup-ssh-gate 1 --allow log --allow destination`
fn introduction(line: &str) -> Option<Gate> {
    let mut words = line.strip_prefix(TAG)?.split_whitespace();
    let version = words.next()?.to_owned();
    numbers(&version)?;
    let mut allow = Vec::new();
    while let Some(word) = words.next() {
        (word == "--allow").then_some(())?;
        allow.push(words.next()?.to_owned());
    }
    Some(Gate { version, allow })
}

fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|number| number.parse().ok()).collect()
}

/// The way in without a gate.
pub(super) fn shell() -> Finding {
    Finding::failure("gate", "the key gives a shell: whoever has it is that user there", INSTALL)
}

/// Which gate it is.
pub(super) fn version(gate: Option<&Gate>) -> Finding {
    const CHECK: &str = "gate version";
    let update = "update it: copy gate/ to the server and run gate/install.sh there";
    let Some(gate) = gate else {
        let text = format!("it does not tell its version, so it is older than {OURS}");
        return Finding::warning(CHECK, text, update);
    };
    match numbers(&gate.version).cmp(&numbers(OURS)) {
        std::cmp::Ordering::Less => {
            let text = format!("{}, older than the {OURS} this program comes with", gate.version);
            Finding::warning(CHECK, text, update)
        }
        _ => Finding::ok(CHECK, gate.version.clone()),
    }
}

/// Whether it refused what it must: the verdicts on `FORBIDDEN` and on `SHELL`, and how many those are.
pub(super) fn denies(passed: &[&str], asked: usize) -> Finding {
    const CHECK: &str = "gate refuses";
    if passed.is_empty() {
        return Finding::ok(CHECK, format!("all of {asked} commands that it must refuse"));
    }
    Finding::failure(CHECK, format!("it lets through {}", passed.join(", ")), INSTALL)
}

/// What it opens, and what the configuration needs. `opens` says so for words that were tried out on an older gate.
pub(super) fn allowance(
    config: &Config,
    server: &Server,
    gate: Option<&Gate>,
    tried: &[(&'static str, bool)],
) -> Vec<Finding> {
    const CHECK: &str = "gate allows";
    let has = |word: &str| match gate {
        Some(gate) => Some(gate.allow.iter().any(|has| has == word)),
        None => tried.iter().find(|(known, _)| *known == word).map(|(_, has)| *has),
    };
    let open: Vec<&str> =
        ["log", "destination", "switch"].into_iter().filter(|word| has(word) == Some(true)).collect();
    let open =
        if open.is_empty() { "nothing beyond what is always open".to_owned() } else { open.join(", ") };
    let mut findings = Vec::new();
    let (rules, own) = (config.destination, server.destination_id.is_some());
    let mut missing = |word: &str, what: &str, is_failure: bool| {
        if has(word) == Some(false) {
            let text = format!("{word} is not open: {what}");
            let advice = format!("add --allow {word} to the gate's line in authorized_keys there");
            findings.push(match is_failure {
                true => Finding::failure(CHECK, text, advice),
                false => Finding::warning(CHECK, text, advice),
            });
        }
    };
    if own && rules.force_activate {
        missing("destination", "the destination cannot be asked about before it is enabled", true);
        missing("switch", "the destination cannot be enabled (destination.force_activate)", true);
    } else if own && rules.skip_if_disabled {
        missing(
            "destination",
            "whether the destination is disabled is not known (destination.skip_if_disabled)",
            false,
        );
    }
    if has("switch") == Some(true) && !(own && rules.force_activate) {
        findings.push(Finding::warning(
            CHECK,
            "switch is open, and nothing here enables or disables anything",
            "take --allow switch out of the gate's line in authorized_keys there",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, format!("{open}: enough for this configuration")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::doctor::finding::Level;

    fn output(exit: u32, stdout: &str, stderr: &str) -> Output {
        Output { stdout: stdout.into(), stderr: stderr.into(), exit }
    }

    fn gate(version: &str, allow: &[&str]) -> Gate {
        Gate { version: version.into(), allow: allow.iter().map(|&word| word.to_owned()).collect() }
    }

    #[test]
    fn a_refusal_tells_which_gate_it_is() {
        let refused = |more: &str| judge(&output(1, "", &format!("ERROR: Command not allowed: id\n{more}")));
        assert_eq!(refused(""), Verdict::Refused(None));
        assert_eq!(
            refused("jetbackup-ssh-gate 1.2.3 --allow log --allow switch\n"),
            Verdict::Refused(Some(gate("1.2.3", &["log", "switch"])))
        );
        assert_eq!(refused("jetbackup-ssh-gate 1.2.3\n"), Verdict::Refused(Some(gate("1.2.3", &[]))));
        assert_eq!(refused("jetbackup-ssh-gate new --allow log\n"), Verdict::Refused(None));
        assert_eq!(refused("jetbackup-ssh-gate 1.2.3 --allow\n"), Verdict::Refused(None));
    }

    #[test]
    fn what_was_run_is_told_from_what_was_not() {
        assert_eq!(judge(&output(0, "uid=0(root) gid=0(root)\n", "")), Verdict::Run);
        assert_eq!(judge(&output(0, "", "")), Verdict::Run);
        assert_eq!(judge(&output(127, "", "sh: 1: id: not found\n")), Verdict::Run);
        let both = "ERROR: Command not allowed: x\nuid=0(root)\n";
        assert_eq!(judge(&output(1, both, "")), Verdict::Run, "refused and run all the same");
        assert_eq!(
            judge(&output(1, "", "This account is not available.\n")),
            Verdict::Odd("This account is not available.".into())
        );
    }

    #[test]
    fn an_older_gate_is_to_be_updated() {
        assert_eq!(version(None).level, Level::Warning);
        assert_eq!(version(Some(&gate("0", &[]))).level, Level::Warning);
        assert_eq!(version(Some(&gate(OURS, &[]))).level, Level::Ok);
        assert_eq!(version(Some(&gate("99", &[]))).level, Level::Ok);
        let script = include_str!("../../gate/jetbackup-ssh-gate.sh");
        assert!(script.contains(&format!("\nVERSION={OURS}\n")));
    }

    #[test]
    fn what_is_open_is_compared_with_what_is_needed() {
        let config = |destination: &str, rules: &str| {
            let text = format!(
                r#"{{"ssh_key": "/k", "servers": {{"web1": {{"host": "h"{destination}}}}}, "destination": {rules},
                    "jobs": [{{"server": "web1", "job_id": "000000000000000000000001"}}]}}"#
            );
            crate::config::parse(&text, "config.json".as_ref()).unwrap().config
        };
        let id = r#", "destination_id": "000000000000000000000077""#;
        let force = r#"{"force_activate": true}"#;
        for (destination, rules, open, levels) in [
            ("", "{}", &[][..], &[Level::Ok][..]),
            ("", "{}", &["log", "destination"], &[Level::Ok]),
            ("", "{}", &["switch"], &[Level::Warning]),
            (id, "{}", &[], &[Level::Warning]),
            (id, "{}", &["destination"], &[Level::Ok]),
            (id, force, &["destination", "switch"], &[Level::Ok]),
            (id, force, &["destination"], &[Level::Failure]),
            (id, force, &[], &[Level::Failure, Level::Failure]),
        ] {
            let config = config(destination, rules);
            let found = allowance(&config, &config.servers[0], Some(&gate(OURS, open)), &[]);
            let found: Vec<Level> = found.iter().map(|finding| finding.level).collect();
            assert_eq!(found, levels, "{destination} {rules} {open:?}");
        }
        let config = config(id, "{}");
        let found = allowance(&config, &config.servers[0], None, &[("destination", false)]);
        assert_eq!(found[0].level, Level::Warning, "tried out");
    }

    proptest! {
        #[test]
        fn any_answer_has_a_verdict(exit: u32, stdout: Vec<u8>, stderr: String) {
            let _ = judge(&Output { stdout, stderr, exit });
        }

        #[test]
        fn no_introduction_is_misread(line in "jetbackup-ssh-gate [0-9. a-z-]{0,40}") {
            if let Some(gate) = introduction(&line) {
                prop_assert!(numbers(&gate.version).is_some());
            }
        }
    }
}
