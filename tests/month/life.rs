//! One life of the program, put together as the daemon is, from its start to its end or to a `kill -9`.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use jetbackup_remote::config::Config;
use jetbackup_remote::history::History;
use jetbackup_remote::jetbackup::Client;
use jetbackup_remote::model::view::JobPhase;
use jetbackup_remote::model::{Answer, Command, JobKey, RunRecord, ServerName};
use jetbackup_remote::notify::{self, Logs};
use jetbackup_remote::orchestrator::{Duties, Handle, Orchestrator, ScheduleRecord, Timetable};
use jetbackup_remote::schedule::Schedule;
use jetbackup_remote::ssh::Exec;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, Publication};
use crate::disk::Disk;
use crate::door::Door;
use crate::ledger::Ledger;
use crate::post::Post;
use crate::sky::{Sky, Wall};
use crate::tide::Tide;
use crate::wire::Wire;

/// How long a goodbye mail may take, as for the daemon.
const LAST_MAIL: Duration = Duration::from_secs(5);

/// How long JetBackup lists what has ended, in hours: longer than the program is ever away.
const LISTED: i64 = 48;

/// Everything that outlives the program.
pub struct Stage {
    pub config: Arc<Config>,
    pub wires: Vec<Arc<Wire>>,
    pub sky: Sky,
    pub wall: Wall,
    pub tide: Tide,
    pub ledger: Arc<Ledger>,
    pub disk: Arc<Disk>,
    pub to_broker: Door,
    pub to_mail: Door,
    pub post: Post,
    pub retained: Mutex<BTreeMap<String, Bytes>>,
}

/// How the program goes on after it left its queue in peace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It ends.
    End,
    /// It reads its configuration again, as upon SIGHUP: another one begins in the same process.
    Reload,
}

/// The program at work.
pub struct Life<'a> {
    pub stage: &'a Stage,
    pub handle: Handle,
    broker: Broker,
}

impl Stage {
    /// A life that begins so many seconds after the last one. Whether it ended in peace, when `act` said so, or was cut
    /// short.
    pub fn live(&self, after: i64, mut act: impl AsyncFnMut(&Life) -> Next) -> bool {
        let runtime = self.tide.runtime();
        let ended = runtime.block_on(async {
            self.sky.rise(after);
            let old = self.sky.now() - SignedDuration::from_hours(LISTED);
            self.wires.iter().for_each(|wire| wire.world().forget_groups(old));
            let broker = Broker::start((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
            for (topic, payload) in std::mem::take(&mut *self.retained.lock().unwrap()) {
                broker.publish(&Publication { topic, payload, retain: true });
            }
            self.to_broker.open_to(broker.address());
            self.to_mail.open_to(self.post.serve(&self.tide).await);
            let ended = tokio::select! {
                biased;
                () = self.tide.killed() => false,
                () = self.process(&broker, &mut act) => true,
            };
            let mut retained = broker.retained();
            // The broker carries out the last will of who is killed.
            if !ended && let Some(said) = retained.get_mut("jetbackup-remote/availability") {
                *said = Bytes::from_static(b"offline");
            }
            *self.retained.lock().unwrap() = retained;
            self.sky.set();
            ended
        });
        self.tide.set_fuse(0);
        // What the disk was doing is done.
        drop(runtime);
        self.ledger.died(ended);
        ended
    }

    /// One process: it is reloaded as often as `act` says.
    async fn process(&self, broker: &Broker, act: &mut impl AsyncFnMut(&Life) -> Next) {
        self.ledger.born();
        let state_dir = &self.config.orchestrator.state_dir;
        let history = History::open_by(state_dir, self.disk.reach()).await.history;
        for lost in self.disk.arm() {
            self.ledger.breach(lost);
        }
        while self.program(broker, &history, act).await == Next::Reload {
            self.ledger.count("reloads");
        }
    }

    async fn program(
        &self,
        broker: &Broker,
        history: &History,
        act: &mut impl AsyncFnMut(&Life) -> Next,
    ) -> Next {
        let clients = self.wires.iter().map(|wire| {
            let name: ServerName = wire.name.parse().unwrap();
            let exec: Arc<dyn Exec> = Arc::clone(wire) as _;
            (name.clone(), Arc::new(Client::new(name, exec, Duration::from_secs(30))))
        });
        let wall = Arc::new(self.wall.clone());
        let (mut machine, handle) =
            Orchestrator::new(Arc::clone(&self.config), clients.collect(), history.clone(), wall).await;
        let mail = notify::mail(&self.config, history, &handle, Arc::new(NoLogs)).unwrap();
        machine.write_to(mail.correspondent());
        let session = jetbackup_remote::mqtt::start(&self.config, history, &handle);
        let heard = self.listen(&handle);
        let duties = self.duties();
        let leave = CancellationToken::new();
        let mut turning = tokio::spawn(machine.serve(duties, leave.clone()));
        let life = Life { stage: self, handle, broker: broker.clone() };
        let next = tokio::select! {
            next = act(&life) => next,
            broken = &mut turning => panic!("the queue broke off: {broken:?}"),
        };
        leave.cancel();
        turning.await.unwrap();
        if next == Next::Reload {
            let queue = life.handle.snapshot.borrow().queue().queue;
            self.ledger.reloading(queue.into_iter().map(|queued| queued.key).collect());
        }
        drop(life);
        tokio::join!(session.close(), mail.close(LAST_MAIL));
        // Whoever still holds the other end, nothing more is told.
        let _ = tokio::time::timeout(Duration::from_secs(1), heard).await;
        next
    }

    fn listen(&self, handle: &Handle) -> JoinHandle<()> {
        let (mut events, ledger) = (handle.events.subscribe(), Arc::clone(&self.ledger));
        tokio::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(event) => ledger.hear(&event),
                    Err(RecvError::Lagged(events)) => {
                        ledger.breach(format!("{events} events were not heard"))
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        })
    }

    /// As the daemon's.
    fn duties(&self) -> Duties {
        let config = Arc::clone(&self.config);
        let make = move |record: ScheduleRecord, now| {
            let memory = record.memory.and_then(|memory| serde_json::from_str(&memory).ok());
            Schedule::new(&config, TimeZone::UTC, memory, record.last_cycle.as_ref(), now)
        };
        Duties::new(Timetable::WaitsForClock(Box::new(make)), || (), None)
    }
}

impl Life<'_> {
    /// Asks something; whoever is busy for a minute is not waited for.
    pub async fn ask(&self, command: Command) -> Option<Answer> {
        let (reply, answer) = oneshot::channel();
        self.handle.requests.send((command, reply)).await.ok()?;
        tokio::time::timeout(Duration::from_secs(60), answer).await.ok()?.ok()
    }

