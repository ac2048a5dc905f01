//! The servers and the configuration of the night: what is going to happen, and where.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use jetbackup_sim::clock::{after, wall};
use jetbackup_sim::ssh::{Key, SshOptions, SshServer};
use jetbackup_sim::{Job, Run, World, id};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// A job of the night. All times are in seconds.
pub struct Plan {
    pub server: &'static str,
    pub label: &'static str,
    kind: &'static str,
    /// Its time limit.
    limit: u32,
    script: Script,
    /// How it has to end: its result, and whether it passed its limit.
    pub end: (&'static str, bool),
    /// How often it has to be triggered.
    pub triggers: usize,
}

enum Script {
    Runs(Run),
    Disabled,
    /// JetBackup's own scheduler starts it a moment before the night begins.
    Scheduled(Run),
}

/// Long enough for every job but the one that is meant to be late, on the slowest of machines.
const AMPLE: u32 = 120;

/// How long the night's jobs take.
#[derive(Clone, Copy)]
pub enum Pace {
    /// Seconds: nobody waits for a demo.
    Brisk,
    /// Long enough to press a button meanwhile.
    Leisurely,
}

impl Pace {
    fn factor(self) -> u32 {
        match self {
            Self::Brisk => 1,
            Self::Leisurely => 4,
        }
    }
}

/// The jobs in the order of the configuration file.
pub fn plans(pace: Pace) -> Vec<Plan> {
    let factor = pace.factor();
    let brisk = |run: Run, seconds: u32| brisk(run.lasting((seconds * factor).into()));
    let plan = |server, label, script, end| Plan {
        server,
        label,
        kind: "accounts",
        limit: AMPLE * factor,
        script: Script::Runs(script),
        end: (end, false),
        triggers: 1,
    };
    let completed = |seconds, items| brisk(Run::completed().items(items), seconds);
    let late = completed(12, 40);
    vec![
        plan("web1", "Accounts", completed(6, 24), "completed"),
        Plan { kind: "database", ..plan("web1", "Databases", brisk(Run::partial().items(8), 4), "partial") },
        Plan { limit: 4 * factor, end: ("completed", true), ..plan("web2", "Accounts", late, "") },
        Plan {
            kind: "directories",
            ..plan("web2", "Home directories", brisk(Run::failed().items(5), 3), "failed")
        },
        Plan {
            script: Script::Disabled,
            triggers: 0,
            ..plan("web2", "Retired mail", Run::completed(), "skipped")
        },
        Plan {
            script: Script::Scheduled(completed(7, 12)),
            triggers: 0,
            ..plan("web3", "Accounts", Run::completed(), "completed")
        },
        Plan { kind: "directories", ..plan("web3", "Home directories", completed(6, 6), "completed") },
    ]
}

/// JetBackup shows a run at once and starts it a second later.
fn brisk(run: Run) -> Run {
    run.group_after(0).pending(1)
}

/// The id of the plan at this place.
pub fn job_id(place: usize) -> String {
    id(0x64a1_b2c3_0000 + u64::try_from(place).unwrap_or_default())
}

/// The running servers, and the directory with all that the program reads and writes.
pub struct Night {
    directory: TempDir,
    config: PathBuf,
    servers: Vec<(&'static str, SshServer)>,
}

impl Night {
    /// Starts the servers and writes the configuration. To be called in the servers' runtime.
    ///
    /// # Errors
    /// If the ports or the files cannot be had.
    pub async fn fall(broker: SocketAddr, pace: Pace) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("jetbackup-demo-").tempdir()?;
        let client_key = Key::generate()?;
        client_key.write(&directory.path().join("id_ed25519"))?;
        let plans = plans(pace);
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
        let text = serde_json::to_string_pretty(&configuration(directory.path(), &servers, &plans, broker))?;
        fs::write(&config, text)?;
        Ok(Self { directory, config, servers })
    }

    /// The configuration file.
    pub fn config(&self) -> &Path {
        &self.config
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
            Script::Runs(run) => job.runs(run.clone()),
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
) -> Value {
    // Where it listens on every address, it is reached on this one.
    let host = if broker.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { broker.ip() };
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
            "poll_interval": 1,
            "startup_timeout": 60,
            "on_timeout": "continue",
            "max_overruns": 1,
            "lock_file": directory.join("lock"),
            "log_file": directory.join("log"),
            "state_dir": directory.join("state"),
            "control_socket": directory.join("control.sock"),
        },
        "mqtt": {"enabled": true, "host": host, "port": broker.port()},
    })
}
