//! A night of backups on the paused clock: simulated servers, the real client, orchestrator and history, no network.
#![allow(dead_code)]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jetbackup_remote::config::{self, Config};
use jetbackup_remote::history::{Filter, History, HistoryError, Reach};
use jetbackup_remote::jetbackup::Client;
use jetbackup_remote::model::{
    Answer, Command, CycleRecord, Event, GroupId, JobResult, Reason, RunRecord, Selection, Snapshot,
};
use jetbackup_remote::orchestrator::{Duties, Handle, Orchestrator, Timetable, WallClock};
use jetbackup_remote::ssh::{Exec, ExecError, ExecFuture, Output, Sent};
use jetbackup_sim::World;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The first moment of every night.
pub const DUSK: &str = "2026-01-10T02:00:00Z";
/// How long a call takes on the simulated network.
const LATENCY: Duration = Duration::from_millis(20);

/// The clock of the servers, and of this machine's wall: tokio's, from [`DUSK`] on.
#[derive(Clone, Copy)]
pub struct Clock(Instant);

impl WallClock for Clock {
    fn now(&self) -> Timestamp {
        let dusk: Timestamp = DUSK.parse().unwrap();
        dusk + jiff::SignedDuration::try_from(self.0.elapsed()).unwrap()
    }
}

/// The way to one server.
pub struct Wire {
    world: Mutex<World>,
    clock: Clock,
    cut: AtomicBool,
    /// The connection is lost at the first call of this function: before it arrives, or with its answer.
    loses: Mutex<Option<(&'static str, Lost)>>,
    /// What the gate lets through, if not all that the program sends.
    gate: Mutex<Option<&'static [&'static str]>>,
}

/// What is lost with the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The request, which never left.
    Request,
    /// The command, and that it was lost.
    Command,
    /// The answer.
    Answer,
}

impl Exec for Wire {
    fn exec(&self, command: String, limit: Duration) -> ExecFuture<'_> {
        Box::pin(async move {
            tokio::time::sleep(LATENCY).await;
            let lost = |sent, message: &str| ExecError { sent, transient: true, message: message.into() };
            if self.cut.load(Ordering::SeqCst) {
                return Err(lost(Sent::No, "connection refused"));
            }
            let lose = {
                let mut loses = self.loses.lock().unwrap();
                loses.take_if(|(function, _)| command.contains(*function)).map(|(_, lost)| lost)
            };
            if lose == Some(Lost::Request) {
                return Err(lost(Sent::No, "connection refused"));
            }
            if lose == Some(Lost::Command) {
                return Err(lost(Sent::Maybe, "connection lost"));
            }
            let gate = *self.gate.lock().unwrap();
            if gate.is_some_and(|allowed| !allowed.iter().any(|function| command.contains(function))) {
                let stderr = format!("ERROR: Command not allowed: {command}\n");
                return Ok(Output { stdout: Vec::new(), stderr, exit: 1 });
            }
            let reply = self.world.lock().unwrap().exec(self.clock.now(), &command);
            tokio::time::sleep(reply.delay.min(limit)).await;
            if lose == Some(Lost::Answer) || reply.delay >= limit {
                return Err(lost(Sent::Maybe, "connection lost"));
            }
            let exit = u32::try_from(reply.exit).unwrap();
            Ok(Output { stdout: reply.stdout, stderr: reply.stderr, exit })
        })
    }
}

/// The servers, the configuration and the state directory of a night.
pub struct Night {
    pub clock: Clock,
    pub state: tempfile::TempDir,
    /// How the disk is reached.
    pub reach: Reach,
    config: Arc<Config>,
    wires: Vec<(String, Arc<Wire>)>,
}

