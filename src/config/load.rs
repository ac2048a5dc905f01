//! From a file to the checked configuration, or to everything that is wrong with it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::check::{Findings, check};
use super::file::{self, File, JobEntry, ServerEntry};
use super::secret::credential;
use super::{
    Config, Daemon, Destination, Finding, Job, JobKind, Loop, Mqtt, Notification, Orchestrator, Secret,
    Server, SmtpSecurity, SshKey, Tls, json, nearest,
};
use crate::model::{JobKey, ServerName};

/// A configuration that can be used, and what is odd about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What has no effect, or perhaps not the one that was meant.
    pub warnings: Vec<Finding>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read: {source}; name another one with -c")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no JSON.
    #[error(
        "the configuration {path} is no JSON: {source}; look there for a missing or surplus comma, quote or bracket"
    )]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// It says something that cannot be.
    #[error("the configuration {path} has {count}:{list}",
        count = how_many(problems.len()), list = listed(problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All that is wrong.
        problems: Vec<Finding>,
        /// All that is odd.
        warnings: Vec<Finding>,
    },
}

fn how_many(problems: usize) -> String {
    if problems == 1 { "a problem".into() } else { format!("{problems} problems") }
}

fn listed(problems: &[Finding]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

/// The JSON Schema of the file, made from its types.
#[must_use]
pub fn json_schema() -> Value {
    schemars::schema_for!(File).to_value()
}

/// Reads and checks the configuration at `path`.
///
/// # Errors
/// When it cannot be read, or with everything that is wrong with it.
pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let mut loaded = parse(&text, path)?;
    warn_of_open_secrets(path, &mut loaded);
    Ok(loaded)
}

/// Checks the configuration `text`, which came from `path`.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, path: &Path) -> Result<Loaded, ConfigError> {
    let (mut value, twice) =
        json::read(text).map_err(|source| ConfigError::Syntax { path: path.to_owned(), source })?;
    let Findings { mut problems, mut warnings } = check(&json_schema(), &mut value);
    for path in twice {
        problems.push(Finding::new(&path, "stands twice in its object; only one can be meant"));
    }
    let config = match File::deserialize(&value) {
        Ok(file) => Assembly { problems: &mut problems, warnings: &mut warnings }.config(file, path),
        // What was checked has the file's shape. Should the two ever disagree, it is told as a problem.
        Err(error) => {
            problems.push(Finding::new("", error.to_string()));
            return Err(ConfigError::Invalid { path: path.to_owned(), problems, warnings });
        }
    };
    if problems.is_empty() {
        Ok(Loaded { config, warnings })
    } else {
        Err(ConfigError::Invalid { path: path.to_owned(), problems, warnings })
    }
}

/// What concerns more than one value is checked while the parts are put together.
struct Assembly<'a> {
    problems: &'a mut Vec<Finding>,
    warnings: &'a mut Vec<Finding>,
}

