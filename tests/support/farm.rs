//! Several JetBackup servers, each a simulated JetBackup behind the shipped gate and a real sshd, and the real binary
//! that runs their jobs.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jetbackup_sim::truth::{overlaps, triggered_while_busy};
use jetbackup_sim::{Destination, Job, Run, Store, World, id};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::support::program;
use crate::support::proxy::Proxy;
use crate::support::sshd::{Sshd, keygen};

/// How long anything that must happen may take before the test is failed.
const PATIENCE: Duration = Duration::from_secs(120);
const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

/// A run that completes within two seconds.
pub fn brief() -> Run {
    quick(Run::completed())
}

/// The same script without its waiting, a second long.
pub fn quick(run: Run) -> Run {
    run.group_after(0).pending(0).lasting(1)
}

/// A run that completes after this many seconds.
pub fn lasting(seconds: i64) -> Run {
    brief().lasting(seconds)
}

/// The id of a server's job, both counted from 0.
pub fn job(server: usize, job: usize) -> String {
    id(u64::try_from(server * 16 + job + 1).unwrap())
}

/// One server.
pub struct Station {
    pub store: Store,
    pub sshd: Sshd,
    /// Stands between the program and the server once asked for.
    pub proxy: Option<Proxy>,
    directory: TempDir,
}

/// What is changed in a configuration before it is written.
type Change = Box<dyn Fn(&mut Value) + Send>;

/// The servers, the configuration of a program that knows them, and its files.
pub struct Farm {
    directory: TempDir,
    pub stations: Vec<Station>,
    /// `orchestrator` of the configuration.
    pub settings: Map<String, Value>,
    changes: Vec<Change>,
    jobs: Vec<usize>,
    started: AtomicUsize,
}

