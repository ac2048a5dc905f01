//! What a release rests on: one place for the version, workflows that may do little, licences that go together, and a
//! list of what is inside.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const TARGET: &str = "x86_64-unknown-linux-musl";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn run(command: &mut Command) -> Output {
    command.current_dir(root()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn said(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// All text files that belong to the project.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    const FOREIGN: [&str; 7] = ["target", ".git", ".cache", "dist", "Cargo.lock", "CHANGELOG.md", "corpus"];
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        if FOREIGN.iter().any(|foreign| name == *foreign) {
            continue;
        }
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => files(&entry.path(), found),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

#[test]
fn the_version_stands_in_one_place() {
    let mut all = Vec::new();
    files(root(), &mut all);
    // 1.2.0 is not in 11.2.0 or 1.2.01.
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '.');
    let repeats = |text: &str| {
        text.match_indices(VERSION).any(|(at, _)| {
            let after = text[at + VERSION.len()..].trim_start_matches('.');
            !is_part(text[..at].chars().next_back()) && !is_part(after.chars().next())
        })
    };
    assert!(repeats(&format!("version {VERSION}.")) && !repeats(&format!("1{VERSION}")));
    let found: Vec<_> = (all.iter())
        .filter(|path| fs::read_to_string(path).is_ok_and(|text| repeats(&text)))
        .map(|path| path.strip_prefix(root()).unwrap().display().to_string())
        .collect();
    assert_eq!(found, ["Cargo.toml"], "whatever needs the version takes it from there");
    assert_eq!(read("Cargo.toml").matches(VERSION).count(), 1);
    let binary = env!("CARGO_BIN_EXE_jetbackup-remote");
    assert_eq!(said(Command::new(binary).arg("--version")), format!("jetbackup-remote {VERSION}\n"));
}

/// A copy of what the release scripts read, with another changelog.
fn source(changelog: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir_all(copy.path().join("tools/release")).unwrap();
    for file in ["Cargo.toml", "Cargo.lock", "tools/release/check.sh", "tools/release/notes.sh"] {
        fs::copy(root().join(file), copy.path().join(file)).unwrap();
    }
    fs::write(copy.path().join("CHANGELOG.md"), changelog).unwrap();
    copy
}

fn script(source: &tempfile::TempDir, name: &str, argument: &str) -> Result<String, String> {
    let path = source.path().join("tools/release").join(name);
    let output = run(Command::new("dash").arg(path).arg(argument));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

#[test]
fn only_a_tag_with_the_version_and_a_changelog_is_released() {
    let changelog = format!(
        "# Changelog\n\n## Unreleased\n\n- later\n\n## {VERSION} - 2026-01-01\n\n### Added\n\n- all\n\n## 0.0.1\n\n- less\n"
    );
    let good = source(&changelog);
    let tag = format!("v{VERSION}");
    assert_eq!(script(&good, "check.sh", &tag).unwrap(), format!("{tag} can be released\n"));
    assert_eq!(script(&good, "notes.sh", VERSION).unwrap(), "### Added\n\n- all\n");
    assert_eq!(script(&good, "notes.sh", "0.0.1").unwrap(), "- less\n");
    let told = script(&good, "check.sh", "v99.0.0").unwrap_err();
    assert!(told.contains("the tag is v99.0.0, but Cargo.toml has version"), "{told}");
    for silent in
        ["# Changelog\n\n## Unreleased\n\n- all\n", &format!("## {VERSION}\n\n\n## 0.0.1\n\n- less\n")]
    {
        let told = script(&source(silent), "check.sh", &tag).unwrap_err();
        assert!(told.contains("says nothing of"), "{told}");
    }
    fs::write(
        good.path().join("Cargo.lock"),
        "[[package]]\nname = \"jetbackup-remote\"\nversion = \"0.0.1\"\n",
    )
    .unwrap();
    let told = script(&good, "check.sh", &tag).unwrap_err();
    assert!(told.contains("Cargo.lock is not of version"), "{told}");
}

/// A workflow, read by a parser that is not ours.
fn workflow(name: &str) -> Value {
    // `on` is a boolean in YAML 1.1; as a key it becomes the text "true" here.
    let program = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))";
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", program]).stdin(fs::File::open(root().join(".github/workflows").join(name)).unwrap());
    serde_json::from_str(&said(&mut python)).unwrap()
}

