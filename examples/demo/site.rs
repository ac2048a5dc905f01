//! Where it happens: the simulated servers, and the directory with the configuration.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use jetbackup_sim::clock::{after, wall};
use jetbackup_sim::ssh::{Key, SshOptions, SshServer};
use jetbackup_sim::{Job, World};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::plans::{Plan, Script, job_id};

/// What all topics of the program begin with.
pub const BASE_TOPIC: &str = "jetbackup-remote";

/// The running servers, and the directory with all that the program reads and writes.
pub struct Site {
    directory: TempDir,
    config: PathBuf,
    plans: Vec<Plan>,
    servers: Vec<(&'static str, SshServer)>,
}

impl Site {
    /// Starts servers with these jobs, asked every so many seconds, and writes the configuration. To be called in the servers' runtime.
    ///
    /// # Errors
    /// If the ports or the files cannot be had.
    pub async fn open(plans: Vec<Plan>, broker: SocketAddr, poll_interval: u32) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("jetbackup-demo-").tempdir()?;
        let client_key = Key::generate()?;
        client_key.write(&directory.path().join("id_ed25519"))?;
        let mut servers = Vec::new();
        for name in ["web1", "web2", "web3"] {
            let options = SshOptions {
                host_key: Key::generate()?,
                client_key: Some(client_key.clone()),
                ..SshOptions::default()
            };
            let world = Arc::new(Mutex::new(world(name, &plans)));
            servers.push((name, SshServer::start(world, wall(), options).await?));
        }
        let config = directory.path().join("config.json");
        let text = serde_json::to_string_pretty(&configuration(
            directory.path(),
            &servers,
            &plans,
            broker,
            poll_interval,
        ))?;
        fs::write(&config, text)?;
        Ok(Self { directory, config, plans, servers })
    }

    /// The configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The jobs in the order of the configuration file.
    pub fn plans(&self) -> &[Plan] {
        &self.plans
    }

    /// Where the program keeps its records.
    pub fn state_dir(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// The servers as they are now.
    pub fn worlds(&self) -> Vec<MutexGuard<'_, World>> {
        self.servers.iter().map(|(_, server)| server.world()).collect()
    }
}

fn world(server: &str, plans: &[Plan]) -> World {
    let now = Timestamp::now();
    let mut world = World::new(server);
    let mut scheduled = Vec::new();
    for (place, plan) in plans.iter().enumerate().filter(|(_, plan)| plan.server == server) {
        let job = Job::new(job_id(place), plan.label);
        world = world.job(match &plan.script {
            Script::Runs(runs) => runs.iter().cloned().fold(job, Job::runs),
            Script::Disabled => job.disabled(),
            Script::Scheduled(run) => {
                scheduled.push(job_id(place));
                job.runs(run.clone())
            }
        });
    }
    scheduled.iter().for_each(|job| world.start_by_schedule(job, after(now, -2)));
    world
}

fn configuration(
    directory: &Path,
    servers: &[(&str, SshServer)],
    plans: &[Plan],
    broker: SocketAddr,
    poll_interval: u32,
) -> Value {
    let server = |(name, server): &(&str, SshServer)| {
        let host_key = server.host_key_fingerprint();
        let entry = json!({"host": "127.0.0.1", "port": server.port(), "user": "root", "host_key": host_key});
        ((*name).to_owned(), entry)
    };
    let job = |(place, plan): (usize, &Plan)| {
        json!({
            "job_id": job_id(place), "server": plan.server, "label": plan.label,
            "type": plan.kind, "timeout": plan.limit,
        })
    };
    json!({
        "ssh_key": directory.join("id_ed25519"),
        "servers": servers.iter().map(server).collect::<Map<_, _>>(),
        "jobs": plans.iter().enumerate().map(job).collect::<Vec<_>>(),
        "orchestrator": {
            "poll_interval": poll_interval,
            "startup_timeout": 60,
            "on_timeout": "continue",
            "max_overruns": 1,
            "lock_file": directory.join("lock"),
            "log_file": directory.join("log"),
            "state_dir": directory.join("state"),
            "control_socket": directory.join("control.sock"),
        },
        "mqtt": {
            "enabled": true,
            "host": broker.ip(),
            "port": broker.port(),
            "base_topic": BASE_TOPIC,
        },
    })
}