impl Assembly<'_> {
    /// A place whose value was replaced is not told of twice.
    fn problem(&mut self, path: &str, message: impl Into<String>) {
        if !self.problems.iter().any(|problem| problem.path == path) {
            self.problems.push(Finding::new(path, message));
        }
    }

    fn warn(&mut self, path: &str, message: impl Into<String>) {
        self.warnings.push(Finding::new(path, message));
    }

    fn config(mut self, file: File, path: &Path) -> Config {
        let global_key = self.global_key(&file);
        let names: Vec<String> = file.servers.iter().map(|(name, _)| name.clone()).collect();
        let servers: Vec<Server> = file
            .servers
            .into_iter()
            .filter_map(|(name, entry)| self.server(&name, entry, global_key.as_ref()))
            .collect();
        if names.is_empty() {
            self.problem("servers", "names no server; needed: at least one");
        }
        let jobs = self.jobs(file.jobs, &names, &file.orchestrator);
        if let Some(server) =
            servers.iter().find(|server| !jobs.iter().any(|job| job.key.server == server.name))
        {
            let name = server.name.clone();
            self.warn(&format!("servers.{name}"), "has no job in the queue");
        }
        Config {
            path: path.to_owned(),
            servers,
            jobs,
            orchestrator: self.orchestrator(file.orchestrator),
            notification: self.notification(file.notification),
            destination: Destination {
                force_activate: file.destination.force_activate,
                skip_if_disabled: file.destination.skip_if_disabled,
            },
            cycle_loop: file.cycle_loop.map(|entry| Loop {
                target_interval: Duration::from_secs(entry.target_interval),
                min_pause: Duration::from_secs(entry.min_pause),
            }),
            mqtt: self.mqtt(file.mqtt),
            daemon: Daemon {
                schedule: file.daemon.schedule,
                random_delay: Duration::from_secs(file.daemon.random_delay),
            },
        }
    }

    /// A key that systemd passes as a credential replaces the configured one, which the service may not be able to read.
    fn global_key(&mut self, file: &File) -> Option<SshKey> {
        let passed = credential("ssh_key").filter(|path| path.exists());
        let path = passed.or_else(|| file.ssh_key.as_ref().map(PathBuf::from))?;
        let passphrase = self.secret("ssh_key_passphrase", file.ssh_key_passphrase.as_deref());
        Some(SshKey { path, passphrase })
    }

    fn server(&mut self, name: &str, entry: ServerEntry, global_key: Option<&SshKey>) -> Option<Server> {
        let path = format!("servers.{name}");
        let passphrase =
            self.secret(&format!("{path}.ssh_key_passphrase"), entry.ssh_key_passphrase.as_deref());
        let own_key = entry.ssh_key.map(|key| SshKey { path: key.into(), passphrase });
        let Some(ssh_key) = own_key.or_else(|| global_key.cloned()) else {
            self.problem(&path, "has no key to log in with; needed: ssh_key here, or for all at the top");
            return None;
        };
        if let Some(key) = &entry.host_key
            && !looks_like_host_key(key)
        {
            let wanted = "a line as in known_hosts (\"ssh-ed25519 AAAA…\") or a fingerprint (\"SHA256:…\")";
            let value = Value::String(key.clone());
            self.problem(&format!("{path}.host_key"), super::check::complaint(&value, wanted, false));
        }
        let name = match name.parse::<ServerName>() {
            Ok(name) => name,
            Err(error) => {
                self.problem(&path, format!("is no {}", error.wanted().trim_start_matches("a ")));
                return None;
            }
        };
        Some(Server {
            name,
            host: entry.host,
            port: entry.port,
            user: entry.user,
            ssh_key,
            ssh_timeout: Duration::from_secs(entry.ssh_timeout),
            host_key: entry.host_key,
            destination_id: entry.destination_id.and_then(|id| id.parse().ok()),
        })
    }

    fn jobs(
        &mut self,
        entries: Vec<JobEntry>,
        servers: &[String],
        orchestrator: &file::OrchestratorSection,
    ) -> Vec<Job> {
        if entries.is_empty() {
            self.warn("jobs", "names no job: there is nothing to run");
        }
        let mut seen = HashSet::new();
        let mut jobs = Vec::new();
        for (at, entry) in entries.into_iter().enumerate() {
            let path = format!("jobs[{at}]");
            if !servers.contains(&entry.server) {
                let hint = nearest(&entry.server, servers.iter().map(String::as_str));
                let hint = hint.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default();
                let known = servers.join(", ");
                let message =
                    format!("is {:?}, which is no configured server{hint} (known: {known})", entry.server);
                self.problem(&format!("{path}.server"), message);
                continue;
            }
            // Both were checked: the id against the schema, the name with its server.
            let (Ok(server), Ok(job)) = (entry.server.parse(), entry.job_id.parse()) else { continue };
            let key = JobKey { server, job };
            if !seen.insert(key.clone()) {
                self.problem(&path, format!("names the job {key} a second time"));
            }
            jobs.push(Job {
                label: entry.label.filter(|label| !label.trim().is_empty()).unwrap_or(entry.job_id),
                kind: match entry.kind.as_deref() {
                    Some("accounts") => JobKind::Accounts,
                    Some("directories") => JobKind::Directories,
                    Some("database") => JobKind::Database,
                    _ => JobKind::Other,
                },
                priority: entry.priority,
                timeout: Duration::from_secs(entry.timeout.unwrap_or(orchestrator.job_timeout)),
                stale_after: Duration::from_secs(entry.stale_after.unwrap_or(orchestrator.stale_after)),
                key,
            });
        }
        jobs
    }

    fn orchestrator(&mut self, entry: file::OrchestratorSection) -> Orchestrator {
        if entry.startup_timeout >= entry.job_timeout {
            self.warn(
                "orchestrator.startup_timeout",
                "is not shorter than job_timeout: a job that does not start is told of as late",
            );
        }
        for (key, path) in [("state_dir", &entry.state_dir), ("control_socket", &entry.control_socket)] {
            if !Path::new(path).is_absolute() {
                let value = Value::String(path.clone());
                let message = super::check::complaint(&value, "an absolute path", false);
                self.problem(&format!("orchestrator.{key}"), message);
            }
        }
        Orchestrator {
            poll_interval: Duration::from_secs(entry.poll_interval),
            job_timeout: Duration::from_secs(entry.job_timeout),
            startup_timeout: Duration::from_secs(entry.startup_timeout),
            on_timeout: entry.on_timeout,
            max_overruns: entry.max_overruns,
            state_dir: entry.state_dir.into(),
            control_socket: entry.control_socket.into(),
            known_hosts: entry.known_hosts,
            lock_file: entry.lock_file.into(),
            log_file: entry.log_file.into(),
            log_max_bytes: entry.log_max_bytes,
            log_backup_count: entry.log_backup_count,
            stale_after: Duration::from_secs(entry.stale_after),
        }
    }

    fn notification(&mut self, entry: file::NotificationSection) -> Notification {
        if entry.enabled && entry.to_addresses.is_empty() {
            self.problem("notification.to_addresses", "is empty; needed while enabled: at least one address");
        }
        if entry.enabled && entry.from_address.is_empty() {
            self.problem("notification.from_address", "is empty; needed while enabled: the sender's address");
        }
        let by_flag = if entry.smtp_tls { SmtpSecurity::Starttls } else { SmtpSecurity::None };
        Notification {
            enabled: entry.enabled,
            smtp_host: entry.smtp_host,
            smtp_port: entry.smtp_port,
            smtp_user: entry.smtp_user,
            smtp_password: self.secret("notification.smtp_password", entry.smtp_password.as_deref()),
            smtp_security: entry.smtp_security.unwrap_or(by_flag),
            from_address: entry.from_address,
            to_addresses: entry.to_addresses,
            on_failure: entry.on_failure,
            on_timeout: entry.on_timeout,
            on_complete: entry.on_complete,
            on_partial: entry.on_partial,
            on_daemon_lifecycle: entry.on_daemon_lifecycle,
            digest: entry.digest,
            ping_url: self.secret("notification.ping_url", entry.ping_url.as_deref()),
            webhook_url: self.secret("notification.webhook_url", entry.webhook_url.as_deref()),
        }
    }

    fn mqtt(&mut self, entry: file::MqttSection) -> Mqtt {
        if entry.enabled && entry.host.as_ref().is_none_or(String::is_empty) {
            self.problem("mqtt.host", "is missing; needed while enabled: the broker's host name or address");
        }
        let default_port = if entry.tls.is_some() { 8883 } else { 1883 };
        let tls = entry.tls.map(|tls| {
            let client = match (tls.client_cert, tls.client_key) {
                (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
                (None, None) => None,
                _ => {
                    self.problem(
                        "mqtt.tls",
                        "has client_cert without client_key or the reverse; needed: both",
                    );
                    None
                }
            };
            Tls { ca_file: tls.ca_file.map(PathBuf::from), client }
        });
        Mqtt {
            enabled: entry.enabled,
            host: entry.host.unwrap_or_default(),
            port: entry.port.unwrap_or(default_port),
            username: entry.username,
            password: self.secret("mqtt.password", entry.password.as_deref()),
            client_id: entry.client_id,
            base_topic: entry.base_topic,
            discovery: entry.discovery,
            discovery_prefix: entry.discovery_prefix,
            commands: entry.commands,
            tls,
        }
    }

    /// A secret that is not there now may be there for the service: only a warning.
    fn secret(&mut self, path: &str, text: Option<&str>) -> Option<Secret> {
        let secret = Secret::new(text?);
        if let Err(error) = secret.read() {
            self.warn(path, format!("is not to be had here: {error}"));
        }
        Some(secret)
    }
}

fn looks_like_host_key(text: &str) -> bool {
    let mut words = text.split_whitespace();
    match words.next() {
        Some(kind) if kind.starts_with("ssh-") || kind.starts_with("ecdsa-") => words.next().is_some(),
        Some(fingerprint) => fingerprint.starts_with("SHA256:"),
        None => false,
    }
}

fn warn_of_open_secrets(path: &Path, loaded: &mut Loaded) {
    use std::os::unix::fs::PermissionsExt;
    let config = &loaded.config;
    let keys = config.servers.iter().filter_map(|server| server.ssh_key.passphrase.as_ref());
    let others = [
        &config.notification.smtp_password,
        &config.mqtt.password,
        &config.notification.ping_url,
        &config.notification.webhook_url,
    ];
    let literal = keys.chain(others.into_iter().flatten()).any(Secret::is_literal);
    let mode = std::fs::metadata(path).map(|file| file.permissions().mode()).unwrap_or_default();
    if literal && mode & 0o004 != 0 {
        let message = format!(
            "{} holds a secret and can be read by everyone; chmod o-r it, or move the secret out (FROM_FILE:…)",
            path.display()
        );
        loaded.warnings.push(Finding::new("", message));
    }
}