fn jobs(workflow: &Value) -> impl Iterator<Item = (&String, &Value)> {
    workflow["jobs"].as_object().unwrap().iter()
}

fn steps(job: &Value) -> impl Iterator<Item = &Value> {
    job["steps"].as_array().into_iter().flatten()
}

#[test]
fn workflows_may_do_little_and_name_what_they_use_exactly() {
    let mut seen = BTreeSet::new();
    for name in ["ci.yml", "release.yml"] {
        let workflow = workflow(name);
        assert!(workflow["permissions"].is_object(), "{name} says what it may");
        for (job, it) in jobs(&workflow) {
            let place = format!("{name}: {job}");
            let may = if it["permissions"].is_null() { &workflow["permissions"] } else { &it["permissions"] };
            let writes: Vec<&str> = (may.as_object().unwrap().iter())
                .filter(|(_, level)| *level != "read")
                .map(|(what, _)| what.as_str())
                .collect();
            match job.as_str() {
                "publish" => assert_eq!(writes, ["contents"]),
                "package" => assert_eq!(writes, ["id-token", "attestations"]),
                _ => assert_eq!(writes, [""; 0], "{place}"),
            }
            if it["uses"].is_null() {
                assert!(it["timeout-minutes"].is_u64(), "{place} has no time limit");
            }
            for step in steps(it) {
                let Some(action) = step["uses"].as_str() else { continue };
                let (action, commit) = action.split_once('@').unwrap();
                assert!(action.starts_with("actions/"), "{place}: {action} is somebody else's");
                assert!(
                    commit.len() == 40 && commit.bytes().all(|c| c.is_ascii_hexdigit()),
                    "{place}: {commit}"
                );
                if action == "actions/checkout" {
                    assert_eq!(step["with"]["persist-credentials"], false, "{place}");
                }
                seen.insert(action.to_owned());
            }
        }
    }
    assert!(seen.len() > 3, "{seen:?}");
}

#[test]
fn what_workflows_run_is_there_and_is_a_script() {
    for name in ["ci.yml", "release.yml"] {
        let workflow = workflow(name);
        let on = &workflow["true"];
        let expected = if name == "ci.yml" { on.get("pull_request") } else { on["push"].get("tags") };
        assert!(expected.is_some(), "{name}: {on}");
        for (job, it) in jobs(&workflow) {
            for text in steps(it).filter_map(|step| step["run"].as_str()) {
                let place = format!("{name}: {job}");
                // What somebody else chose (a branch's name, a title) must never become part of a script.
                assert!(!text.contains("${{"), "{place}: {text}");
                let checked = run(Command::new("bash").args(["-n", "-c", text]));
                assert!(checked.status.success(), "{place}: {text}");
            }
        }
    }
    // The rest comes with the packages.
    for script in
        ["tests/run.sh", "tools/fuzz.sh", "tools/sbom.sh", "tools/release/check.sh", "tools/release/notes.sh"]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(root().join(script)).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{script} can be run");
        said(Command::new("bash").arg("-n").arg(script));
    }
}

fn compare(arguments: &[&str]) -> Output {
    // The system's own: it is complete, with SQLite.
    run(Command::new("/usr/bin/python3").arg("tools/compare").args(arguments))
}

