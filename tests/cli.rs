#![allow(clippy::unwrap_used, clippy::expect_used)]
//! The command line as it is typed, without any server: help, usage, files, and what the documentation shows.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use support::golden;

const COMMANDS: [&str; 16] = [
    "init",
    "gate",
    "run",
    "status",
    "test",
    "doctor",
    "list",
    "destinations",
    "stop",
    "release",
    "validate",
    "daemon",
    "mqtt",
    "history",
    "schema",
    "completions",
];

/// The program, in the folder of its sources and with a terminal's width that is always the same.
fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(support::program::path());
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command.env("COLUMNS", "100").env("TERM", "xterm-256color").env_remove("NO_COLOR");
    command
}

#[track_caller]
fn call(arguments: &[&str], code: i32) -> (String, String) {
    ended(program(arguments), code)
}

#[track_caller]
fn ended(mut command: Command, code: i32) -> (String, String) {
    let output: Output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{command:?}\n{stdout}\n{stderr}");
    assert!(
        !stdout.contains('\x1b') && !stderr.contains('\x1b'),
        "colours where no terminal is: {command:?}"
    );
    (stdout, stderr)
}

/// The example configuration with its files in a folder that is not there yet.
fn example() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(manifest("config.example.json")).unwrap();
    let state = dir.path().join("state").display().to_string();
    let text = text.replace("/var/lib/jetbackup-remote", &state);
    let config = dir.path().join("config.json");
    fs::write(&config, text).unwrap();
    let config = config.display().to_string();
    (dir, config)
}

fn manifest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn the_help_is_as_documented() {
    let (stdout, _) = call(&["--help"], 0);
    golden("cli/help.txt", &stdout);
    for command in COMMANDS {
        golden(&format!("cli/{command}.txt"), &call(&[command, "--help"], 0).0);
        assert!(stdout.contains(&format!("\n  {command} ")), "{command} is in the program's own help");
    }
    golden("cli/mqtt-discovery.txt", &call(&["mqtt", "discovery", "--help"], 0).0);
    let version = format!("jetbackup-remote {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(call(&["--version"], 0).0, version);
}

#[test]
fn what_cannot_be_understood_ends_with_1() {
    for wrong in [
        &[][..],
        &["frobnicate"],
        &["run", "--frobnicate"],
        &["stop", "--server", "web1"],
        &["stop", "--server", "web1", "12345"],
        &["release", "--server", "web1"],
        &["history", "--limit", "many"],
        &["completions", "cmd.exe"],
        &["-c", "/nonexistent/config.json", "run"],
        &["-c", "/nonexistent/config.json", "validate"],
    ] {
        let (stdout, stderr) = call(wrong, 1);
        assert!(stdout.is_empty() && !stderr.is_empty(), "{wrong:?}: {stdout}{stderr}");
    }
}

#[test]
fn validate_tells_all_problems_at_once_or_sums_up() {
    let (_, stderr) = call(&["-c", "tests/config/broken.json", "validate"], 1);
    let known = fs::read_to_string(manifest("tests/config/broken.txt")).unwrap();
    for line in known.lines().filter(|line| line.starts_with("  ") || line.starts_with("warning")) {
        assert!(stderr.contains(line), "{line:?} is missing:\n{stderr}");
    }
    assert!(!stderr.contains("hunter2"), "a secret is shown: {stderr}");
    // The same stands in the way of every other command.
    assert!(call(&["-c", "tests/config/broken.json", "run"], 1).1.contains("14 problems"));

    let (stdout, stderr) = call(&["-c", "config.example.json", "validate"], 0);
    assert!(stdout.starts_with("config.example.json is valid.\n") && stderr.is_empty(), "{stdout}{stderr}");
}

#[test]
fn a_dry_run_shows_the_order_and_needs_nothing() {
    let (dir, config) = example();
    let (stdout, _) = call(&["-c", &config, "run", "--dry-run"], 0);
    golden("cli/dry-run.txt", &stdout);
    assert!(!dir.path().join("state").exists(), "it leaves nothing behind");
    let (stdout, _) = call(&["-c", &config, "run", "--server", "web2", "--dry-run"], 0);
    assert!(stdout.contains("Accounts of web2") && !stdout.contains("web1"), "{stdout}");
}

#[test]
fn a_wrong_name_is_met_with_the_right_one() {
    let (_dir, config) = example();
    for (arguments, hint) in [
        (&["run", "--server", "wbe1"][..], "did you mean web1?"),
        (&["run", "--job", "64a1b2c3d4e5f60718293aff", "--dry-run"], "did you mean 64a1b2c3d4e5f60718293a4"),
        (&["run", "--job", "accounts of web2"], "Accounts of web2 is 64a1b2c3d4e5f60718293a4d"),
        (&["run", "--server", "web2", "--job", "64a1b2c3d4e5f60718293a4b"], "64a1b2c3d4e5f60718293a4d"),
        (&["status", "--server", "web3"], "known: web1, web2"),
        (&["test", "--server", "web3"], "did you mean web"),
        (&["stop", "--server", "web3", "64a1b2c3d4e5f60718293a4b"], "did you mean web"),
        (&["release", "--server", "web1", "--job", "nonsense"], "known: 64a1b2c3d4e5f60718293a4b"),
        (&["runn"], "run"),
    ] {
        let (stdout, stderr) = call(&[&["-c", &config], arguments].concat(), 1);
        assert!(stdout.is_empty() && stderr.contains(hint), "{arguments:?} should say {hint:?}:\n{stderr}");
    }
}

#[test]
fn before_the_first_run_the_history_is_empty_and_nothing_can_be_released() {
    let (dir, config) = example();
    assert_eq!(call(&["-c", &config, "history"], 0).0, "nothing is on record yet\n");
    let (stdout, _) = call(&["-c", &config, "history", "--json"], 0);
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(json, serde_json::json!({"runs": [], "usual": []}));
    assert!(!dir.path().join("state").exists(), "looking makes nothing");
}

#[test]
fn the_schema_and_the_completions_can_be_had_without_a_configuration() {
    let (stdout, _) = call(&["schema"], 0);
    let printed: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let known = fs::read_to_string(manifest("tests/config/schema.json")).unwrap();
    assert_eq!(printed, serde_json::from_str::<serde_json::Value>(&known).unwrap());
    for shell in ["bash", "zsh", "fish"] {
        let (script, _) = call(&["completions", shell], 0);
        assert!(COMMANDS.iter().all(|command| script.contains(command)), "{shell}: {script}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for arguments in ["schema", "completions bash", "-c config.example.json run --dry-run", "--help"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = program(&arguments.split(' ').collect::<Vec<_>>());
        let output =
            command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()), "{arguments}");
    }
}

