//! `history`: what is on record.

use std::path::Path;

use serde::Serialize;

use super::HistoryArgs;
use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::table::{Column, Table};
use super::words::{duration, local_time, outcome, print};
use crate::history::{Filter, History};
use crate::model::RunRecord;

#[derive(Serialize)]
struct Records {
    runs: Vec<RunRecord>,
}

pub(super) fn history(path: &Path, args: &HistoryArgs) -> Result<Exit, Failure> {
    let config = context::load(path)?;
    // The past may hold servers and jobs that are configured no longer: names are taken as they are.
    let server = args.selection.server.as_deref().map(str::parse).transpose();
    let job = args.selection.job.as_deref().map(str::parse).transpose();
    let (server, job) = match (server, job) {
        (Ok(server), Ok(job)) => (server, job),
        (Err(error), _) | (_, Err(error)) => return Err(Failure::Unknown(error.to_string())),
    };
    let filter = Filter { server, job, since: None, limit: Some(args.limit) };
    let runs = block_on(async {
        let history = History::read_only(&config.orchestrator.state_dir)?;
        Ok(history.runs(&filter).await?)
    })?;
    if args.json {
        print(&serde_json::to_string_pretty(&Records { runs })?)?;
    } else if runs.is_empty() {
        print("nothing is on record yet")?;
    } else {
        print(&table(&runs))?;
    }
    Ok(Exit::Done)
}

fn table(runs: &[RunRecord]) -> String {
    let mut table = Table::new([
        Column::left("WHEN"),
        Column::left("SERVER").shrinks(2),
        Column::left("JOB").shrinks(3),
        Column::left("RESULT"),
        Column::right("TOOK"),
        Column::left("NOTE").shrinks(4),
    ]);
    for run in runs {
        table.row([
            local_time(run.started.unwrap_or(run.asked)),
            run.key.server.to_string(),
            run.label.clone(),
            outcome(run),
            run.duration.map(duration).unwrap_or_default(),
            run.error.clone().unwrap_or_default(),
        ]);
    }
    table.to_string()
}
