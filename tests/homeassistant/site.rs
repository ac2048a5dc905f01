//! One installation of the program: its servers, its configuration and its base topic.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::broker::Broker;
use crate::farm::{Farm, Runner, job};
use crate::lab::Lab;
use jetbackup_sim::Run;

/// A farm whose program publishes below a base topic of its own, so that tests never meet in Home Assistant.
pub struct Site {
    pub farm: Farm,
    base: &'static str,
}

impl Site {
    /// A server for each list of runs, as in [`Farm::new`].
    pub fn new(base: &'static str, broker: &Broker, servers: impl IntoIterator<Item = Vec<Run>>) -> Self {
        let mut farm = Farm::new(servers);
        let port = broker.port();
        farm.change(move |config| {
            config["mqtt"] = json!({"enabled": true, "host": "127.0.0.1", "port": port, "base_topic": base});
        });
        Self { farm, base }
    }

    /// Gives a job a time limit, in seconds.
    pub fn limit(mut self, server: usize, number: usize, seconds: u64) -> Self {
        self.farm.change(move |config| {
            let jobs = config["jobs"].as_array_mut().unwrap();
            let entry = jobs.iter_mut().find(|entry| entry["job_id"] == job(server, number)).unwrap();
            entry["timeout"] = seconds.into();
        });
        self
    }

    /// Takes a job out of the configuration.
    pub fn remove(&mut self, server: usize, number: usize) {
        self.farm.change(move |config| {
            config["jobs"].as_array_mut().unwrap().retain(|entry| entry["job_id"] != job(server, number));
        });
    }

    /// Starts the daemon, and waits until Home Assistant shows it at rest.
    pub fn serve(&self, lab: &mut Lab) -> Runner {
        let daemon = self.farm.start(&["daemon"]);
        lab.home.until_is(&self.hub("sensor", "state"), "idle");
        daemon
    }

    /// Waits until this many runs have been recorded in all, and Home Assistant shows the queue at rest after them.
    #[track_caller]
    pub fn until_over(&self, lab: &mut Lab, runs: usize) {
        let mut ended = None;
        self.farm.until(&format!("the end of {runs} runs"), |farm| {
            let over = farm.history().iter().filter(|run| run["open"] == false).count();
            let queue = farm.status()["queue"].take();
            ended = queue["last_cycle"]["ended"].as_str().map(|time| time.parse::<Timestamp>().unwrap());
            over == runs && queue["phase"] == "idle" && ended.is_some()
        });
        let ended = ended.map(|time| time.as_second());
        let [state, finished] = ["state", "last_cycle_finished"].map(|key| self.hub("sensor", key));
        lab.home.until("the end is shown", |states| {
            let shown = |entity| states.get(entity).and_then(|state| state["state"].as_str());
            let time = shown(&finished).and_then(|time| time.parse::<Timestamp>().ok());
            shown(&state) == Some("idle") && time.map(|time| time.as_second()) == ended
        });
    }

    /// A topic below the base.
    pub fn topic(&self, rest: &str) -> String {
        format!("{}/{rest}", self.base)
    }

    /// The entity of the hub with this key.
    pub fn hub(&self, domain: &str, key: &str) -> String {
        format!("{domain}.{}_{key}", self.base)
    }

    /// The entity of a server with this key.
    pub fn server(&self, domain: &str, server: &str, key: &str) -> String {
        format!("{domain}.{}_{server}_{key}", self.base)
    }

    /// The entity of a job with this key; `name` is the server and the number, as in `alpha 0`.
    pub fn job(&self, domain: &str, name: &str, key: &str) -> String {
        let (server, _) = name.split_once(' ').unwrap();
        format!("{domain}.{}_{server}_{}_{key}", self.base, name.replace(' ', "_"))
    }

    /// What is retained of it: discovery and states.
    pub fn retained(&self, broker: &Broker) -> Vec<(String, Value)> {
        let discovery = broker.retained("homeassistant/device");
        let ours = discovery
            .into_iter()
            .filter(|(_, payload)| payload.to_string().contains(&format!("\"{}/availability\"", self.base)));
        ours.chain(broker.retained(self.base)).collect()
    }
}
