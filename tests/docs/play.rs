//! Servers with the names and jobs of the manual, and what the program printed of them.

use std::cell::Cell;

use jetbackup_sim::{Destination, Job, Run, id};
use serde_json::{Value, json};

use crate::farm::{Farm, Ran, job};

/// The jobs of the manual: server and number here, id and label there.
const JOBS: [(usize, usize, &str, &str); 3] = [
    (0, 0, "64a1b2c3d4e5f60718293a4b", "Accounts"),
    (0, 1, "64a1b2c3d4e5f60718293a4c", "Databases"),
    (1, 0, "64a1b2c3d4e5f60718293a4d", "Accounts"),
];
const DESTINATION: u64 = 77;

/// Servers with the names of the manual, and what was printed of them.
pub struct Play {
    pub farm: Farm,
    pub printed: String,
}

impl Play {
    /// Each run is what a job does: the accounts of web1, its databases, the accounts of web2.
    pub fn of([accounts, databases, others]: [Run; 3]) -> Self {
        let nas = Destination::new(id(DESTINATION), "NAS").disk(61, 1_561_000_000_000, 4_000_000_000_000);
        let farm = Farm::new([vec![accounts, databases], vec![others]]);
        let mut farm = farm.destination(0, nas, &["log", "destination"]);
        farm.world(0, |world, _| {
            let more =
                world.clone().job(Job::new(id(9), "Old accounts")).job(Job::new(id(10), "Logs").disabled());
            *world = more;
        });
        farm.change(|config| {
            let text = config.to_string().replace("\"alpha\"", "\"web1\"").replace("\"beta\"", "\"web2\"");
            *config = serde_json::from_str(&text).unwrap();
            let jobs = config["jobs"].as_array_mut().unwrap();
            for (job, (_, _, _, label)) in jobs.iter_mut().zip(JOBS) {
                job["label"] = label.into();
            }
            jobs[1]["priority"] = 5.into();
            // So rare that it does not come meanwhile.
            config["daemon"] = json!({"schedule": "0 2 29 2 *"});
        });
        Self { farm, printed: String::new() }
    }

    pub fn call(&mut self, arguments: &[&str]) -> Ran {
        let ran = self.farm.call(arguments);
        self.take(arguments, &ran);
        ran
    }

    pub fn take(&mut self, arguments: &[&str], ran: &Ran) {
        let line = format!("$ jetbackup-remote {}   (exit {:?})\n", arguments.join(" "), ran.code.unwrap());
        let text = format!("{line}{}{}\n", ran.stdout, ran.stderr);
        self.printed.push_str(&self.named(text));
    }

    /// Names as they are on a real machine.
    pub fn named(&self, mut text: String) -> String {
        for (server, number, id, label) in JOBS {
            text = text.replace(&job(server, number), id).replace(&format!("job {number}"), label);
        }
        for (at, station) in self.farm.stations.iter().enumerate() {
            let here = format!("127.0.0.1:{}", station.sshd.port());
            text = text.replace(&here, &format!("web{}.example.com:51514", at + 1));
        }
        for (file, name) in [
            ("config.json", "/etc/jetbackup-remote/config.json"),
            ("key", "/etc/jetbackup-remote/id_ed25519"),
            ("state", "/var/lib/jetbackup-remote"),
            ("control/control.sock", "/run/jetbackup-remote/control.sock"),
            ("python.lock", "/tmp/jetbackup-remote.lock"),
            ("log", "/var/log/jetbackup-remote.log"),
        ] {
            text = text.replace(&self.farm.path(file).display().to_string(), name);
        }
        text
    }

    pub fn job_state(&self, number: usize) -> Value {
        self.farm.status()["jobs"][number].clone()
    }

    /// Waits until this job's run is seen, and answers its queue group.
    pub fn until_running(&self, number: usize) -> String {
        let seen = Cell::new(None);
        self.farm.until("it runs", |_| {
            let group = self.job_state(number)["current"]["group"].as_str().map(str::to_owned);
            let is_there = group.is_some();
            seen.set(group);
            is_there
        });
        seen.take().unwrap()
    }
}
