//! Puts the checked configuration together and checks what concerns more than one value.
//!
//! The values have the file's shape already, mended where they were wrong. This folder must know no JSON.

mod jobs;
mod mqtt;
mod notification;
mod orchestrator;
mod servers;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::check::{Findings, complaint};
use super::file::{DaemonSection, File};
use super::{Config, Daemon, Destination, Finding, Loop, Secret};
use crate::schedule::Expression;

/// What became of a file.
pub(super) struct Assembled {
    /// The configuration; to be used only where no problem was found.
    pub config: Config,
    /// Whether the file itself holds a secret.
    pub holds_secrets: bool,
}

/// Makes the configuration of `file`, which came from `path`, and adds to what was found.
pub(super) fn assemble(file: File, path: &Path, found: &mut Findings) -> Assembled {
    let mut assembly = Assembly { found, holds_secrets: false };
    let config = assembly.config(file, path);
    Assembled { config, holds_secrets: assembly.holds_secrets }
}

struct Assembly<'a> {
    found: &'a mut Findings,
    holds_secrets: bool,
}

impl Assembly<'_> {
    /// A place whose value was replaced is not told of twice.
    fn problem(&mut self, path: &str, message: impl Into<String>) {
        if !self.is_told(path) {
            self.found.problems.push(Finding::new(path, message));
        }
    }

    fn warn(&mut self, path: &str, message: impl Into<String>) {
        self.found.warnings.push(Finding::new(path, message));
    }

    /// A problem in what is used, a warning in what is off.
    fn fault(&mut self, used: bool, path: &str, message: impl Into<String>) {
        if used {
            self.problem(path, message);
        } else {
            self.warn(path, message);
        }
    }

    fn is_told(&self, path: &str) -> bool {
        self.found.problems.iter().any(|problem| problem.path == path)
    }

    fn config(&mut self, file: File, path: &Path) -> Config {
        let servers = self.servers(file.servers, file.ssh_key, file.ssh_key_passphrase);
        let stale_after = orchestrator::stale_after(&file.orchestrator, &file.destination);
        let orchestrator = self.orchestrator(file.orchestrator, stale_after);
        let jobs = self.jobs(file.jobs, &servers.names, &orchestrator);
        Config {
            path: path.to_owned(),
            servers: servers.valid,
            jobs,
            orchestrator,
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
            daemon: self.daemon(file.daemon),
        }
    }

    fn daemon(&mut self, entry: DaemonSection) -> Daemon {
        let expression = |text: String| {
            let parsed = text.parse::<Expression>();
            parsed.map_err(|error| complaint(&text.into(), &error.to_string()))
        };
        let schedule = entry.schedule.and_then(|text| match expression(text) {
            Ok(expression) => Some(expression),
            Err(message) => {
                self.problem("daemon.schedule", message);
                None
            }
        });
        Daemon { schedule, random_delay: Duration::from_secs(entry.random_delay) }
    }

    /// A secret that is not there now may be there for the service: only a warning, and only where it is used.
    fn secret(&mut self, used: bool, path: &str, text: Option<&str>) -> Option<Secret> {
        let secret = Secret::new(text?);
        self.holds_secrets |= secret.is_literal();
        if used && let Err(error) = secret.is_there() {
            self.warn(path, format!("is not to be had here: {error}"));
        }
        Some(secret)
    }

    /// The path of a key or certificate; `~/` is the home folder of who runs this.
    fn key_path(&mut self, path: &str, text: &str) -> PathBuf {
        let Some(rest) = text.strip_prefix("~/") else { return text.into() };
        match std::env::var_os("HOME").filter(|home| !home.is_empty()) {
            Some(home) => Path::new(&home).join(rest),
            None => {
                let wanted = "a path from / on: HOME is not set here, so that ~ means nothing";
                self.problem(path, complaint(&text.into(), wanted));
                text.into()
            }
        }
    }
}