/// The lines of the README's shell samples, without their remarks.
fn samples() -> Vec<String> {
    let readme = fs::read_to_string(manifest("README.md")).unwrap();
    let blocks = readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines);
    lines
        .map(|line| line.split(" # ").next().unwrap().trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    // What needs a server is proved end to end, and what builds or tests this would do so again.
    let elsewhere = [
        "cargo run --example demo",
        "tests/run.sh",
        "cargo build --release",
        "jetbackup-remote init",
        "jetbackup-remote init --yes --install-gate --server web1=web1.example.com --server web2=web2.example.com:51514",
        "jetbackup-remote doctor",
        "systemctl enable --now jetbackup-remote-daemon.service",
        "systemctl enable --now jetbackup-remote.timer",
        "jetbackup-remote run --dry-run",
        "jetbackup-remote gate | ssh root@web1.example.com sh",
        "jetbackup-remote test",
        "jetbackup-remote list",
        "jetbackup-remote daemon",
    ];
    let dir = tempfile::tempdir().unwrap();
    let server = dir.path().join("server");
    let etc = dir.path().join("etc");
    fs::create_dir(&server).unwrap();
    fs::create_dir(&etc).unwrap();
    let here = |path: &Path| path.display().to_string();
    let mut done = 0;
    for sample in samples() {
        if elsewhere.contains(&sample.as_str()) {
            continue;
        }
        let mut line = sample
            .replace("/etc/jetbackup-remote", &here(&etc))
            .replace("id_ed25519.pub", &here(&etc.join("id_ed25519.pub")));
        if let Some(rest) = line.strip_prefix("jetbackup-remote ") {
            line = format!("'{}' -c '{}/config.json' {rest}", here(&support::program::path()), here(&etc));
        } else if line.starts_with("sh gate/install.sh ") {
            line.push_str(&format!(" --prefix '{}'", here(&server)));
        } else {
            let known = ["mkdir -p ", "ssh-keygen ", "cp config.example.json "]
                .iter()
                .any(|start| line.starts_with(start));
            assert!(known, "this test does not know what to do with {sample:?}");
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
        ended(shell, 0);
        done += 1;
    }
    assert!(done >= 4, "the README has lost its samples");
    let keys = fs::read_to_string(server.join("root/.ssh/authorized_keys")).unwrap();
    let readme = fs::read_to_string(manifest("README.md")).unwrap();
    let shown = readme.lines().find(|line| line.contains("restrict,command=")).unwrap();
    let shown = shown.split("AAAA").next().unwrap();
    assert!(
        keys.lines().any(|line| line.starts_with(shown)),
        "{shown:?} is not what the installer writes:\n{keys}"
    );
}

#[test]
fn the_readme_names_every_command() {
    let readme = fs::read_to_string(manifest("README.md")).unwrap();
    for command in COMMANDS {
        let named = [format!("`{command}`"), format!("`{command} ")];
        assert!(named.iter().any(|name| readme.contains(name)), "{command} is not in the README");
    }
}
