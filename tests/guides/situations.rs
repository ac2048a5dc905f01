//! What goes wrong for real is told in the words that the guides explain.

use std::fs;
use std::path::Path;
use std::process::Command;

use jetbackup_sim::Run;

use crate::farm::{Farm, brief, job, lasting, quick};
use crate::text::{block, guide, messages, says};

/// A server whose gate is another one than the farm's, or is asked for in another way.
struct Case<'a> {
    /// What stands before the key in authorized_keys; `None` lets it in nowhere.
    line: Option<&'a str>,
    /// The message that explains it.
    explained: &'a str,
    /// What else is said.
    said: &'a str,
}

/// Runs `test`, which must fail and say both; the message must be in the guide.
#[track_caller]
fn assert_told(farm: &Farm, case: &Case) {
    let explained = messages(&guide("troubleshooting.md"));
    assert!(explained.iter().any(|message| message == case.explained), "{} is not explained", case.explained);
    let ran = farm.call(&["test"]).ended_with(1).says(case.said);
    assert!(says(&ran.stdout, case.explained), "{:?} is missing:\n{}", case.explained, ran.stdout);
}

/// The gate as the farm has installed it.
fn gate(farm: &Farm) -> String {
    let lines = fs::read_to_string(farm.stations[0].sshd.path("authorized_keys")).unwrap();
    let command = lines.lines().last().unwrap().split("command=\"").nth(1).unwrap();
    command.split([' ', '"']).next().unwrap().to_owned()
}

#[test]
fn what_keeps_the_program_out_is_told_as_explained() {
    let farm = Farm::new([vec![brief()]]);
    let gate = gate(&farm);
    let (elsewhere, misspelt, absent) = (
        format!("from=\"203.0.113.7\",restrict,command=\"{gate}\" "),
        format!("restrict,command=\"{gate} --allow logs\" "),
        "restrict,command=\"/usr/local/bin/no-such-gate.sh\" ",
    );
    let refused = "… refused the key … (user …, …); add its public half to authorized_keys there";
    let denied = "the SSH gate on the server does not allow this function; install the jetbackup-ssh-gate.sh of this \
                  version there, or add the function's";
    let unusable =
        "exit status … without a usable answer (stdout: …, stderr: …); try the same on the server by hand";
    for case in [
        Case { line: None, explained: refused, said: "alpha refused the key" },
        Case { line: Some(&elsewhere), explained: refused, said: "SHA256:" },
        Case { line: Some(&misspelt), explained: denied, said: "ssh, gate" },
        Case { line: Some(absent), explained: unusable, said: "exit status 127" },
    ] {
        farm.stations[0].sshd.forget_keys();
        if let Some(line) = case.line {
            farm.stations[0].sshd.authorize(&farm.path("key.pub"), line);
        }
        assert_told(&farm, &case);
    }
    // What sshd says of a key from elsewhere, as the audit is told to look for.
    let words = "Authentication tried for root with correct key but not from a permitted host";
    assert!(guide("security.md").contains(words));
    let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    farm.stations[0].sshd.wait_for(&words.replace("root", user.trim()), 1);
}

#[test]
fn a_server_without_jetbackup_is_told_as_explained() {
    let farm = Farm::new([vec![brief()]]);
    let api = Path::new(&gate(&farm)).with_file_name("jetbackup5api");
    fs::remove_file(&api).unwrap();
    assert_told(
        &farm,
        &Case {
            line: None,
            explained: "exit status … without a usable answer (stdout: …, stderr: …); try the same on the server by hand",
            said: "exit status 127",
        },
    );
    assert!(farm.call(&["test"]).stdout.contains("jetbackup5api"));
}

