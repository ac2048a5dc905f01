//! One server, from the connection to its jobs. Each step is bounded; after one that fails, those behind it are left.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use super::finding::{Finding, Level, Section};
use super::gate::{self, Gate, Verdict};
use super::jobs;
use crate::config::{Config, Server};
use crate::jetbackup::Client;
use crate::model::ServerName;
use crate::runner;
use crate::ssh::{self, Connection, Exec, HostKeyPolicy, HostKeyStanding, MeetError, Sent, Target};

/// How long all steps together may take; each of them is bounded by the server's own `ssh_timeout`.
const BOUND: Duration = Duration::from_secs(180);
const HELLO: &str = "echo \"jetbackup-remote-ok\"";
const INFO: &str = "jetbackup5api -F getInfo -O json";
const ANSWER: &str = "jetbackup-remote-ok";
/// An id that nothing has.
const NOBODY: &str = "000000000000000000000000";

/// What was found of a server.
pub(super) struct Examined {
    pub server: ServerName,
    pub section: Section,
    /// The newest moment of the past it told.
    pub told: Option<Timestamp>,
}

/// What one examination works with.
struct Visit<'a> {
    config: &'a Config,
    server: &'a Server,
    findings: Vec<Finding>,
    told: Option<Timestamp>,
}

/// Examines a server.
pub(super) async fn examine(config: Arc<Config>, name: ServerName) -> Examined {
    let Some(server) = config.server(&name) else {
        return Examined { section: Section::new(format!("Server {name}")), server: name, told: None };
    };
    let mut visit = Visit { config: &config, server, findings: Vec::new(), told: None };
    if timeout(BOUND, visit.go()).await.is_err() {
        visit.findings.push(Finding::failure(
            "time",
            format!("the rest was not done within {} s", BOUND.as_secs()),
            "look at the server's load and its JetBackup, and try again",
        ));
    }
    let subject = format!("Server {name} ({}:{})", server.host, server.port);
    Examined { server: name, section: Section { subject, findings: visit.findings }, told: visit.told }
}

