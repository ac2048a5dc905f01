//! `run`: one cycle, watched by a person or a log.

use std::path::Path;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::RunArgs;
use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::progress::Progress;
use super::table::{Column, Table};
use super::words::{duration, print, print_warning};
use crate::config::Config;
use crate::control::{self, Door, Found};
use crate::history::{Filter, History};
use crate::lock;
use crate::logging;
use crate::model::{CycleRecord, Selection};
use crate::orchestrator::{Orchestrator, SystemClock, plan};
use crate::state_dir;

pub(super) fn run(path: &Path, verbose: u8, args: &RunArgs) -> Result<Exit, Failure> {
    let config = context::load(path)?;
    let names = &args.selection;
    let selection = context::selection(&config, names.server.as_deref(), names.job.as_deref())?;
    if args.dry_run {
        print(&order(&config, &selection))?;
        return Ok(Exit::Done);
    }
    block_on(perform(config, selection, verbose))
}

/// The queue as it would be.
fn order(config: &Config, selection: &Selection) -> String {
    let mut table = Table::new([
        Column::right("TURN"),
        Column::left("SERVER").shrinks(2),
        Column::left("JOB ID"),
        Column::left("LABEL").shrinks(1),
        Column::right("LIMIT"),
    ]);
    for (turn, job) in (1u32..).zip(plan(&config.servers, &config.jobs, selection)) {
        table.row([
            turn.to_string(),
            job.key.server.to_string(),
            job.key.job.to_string(),
            job.label.clone(),
            duration(job.timeout.as_secs()),
        ]);
    }
    table.to_string()
}

async fn perform(config: Arc<Config>, selection: Selection, verbose: u8) -> Result<Exit, Failure> {
    let orchestrator = &config.orchestrator;
    let progress = Progress::new();
    let log = logging::LogFile {
        path: orchestrator.log_file.clone(),
        max_bytes: orchestrator.log_max_bytes,
        backups: orchestrator.log_backup_count,
    };
    let logging =
        logging::init(logging::Options { verbose, quiet: false, file: Some(log), stderr: progress.println_hook() });
    logging.warnings.iter().for_each(|warning| print_warning(warning));

    state_dir::ensure(&orchestrator.state_dir)?;
    if let Found::Runner(runner) = control::connect(&orchestrator.control_socket).await? {
        return Err(Failure::Busy(format!(
            "a run is under way already (pid {}); `jetbackup-remote status` shows it",
            runner.pid()
        )));
    }
    let held = lock::acquire(&orchestrator.state_dir, &orchestrator.lock_file)?;
    held.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let opened = History::open(&orchestrator.state_dir).await;
    opened.notices.iter().for_each(|notice| tracing::warn!("{notice}"));

    let servers: Vec<_> = config.servers.iter().collect();
    let lines = context::lines(&config, &servers)?;
    let clients = lines.iter().map(|line| (line.name.clone(), Arc::clone(&line.client))).collect();
    let (machine, handle) =
        Orchestrator::new(Arc::clone(&config), clients, opened.history.clone(), Arc::new(SystemClock)).await;
    let door = Door { requests: handle.requests.clone(), snapshot: handle.snapshot.clone() };
    let served = control::serve(&orchestrator.control_socket, control::Runner::Run, door).await;
    // Without the socket nobody can ask how it goes or release a run; the backups still have to be made.
    let _served = served.map_err(|error| tracing::warn!("{error}")).ok();

    let leave = leave_on_signals()?;
    let view = tokio::spawn(progress.follow(handle.events.subscribe(), handle.snapshot.clone()));
    drop(handle);
    let cycle = machine.run(&selection, leave.clone()).await;
    // The view ends with the events; should it have failed, the summary is still due.
    if let Err(error) = view.await {
        tracing::warn!("the progress view failed: {error}");
    }
    print(&summary(&opened.history, &cycle).await)?;
    for line in &lines {
        line.close().await;
    }
    let all_completed = cycle.completed == cycle.total && !leave.is_cancelled();
    Ok(if all_completed { Exit::Done } else { Exit::Incomplete })
}

/// The first SIGTERM or SIGINT stops dispatching, the second ends the process where it stands.
fn leave_on_signals() -> Result<CancellationToken, Failure> {
    let leave = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = leave.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if token.is_cancelled() {
                tracing::warn!("told to end again: ending at once; what runs is left alone and on record");
                // The only place that ends the process from inside: waiting longer is what the person refuses.
                std::process::exit(2);
            }
            tracing::warn!("told to end: nothing more is started, what runs is left alone and stays on record");
            token.cancel();
        }
    });
    Ok(leave)
}

async fn summary(history: &History, cycle: &CycleRecord) -> String {
    let filter = Filter { since: Some(cycle.started), ..Filter::default() };
    let mut runs = history.runs(&filter).await.unwrap_or_else(|error| {
        tracing::warn!("the summary lacks the runs: {error}");
        Vec::new()
    });
    runs.retain(|run| run.cycle == Some(cycle.id));
    runs.reverse();
    super::progress::summary(cycle, &runs)
}
