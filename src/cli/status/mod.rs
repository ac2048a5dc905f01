//! `status`: how things stand, as the runner knows it and as every server shows it. `text` says it to a person.

mod problems;
mod text;

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::StatusArgs;
use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::output::{print, print_warning};
use crate::config::Config;
use crate::control::{self, Found, Status};
use crate::history::{History, Outbox};
use crate::jetbackup::View;
use crate::model::view::{JobPhase, JobState, OutboxState, QueueState, ServerState};
use crate::model::{CycleRecord, Event, JobFacts, Remark, ServerName, Snapshot, What};
use crate::orchestrator::{self, survey};
use crate::watch::{Answers, look_over};

/// Who starts jobs from here, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Runner(control::Runner, u32),
    Nobody,
    /// The socket can't be used from here.
    Unknown,
}

#[derive(Serialize)]
struct Report<'a> {
    /// The process id of the runner at work.
    runner: Option<u32>,
    #[serde(flatten)]
    status: &'a Status,
}

pub(super) fn status(path: &Path, verbose: u8, args: &StatusArgs) -> Result<Exit, Failure> {
    let config = context::load(path)?;
    let servers = context::servers(&config, args.server.server.as_deref())?;
    let _log = context::log_to_stderr(verbose);
    let lines = context::lines(&config, &servers)?;
    let (who, runner, mut status) = block_on(async {
        let (who, runner) = ask_runner(&config).await;
        let (facts, last_cycle) = past(&config).await;
        let known = known_remarks(&config, runner.as_ref()).await;
        let snapshot = Snapshot::new(&names(&config), facts.clone()).after(last_cycle);
        let mut snapshot = snapshot.remarking(&known);
        for (line, answer) in context::ask_all(&lines, |client| async move { client.look().await }).await {
            let now = Timestamp::now();
            let events = match answer {
                Ok(view) => {
                    let mut events = survey(&config, &line.name, &view, &facts, now);
                    events.push(Event { at: now, what: seen_there(&config, &line.name, &view, &known) });
                    events
                }
                Err(error) => {
                    let (server, by_ssh) = (line.name.clone(), !error.is_unreachable());
                    let error = error.to_string();
                    vec![Event { at: now, what: What::ServerUnreachable { server, error, by_ssh } }]
                }
            };
            events.iter().for_each(|event| snapshot.apply(event));
        }
        if let Some(outbox) = outbox(&config).await {
            snapshot.apply(&Event { at: Timestamp::now(), what: What::Outbox(outbox) });
        }
        let mut status = Status::of(&snapshot);
        if who == Who::Nobody {
            show_left_enabled(&config, &mut status).await;
        }
        // Since when it is so is not known to who looks once.
        status.servers.iter_mut().for_each(|server| server.since = None);
        Ok((who, runner, status))
    })?;
    if let Some(runner) = runner {
        status = merge(runner, status);
    }
    let asked = |server: &ServerName| servers.iter().any(|asked| asked.name == *server);
    status.servers.retain(|state| asked(&state.server));
    status.jobs.retain(|state| asked(&state.key.server));
    let unreached = status.servers.iter().any(|server| server.answers() != Some(true));
    if args.json {
        let runner = match who {
            Who::Runner(_, pid) => Some(pid),
            Who::Nobody | Who::Unknown => None,
        };
        print(&serde_json::to_string_pretty(&Report { runner, status: &status })?)?;
    } else {
        print(text::text(who, &status, &text::Look::of_stdout()).trim_end())?;
    }
    Ok(if unreached { Exit::Incomplete } else { Exit::Done })
}

/// What the runner says. A socket that cannot be used costs the queue's side of the picture, not all of it.
async fn ask_runner(config: &Config) -> (Who, Option<Status>) {
    let answer = async {
        match control::connect(&config.orchestrator.control_socket).await? {
            Found::Nobody => Ok((Who::Nobody, None)),
            Found::Runner(mut client) => {
                let status = client.status().await?;
                Ok((Who::Runner(client.runner(), client.pid()), Some(status)))
            }
        }
    };
    answer.await.unwrap_or_else(|error: control::ControlError| {
        print_warning(&error.to_string());
        (Who::Unknown, None)
    })
}

fn names(config: &Config) -> Vec<ServerName> {
    config.servers.iter().map(|server| server.name.clone()).collect()
}

