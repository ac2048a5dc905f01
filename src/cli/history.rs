//! `history`: what is on record.

use std::collections::HashSet;
use std::path::Path;

use serde::Serialize;

use super::HistoryArgs;
use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::output::print;
use super::table::{Cell, Column, Table};
use crate::history::{Filter, History, HistoryError, Past};
use crate::model::{InvalidId, JobKey, RunRecord};
use crate::words;

#[derive(Serialize)]
struct Records {
    runs: Vec<RunRecord>,
    usual: Vec<Usual>,
}

/// How long a job usually takes.
#[derive(Serialize)]
struct Usual {
    #[serde(flatten)]
    key: JobKey,
    /// Seconds: the median of its last ten completed or partial runs.
    usual_duration: Option<u64>,
}

pub(super) fn history(path: &Path, args: &HistoryArgs) -> Result<Exit, Failure> {
    let config = context::load(path)?;
    // The past may hold servers and jobs that are configured no longer: names are taken as they are.
    let unknown = |error: InvalidId| Failure::Unknown(error.to_string());
    let names = &args.selection;
    let server = names.server.as_deref().map(str::parse).transpose().map_err(unknown)?;
    let job = names.job.as_deref().map(str::parse).transpose().map_err(unknown)?;
    let filter = Filter { server, job, since: None, limit: Some(args.limit) };
    let records = block_on(async {
        match History::read_only(&config.orchestrator.state_dir) {
            Ok(history) => Ok(records(&history, &filter).await?),
            // Before the first run there is nothing to tell, which is no failure.
            Err(HistoryError::Absent { .. }) => Ok(Records { runs: Vec::new(), usual: Vec::new() }),
            Err(error) => Err(error.into()),
        }
    })?;
    if args.json {
        print(&serde_json::to_string_pretty(&records)?)?;
    } else if records.runs.is_empty() {
        print("nothing is on record yet")?;
    } else {
        print(table(&records).trim_end())?;
    }
    Ok(Exit::Done)
}

/// The runs, and what is usual for each job among them.
async fn records(history: &History, filter: &Filter) -> Result<Records, HistoryError> {
    let runs = history.runs(filter).await?;
    let mut jobs: Vec<JobKey> = Vec::new();
    let mut seen = HashSet::new();
    for run in &runs {
        if seen.insert(&run.key) {
            jobs.push(run.key.clone());
        }
    }
    let pasts = history.pasts(&jobs).await?;
    let usual_of = |key: JobKey| Usual { usual_duration: pasts.get(&key).and_then(Past::usual), key };
    let usual = jobs.into_iter().map(usual_of).collect();
    Ok(Records { runs, usual })
}

fn table(records: &Records) -> String {
    let mut table = Table::new([
        Column::left("When"),
        Column::left("Job").shrinks(2),
        Column::left("Result"),
        Column::right("Took").optional(),
        Column::right("Usually").optional(),
    ]);
    let usual = |run: &RunRecord| {
        let known = records.usual.iter().find(|usual| usual.key == run.key);
        known.and_then(|usual| usual.usual_duration).map(words::duration)
    };
    for run in &records.runs {
        let (outcome, tone) = words::outcome(run.result, run.overrun);
        table.row([
            Cell::from(words::moment(run.started.unwrap_or(run.asked))),
            Cell::from(words::name(&run.label, &run.key.server)),
            Cell::toned(outcome, tone),
            Cell::from(run.duration.map(words::duration)),
            Cell::from(usual(run)),
        ]);
        table.note(&words::because(run));
    }
    table.for_stdout()
}
