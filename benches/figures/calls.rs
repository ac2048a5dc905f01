//! A call over the program's connection, against `ssh` for each call and `ssh` through a ControlMaster.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use jetbackup_remote::ssh::{Connection, Exec, HostKeyPolicy, KeyFile, Target};

use crate::sshd::{Options, Sshd, eventually};
use crate::{figure, heading, milliseconds, times, usage};

/// Many, since the kernel counts processor time in hundredths of a second.
const OURS: u32 = 1000;
const THEIRS: u32 = 30;
const THROUGH_MASTER: u32 = 100;

/// What one call costs on this side.
struct Cost {
    cpu: Duration,
    wall: Duration,
}

pub fn report() {
    heading("A call of 4 KiB over loopback to a real sshd (the asking side's processor time)");
    for tool in ["/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/ssh-keygen"] {
        if !Path::new(tool).exists() {
            return figure("left out", &format!("{tool} is missing"));
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let answer = directory.path().join("answer.json");
    fs::write(&answer, document()).unwrap();
    let forced_command = Some(format!("cat {}", answer.display()));
    let sshd = Sshd::with(&Options { forced_command, ..Options::default() });

    let ours = ours(&sshd);
    let each = spawned(&sshd, THEIRS, &[]);
    let socket = format!("ControlPath={}", directory.path().join("master").display());
    let shared = through_master(&sshd, &socket);
    for (name, cost) in [
        ("the program's open connection", &ours),
        ("`ssh` for each call", &each),
        ("`ssh` for each call, over a ControlMaster", &shared),
    ] {
        let wall = milliseconds(cost.wall);
        figure(name, &format!("{:>9} processor  {wall:>9} in all", milliseconds(cost.cpu)));
    }
    figure("`ssh` takes more processor time", &times(each.cpu, ours.cpu));
    figure("... and longer", &times(each.wall, ours.wall));
    figure("with a ControlMaster: more processor time", &times(shared.cpu, ours.cpu));
    figure("... and longer", &times(shared.wall, ours.wall));
}

/// An answer of the size that a list of a few dozen queue groups has.
fn document() -> String {
    let head = r#"{"success":1,"message":"","data":{"groups":[""#;
    let tail = r#""]},"system":{"version":"5.3.14"}}"#;
    format!("{head}{}{tail}\n", "x".repeat(4095 - head.len() - tail.len()))
}

fn ours(sshd: &Sshd) -> Cost {
    let target = Target {
        name: "bench".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: sshd.port(),
        user: user(),
        key: KeyFile { path: sshd.client_key(), passphrase: None },
        connect_timeout: Duration::from_secs(10),
        host_key: HostKeyPolicy::Pinned(sshd.host_key("ed25519").parse().unwrap()),
    };
    // One thread, as in the program, so that its processor time is the client's and nobody else's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connection = Connection::new(target);
        let call = || connection.exec("jetbackup5api -F getInfo -O json".to_owned(), Duration::from_secs(30));
        assert_eq!(call().await.unwrap().stdout.len(), 4096);
        let (cpu, begun) = (usage::thread(), Instant::now());
        for _ in 0..OURS {
            assert_eq!(call().await.unwrap().exit, 0);
        }
        let cost = Cost { cpu: (usage::thread() - cpu) / OURS, wall: begun.elapsed() / OURS };
        connection.close().await;
        cost
    })
}

fn spawned(sshd: &Sshd, calls: u32, options: &[&str]) -> Cost {
    let cpu = || usage::thread() + usage::ended_children();
    let (before, begun) = (cpu(), Instant::now());
    for _ in 0..calls {
        let output = ssh(sshd, options);
        assert_eq!(output.stdout.len(), 4096, "{}", String::from_utf8_lossy(&output.stderr));
    }
    Cost { cpu: (cpu() - before) / calls, wall: begun.elapsed() / calls }
}

/// The master's part of the work counts too.
fn through_master(sshd: &Sshd, socket: &str) -> Cost {
    let mut master = command(sshd, &["ControlMaster=yes", socket]);
    let mut master: Child = master.arg("-N").stdin(Stdio::null()).spawn().unwrap();
    let path = socket.trim_start_matches("ControlPath=");
    eventually("the master's socket is there", || Path::new(path).exists());
    let before = usage::process(master.id());
    let mut cost = spawned(sshd, THROUGH_MASTER, &[socket]);
    cost.cpu += (usage::process(master.id()) - before) / THROUGH_MASTER;
    master.kill().unwrap();
    master.wait().unwrap();
    cost
}

fn ssh(sshd: &Sshd, options: &[&str]) -> Output {
    command(sshd, options).arg("jetbackup5api -F getInfo -O json").stdin(Stdio::null()).output().unwrap()
}

fn command(sshd: &Sshd, options: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/ssh");
    command.args(["-F", "none", "-l", &user(), "-p", &sshd.port().to_string(), "-i"]).arg(sshd.client_key());
    let usual = ["BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=no", "LogLevel=ERROR"];
    for option in usual.iter().chain(&["UserKnownHostsFile=/dev/null"]).chain(options) {
        command.args(["-o", option]);
    }
    command.arg("127.0.0.1");
    command
}

fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
