//! The daemon beside a broker: how fast it obeys, and what it costs while nothing happens.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::mosquitto::{Broker, until};
use crate::park::{Park, job_id};
use crate::{figure, heading, milliseconds, usage};

const COMMANDS: usize = 15;
/// How long a daemon needs after its start until it is idle.
const SETTLING: Duration = Duration::from_secs(75);
/// How long the idle daemon is watched.
const WATCHED: Duration = Duration::from_secs(60);
/// How long ten jobs of five seconds may take.
const NIGHT: Duration = Duration::from_secs(300);

pub fn report() {
    if Command::new("mosquitto").arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        heading("The daemon: left out, for there is no mosquitto here");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    heading("The daemon with 10 jobs on 2 servers, and a broker");
    let broker = Broker::start();
    let park = Park::open(&runtime, 2, 5).with_broker(broker.port());
    let daemon = Daemon::start(&park, &broker, 2, 10);
    idle(&daemon);
    obeying(&park, &broker, &daemon);
    night(&broker, &daemon);
    drop(daemon);
    many(&runtime);
}

/// What nothing costs.
fn idle(daemon: &Daemon) {
    let id = daemon.0.id();
    // Connections that nobody uses are closed after a minute; until then it is not idle.
    thread::sleep(SETTLING);
    let before = (usage::process(id), usage::wake_ups(id));
    thread::sleep(WATCHED);
    let (time, wakes) = (usage::process(id) - before.0, usage::wake_ups(id) - before.1);
    figure("processor time in an idle minute", &milliseconds(time));
    figure("wake-ups in an idle minute", &wakes.to_string());
    usage::report_memory(id, "while idle");
}

/// From a command to the trigger on the server.
fn obeying(park: &Park, broker: &Broker, daemon: &Daemon) {
    let topic = format!("jetbackup-remote/jobs/web0/{}/command/run", job_id(0));
    let state = format!("jetbackup-remote/jobs/web0/{}/state", job_id(0));
    let mut last = serde_json::Value::Null;
    let triggers = || park.servers[0].world().count("runBackupJobManually");
    let written = usage::written(daemon.0.id());
    let mut walls = Vec::new();
    for number in 1..=COMMANDS {
        let begun = Instant::now();
        broker.publish(&topic, "PRESS", &[]);
        // Looked at often, for it is what is measured.
        while triggers() < number {
            assert!(begun.elapsed() < Duration::from_secs(60), "it was never triggered");
            thread::sleep(Duration::from_micros(500));
        }
        walls.push(begun.elapsed());
        // What is retained may still be of the time before.
        until("the end of the run is told", || {
            let now = broker.state(&state)["last"]["started"].take();
            let is_news = now != last && !now.is_null();
            last = if is_news { now } else { std::mem::take(&mut last) };
            is_news
        });
    }
    walls.sort();
    figure(
        "from a command by MQTT to its trigger",
        &format!("{}, {} at most", milliseconds(walls[COMMANDS / 2]), milliseconds(walls[COMMANDS - 1])),
    );
    if let (Some(before), Some(after)) = (written, usage::written(daemon.0.id())) {
        let each = (after - before) / u64::try_from(COMMANDS).unwrap() / 1024;
        figure("written to disk for each job run by itself", &format!("{each} kB"));
    }
}

/// All jobs, one after the other.
fn night(broker: &Broker, daemon: &Daemon) {
    let last = || broker.state("jetbackup-remote/state")["last_cycle"].clone();
    let before = last();
    let written = usage::written(daemon.0.id());
    broker.publish("jetbackup-remote/command/run", "PRESS", &[]);
    let begun = Instant::now();
    while last()["started"] == before["started"] {
        assert!(begun.elapsed() < NIGHT, "the cycle is never over");
        thread::sleep(Duration::from_millis(100));
    }
    if let (Some(before), Some(after)) = (written, usage::written(daemon.0.id())) {
        figure(
            "written to disk for each of ten jobs in a row",
            &format!("{} kB", (after - before) / 10 / 1024),
        );
    }
}

/// The same with very many jobs.
fn many(runtime: &Runtime) {
    let (servers, jobs) = (5, 100);
    heading(&format!("The daemon with {} jobs on {servers} servers", servers * jobs));
    let mut broker = Broker::start();
    let park = Park::open(runtime, servers, jobs).with_broker(broker.port());
    let begun = Instant::now();
    let daemon = Daemon::start(&park, &broker, servers, servers * jobs);
    let took = begun.elapsed();
    let retained = broker.retained();
    let discovery: Vec<usize> = retained
        .iter()
        .filter(|(topic, _)| topic.starts_with("homeassistant/"))
        .map(|(_, p)| p.len())
        .collect();
    let megabytes = discovery.iter().sum::<usize>() as f64 / 1e6;
    let largest = discovery.iter().max().copied().unwrap_or(0) as f64 / 1e3;
    figure(
        "discovery",
        &format!("{} messages, {megabytes:.1} MB, the largest {largest:.1} kB", discovery.len()),
    );
    figure("from its start until everything is published", &milliseconds(took));
    broker.kill();
    broker.forget();
    let begun = Instant::now();
    broker.resume();
    until("the broker has everything again", || broker.retained().len() == retained.len());
    figure("the broker is back, and has everything again", &milliseconds(begun.elapsed()));
    usage::report_memory(daemon.0.id(), "with all of them");
}

/// A daemon, ended with this.
struct Daemon(Child);

impl Daemon {
    /// Starts it, and waits until all it publishes is there.
    fn start(park: &Park, broker: &Broker, servers: usize, jobs: usize) -> Self {
        let mut command = park.command(&["daemon"]);
        let daemon = Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        // Two messages for each device, and the availability.
        let all = 2 * (1 + servers + jobs) + 1;
        until("everything is published", || broker.retained().len() == all);
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