impl Night {
    /// Servers with their worlds, `jobs` as `server/number` in the order of the file, and the `orchestrator` section.
    pub fn new(worlds: Vec<(&str, World)>, jobs: &[&str], orchestrator: Value) -> Self {
        let state = tempfile::tempdir().unwrap();
        let clock = Clock(Instant::now());
        let servers: serde_json::Map<String, Value> =
            worlds.iter().map(|(name, _)| ((*name).to_owned(), json!({"host": "sim.example.com"}))).collect();
        let jobs: Vec<Value> = jobs
            .iter()
            .map(|job| {
                let (server, number) = job.split_once('/').unwrap();
                json!({"server": server, "job_id": id(number), "label": job})
            })
            .collect();
        let mut orchestrator = orchestrator;
        orchestrator["state_dir"] = state.path().to_str().unwrap().into();
        let text = json!({"ssh_key": "/k", "servers": servers, "jobs": jobs, "orchestrator": orchestrator});
        let config = config::parse(&text.to_string(), Path::new("night.json")).unwrap().config;
        let wires = worlds
            .into_iter()
            .map(|(name, world)| {
                let wire = Wire {
                    world: Mutex::new(world),
                    clock,
                    cut: AtomicBool::new(false),
                    loses: Mutex::new(None),
                    gate: Mutex::new(None),
                };
                (name.to_owned(), Arc::new(wire))
            })
            .collect();
        Self { clock, state, reach: Reach::default(), config: Arc::new(config), wires }
    }

    /// Changes the configuration that the next runner gets.
    pub fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        let mut config = Config::clone(&self.config);
        change(&mut config);
        self.config = Arc::new(config);
    }

    /// The configuration that the next runner gets.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config)
    }

    fn wire(&self, server: &str) -> &Wire {
        &self.wires.iter().find(|(name, _)| name == server).unwrap().1
    }

    /// The truth on a server.
    pub fn world(&self, server: &str) -> MutexGuard<'_, World> {
        self.wire(server).world.lock().unwrap()
    }

    /// Cuts or mends the way to a server.
    pub fn cut(&self, server: &str, cut: bool) {
        self.wire(server).cut.store(cut, Ordering::SeqCst);
    }

    /// Loses the connection to a server once, at the next call of `function`.
    pub fn lose(&self, server: &str, function: &'static str, lost: Lost) {
        *self.wire(server).loses.lock().unwrap() = Some((function, lost));
    }

    /// Lets only these functions through a server's gate.
    pub fn gate(&self, server: &str, functions: &'static [&'static str]) {
        *self.wire(server).gate.lock().unwrap() = Some(functions);
    }

    /// Whether anything writes on a server now.
    pub fn is_writing(&self, server: &str) -> bool {
        let runs = self.world(server).runs_at(self.clock.now());
        runs.iter().any(|run| run.started.is_some() && run.ended.is_none())
    }

    /// Starts a runner, as a process would.
    pub async fn start(&self, selection: Selection) -> Runner {
        let (machine, handle) = self.machine(Arc::new(self.clock)).await;
        Runner::of(handle, |leave| async move { machine.run(&selection, leave).await.map(Some) })
    }

    /// Starts a daemon without a schedule, as a process would.
    pub async fn serve(&self) -> Runner {
        self.serve_with(Duties::new(Timetable::Never, || (), None), Arc::new(self.clock)).await
    }

    /// Starts a daemon, as a process would.
    pub async fn serve_with(&self, duties: Duties, clock: Arc<dyn WallClock>) -> Runner {
        let (machine, handle) = self.machine(clock).await;
        Runner::of(handle, |leave| async move {
            machine.serve(duties, leave).await;
            Ok(None)
        })
    }

    async fn machine(&self, clock: Arc<dyn WallClock>) -> (Orchestrator, Handle) {
        let history = History::open_by(self.state.path(), self.reach.clone()).await.history;
        let clients = self.wires.iter().map(|(name, wire)| {
            let name: jetbackup_remote::model::ServerName = name.parse().unwrap();
            let exec: Arc<dyn Exec> = Arc::clone(wire) as _;
            (name.clone(), Arc::new(Client::new(name, exec, Duration::from_secs(30))))
        });
        Orchestrator::new(Arc::clone(&self.config), clients.collect(), history, clock).await
    }

    /// A whole cycle of all jobs.
    pub async fn run(&self) -> CycleRecord {
        self.start(Selection::default()).await.end().await
    }

    /// What is on record, oldest first.
    pub async fn records(&self) -> Vec<RunRecord> {
        let history = History::read_only(self.state.path()).unwrap();
        let mut runs = history.runs(&Filter::default()).await.unwrap();
        runs.reverse();
        runs
    }

    /// The jobs on record with their results, in the order of their turns: `a/1 completed`, with the reason if any.
    pub async fn results(&self) -> Vec<String> {
        let words = |run: RunRecord| {
            let result = run.result.map_or("open", JobResult::word);
            let reason = run.reason.map(|reason: Reason| format!(" {}", reason.word())).unwrap_or_default();
            let overrun = if run.overrun { " overrun" } else { "" };
            format!("{} {result}{reason}{overrun}", run.label)
        };
        self.records().await.into_iter().map(words).collect()
    }

    /// No two runs ever wrote at the same time, on any of the servers.
    pub fn assert_one_writer(&self) {
        let guards: Vec<_> = self.wires.iter().map(|(_, wire)| wire.world.lock().unwrap()).collect();
        let worlds: Vec<&World> = guards.iter().map(|world| &**world).collect();
        let overlaps = jetbackup_sim::truth::overlaps(&worlds, self.clock.now());
        assert!(overlaps.is_empty(), "two writers: {overlaps:?}");
        drop(guards);
        self.assert_no_trigger_beside_a_run();
    }

    /// Nothing was triggered while another run was queued or wrote, on any of the servers.
    pub fn assert_no_trigger_beside_a_run(&self) {
        let worlds: Vec<_> = self.wires.iter().map(|(_, wire)| wire.world.lock().unwrap()).collect();
        let worlds: Vec<&World> = worlds.iter().map(|world| &**world).collect();
        let hasty = jetbackup_sim::truth::triggered_while_busy(&worlds, self.clock.now());
        assert!(hasty.is_empty(), "triggered beside another run: {hasty:?}");
    }

    /// Another program's connection to the history.
    pub fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.state.path().join("history.db")).unwrap()
    }

    /// What really ran on a server.
    pub fn real_runs(&self, server: &str) -> Vec<jetbackup_sim::truth::RealRun> {
        self.world(server).runs_at(self.clock.now())
    }

    /// How often a job was triggered: `a/1`.
    pub fn triggers(&self, job: &str) -> usize {
        let (server, number) = job.split_once('/').unwrap();
        self.world(server).triggers(&id(number))
    }
}

