//! `status`: how things stand, as the runner knows it and as every server shows it.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::StatusArgs;
use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::table::{Column, Table};
use super::words::{ago, duration, job_phase, last_result, print, print_warning, queue_line};
use crate::config::Config;
use crate::control::{self, Found, Status};
use crate::history::History;
use crate::model::view::{JobPhase, JobState, ServerState};
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
        let mut snapshot = Snapshot::new(&names(&config), facts(&config).await);
        for (line, answer) in
            context::ask_all(&lines, |client| async move { client.look().await }).await
        {
            let now = Timestamp::now();
            let events = match answer {
                Ok(view) => survey(&config, &line.name, &view, now),
                Err(error) => {
                    let (server, error) = (line.name.clone(), error.to_string());
                    vec![Event { at: now, what: What::ServerUnreachable { server, error } }]
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
    let unreached = status.servers.iter().any(|server| server.reachable != Some(true));
    if args.json {
        print(&serde_json::to_string_pretty(&Report { runner: pid, status: &status })?)?;
    } else {
        print(&text(pid, &status))?;
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
        Some(pid) => format!("{} (runner: pid {pid})\n\n", queue_line(&status.queue)),
        None => "no runner is at work\n\n".to_owned(),
    };
    let mut servers =
        Table::new([Column::left("SERVER"), Column::left("ANSWERS"), Column::left("NOTE").shrinks(1)]);
    for server in &status.servers {
        let note = match (&server.version, &server.error) {
            (_, Some(error)) => error.clone(),
            (Some(version), None) => format!("JetBackup {version}"),
            (None, None) => String::new(),
        };
        let answers = if server.reachable == Some(true) { "yes" } else { "NO" };
        servers.row([server.server.to_string(), answers.to_owned(), note]);
    }
    let mut jobs = Table::new([
        Column::left("SERVER").shrinks(2),
        Column::left("JOB").shrinks(3),
        Column::left("NOW").shrinks(1),
        Column::left("LAST"),
        Column::right("TOOK"),
        Column::left("SUCCESS"),
    ]);
    for job in &status.jobs {
        jobs.row([
            job.key.server.to_string(),
            job.label.clone(),
            job_phase(job),
            job.last.as_ref().map(last_result).unwrap_or_else(|| "-".into()),
            job.last.as_ref().and_then(|last| last.duration).map(duration).unwrap_or_default(),
            job.last_success.map(|at| ago(at, Timestamp::now())).unwrap_or_else(|| "never seen".into()),
        ]);
    }
    text.push_str(&servers.to_string());
    text.push('\n');
    text.push_str(&jobs.to_string());
    for job in status.jobs.iter().filter(|job| job.running) {
        if let Some(group) = job.current.as_ref().and_then(|current| current.group) {
            text.push_str(&format!(
                "\n{} {}: queue group {group} (stop it: jetbackup-remote stop --server {} {group})",
                job.key.server, job.label, job.key.server
            ));
        }
    }
    text
}