impl Visit<'_> {
    /// Everything, as far as it goes.
    async fn go(&mut self) {
        let target = match runner::target(self.config, self.server) {
            Ok(target) => target,
            Err(error) => {
                let advice = "correct it in the configuration";
                return self.say(Finding::from_error(Level::Failure, "configuration", &error, advice));
            }
        };
        let Some(target) = self.meet(target).await else { return };
        let connection = Arc::new(Connection::new(target));
        if self.log_in(&connection).await
            && let Some(found) = self.gate(&connection).await
        {
            self.jetbackup(&connection, found).await;
        }
        connection.close().await;
    }

    fn say(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// The first look. The key that was seen is the only one for the rest of the visit, and is not put on file.
    async fn meet(&mut self, target: Target) -> Option<Target> {
        const CHECK: &str = "host key";
        let met = match ssh::meet(&target).await {
            Ok(met) => met,
            Err(MeetError::Connection(error)) => {
                let advice = "check host and port, and that sshd is up there";
                self.say(Finding::from_error(Level::Failure, "connection", &error, advice));
                return None;
            }
            Err(MeetError::HostKey(error)) => {
                self.say(Finding::ok("connection", "sshd answers"));
                let advice = "compare the fingerprint on the server with `ssh-keygen -lf`";
                self.say(Finding::from_error(Level::Failure, CHECK, &error, advice));
                return None;
            }
        };
        self.say(Finding::ok("connection", "sshd answers"));
        self.say(match met.standing {
            HostKeyStanding::Pinned => Finding::ok(CHECK, format!("{}, as pinned", met.shown)),
            HostKeyStanding::Known => Finding::ok(CHECK, format!("{}, as on file", met.shown)),
            HostKeyStanding::New => Finding::warning(
                CHECK,
                format!("{} is NEW: nothing is on file for this server, and nothing was put there now", met.shown),
                format!(
                    "compare it on the server (ssh-keygen -lf /etc/ssh/ssh_host_{}_key.pub), then run `test`: that \
                     puts it on file",
                    kind(&met.shown)
                ),
            ),
        });
        Some(Target { host_key: HostKeyPolicy::Pinned(met.key), ..target })
    }

    /// Login, and the greeting that every gate answers.
    async fn log_in(&mut self, connection: &Connection) -> bool {
        let user = &self.server.user;
        let output = match connection.exec(HELLO.to_owned(), self.server.ssh_timeout).await {
            Ok(output) => output,
            Err(error) => {
                let check = if error.sent == Sent::No { "login" } else { "gate" };
                let advice = "look into the log of sshd on the server";
                self.say(Finding::from_error(Level::Failure, check, &error.message, advice));
                return false;
            }
        };
        self.say(Finding::ok("login", format!("as {user} with {}", self.server.ssh_key.path.display())));
        let stdout = String::from_utf8_lossy(&output.stdout);
        if stdout.lines().any(|line| line == ANSWER) {
            return true;
        }
        let said = output.stderr.lines().chain(stdout.lines()).find(|line| !line.trim().is_empty());
        let said: String = said.unwrap_or("nothing").chars().take(300).collect();
        self.say(Finding::failure(
            "gate",
            format!("it does not answer the greeting, but: {said}"),
            "check the gate's line in authorized_keys there, and that the gate can be run",
        ));
        false
    }

    /// What the gate refuses, and which one it is. What it says of itself, if it is one; `None`: the way is lost.
    async fn gate(&mut self, connection: &Connection) -> Option<Option<Gate>> {
        let found = match self.attempt(connection, gate::SHELL).await? {
            // Nothing more is tried out on a shell.
            Verdict::Run => {
                self.say(gate::shell());
                return Some(None);
            }
            Verdict::Odd(said) => {
                self.say(Finding::warning(
                    "gate",
                    format!(
                        "it answers the greeting, and refuses in another way than this program's gate: {said}"
                    ),
                    "install the gate of this version on the server (gate/install.sh)",
                ));
                return Some(None);
            }
            Verdict::Refused(found) => found,
        };
        self.say(Finding::ok("gate", "it answers, and refuses what it does not know"));
        self.say(gate::version(found.as_ref()));
        let mut passed = Vec::new();
        for (command, what) in gate::FORBIDDEN {
            if !matches!(self.attempt(connection, command).await?, Verdict::Refused(_)) {
                passed.push(what);
            }
        }
        self.say(gate::denies(&passed, gate::FORBIDDEN.len() + 1));
        let tried = match found {
            Some(_) => Vec::new(),
            None => self.try_out(connection).await?,
        };
        let allowed = gate::allowance(self.config, self.server, found.as_ref(), &tried);
        self.findings.extend(allowed);
        Some(found)
    }

    /// A gate that does not say what it opens is asked for what changes nothing. What `switch` opens would.
    async fn try_out(&mut self, connection: &Connection) -> Option<Vec<(&'static str, bool)>> {
        let mut tried = Vec::new();
        for (word, command) in [
            ("log", format!("jetbackup5api -F getLog -D '_id={NOBODY}&content=1' -O json")),
            ("destination", format!("jetbackup5api -F getDestination -D '_id={NOBODY}' -O json")),
        ] {
            let verdict = self.attempt(connection, &command).await?;
            tried.push((word, !matches!(verdict, Verdict::Refused(_))));
        }
        Some(tried)
    }

    async fn attempt(&mut self, connection: &Connection, command: &str) -> Option<Verdict> {
        match connection.exec(command.to_owned(), self.server.ssh_timeout).await {
            Ok(output) => Some(gate::judge(&output)),
            Err(error) => {
                let advice = "look into the log of sshd on the server";
                self.say(Finding::from_error(Level::Failure, "gate", &error.message, advice));
                None
            }
        }
    }

    /// JetBackup and the jobs.
    async fn jetbackup(&mut self, connection: &Arc<Connection>, gate: Option<Gate>) {
        const CHECK: &str = "JetBackup";
        let exec: Arc<dyn Exec> = Arc::clone(connection) as _;
        let client = Client::new(self.server.name.clone(), exec, self.server.ssh_timeout);
        match client.info().await {
            Ok(info) if info.process == Some(false) => {
                let advice = "start it there: systemctl start jetbackup5d";
                self.say(Finding::failure(CHECK, "its daemon is not running", advice));
            }
            Ok(info) => {
                let version = info.version.as_deref().unwrap_or("unknown");
                self.say(Finding::ok(CHECK, format!("its daemon is up, version {version}")));
            }
            // The predecessor's gate does not let this through; the list of jobs tells as much.
            Err(error) if error.is_gate_refusal() && gate.is_none() => {}
            // It is not the function that such a gate minds: its own words tell what it is.
            Err(error) if error.is_gate_refusal() => {
                let said = connection.exec(INFO.to_owned(), self.server.ssh_timeout).await;
                let said = said.ok().and_then(|output| output.stderr.lines().next().map(str::to_owned));
                let advice = "settle what the gate says on the server";
                return self.say(match said {
                    Some(said) => Finding::from_error(Level::Failure, CHECK, &said, advice),
                    None => Finding::from_error(Level::Failure, CHECK, &error, advice),
                });
            }
            Err(error) => {
                let advice = "look at JetBackup on the server";
                return self.say(Finding::from_error(Level::Failure, CHECK, &error, advice));
            }
        }
        let (findings, told) = jobs::examine(self.config, self.server, &client).await;
        self.findings.extend(findings);
        self.told = told;
    }
}

/// The type as it is part of the name of sshd's files, of a host key as it is shown.
fn kind(shown: &str) -> &'static str {
    match shown.split(' ').next().unwrap_or_default() {
        "ssh-ed25519" => "ed25519",
        "ssh-rsa" => "rsa",
        _ => "ecdsa",
    }
}
