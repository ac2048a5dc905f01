//! `status`: how things stand, as the runner knows it and as every server shows it.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::StatusArgs;
use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::output::{print, print_warning};
use super::table::{Cell, Column, Table};
use super::words::{self, Tone};
use crate::config::Config;
use crate::control::{self, Found, Status};
use crate::history::History;
use crate::model::view::{JobPhase, JobState, QueueState, ServerState};
use crate::model::{Event, JobFacts, Snapshot, What};
use crate::orchestrator::survey;

/// The runner at work.
#[derive(Debug, Serialize)]
struct Runner {
    pid: u32,
    #[serde(flatten)]
    status: Status,
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
    let (runner, mut status) = block_on(async {
        let runner = ask_runner(&config).await;
        let facts = facts(&config).await;
        let mut snapshot = Snapshot::new(&names(&config), facts.clone());
        for (line, answer) in context::ask_all(&lines, |client| async move { client.look().await }).await {
            let now = Timestamp::now();
            let events = match answer {
                Ok(view) => survey(&config, &line.name, &view, &facts, now),
                Err(error) => {
                    let (server, by_ssh) = (line.name.clone(), !error.is_unreachable());
                    let error = error.to_string();
                    vec![Event { at: now, what: What::ServerUnreachable { server, error, by_ssh } }]
                }
            };
            events.iter().for_each(|event| snapshot.apply(event));
        }
        Ok((runner, Status::of(&snapshot)))
    })?;
    let pid = runner.as_ref().map(|runner| runner.pid);
    if let Some(runner) = runner {
        status = merge(runner.status, status);
    }
    let asked = |server: &crate::model::ServerName| servers.iter().any(|asked| asked.name == *server);
    status.servers.retain(|state| asked(&state.server));
    status.jobs.retain(|state| asked(&state.key.server));
    let unreached = status.servers.iter().any(|server| server.answers() != Some(true));
    if args.json {
        print(&serde_json::to_string_pretty(&Report { runner: pid, status: &status })?)?;
    } else {
        print(text(pid, &status).trim_end())?;
    }
    Ok(if unreached { Exit::Incomplete } else { Exit::Done })
}

/// What the runner says. A socket that cannot be used costs the queue's side of the picture, not all of it.
async fn ask_runner(config: &Config) -> Option<Runner> {
    let answer = async {
        match control::connect(&config.orchestrator.control_socket).await? {
            Found::Nobody => Ok(None),
            Found::Runner(mut client) => {
                let status = client.status().await?;
                Ok(Some(Runner { pid: client.pid(), status }))
            }
        }
    };
    answer.await.unwrap_or_else(|error: control::ControlError| {
        print_warning(&error.to_string());
        None
    })
}

fn names(config: &Config) -> Vec<crate::model::ServerName> {
    config.servers.iter().map(|server| server.name.clone()).collect()
}

/// What the history knows of the jobs; nothing, where there is none to read.
async fn facts(config: &Config) -> Vec<JobFacts> {
    let history = History::read_only(&config.orchestrator.state_dir).ok();
    let mut facts = Vec::new();
    for job in &config.jobs {
        let past = match &history {
            Some(history) => history.past(&job.key).await.unwrap_or_default(),
            None => Default::default(),
        };
        facts.push(JobFacts {
            key: job.key.clone(),
            label: job.label.clone(),
            limit: job.timeout.as_secs(),
            last: past.last,
            last_success: past.last_success,
            usual: past.usual,
            stale: past.stale,
        });
    }
    facts
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
        direct.filter(|direct| direct.reachable.is_some()).cloned().unwrap_or(state)
    };
    Status {
        queue: runner.queue,
        jobs: runner.jobs.into_iter().map(job).collect(),
        servers: runner.servers.into_iter().map(server).collect(),
    }
}

fn text(runner: Option<u32>, status: &Status) -> String {
    let mut text = match runner {
        Some(pid) => format!("{} (process {pid})\n", queue(&status.queue)),
        None => "no run is under way from here\n".to_owned(),
    };
    text.push('\n');
    text.push_str(&servers(&status.servers));
    text.push('\n');
    text.push_str(&jobs(&status.jobs));
    text
}

fn queue(queue: &QueueState) -> String {
    let mut text = format!("the queue is {}", words::queue_phase(queue.phase));
    if let Some(reason) = &queue.reason {
        text.push_str(&format!(": {}", words::clean(reason)));
    }
    if let Some(cycle) = queue.cycle {
        text.push_str(&format!(", {} of {} jobs done", cycle.done, cycle.total));
    }
    text
}

fn servers(servers: &[ServerState]) -> String {
    let mut table =
        Table::new([Column::left("Server"), Column::left("Answers"), Column::left("JetBackup").shrinks(1)]);
    for server in servers {
        let answers = match server.answers() {
            Some(true) => Cell::toned("yes", Tone::Good),
            _ => Cell::toned("NO", Tone::Bad),
        };
        table.row([Cell::from(server.server.as_str()), answers, Cell::from(server.version.clone())]);
        if let Some(error) = &server.error {
            table.note(error);
        }
    }
    table.for_stdout()
}

fn jobs(jobs: &[JobState]) -> String {
    let mut table = Table::new([
        Column::left("Job").shrinks(3),
        Column::left("Now").shrinks(1),
        Column::left("Last"),
        Column::right("Took"),
        Column::left("Last success"),
    ]);
    for job in jobs {
        let last = job.last.as_ref();
        table.row([
            Cell::from(words::name(&job.label, &job.key.server)),
            Cell::toned(now(job), words::phase_tone(job.phase)),
            last.map_or_else(Cell::default, |last| {
                let (outcome, tone) = words::outcome(Some(last.result), last.overrun);
                Cell::toned(outcome, tone)
            }),
            Cell::from(last.and_then(|last| last.duration).map(words::duration)),
            Cell::from(job.last_success.map(words::moment)),
        ]);
        if let Some(group) = job.current.as_ref().and_then(|current| current.group) {
            table.note(&format!("to stop it: jetbackup-remote stop --server {} {group}", job.key.server));
        }
    }
    table.for_stdout()
}

/// What a job is doing, and how far it is.
fn now(job: &JobState) -> String {
    let mut text = words::phase(job.phase).to_owned();
    if let Some(position) = job.queue_position {
        text.push_str(&format!(" ({position})"));
    }
    if let Some(current) = &job.current {
        if let Some(progress) = current.progress {
            text.push_str(&format!(" {progress} %"));
        }
        text.push_str(&format!(", {}", words::duration(current.elapsed)));
    }
    text
}
