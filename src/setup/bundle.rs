//! The gate's installation as one shell script that needs nothing beside it: `… gate | ssh root@web1 sh`.

use std::fmt::{self, Write as _};

const INSTALLER: &str = include_str!("../../gate/install.sh");
const GATE: &str = include_str!("../../gate/jetbackup-ssh-gate.sh");
/// What ends the scripts inside; a line that neither of them has.
const END: &str = "END-OF-A-FILE-OF-JETBACKUP-REMOTE";

/// More of JetBackup's API that a gate may let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Allow {
    /// Read what a backup wrote into its log.
    Log,
    /// See destinations and their free space.
    Destination,
    /// Enable and disable jobs and destinations.
    Switch,
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "log",
            Self::Destination => "destination",
            Self::Switch => "switch",
        })
    }
}

/// What the installer is told.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// The public key that is let in; without one only the gate itself is installed.
    pub key: Option<String>,
    /// Where the key may come from: addresses, networks and patterns with commas between them.
    pub from: Option<String>,
    /// What is opened beside the usual.
    pub allow: Vec<Allow>,
}

/// The script. Arguments given to it (`sh -s -- --allow log`) are passed to the installer behind those of the order.
#[must_use]
pub fn bundle(order: &Order) -> String {
    let mut arguments = String::new();
    let mut add = |option: &str, value: &str| {
        // Writing to a text cannot fail.
        let _ = write!(arguments, " {option} {}", quoted(value));
    };
    if let Some(key) = &order.key {
        add("--key", key);
    }
    if let Some(from) = &order.from {
        add("--from", from);
    }
    for word in &order.allow {
        add("--allow", &word.to_string());
    }
    if order.key.is_some() {
        arguments.push_str(" --add");
    }
    let version = env!("CARGO_PKG_VERSION");
    format!(
        r#"#!/bin/sh
# Installs the SSH gate of jetbackup-remote {version} on a JetBackup server; to be run there as root. Made by
# `jetbackup-remote gate`. It holds the installer and the gate, both unpacked into a temporary folder, and calls
# the installer with the arguments at the end.
# SPDX-License-Identifier: AGPL-3.0-or-later

# One function, called by the last line: a stream that breaks off runs nothing.
install_gate() {{
    set -eu
    umask 077
    folder=$(mktemp -d)
    trap 'rm -rf -- "$folder"' EXIT
    trap 'exit 1' HUP INT TERM
    cat >"$folder/jetbackup-ssh-gate.sh" <<'{END}'
{GATE}{END}
    cat >"$folder/install.sh" <<'{END}'
{INSTALLER}{END}
    sh "$folder/install.sh"{arguments} "$@" </dev/null
}}
install_gate "$@"
"#
    )
}

/// A text as a person would write it for a shell: in quotes only where it needs them.
#[must_use]
pub fn shell_word(text: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | ':' | '@' | ',' | '+');
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_files_inside_cannot_end_early_and_end_with_a_line() {
        for file in [INSTALLER, GATE] {
            assert!(!file.contains(END) && file.ends_with('\n'));
        }
    }

    #[test]
    fn a_value_is_one_word_whatever_it_holds() {
        for text in ["", "a b", "it's", "$(id) `id` \\ \"", "a\nb"] {
            let printed =
                Command::new("sh").args(["-c", &format!("printf %s {}", quoted(text))]).output().unwrap();
            assert_eq!(String::from_utf8(printed.stdout).unwrap(), text);
        }
    }

    /// A script cut anywhere does nothing at all: no folder is made, nothing is installed.
    #[test]
    fn a_stream_that_breaks_off_does_nothing() {
        let order = Order { key: Some("ssh-ed25519 AAAA x".into()), ..Order::default() };
        let script = bundle(&order);
        let whole = script.trim_end().len();
        let last_line = script.trim_end().rfind('\n').unwrap();
        for at in
            [40, 700, 1200, 9000, script.find("END-OF").unwrap(), last_line - 3, last_line, last_line + 5]
        {
            assert!(at < whole);
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("cut");
            std::fs::write(&file, &script[..at]).unwrap();
            let made = folder.path().join("tmp");
            std::fs::create_dir(&made).unwrap();
            let mut shell = Command::new("sh");
            shell.arg(&file).env("TMPDIR", &made).current_dir(folder.path()).stdin(Stdio::null());
            let ended = shell.output().unwrap();
            assert!(ended.stdout.is_empty(), "cut at {at}: {ended:?}");
            assert_eq!(std::fs::read_dir(&made).unwrap().count(), 0, "cut at {at}");
        }
    }
}
