//! Everything at once: whether this installation can do its work, and what to do where it cannot.
//!
//! One file a subject: `configuration`, `secrets` (with `people`: users and modes), `lock`, `state`, `clock`, `server`
//! (with `gate` and `jobs`), `broker`, `mail`, `urls`. Each answers findings, which are pure data (`finding`).
//!
//! This room only looks: it takes no lock, records nothing, triggers nothing and sends nothing to anybody. It must not
//! know how findings are shown. Every step is bounded in time, and no subject waits for another one that hangs, but
//! for the clock: it is compared with what the servers tell.

mod broker;
mod clock;
mod configuration;
mod finding;
mod gate;
mod jobs;
mod lock;
mod mail;
mod people;
mod secrets;
mod server;
mod state;
mod urls;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

pub use finding::{Count, Finding, Level, Report, Section};

/// How long the disk may take over what is read from it.
const DISK: Duration = Duration::from_secs(30);

/// Examines the installation of the configuration at `path`. Never fails: what cannot be looked at is a finding.
pub async fn examine(path: &Path) -> Report {
    let (section, config) = configuration::examine(path);
    let Some(config) = config.map(Arc::new) else { return Report { sections: vec![section] } };
    let servers: Vec<_> = config
        .servers
        .iter()
        .map(|server| tokio::spawn(server::examine(Arc::clone(&config), server.name.clone())))
        .collect();
    let [broker, mail, urls] = {
        let (of_broker, of_mail, of_urls) = (Arc::clone(&config), Arc::clone(&config), Arc::clone(&config));
        [
            tokio::spawn(async move { broker::examine(&of_broker).await }),
            tokio::spawn(async move { mail::examine(&of_mail).await }),
            tokio::spawn(async move { urls::examine(&of_urls).await }),
        ]
    };
    let (for_secrets, state_dir) = (Arc::clone(&config), config.orchestrator.state_dir.clone());
    let (secrets, state, (runner, at_work)) = tokio::join!(
        on_disk("Secrets", spawn_blocking(move || secrets::examine(&for_secrets))),
        on_disk("State directory", spawn_blocking(move || state::examine(&state_dir))),
        lock::examine(&config.orchestrator),
    );
    let mut of_servers = Vec::new();
    let mut told = Vec::new();
    for (examined, server) in servers.into_iter().zip(&config.servers) {
        match examined.await {
            Ok(examined) => {
                told.extend(examined.told.map(|at| (examined.server, at)));
                of_servers.push(examined.section);
            }
            Err(_) => of_servers.push(broke_off(&format!("Server {}", server.name))),
        }
    }
    let zone = crate::zone::known().map_err(|error| error.to_string());
    let clock = clock::examine(&clock::Facts {
        config: &config,
        at_work: at_work.as_ref(),
        told: &told,
        now: Timestamp::now(),
        zone,
    });
    let mut sections = vec![section, secrets, state, runner, clock];
    sections.extend(of_servers);
    for (subject, examined) in [("MQTT", broker), ("Mail", mail), ("Outside watchers", urls)] {
        sections.push(examined.await.unwrap_or_else(|_| broke_off(subject)));
    }
    Report { sections }
}

async fn on_disk(subject: &str, work: JoinHandle<Section>) -> Section {
    match timeout(DISK, work).await {
        Ok(Ok(section)) => section,
        Ok(Err(_)) => broke_off(subject),
        Err(_) => {
            let text = format!("the disk did not answer within {} s", DISK.as_secs());
            Section::of(subject, Finding::failure("disk", text, "check the disk (`dmesg`)"))
        }
    }
}

/// A bug in one subject must not hide the others.
fn broke_off(subject: &str) -> Section {
    Section::of(
        subject,
        Finding::failure("examination", "it broke off", "this is a mistake in the program: report it"),
    )
}