#[test]
fn what_cannot_be_compared_is_refused_with_the_reason() {
    let binary = env!("CARGO_BIN_EXE_jetbackup-remote");
    let help = String::from_utf8(compare(&["--help"]).stdout).unwrap();
    for word in ["OLD NEW", "start", "list", "idle", "--only", "--quick"] {
        assert!(help.contains(word), "{word} is missing:\n{help}");
    }
    for (arguments, reason) in [
        (&[binary][..], "the following arguments are required: NEW"),
        (
            &["/nonexistent/build", binary],
            "OLD is not a binary of jetbackup-remote: /nonexistent/build: no such file",
        ),
        (&[binary, "tools"], "NEW is not a binary of jetbackup-remote: tools: not an executable file"),
        (&[binary, "/bin/sh"], "NEW is not a binary of jetbackup-remote: /bin/sh: `--version` does not say"),
        (&[binary, binary, "--only", "speed"], "invalid choice: 'speed'"),
    ] {
        let output = compare(arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(reason), "{arguments:?}: {told}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

/// The history it writes is one that this build reads.
#[test]
fn a_build_is_compared_with_itself() {
    let binary = env!("CARGO_BIN_EXE_jetbackup-remote");
    let output = compare(&["--quick", "--only", "start", binary, binary]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    let table = String::from_utf8(output.stdout).unwrap();
    let row = table.lines().find_map(|line| line.strip_prefix("start, 500 jobs, 4 nights on record "));
    let cells: Vec<&str> = row.unwrap_or_else(|| panic!("{table}")).split_whitespace().collect();
    let [old, "s", new, "s", ratio] = cells[..] else { panic!("{table}") };
    assert!([old, new].iter().all(|number| number.parse::<f64>().unwrap() > 0.0), "{table}");
    assert!(ratio.trim_start_matches("1/").parse::<f64>().unwrap() >= 1.0, "{table}");
}

fn cargo(arguments: &[&str]) -> String {
    said(Command::new(env!("CARGO")).args(arguments).arg("--locked"))
}

/// What stands between the quotes of a list in `deny.toml`.
fn allowed() -> BTreeSet<String> {
    let text = read("deny.toml");
    let list = text.split("\nallow = [").nth(1).unwrap().split(']').next().unwrap();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A stand-in for `cargo deny check licenses`, without a tool to install: of alternatives, one must do as a whole.
#[test]
fn licences_are_those_that_are_allowed() {
    let allowed = allowed();
    assert!(allowed.contains("MIT") && !allowed.contains("GPL-2.0-only"), "{allowed:?}");
    let does = |licence: &str| {
        let plain = licence.replace(['(', ')'], " ").replace('/', " OR ");
        plain.split(" OR ").any(|one| one.split(" AND ").all(|part| allowed.contains(part.trim())))
    };
    assert!(does("MIT/Apache-2.0") && does("GPL-2.0-only OR ISC") && !does("MIT AND GPL-2.0-only"));
    let all = cargo(&[
        "tree",
        "--edges",
        "normal,build",
        "--target",
        TARGET,
        "--prefix",
        "none",
        "--format",
        "{p}|{l}",
    ]);
    let mut seen = 0;
    for line in all.lines().filter(|line| !line.is_empty()) {
        let (package, licence) = line.split_once('|').unwrap();
        let licence = licence.trim_end_matches("(*)").trim();
        assert!(does(licence), "{package} is under {licence:?}: see deny.toml");
        seen += 1;
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn the_list_of_what_is_inside_is_whole_and_the_same_twice() {
    let out = tempfile::tempdir().unwrap();
    let name = format!("jetbackup-remote-{VERSION}-{TARGET}");
    fs::write(out.path().join(&name), b"abc").unwrap();
    let list = || {
        let mut sbom = Command::new("bash");
        sbom.arg("tools/sbom.sh").arg(TARGET).arg(out.path());
        sbom.env("CARGO", env!("CARGO"))
            .env("CARGO_NET_OFFLINE", "true")
            .env("SOURCE_DATE_EPOCH", "1700000000");
        let path = said(&mut sbom);
        assert!(path.trim_end().ends_with(&format!("{name}.cdx.json")), "{path}");
        fs::read_to_string(path.trim_end()).unwrap()
    };
    let text = list();
    assert!(text == list(), "two lists of the same source differ");
    let bom: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&bom["bomFormat"], &bom["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    let whole = &bom["metadata"]["component"];
    assert_eq!(bom["metadata"]["timestamp"], "2023-11-14T22:13:20Z");
    assert_eq!(whole["version"], VERSION);
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(whole["hashes"][0]["content"], abc);

    let components = bom["components"].as_array().unwrap();
    let called = |it: &Value| format!("{} {}", it["name"].as_str().unwrap(), it["version"].as_str().unwrap());
    let required: BTreeSet<String> =
        components.iter().filter(|it| it["scope"] == "required").map(called).collect();
    let tree = cargo(&[
        "tree",
        "--edges",
        "normal,no-proc-macro",
        "--target",
        TARGET,
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let mut truth: BTreeSet<String> = (tree.lines().filter(|line| !line.is_empty()))
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ").replacen(" v", " ", 1))
        .filter(|crate_name| !crate_name.starts_with("jetbackup-remote "))
        .collect();
    let sqlite = required.iter().find(|it| it.starts_with("sqlite 3.")).expect("SQLite comes with its crate");
    truth.insert(sqlite.clone());
    assert_eq!(required, truth);
    for it in components {
        let name = called(it);
        assert!(it["licenses"].as_array().is_some_and(|licences| !licences.is_empty()), "{name}");
        assert!(it["hashes"].is_array() || name == *sqlite, "{name} has no checksum");
    }
    let known: BTreeSet<&str> =
        (components.iter().chain([whole])).map(|it| it["bom-ref"].as_str().unwrap()).collect();
    for entry in bom["dependencies"].as_array().unwrap() {
        let on = entry["dependsOn"].as_array().unwrap().iter().chain([&entry["ref"]]);
        assert!(on.map(|on| on.as_str().unwrap()).all(|on| known.contains(on)), "{entry}");
    }
}

#[test]
fn the_test_command_names_what_failed_in_its_last_lines() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("tests.log");
    // As cargo says it.
    let recorded = "     Running unittests src/lib.rs (target/debug/deps/jetbackup_remote-1)\n\
                    test lock::tests::one ... ok\n\
                    test lock::tests::two ... FAILED\n\
                    error: test failed, to rerun pass `--lib`\n     \
                    Running tests/mqtt/main.rs (target/debug/deps/mqtt-2)\n\
                    test commands::three ... FAILED\n\
                    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n     \
                    Running tests/queue.rs (target/debug/deps/queue-3)\n  \
                    process didn't exit successfully: `queue-3` (signal: 9, SIGKILL: kill)\n\
                    error: 3 targets failed:\n    `--lib`\n";
    fs::write(&log, recorded).unwrap();
    let told = said(Command::new("tests/failed.sh").arg("tests").arg(&log));
    for part in [
        "failed: tests",
        "  src/lib.rs: lock::tests::two\n",
        "  tests/mqtt/main.rs: commands::three\n",
        "signal: 9",
    ] {
        assert!(told.contains(part), "{part:?} is missing: {told}");
    }
    assert!(!told.contains("lock::tests::one"), "{told}");
    assert_eq!(said(Command::new("tests/failed.sh").arg("form")).trim(), "failed: form");

    // A step that fails is the last thing that is said, and its status is the command's.
    let script = read("tests/run.sh");
    let end = script.find("# The tests' peers").unwrap();
    let broken = directory.path().join("run.sh");
    let root = root().display();
    let begin = script[..end].replace("cd \"$(dirname \"$0\")/..\"", &format!("cd {root}"));
    fs::write(&broken, format!("{begin}\nstep \"a step\"\nlog={}\necho much; exit 7\n", log.display()))
        .unwrap();
    let output = run(Command::new("bash").arg(&broken));
    assert_eq!(output.status.code(), Some(7));
    let told = String::from_utf8(output.stdout).unwrap();
    let last = told.trim_end().lines().last().unwrap();
    assert!(told.contains("failed: a step") && last.starts_with("all of it: "), "{told}");
}
