//! The binary as a process: its size, its start, its memory, and `status` over many servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jetbackup_sim::clock::wall;
use jetbackup_sim::ssh::{Key, SshOptions, SshServer};
use jetbackup_sim::{Job, Run, World, id};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::sshd::eventually;
use crate::{figure, heading, milliseconds, usage};

const BINARY: &str = env!("CARGO_BIN_EXE_jetbackup-remote");
const STARTS: usize = 21;
const SERVERS: usize = 50;

pub fn report() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    heading("The binary");
    let size = fs::metadata(BINARY).unwrap().len() as f64 / 1e6;
    figure("its size", &format!("{size:.1} MB, as linked for this machine"));
    let one = Park::open(&runtime, 1);
    figure("`--version`", &milliseconds(median(|| one.type_in(&["--version"]))));
    figure("`validate`", &milliseconds(median(|| one.type_in(&["validate"]))));
    memory(&one);

    let many = Park::open(&runtime, SERVERS);
    heading(&format!("`status` over {SERVERS} servers, which share this machine's processors"));
    let before = usage::ended_children();
    let wall = many.type_in(&["status"]);
    figure("from the first byte to the last", &milliseconds(wall));
    figure("its own processor time", &milliseconds(usage::ended_children() - before));
}

/// Memory and processor time while a job runs.
fn memory(park: &Park) {
    let mut run = park.command(&["run"]).stdout(Stdio::null()).spawn().unwrap();
    let watched = || park.servers[0].world().count("getQueueGroup") >= 4;
    eventually("the run is watched", watched);
    for (line, name) in [("VmRSS", "memory while a job runs (VmRSS)"), ("VmHWM", "the most so far (VmHWM)")] {
        figure(name, &usage::memory(run.id(), line).unwrap_or_else(|| format!("{line} is not told here")));
    }
    run.wait().unwrap();
}

fn median(mut measure: impl FnMut() -> Duration) -> Duration {
    let mut walls: Vec<Duration> = (0..STARTS).map(|_| measure()).collect();
    walls.sort();
    walls[STARTS / 2]
}

/// Servers in this process, and a configuration with all of them.
struct Park {
    directory: TempDir,
    servers: Vec<SshServer>,
}

impl Park {
    fn open(runtime: &Runtime, count: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = Key::generate().unwrap();
        key.write(&directory.path().join("key")).unwrap();
        let world = || {
            let run = Run::completed().lasting(5).group_after(0).pending(0).items(50);
            Arc::new(Mutex::new(World::new("bench").job(Job::new(id(1), "Accounts").runs(run))))
        };
        let start = || {
            let options = SshOptions { client_key: Some(key.clone()), ..SshOptions::default() };
            runtime.block_on(SshServer::start(world(), wall(), options)).unwrap()
        };
        let park = Self { servers: (0..count).map(|_| start()).collect(), directory };
        fs::write(park.config(), park.configuration().to_string()).unwrap();
        park
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("config.json")
    }

    fn configuration(&self) -> Value {
        let path = |name: &str| -> PathBuf { Path::join(self.directory.path(), name) };
        let name = |number: usize| format!("web{number}");
        let server = |(number, server): (usize, &SshServer)| {
            let host_key = server.host_key_fingerprint();
            (name(number), json!({"host": "127.0.0.1", "port": server.port(), "host_key": host_key}))
        };
        let job = |number| json!({"job_id": id(1), "server": name(number), "label": "Accounts", "type": "accounts"});
        json!({
            "ssh_key": path("key"),
            "servers": self.servers.iter().enumerate().map(server).collect::<Map<_, _>>(),
            "jobs": (0..self.servers.len()).map(job).collect::<Vec<_>>(),
            "orchestrator": {
                "poll_interval": 1, "lock_file": path("lock"), "log_file": path("log"),
                "state_dir": path("state"), "control_socket": path("control.sock"),
            },
        })
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("--config").arg(self.config()).args(words).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, and answers how long that took.
    fn type_in(&self, words: &[&str]) -> Duration {
        let begun = Instant::now();
        let output = self.command(words).output().unwrap();
        let took = begun.elapsed();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        took
    }
}