/// What the history knows of the jobs and of the last cycle; nothing, where there is none to read.
async fn past(config: &Config) -> (Vec<JobFacts>, Option<CycleRecord>) {
    let history = History::read_only(&config.orchestrator.state_dir).ok();
    let keys: Vec<_> = config.jobs.iter().map(|job| job.key.clone()).collect();
    let mut pasts = match &history {
        Some(history) => history.pasts(&keys).await.unwrap_or_default(),
        None => Default::default(),
    };
    let mut facts = Vec::new();
    for job in &config.jobs {
        let past = pasts.remove(&job.key).unwrap_or_default();
        let usual = past.usual();
        facts.push(JobFacts {
            key: job.key.clone(),
            label: job.label.clone(),
            limit: job.timeout.as_secs(),
            last: past.last,
            last_success: past.last_success,
            usual,
            stale: past.stale,
        });
    }
    let last_cycle = match &history {
        Some(history) => history.last_finished_cycle().await.unwrap_or_default(),
        None => None,
    };
    (facts, last_cycle)
}

/// Shows what an ended runner has left enabled; a runner at work says so itself, where it is wrong.
async fn show_left_enabled(config: &Config, status: &mut Status) {
    let Ok(history) = History::read_only(&config.orchestrator.state_dir) else { return };
    for (server, destination) in orchestrator::left_enabled(&history).await {
        let error =
            format!("destination {destination} was enabled from here, and only the next start disables it");
        status
            .servers
            .iter_mut()
            .filter(|state| state.server == server)
            .for_each(|state| state.destination_stuck = Some(error.clone()));
    }
}

/// What was last remarked on the servers: by the runner at work, else as it is on record.
async fn known_remarks(config: &Config, runner: Option<&Status>) -> Vec<(ServerName, Vec<Remark>)> {
    if let Some(runner) = runner {
        let servers = runner.servers.iter();
        return servers.map(|state| (state.server.clone(), state.remarks.clone())).collect();
    }
    match History::read_only(&config.orchestrator.state_dir) {
        Ok(history) => history.remarks().await.unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

/// What there is to remark on a server now. Its destinations are not asked about: `list` does that.
fn seen_there(
    config: &Config,
    server: &ServerName,
    view: &View,
    known: &[(ServerName, Vec<Remark>)],
) -> What {
    let known = known.iter().find(|(known, _)| known == server).map_or(&[][..], |(_, remarks)| remarks);
    let remarks = look_over(config, server, &view.jobs, &Answers::new(), known, None);
    What::Remarks { server: server.clone(), remarks, new: Vec::new() }
}

/// What waits to be sent, as it is on record; nothing where nothing is sent.
async fn outbox(config: &Config) -> Option<OutboxState> {
    if !config.notification.enabled {
        return None;
    }
    let history = History::read_only(&config.orchestrator.state_dir).ok()?;
    let Outbox { waiting, given_up, last_error } = history.outbox().await.ok()?;
    Some(OutboxState { waiting, given_up, last_error })
}

/// The runner knows the queue and its runs; the servers know what else goes on.
fn merge(runner: Status, seen: Status) -> Status {
    let job = |state: JobState| -> JobState {
        let idle = matches!(state.phase, JobPhase::Idle | JobPhase::Unknown | JobPhase::Queued);
        match seen.jobs.iter().find(|other| other.key == state.key) {
            Some(other) if idle && other.running => {
                JobState { queue_position: state.queue_position, ..other.clone() }
            }
            _ => state,
        }
    };
    let server = |state: ServerState| -> ServerState {
        let direct = seen.servers.iter().find(|other| other.server == state.server);
        match direct.filter(|direct| direct.reachable.is_some()).cloned() {
            Some(direct) => ServerState {
                since: state.since.filter(|_| direct.answers() == state.answers()),
                destination_free: state.destination_free,
                destination_stuck: state.destination_stuck,
                ..direct
            },
            None => state,
        }
    };
    Status {
        queue: QueueState { last_cycle: runner.queue.last_cycle.or(seen.queue.last_cycle), ..runner.queue },
        jobs: runner.jobs.into_iter().map(job).collect(),
        servers: runner.servers.into_iter().map(server).collect(),
        broker: runner.broker,
    }
}
