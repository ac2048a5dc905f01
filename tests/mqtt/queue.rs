//! A queue as the view on MQTT sees it, whose news and answers the test makes up.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use jetbackup_remote::config::{self, Config};
use jetbackup_remote::history::History;
use jetbackup_remote::model::view::BrokerState;
use jetbackup_remote::model::{
    Answer, Command, Event, JobFacts, JobKey, JobResult, RunId, RunRecord, Snapshot, What,
};
use jetbackup_remote::mqtt::{self, Session};
use jetbackup_remote::orchestrator::Handle;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, mpsc, watch};

use crate::mosquitto::{Broker, until};

/// The id of the job with this number.
pub fn id(number: u8) -> String {
    format!("{number:024x}")
}

/// The job with this number: 1 and 2 on alpha, 3 on beta.
pub fn key(number: u8) -> JobKey {
    let server = if number < 3 { "alpha" } else { "beta" };
    JobKey { server: server.parse().unwrap(), job: id(number).parse().unwrap() }
}

/// The topic of a job's state.
pub fn job_topic(number: u8) -> String {
    format!("jetbackup-remote/jobs/{}/state", key(number))
}

/// A run of a job that is writing; `run` tells it from others.
pub fn writing(number: u8, run: i64) -> RunRecord {
    let now = Timestamp::now();
    let mut record = RunRecord::new(RunId(run), key(number), format!("Job {number}"), now, 14_400);
    record.started = Some(now);
    record.group = Some(format!("{run:024x}").parse().unwrap());
    record
}

/// How that run ended.
pub fn ended(run: &RunRecord, result: JobResult) -> RunRecord {
    let now = Timestamp::now();
    RunRecord { ended: Some(now), duration: Some(1), open: false, result: Some(result), ..run.clone() }
}

/// The queue, and one state directory. Sessions with brokers are started by [`Queue::session`].
pub struct Queue {
    runtime: Runtime,
    _directory: TempDir,
    history: History,
    handle: Handle,
    shown: watch::Sender<Snapshot>,
    asked: Arc<Mutex<Vec<Command>>>,
}

impl Queue {
    /// Nothing has happened yet; every command is taken and answered with `noted`.
    pub fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let history = runtime.block_on(History::open(directory.path())).history;
        let config = config(1, &json!({}));
        let facts = |job: &config::Job| JobFacts {
            key: job.key.clone(),
            label: job.label.clone(),
            limit: job.timeout.as_secs(),
            last: None,
            last_success: None,
            usual: None,
            stale: false,
        };
        let servers: Vec<_> = config.servers.iter().map(|server| server.name.clone()).collect();
        let (shown, snapshot) =
            watch::channel(Snapshot::new(&servers, config.jobs.iter().map(facts).collect()));
        let (requests, mut arriving) = mpsc::channel(16);
        let handle =
            Handle { requests, snapshot, events: broadcast::channel(1024).0, aside: mpsc::channel(1).0 };
        let asked = Arc::<Mutex<Vec<Command>>>::default();
        let noted = Arc::clone(&asked);
        runtime.spawn(async move {
            while let Some((command, answer)) = arriving.recv().await {
                noted.lock().unwrap().push(command);
                let _ = answer.send(Answer::accepted("noted"));
            }
        });
        Self { runtime, _directory: directory, history, handle, shown, asked }
    }

    /// Starts a session with the broker on this port; `mqtt` is added to that section of the configuration.
    pub fn session(&self, port: u16, mqtt: &Value) -> Session {
        self.session_of(&Arc::new(config(port, mqtt)))
    }

    /// Starts a session with this configuration.
    pub fn session_of(&self, config: &Arc<Config>) -> Session {
        let _inside = self.runtime.enter();
        mqtt::start(config, &self.history, &self.handle)
    }

    /// Starts a session and waits until everything has been said.
    #[track_caller]
    pub fn connected(&self, broker: &Broker, mqtt: &Value) -> Session {
        let session = self.session(broker.port(), mqtt);
        let base = mqtt["base_topic"].as_str().unwrap_or("jetbackup-remote").to_owned();
        until("it says that it is online", || {
            broker.holds(&format!("{base}/availability")).as_deref() == Some("online")
        });
        session
    }

    /// Ends a session properly.
    pub fn close(&self, session: Session) {
        self.runtime.block_on(session.close());
    }

    /// Ends a session as a crash would.
    pub fn drop_session(&self, session: Session) {
        let _inside = self.runtime.enter();
        drop(session);
    }

    /// Takes back everything that was published.
    pub fn clear(&self, config: &Config) -> mqtt::Cleared {
        self.runtime.block_on(mqtt::clear(config, &self.history)).unwrap()
    }

    /// What tells this installation from others.
    pub fn instance(&self) -> String {
        self.runtime.block_on(self.history.instance_id()).unwrap()
    }

    /// Tells what happened, as the orchestrator does.
    pub fn tell(&self, what: What) {
        let event = Event { at: Timestamp::now(), what };
        self.shown.send_modify(|snapshot| {
            snapshot.apply(&event);
            let _ = self.handle.events.send(event);
        });
    }

    /// Tells of an alert with this text.
    pub fn alert(&self, text: impl Into<String>) {
        self.tell(What::Alert { job: None, text: text.into() });
    }

    /// The commands that arrived so far.
    pub fn asked(&self) -> Vec<Command> {
        self.asked.lock().unwrap().clone()
    }

    /// What a broker ought to hold: what one holds that nothing ever happens to.
    pub fn reference(&self) -> Reference {
        let broker = Broker::start();
        let session = self.connected(&broker, &json!({}));
        Reference { broker, _session: session }
    }
}

/// See [`Queue::reference`].
pub struct Reference {
    broker: Broker,
    _session: Session,
}

impl Reference {
    pub fn retained(&self) -> BTreeMap<String, String> {
        self.broker.retained()
    }

    /// Waits until `broker` holds exactly what it ought to, and that is `wanted`.
    #[track_caller]
    pub fn until_equal(
        &self,
        what: &str,
        broker: &Broker,
        wanted: impl Fn(&BTreeMap<String, String>) -> bool,
    ) {
        until(what, || {
            let truth = self.retained();
            wanted(&truth) && truth == broker.retained()
        });
    }
}

/// Two servers with three jobs, and a broker on this port of localhost.
pub fn config(port: u16, mqtt: &Value) -> Config {
    let mut section = json!({"enabled": true, "host": "localhost", "port": port});
    for (name, value) in mqtt.as_object().unwrap() {
        section[name] = value.clone();
    }
    let jobs: Vec<Value> = (1..=3)
        .map(|number| json!({"server": key(number).server, "job_id": id(number), "label": format!("Job {number}")}))
        .collect();
    let text = json!({
        "ssh_key": "/k",
        "servers": {"alpha": {"host": "alpha.example.com"}, "beta": {"host": "192.0.2.2"}},
        "jobs": jobs,
        "mqtt": section,
    });
    config::parse(&text.to_string(), Path::new("config.json"))
        .unwrap_or_else(|error| panic!("{error}"))
        .config
}

/// Waits until the connection's state is like this, and answers it.
#[track_caller]
pub fn until_state(session: &Session, what: &str, condition: impl Fn(&BrokerState) -> bool) -> BrokerState {
    let state = session.broker();
    until(what, || condition(&state.borrow()));
    state.borrow().clone()
}