/// What a command that ended left.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    #[track_caller]
    pub fn ended_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let all = format!("{}\n{}", self.stdout, self.stderr);
        assert!(all.contains(text), "{text:?} is missing:\n{all}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

impl Farm {
    /// A server for each list of runs; each run is what a job of its own does, every time.
    pub fn new(servers: impl IntoIterator<Item = Vec<Run>>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        keygen(&directory.path().join("key"), "ed25519", "");
        let mut jobs = Vec::new();
        let mut stations = Vec::new();
        for (server, runs) in servers.into_iter().enumerate() {
            jobs.push(runs.len());
            let mut world = World::new(NAMES[server]);
            for (number, run) in runs.into_iter().enumerate() {
                world = world.job(Job::new(job(server, number), format!("job {number}")).runs(run));
            }
            stations.push(Station::new(&world, &directory.path().join("key.pub")));
        }
        let path = |name: &str| directory.path().join(name).display().to_string();
        let Value::Object(settings) = json!({
            "poll_interval": 1,
            "startup_timeout": 5,
            "state_dir": path("state"),
            "control_socket": path("control/control.sock"),
            "lock_file": path("python.lock"),
            "log_file": path("log"),
            "known_hosts": "accept-new",
        }) else {
            unreachable!()
        };
        Self { directory, stations, settings, changes: Vec::new(), jobs, started: AtomicUsize::new(0) }
    }

    /// Changes `orchestrator.<key>`.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.settings.insert(key.to_owned(), value.into());
        self
    }

    /// Has a server's jobs write to this destination, and its gate let in what else these words allow.
    pub fn destination(self, server: usize, destination: Destination, allow: &[&str]) -> Self {
        let id = destination.id().to_owned();
        self.world(server, |world, _| {
            let mut changed = world.clone().destination(destination.clone());
            for number in 0..self.jobs[server] {
                changed.write_to(&job(server, number), &id);
            }
            *world = changed;
        });
        self.stations[server].allow(&self.path("key.pub"), allow);
        let mut farm = self;
        farm.change(move |config| config["servers"][NAMES[server]]["destination_id"] = id.clone().into());
        farm
    }

    /// Changes the whole configuration, from the next command on.
    pub fn change(&mut self, change: impl Fn(&mut Value) + Send + 'static) {
        self.changes.push(Box::new(change));
    }

    /// Has the program use the broker on localhost that `mqtt`, that section of the configuration, gives the port of;
    /// from the next command on.
    pub fn mqtt(&mut self, mqtt: &Value) {
        let mut section = json!({"enabled": true, "host": "localhost"});
        mqtt.as_object().unwrap().iter().for_each(|(key, value)| section[key] = value.clone());
        self.change(move |config| config["mqtt"] = section.clone());
    }

    /// Puts a proxy before a server.
    pub fn proxied(mut self, server: usize) -> Self {
        let station = &mut self.stations[server];
        station.proxy = Some(Proxy::to(station.sshd.port()));
        self
    }

    /// A path in the folder of the program's files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The proxy before a server.
    pub fn proxy(&self, server: usize) -> &Proxy {
        self.stations[server].proxy.as_ref().unwrap()
    }

    /// Looks at, or changes, a server's world at its present time.
    pub fn world<T>(&self, server: usize, action: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        self.stations[server].store.with(action).unwrap()
    }

    /// How many requests to run a job have arrived.
    pub fn triggers(&self, server: usize, number: usize) -> usize {
        self.world(server, |world, _| world.triggers(&job(server, number)))
    }

    /// Whether a server's only run under way, or its last, is writing or has ended.
    pub fn wrote(&self, server: usize) -> (bool, bool) {
        self.world(server, |world, now| {
            let runs = world.runs_at(now);
            let last = runs.last();
            (
                last.is_some_and(|run| run.started.is_some()),
                last.is_some_and(|run| run.ended.is_some_and(|ended| ended <= now)),
            )
        })
    }

    /// The program with the farm's configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let servers = self.stations.iter().zip(NAMES).map(|(station, name)| {
            let port = station.proxy.as_ref().map_or(station.sshd.port(), Proxy::port);
            (name.to_owned(), json!({"host": "127.0.0.1", "port": port, "user": user(), "ssh_timeout": 5}))
        });
        let jobs: Vec<Value> = (self.jobs.iter().enumerate())
            .flat_map(|(server, &count)| (0..count).map(move |number| (server, number)))
            .map(|(server, number)| {
                let label = format!("{} {number}", NAMES[server]);
                json!({"job_id": job(server, number), "server": NAMES[server], "label": label, "type": "accounts"})
            })
            .collect();
        let mut config = json!({
            "ssh_key": self.path("key"),
            "servers": servers.collect::<Map<_, _>>(),
            "jobs": jobs,
            "orchestrator": self.settings,
        });
        self.changes.iter().for_each(|change| change(&mut config));
        // As a whole, for another command may be reading it.
        let draft = self.path(&format!("config.{}", self.started.fetch_add(1, Ordering::SeqCst)));
        fs::write(&draft, config.to_string()).unwrap();
        fs::rename(&draft, self.path("config.json")).unwrap();
        let mut command = Command::new(program::path());
        command.arg("-c").arg(self.path("config.json")).args(arguments).stdin(Stdio::null());
        command.env_remove("SSH_AUTH_SOCK").env("TZ", "UTC");
        command
    }

    /// Runs the program to its end.
    pub fn call(&self, arguments: &[&str]) -> Ran {
        self.start(arguments).wait()
    }

    /// Starts the program.
    pub fn start(&self, arguments: &[&str]) -> Runner {
        self.launch(self.command(arguments))
    }

    /// Starts a command that becomes the program.
    pub fn launch(&self, mut command: Command) -> Runner {
        let number = self.started.fetch_add(1, Ordering::SeqCst);
        let files = [self.path(&format!("out.{number}")), self.path(&format!("err.{number}"))];
        command.stdout(File::create(&files[0]).unwrap()).stderr(File::create(&files[1]).unwrap());
        Runner { child: command.spawn().unwrap(), files }
    }

    /// The rows of `history --json`, oldest first.
    pub fn history(&self) -> Vec<Value> {
        let mut runs = self.call(&["history", "--json"]).ended_with(0).json()["runs"].take();
        let runs = runs.as_array_mut().unwrap();
        runs.reverse();
        std::mem::take(runs)
    }

    /// Each row's job, result and reason.
    pub fn results(&self) -> Vec<String> {
        let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let row = |run: &Value| [&run["label"], &run["result"], &run["reason"]].map(word).join(", ");
        self.history().iter().map(row).collect()
    }

    /// `status --json`.
    pub fn status(&self) -> Value {
        self.call(&["status", "--json"]).json()
    }

    /// Waits until something is true.
    #[track_caller]
    pub fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !condition(self) {
            assert!(begun.elapsed() < PATIENCE, "never happened: {what}\nlog:\n{}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the log says this, and answers all of it. Who only sees an answer or an event must not read the log at
    /// once: its line may come later.
    pub fn logs(&self, text: &str) -> String {
        self.until(&format!("the log says {text:?}"), |farm| farm.log().contains(text));
        self.log()
    }

    /// The program's log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Nothing wrote beside anything else, nor was triggered while anything was under way.
    #[track_caller]
    pub fn assert_one_writer(&self) {
        let worlds: Vec<World> =
            (0..self.stations.len()).map(|server| self.world(server, |world, _| world.clone())).collect();
        let worlds: Vec<&World> = worlds.iter().collect();
        assert_eq!(overlaps(&worlds, Timestamp::now()), []);
        assert_eq!(triggered_while_busy(&worlds, Timestamp::now()), []);
    }
}

impl Station {
    fn new(world: &World, key: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::install(directory.path(), world).unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("bin")).unwrap();
        // Syslog is not part of what is proved here.
        program(&path("bin/logger"), "#!/bin/sh\n");
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("gate/jetbackup-ssh-gate.sh");
        let mut gate = fs::read_to_string(shipped).unwrap();
        for (from, to) in [
            ("\nAPI=/usr/bin/jetbackup5api\n", format!("\nAPI={}\n", path("jetbackup5api").display())),
            (
                "\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n",
                format!("\nPATH={}:/usr/sbin:/usr/bin:/sbin:/bin\n", path("bin").display()),
            ),
        ] {
            assert_eq!(gate.matches(from).count(), 1, "{from:?} must stand in the gate exactly once");
            gate = gate.replace(from, &to);
        }
        program(&path("gate.sh"), &gate);
        let station = Self { store, sshd: Sshd::start(), proxy: None, directory };
        station.allow(key, &["log"]);
        station
    }

    /// A path in the server's own folder; `gate.sh` is its gate.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Has the gate let in what these words allow, from the next connection on.
    pub fn allow(&self, key: &Path, words: &[&str]) {
        let gate = self.directory.path().join("gate.sh");
        let words: String = words.iter().map(|word| format!(" --allow {word}")).collect();
        self.sshd.forget_keys();
        self.sshd.authorize(key, &format!("restrict,command=\"{}{words}\" ", gate.display()));
    }
}

/// The program at work. Dropping it kills it.
pub struct Runner {
    child: Child,
    files: [PathBuf; 2],
}

impl Runner {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub fn stdout(&self) -> String {
        fs::read_to_string(&self.files[0]).unwrap()
    }

    /// What it has said beside that so far.
    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.files[1]).unwrap()
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.unwrap().success(), "cannot send SIG{name}");
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        assert_eq!(self.child.try_wait().unwrap(), None, "it has ended already: {}", self.stdout());
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Ran {
        let begun = Instant::now();
        let status: ExitStatus = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it never ended:\n{}\n{}", self.stdout(), self.stderr());
            thread::sleep(Duration::from_millis(20));
        };
        let read = |path: &PathBuf| fs::read_to_string(path).unwrap();
        Ran { code: status.code(), stdout: read(&self.files[0]), stderr: read(&self.files[1]) }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

/// Who runs the tests, and thereby the sshd.
fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
