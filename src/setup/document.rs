//! From answers to the configuration: a new one, or what is added to one that is there.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::place::Host;
use crate::model::{JobKey, ServerName};

const COMMENT: &str = "Every key is described by `jetbackup-remote schema`.";
/// Ports whose way is encrypted by what mail servers have agreed upon (RFC 8314 and RFC 6409).
const SUBMISSIONS: u16 = 465;
const SUBMISSION: u16 = 587;

/// What a configuration is made of.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// The private key for all servers.
    pub key: PathBuf,
    /// The servers, in the order of their turns.
    pub servers: Vec<NewServer>,
    /// The jobs, in the order of their turns.
    pub jobs: Vec<NewJob>,
    /// When the daemon starts cycles.
    pub schedule: Option<String>,
    /// The broker.
    pub broker: Option<Broker>,
    /// How people are told.
    pub mail: Option<Mail>,
    /// Where state is kept, if not in the usual place.
    pub state_dir: Option<PathBuf>,
    /// Nothing is logged but to stderr, for syslog: on a router, whose /var/log is memory.
    pub no_log_file: bool,
}

/// A server to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewServer {
    /// Its name.
    pub name: ServerName,
    /// Host name or address.
    pub host: String,
    /// Port of its sshd.
    pub port: u16,
    /// User to log in as.
    pub user: String,
    /// The private key for it, where that is not the one for all.
    pub ssh_key: Option<PathBuf>,
}

/// A job to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Where and which.
    pub key: JobKey,
    /// What people call it.
    pub label: String,
    /// The word for its type.
    pub kind: &'static str,
    /// Higher goes first.
    pub priority: i64,
}

/// An MQTT broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Where it is.
    pub place: Host,
    /// The user to log in as.
    pub user: Option<String>,
    /// The file that holds the password.
    pub password_file: Option<PathBuf>,
}

/// Mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The mail server, if not this machine.
    pub server: Option<Host>,
    /// The user to log in as.
    pub user: Option<String>,
    /// The file that holds the password.
    pub password_file: Option<PathBuf>,
    /// The sender.
    pub from: Option<String>,
    /// The recipients.
    pub to: Vec<String>,
}

/// A new configuration.
#[must_use]
pub fn document(answers: &Answers) -> Value {
    extended(json!({ "_comment": COMMENT }), answers)
}

/// A configuration with the answers added; what it says already stays, in its order.
#[must_use]
pub fn extended(base: Value, answers: &Answers) -> Value {
    let Value::Object(mut map) = base else { return document(answers) };
    map.entry("ssh_key").or_insert_with(|| text(&answers.key));
    let common = map["ssh_key"].clone();
    let servers = map.entry("servers").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(servers) = servers {
        for server in &answers.servers {
            servers.insert(server.name.to_string(), server.entry(&common));
        }
    }
    let jobs = map.entry("jobs").or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(jobs) = jobs {
        jobs.extend(answers.jobs.iter().map(NewJob::entry));
    }
    if let Some(folder) = &answers.state_dir {
        section(&mut map, "orchestrator").insert("state_dir".into(), text(folder));
    }
    if answers.no_log_file {
        section(&mut map, "orchestrator").insert("log_file".into(), "".into());
    }
    if let Some(schedule) = &answers.schedule {
        section(&mut map, "daemon").insert("schedule".into(), schedule.as_str().into());
    }
    if let Some(broker) = &answers.broker {
        section(&mut map, "mqtt").extend(broker.entries());
    }
    if let Some(mail) = &answers.mail {
        section(&mut map, "notification").extend(mail.entries());
    }
    Value::Object(map)
}

/// The section of this name, which is made where there is none. One that is no object is nobody's to keep.
fn section<'a>(map: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    let section = map.entry(name).or_insert(Value::Null);
    if !section.is_object() {
        *section = Value::Object(Map::new());
    }
    match section {
        Value::Object(section) => section,
        // It was made one above.
        _ => unreachable!(),
    }
}

fn text(path: &Path) -> Value {
    path.display().to_string().into()
}

fn from_file(path: &Path) -> Value {
    format!("FROM_FILE:{}", path.display()).into()
}

impl NewServer {
    fn entry(&self, common: &Value) -> Value {
        // The port is written even where it is the usual one: people look for it there.
        let mut entry = json!({ "host": self.host, "port": self.port, "user": self.user });
        if let Some(key) = self.ssh_key.as_deref().map(text).filter(|key| key != common) {
            entry["ssh_key"] = key;
        }
        entry
    }
}

impl NewJob {
    fn entry(&self) -> Value {
        json!({
            "job_id": self.key.job,
            "server": self.key.server,
            "label": self.label,
            "type": self.kind,
            "priority": self.priority,
        })
    }
}

impl Broker {
    fn entries(&self) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("enabled".into(), true.into());
        map.insert("host".into(), self.place.host.as_str().into());
        if let Some(port) = self.place.port {
            map.insert("port".into(), port.into());
        }
        if let Some(user) = &self.user {
            map.insert("username".into(), user.as_str().into());
        }
        if let Some(file) = &self.password_file {
            map.insert("password".into(), from_file(file));
        }
        map
    }
}

