//! `history`: what is on record.

use std::path::Path;

use serde::Serialize;

use super::HistoryArgs;
use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::output::print;
use super::table::{Cell, Column, Table};
use crate::history::{Filter, History, HistoryError};
use crate::model::{InvalidId, RunRecord};
use crate::words;

#[derive(Serialize)]
struct Records {
    runs: Vec<RunRecord>,
}

pub(super) fn history(path: &Path, args: &HistoryArgs) -> Result<Exit, Failure> {
    let config = context::load(path)?;
    // The past may hold servers and jobs that are configured no longer: names are taken as they are.
    let unknown = |error: InvalidId| Failure::Unknown(error.to_string());
    let names = &args.selection;
    let server = names.server.as_deref().map(str::parse).transpose().map_err(unknown)?;
    let job = names.job.as_deref().map(str::parse).transpose().map_err(unknown)?;
    let filter = Filter { server, job, since: None, limit: Some(args.limit) };
    let runs = block_on(async {
        match History::read_only(&config.orchestrator.state_dir) {
            Ok(history) => Ok(history.runs(&filter).await?),
            // Before the first run there is nothing to tell, which is no failure.
            Err(HistoryError::Absent { .. }) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    })?;
    if args.json {
        print(&serde_json::to_string_pretty(&Records { runs })?)?;
    } else if runs.is_empty() {
        print("nothing is on record yet")?;
    } else {
        print(table(&runs).trim_end())?;
    }
    Ok(Exit::Done)
}

fn table(runs: &[RunRecord]) -> String {
    let mut table = Table::new([
        Column::left("When"),
        Column::left("Job").shrinks(2),
        Column::left("Result"),
        Column::right("Took").optional(),
    ]);
    for run in runs {
        let (outcome, tone) = words::outcome(run.result, run.overrun);
        table.row([
            Cell::from(words::moment(run.started.unwrap_or(run.asked))),
            Cell::from(words::name(&run.label, &run.key.server)),
            Cell::toned(outcome, tone),
            Cell::from(run.duration.map(words::duration)),
        ]);
        table.note(&words::because(run));
    }
    table.for_stdout()
}
