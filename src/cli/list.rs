//! `list`: the configured jobs beside those the servers have.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::output::{print, print_error};
use super::table::{Cell, Column, Table};
use crate::jetbackup::{ApiError, Job};
use crate::model::{JobId, JobKey, Selection, ServerName};
use crate::orchestrator;
use crate::words::Tone;

/// Whether a job will get its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    /// Configured, and there.
    Queued,
    /// Configured, and disabled on its server: its turn will be skipped.
    Disabled,
    /// Configured, and unknown to its server.
    Missing,
    /// Configured, and its server did not answer.
    Unknown,
    /// There, and in no queue.
    NotConfigured,
}

impl Standing {
    fn words(self) -> &'static str {
        match self {
            Self::Queued => "in the queue",
            Self::Disabled => "DISABLED on the server",
            Self::Missing => "NOT FOUND on the server",
            Self::Unknown => "server not reached",
            Self::NotConfigured => "in no queue",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::Queued => Tone::Good,
            Self::Disabled | Self::NotConfigured => Tone::Warn,
            Self::Missing | Self::Unknown => Tone::Bad,
        }
    }
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    key: JobKey,
    /// The configured label, else the name the server has for it.
    label: String,
    /// The name the server has for it.
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<crate::config::JobKind>,
    priority: Option<i64>,
    standing: Standing,
}

#[derive(Debug, Serialize)]
struct Listing {
    jobs: Vec<Row>,
    errors: BTreeMap<ServerName, String>,
}

pub(super) fn list(path: &Path, verbose: u8, json: bool) -> Result<Exit, Failure> {
    let config = context::load(path)?;
    let servers = context::servers(&config, None)?;
    let _log = context::log_to_stderr(verbose);
    let lines = context::lines(&config, &servers)?;
    let answers = block_on(async {
        let answers = context::ask_all(&lines, |client| async move { client.jobs().await }).await;
        Ok(answers.into_iter().map(|(line, answer)| (line.name.clone(), answer)).collect::<Vec<_>>())
    })?;
    let listing = compare(&config, answers);
    if json {
        print(&serde_json::to_string_pretty(&listing)?)?;
    } else {
        print(table(&listing).trim_end())?;
        for error in listing.errors.values() {
            print_error(error);
        }
    }
    Ok(if listing.errors.is_empty() { Exit::Done } else { Exit::Incomplete })
}

fn compare(
    config: &crate::config::Config,
    answers: Vec<(ServerName, Result<Vec<Job>, ApiError>)>,
) -> Listing {
    let mut there: BTreeMap<ServerName, Vec<Job>> = BTreeMap::new();
    let mut errors = BTreeMap::new();
    for (server, answer) in answers {
        match answer {
            Ok(jobs) => drop(there.insert(server, jobs)),
            Err(error) => drop(errors.insert(server, error.to_string())),
        }
    }
    let on_server = |server: &ServerName, id: JobId| -> Option<Option<&Job>> {
        there.get(server).map(|jobs| jobs.iter().find(|job| job.id == id))
    };
    let mut rows = Vec::new();
    for job in orchestrator::plan(&config.servers, &config.jobs, &Selection::default()) {
        let found = on_server(&job.key.server, job.key.job);
        rows.push(Row {
            key: job.key.clone(),
            label: job.label.clone(),
            name: found.flatten().and_then(|job| job.name.clone()),
            kind: Some(job.kind),
            priority: Some(job.priority),
            standing: match found {
                None => Standing::Unknown,
                Some(None) => Standing::Missing,
                Some(Some(job)) if job.disabled == Some(true) => Standing::Disabled,
                Some(Some(_)) => Standing::Queued,
            },
        });
    }
    for (server, jobs) in &there {
        for job in jobs {
            let key = JobKey { server: server.clone(), job: job.id };
            if config.job(&key).is_none() {
                let name = job.name.clone();
                rows.push(Row {
                    label: name.clone().unwrap_or_else(|| job.id.to_string()),
                    key,
                    name,
                    kind: None,
                    priority: None,
                    standing: Standing::NotConfigured,
                });
            }
        }
    }
    Listing { jobs: rows, errors }
}

fn table(listing: &Listing) -> String {
    let mut table = Table::new([
        Column::left("Server").shrinks(2),
        Column::left("Job id"),
        Column::left("Label").shrinks(1),
        Column::left("Standing"),
    ]);
    for row in &listing.jobs {
        table.row([
            Cell::from(row.key.server.as_str()),
            Cell::from(row.key.job.to_string()),
            Cell::from(row.label.as_str()),
            Cell::toned(row.standing.words(), row.standing.tone()),
        ]);
    }
    table.for_stdout()
}
