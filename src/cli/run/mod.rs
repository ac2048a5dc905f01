//! `run`: one cycle, watched by a person or a log.
//!
//! `own` keeps the queue itself; `handed` gives the jobs to the daemon, where there is one, and follows it, with `turns`
//! knowing what is still waited for. `screen` is where the log goes beside the live view.

mod handed;
mod own;
mod screen;
mod turns;

use std::path::Path;
use std::sync::Arc;

use super::RunArgs;
use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::output::print;
use super::table::{Cell, Column, Table};
use crate::config::Config;
use crate::control::{self, Found, Runner};
use crate::model::Selection;
use crate::orchestrator::plan;
use crate::words::duration;

pub(super) fn run(path: &Path, verbose: u8, args: &RunArgs) -> Result<Exit, Failure> {
    let config = context::load(path)?;
    let names = &args.selection;
    let selection = context::selection(&config, names.server.as_deref(), names.job.as_deref())?;
    if args.dry_run {
        print(order(&config, &selection).trim_end())?;
        return Ok(Exit::Done);
    }
    block_on(perform(config, selection, verbose))
}

/// The queue as it would be.
fn order(config: &Config, selection: &Selection) -> String {
    let mut table = Table::new([
        Column::right("Turn"),
        Column::left("Server").shrinks(2),
        Column::left("Job id"),
        Column::left("Label").shrinks(1),
        Column::right("Limit"),
    ]);
    for (turn, job) in (1u32..).zip(plan(&config.servers, &config.jobs, selection)) {
        table.row([
            Cell::from(turn.to_string()),
            Cell::from(job.key.server.as_str()),
            Cell::from(job.key.job.to_string()),
            Cell::from(job.label.as_str()),
            Cell::from(duration(job.timeout.as_secs())),
        ]);
    }
    table.for_stdout()
}

/// Only one process may keep the queue: another run is not disturbed, and a daemon is given the jobs.
async fn perform(config: Arc<Config>, selection: Selection, verbose: u8) -> Result<Exit, Failure> {
    match control::connect(&config.orchestrator.control_socket).await? {
        Found::Nobody => own::run(config, selection, verbose).await,
        Found::Runner(daemon) if daemon.runner() == Runner::Daemon => {
            handed::run(&config, daemon, selection, verbose).await
        }
        Found::Runner(runner) => Err(Failure::Busy(format!(
            "a run is under way already (process {}); `jetbackup-remote status` shows it",
            runner.pid()
        ))),
    }
}
