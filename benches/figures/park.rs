//! Servers in this process, and a configuration with all of them.

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

use crate::program;

/// The id of a server's job, counted from 0.
pub fn job_id(number: usize) -> String {
    id(u64::try_from(number + 1).unwrap())
}

/// Servers in this process, and a configuration with all of them.
pub struct Park {
    directory: TempDir,
    pub servers: Vec<SshServer>,
    jobs: usize,
    /// The port of a broker, if there is one.
    broker: Option<u16>,
}

impl Park {
    pub fn open(runtime: &Runtime, servers: usize, jobs: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = Key::generate().unwrap();
        key.write(&directory.path().join("key")).unwrap();
        let world = || {
            let run = Run::completed().lasting(5).group_after(0).pending(0).items(50);
            let jobs = (0..jobs).map(|number| Job::new(job_id(number), "Accounts").runs(run.clone()));
            Arc::new(Mutex::new(jobs.fold(World::new("bench"), World::job)))
        };
        let start = || {
            let options = SshOptions { client_key: Some(key.clone()), ..SshOptions::default() };
            runtime.block_on(SshServer::start(world(), wall(), options)).unwrap()
        };
        let park = Self { servers: (0..servers).map(|_| start()).collect(), directory, jobs, broker: None };
        park.write();
        park
    }

    /// With a broker on this port.
    pub fn with_broker(mut self, port: u16) -> Self {
        self.broker = Some(port);
        self.write();
        self
    }

    fn write(&self) {
        fs::write(self.config(), self.configuration().to_string()).unwrap();
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
        let job = |server: usize, number: usize| {
            let (id, label) = (job_id(number), format!("Accounts {number}"));
            json!({"job_id": id, "server": name(server), "label": label, "type": "accounts"})
        };
        let jobs =
            (0..self.servers.len()).flat_map(|server| (0..self.jobs).map(move |number| job(server, number)));
        json!({
            "ssh_key": path("key"),
            "servers": self.servers.iter().enumerate().map(server).collect::<Map<_, _>>(),
            "jobs": jobs.collect::<Vec<_>>(),
            "orchestrator": {
                "poll_interval": 1, "lock_file": path("lock"), "log_file": path("log"),
                "state_dir": path("state"), "control_socket": path("control.sock"),
            },
            "mqtt": {"enabled": self.broker.is_some(), "host": "127.0.0.1", "port": self.broker.unwrap_or(1883)},
        })
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program::path());
        command.arg("--config").arg(self.config()).args(words).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, and answers how long that took.
    pub fn type_in(&self, words: &[&str]) -> Duration {
        let begun = Instant::now();
        let output = self.command(words).output().unwrap();
        let took = begun.elapsed();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        took
    }
}