    /// Somebody publishes a command.
    pub fn publish(&self, topic: &str, payload: &str, retain: bool) {
        let topic = format!("jetbackup-remote/{topic}");
        self.broker.publish(&Publication {
            topic,
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            retain,
        });
        self.stage.tide.moved();
    }

    /// The jobs that may be writing.
    pub fn running(&self) -> Vec<JobKey> {
        self.in_phase(|phase| phase != JobPhase::Starting)
    }

    /// The jobs whose trigger is out, and nothing more.
    pub fn starting(&self) -> Vec<JobKey> {
        self.in_phase(|phase| phase == JobPhase::Starting)
    }

    fn in_phase(&self, wanted: impl Fn(JobPhase) -> bool) -> Vec<JobKey> {
        let jobs = self.handle.snapshot.borrow().jobs();
        jobs.into_iter().filter(|job| job.running && wanted(job.phase)).map(|job| job.key).collect()
    }

    /// What the broker keeps that is not what the snapshot says.
    pub fn untold(&self) -> Vec<String> {
        let retained = self.broker.retained();
        let snapshot = self.handle.snapshot.borrow();
        let mut untold = Vec::new();
        let mut compare = |topic: String, truth: Value| {
            let said = retained.get(&topic).and_then(|said| serde_json::from_slice::<Value>(said).ok());
            let said = said.unwrap_or_default();
            let differs = |(key, value): (&String, &Value)| match key.as_str() {
                // They are told in another shape.
                "remarks" | "current" => value.is_null() != truth[key].is_null(),
                _ => truth.get(key) != Some(value),
            };
            let is_told = said.as_object().is_some_and(|said| !said.is_empty() && !said.iter().any(differs));
            if !is_told {
                untold.push(format!("{topic}: {said} instead of {truth}"));
            }
        };
        compare("jetbackup-remote/state".to_owned(), json!(snapshot.queue()));
        for server in snapshot.servers() {
            compare(format!("jetbackup-remote/servers/{}/state", server.server), json!(server));
        }
        for job in snapshot.jobs() {
            compare(format!("jetbackup-remote/jobs/{}/state", job.key), json!(job));
        }
        if retained.get("jetbackup-remote/availability").map(Bytes::as_ref) != Some(b"online") {
            untold.push("it is not said to be online".to_owned());
        }
        untold
    }
}

/// No log can be had.
struct NoLogs;

impl Logs for NoLogs {
    fn tail<'a>(
        &'a self,
        _run: &'a RunRecord,
        _lines: usize,
    ) -> Pin<Box<dyn Future<Output = Vec<String>> + Send + 'a>> {
        Box::pin(std::future::ready(Vec::new()))
    }
}