impl Mail {
    fn entries(&self) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("enabled".into(), true.into());
        if let Some(Host { host, port }) = &self.server {
            map.insert("smtp_host".into(), host.as_str().into());
            if let Some(port) = *port {
                map.insert("smtp_port".into(), port.into());
                let security = match port {
                    SUBMISSION => Some("starttls"),
                    SUBMISSIONS => Some("tls"),
                    _ => None,
                };
                map.extend(security.map(|word| ("smtp_security".into(), word.into())));
            }
        }
        if let Some(user) = &self.user {
            map.insert("smtp_user".into(), user.as_str().into());
        }
        if let Some(file) = &self.password_file {
            map.insert("smtp_password".into(), from_file(file));
        }
        if let Some(from) = &self.from {
            map.insert("from_address".into(), from.as_str().into());
        }
        map.insert("to_addresses".into(), self.to.clone().into());
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::setup::layout;

    fn answers() -> Answers {
        let job = |server: &str, n: u8, label: &str, kind| NewJob {
            key: JobKey { server: server.parse().unwrap(), job: format!("{n:024}").parse().unwrap() },
            label: label.into(),
            kind,
            priority: 0,
        };
        Answers {
            key: "/etc/jetbackup-remote/id_ed25519".into(),
            servers: vec!["web1=web1.example.com".parse().unwrap(), "web2=192.0.2.2:51514".parse().unwrap()],
            jobs: vec![
                job("web1", 1, "Accounts of web1", "accounts"),
                job("web2", 2, "Databases", "database"),
            ],
            schedule: Some("0 2 * * *".into()),
            ..Answers::default()
        }
    }

    #[test]
    fn a_new_configuration_says_what_differs_and_what_people_look_for() {
        let text = layout(&document(&answers()));
        let expected = r#"{
  "_comment": "Every key is described by `jetbackup-remote schema`.",
  "ssh_key": "/etc/jetbackup-remote/id_ed25519",
  "servers": {
    "web1": {"host": "web1.example.com", "port": 22, "user": "root"},
    "web2": {"host": "192.0.2.2", "port": 51514, "user": "root"}
  },
  "jobs": [
    {
      "job_id": "000000000000000000000001",
      "server": "web1",
      "label": "Accounts of web1",
      "type": "accounts",
      "priority": 0
    },
    {
      "job_id": "000000000000000000000002",
      "server": "web2",
      "label": "Databases",
      "type": "database",
      "priority": 0
    }
  ],
  "daemon": {"schedule": "0 2 * * *"}
}
"#;
        assert_eq!(text, expected);
        let loaded = config::parse(&text, "config.json".as_ref()).unwrap();
        assert_eq!(loaded.warnings, []);
        assert_eq!((loaded.config.servers.len(), loaded.config.jobs.len()), (2, 2));
    }

    #[test]
    fn broker_and_mail_are_complete_sections_without_any_password() {
        let folder = tempfile::tempdir().unwrap();
        let secret = |name: &str| {
            std::fs::write(folder.path().join(name), "hunter2").unwrap();
            Some(folder.path().join(name))
        };
        let all = Answers {
            broker: Some(Broker {
                place: "homeassistant.local:1884".parse().unwrap(),
                user: Some("pi".into()),
                password_file: secret("mqtt-password"),
            }),
            mail: Some(Mail {
                server: Some("mail.example.com:587".parse().unwrap()),
                user: Some("pi@example.com".into()),
                password_file: secret("smtp-password"),
                from: Some("Backups <pi@example.com>".into()),
                to: vec!["admin@example.com".into()],
            }),
            state_dir: Some("/srv/state".into()),
            no_log_file: true,
            ..answers()
        };
        let text = layout(&document(&all));
        assert!(!text.contains("hunter2"));
        let loaded = config::parse(&text, "config.json".as_ref()).unwrap();
        assert_eq!(loaded.warnings, []);
        let config = loaded.config;
        assert_eq!((config.mqtt.host.as_str(), config.mqtt.port), ("homeassistant.local", 1884));
        assert_eq!(config.mqtt.password.unwrap().read().unwrap(), "hunter2");
        assert_eq!(config.notification.smtp_security, config::SmtpSecurity::Starttls);
        assert_eq!(config.notification.smtp_password.unwrap().read().unwrap(), "hunter2");
        assert_eq!(config.orchestrator.state_dir, Path::new("/srv/state"));
        assert_eq!(config.orchestrator.log_file, None);
    }

    #[test]
    fn what_is_added_changes_nothing_that_is_there() {
        let base = json!({
            "_comment": "mine", "mqtt": {"enabled": false, "base_topic": "x"},
            "servers": {"old": {"host": "h", "ssh_key": "/k"}},
            "jobs": [{"job_id": "000000000000000000000009", "server": "old", "_why": "first"}],
            "orchestrator": {"job_timeout": 1},
        });
        let mut added = answers();
        added.schedule = None;
        added.servers[0].ssh_key = Some("/other".into());
        added.servers[1].ssh_key = Some(added.key.clone());
        let all = extended(base.clone(), &added);
        for key in ["_comment", "mqtt", "orchestrator"] {
            assert_eq!(all[key], base[key]);
        }
        assert_eq!(all["servers"]["old"], base["servers"]["old"]);
        assert_eq!(all["jobs"][0], base["jobs"][0]);
        assert_eq!(all["ssh_key"], "/etc/jetbackup-remote/id_ed25519");
        assert_eq!(all["servers"]["web1"]["ssh_key"], "/other");
        assert_eq!(all["servers"]["web2"].get("ssh_key"), None);
        assert_eq!(all["jobs"].as_array().unwrap().len(), 3);
        assert!(config::parse(&all.to_string(), "config.json".as_ref()).is_ok());
    }
}