#[test]
fn a_server_that_is_down_or_another_one_is_told_as_explained() {
    let mut farm = Farm::new([vec![brief()]]);
    farm.call(&["test"]).ended_with(0);
    farm.stations[0].sshd.stop();
    let down =
        Case { line: None, explained: "connection refused; is sshd listening on that port?", said: "FAILED" };
    assert_told(&farm, &down);
    let before = farm.stations[0].sshd.host_key("ed25519");
    farm.stations[0].sshd.replace_host_key("ed25519");
    farm.stations[0].sshd.resume();
    let changed = "the host key has CHANGED: the server presents …, known is …, from … line …; if that is intended, \
                   remove the line";
    assert_told(&farm, &Case { line: None, explained: changed, said: "ssh-keygen -R" });

    // As the guide goes about it, with the farm's paths and port.
    let steps = block(&guide("security.md"), "sh", "ssh-keygen -R");
    let known = farm.path("state/known_hosts");
    let port = farm.stations[0].sshd.port();
    let step = |begin: &str| steps.lines().find(|line| line.starts_with(begin)).unwrap().to_owned();
    for line in [step("ssh-keygen -R"), step("chown")] {
        let line = line
            .replace("[web1.example.com]:51514", &format!("[127.0.0.1]:{port}"))
            .replace("/var/lib/jetbackup-remote", farm.path("state").to_str().unwrap());
        assert!(Command::new("sh").args(["-ec", &line]).status().unwrap().success(), "{line}");
    }
    assert!(!fs::read_to_string(&known).unwrap().contains(&before));
    farm.call(&["test"]).ended_with(0);
    // Both may stand there, which is how a change is made without a gap.
    let both = format!("[127.0.0.1]:{port} {before}\n{}", fs::read_to_string(&known).unwrap());
    fs::write(&known, both).unwrap();
    farm.call(&["test"]).ended_with(0);
}

#[test]
fn a_second_runner_and_the_python_program_are_told_as_explained() {
    let farm = Farm::new([vec![lasting(600)]]);
    let explained = messages(&guide("troubleshooting.md"));
    let told = |arguments: &[&str], message: &str| {
        assert!(explained.iter().any(|known| known == message), "{message} is not explained");
        let ran = farm.call(arguments).ended_with(1);
        assert!(says(&ran.stderr, message), "{}", ran.stderr);
    };
    let mut python = Command::new("flock");
    python.arg(farm.path("python.lock")).args(["sh", "-c", "echo held; read _"]);
    let mut python = python
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("start flock (install util-linux)");
    let mut held = [0; 5];
    std::io::Read::read_exact(python.stdout.as_mut().unwrap(), &mut held).unwrap();
    told(
        &["run"],
        "the Python program (…) is running: it holds …. Wait until it ends, and disable its timer;",
    );
    drop(python.stdin.take());
    python.wait().unwrap();

    let _run = farm.start(&["run"]);
    farm.until("the backup runs", |farm| farm.wrote(0).0);
    told(&["run"], "a run is under way already (process …);");
    told(&["daemon"], "… is at work already (process …);");
    let id = job(0, 0);
    told(
        &["release", "--server", "alpha", "--job", &id],
        "… runs within its time limit; stop it if it should not go on",
    );
    // Somebody who does not see the socket meets the lock.
    let elsewhere = farm.path("elsewhere/control.sock").display().to_string();
    let mut command = farm.command(&["run"]);
    let config = fs::read_to_string(farm.path("config.json")).unwrap();
    let socket = farm.path("control/control.sock").display().to_string();
    fs::write(farm.path("config.json"), config.replace(&socket, &elsewhere)).unwrap();
    let output = command.output().unwrap();
    let message = "jetbackup-remote is running already (…). Wait until it ends, or ask it:";
    assert!(explained.iter().any(|known| known == message));
    assert!(says(&String::from_utf8_lossy(&output.stderr), message), "{output:?}");
}

#[test]
fn how_a_run_ended_is_told_as_explained() {
    let endings = [
        (Run::partial(), "Partly completed: …"),
        (Run::failed(), "Failed: …"),
        (Run::aborted(), "Aborted: …"),
    ];
    let farm = Farm::new([endings.iter().map(|(run, _)| quick(run.clone())).collect()]);
    let ran = farm.call(&["run"]).ended_with(2);
    let explained = messages(&guide("troubleshooting.md"));
    for (_, message) in endings {
        assert!(explained.iter().any(|known| known == message), "{message}");
        assert!(says(&ran.stdout, message), "{}", ran.stdout);
    }
}