/// A runner at work.
pub struct Runner {
    pub handle: Handle,
    pub events: broadcast::Receiver<Event>,
    pub leave: CancellationToken,
    task: JoinHandle<Result<Option<CycleRecord>, HistoryError>>,
}

impl Runner {
    fn of<F>(handle: Handle, work: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = Result<Option<CycleRecord>, HistoryError>> + Send + 'static,
    {
        let leave = CancellationToken::new();
        let events = handle.events.subscribe();
        let task = tokio::spawn(work(leave.clone()));
        Self { handle, events, leave, task }
    }

    /// Waits for the end of its only cycle.
    pub async fn end(self) -> CycleRecord {
        self.task.await.unwrap().unwrap().unwrap()
    }

    /// Waits for the end of what cannot run.
    pub async fn failure(self) -> HistoryError {
        self.task.await.unwrap().unwrap_err()
    }

    /// Tells a daemon to end, and waits until it has.
    pub async fn leave(self) {
        self.leave.cancel();
        assert!(self.task.await.unwrap().unwrap().is_none(), "it is no daemon");
    }

    /// Waits until the snapshot is so.
    pub async fn until(&mut self, wanted: impl FnMut(&Snapshot) -> bool) -> Snapshot {
        self.handle.snapshot.wait_for(wanted).await.unwrap().clone()
    }

    /// `kill -9`: it stops where it stands.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Asks it to do something.
    pub async fn ask(&self, command: Command) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.handle.requests.send((command, reply)).await.unwrap();
        answer.await.unwrap()
    }

    /// Waits until the group of the run under way is known, and answers it.
    pub async fn group(&mut self) -> GroupId {
        let known = |snapshot: &Snapshot| {
            snapshot.jobs().iter().find_map(|job| job.current.as_ref().and_then(|current| current.group))
        };
        let snapshot = self.handle.snapshot.wait_for(|snapshot| known(snapshot).is_some()).await.unwrap();
        known(&snapshot).unwrap()
    }

    /// Waits for the next event of this type, and answers it.
    pub async fn event(&mut self, event_type: &str) -> Event {
        loop {
            let event = self.events.recv().await.unwrap();
            if event.event_type() == Some(event_type) {
                return event;
            }
        }
    }
}

/// The id of the job with this number.
pub fn id(number: &str) -> String {
    jetbackup_sim::id(number.parse().unwrap())
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
