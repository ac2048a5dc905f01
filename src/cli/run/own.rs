//! `run` as its own runner: it takes the lock, keeps the queue and serves the control socket until the queue is done.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::screen::Screen;
use crate::cli::context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{print, print_warning};
use crate::cli::progress::{self, Live};
use crate::config::Config;
use crate::control;
use crate::history::{Filter, History};
use crate::model::{CycleRecord, JobKey, Selection};
use crate::runner::{Claim, Runner, log_events};
use crate::words;

/// Runs the selected jobs.
pub(super) async fn run(config: Arc<Config>, selection: Selection, verbose: u8) -> Result<Exit, Failure> {
    let orchestrator = &config.orchestrator;
    let screen = Screen::default();
    let logging = screen.log(verbose, context::log_file(orchestrator));
    logging.warnings.iter().for_each(|warning| print_warning(warning));

    let claim = Claim::take(orchestrator).await?;
    let lines = context::lines(&config, &config.servers.iter().collect::<Vec<_>>())?;
    let (runner, machine) = Runner::start(&config, control::Runner::Run, &claim, lines).await;
    let handle = &runner.handle;

    let leave = leave_on_signals()?;
    let live = Live::new(handle.events.subscribe(), handle.snapshot.clone());
    screen.show(live.println_hook());
    let views =
        [tokio::spawn(live.run()), tokio::spawn(log_events(handle.events.subscribe(), words::sentence))];
    // As it was before: a run is not to be compared with itself.
    let usual =
        handle.snapshot.borrow().jobs().into_iter().map(|job| (job.key, job.usual_duration)).collect();
    let ended = machine.run(&selection, leave.clone()).await;
    for view in views {
        // The views end with the events. Should one have failed, the summary is still due.
        if let Err(error) = view.await {
            tracing::warn!("a view failed: {error}");
        }
    }
    let cycle = match ended {
        Ok(cycle) => cycle,
        Err(error) => {
            runner.close().await;
            return Err(error.into());
        }
    };
    let summary = summary(&claim.history, &cycle, &usual).await;
    runner.close().await;
    print(&summary)?;
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
            tracing::warn!(
                "told to end: nothing more is started, what runs is left alone and stays on record"
            );
            token.cancel();
        }
    });
    Ok(leave)
}

async fn summary(history: &History, cycle: &CycleRecord, usual: &HashMap<JobKey, Option<u64>>) -> String {
    let mut runs = history.runs(&Filter::default()).await.unwrap_or_else(|error| {
        tracing::warn!("the summary lacks the runs: {error}");
        Vec::new()
    });
    runs.retain(|run| run.cycle == Some(cycle.id));
    runs.reverse();
    progress::summary(cycle, &runs, |key| usual.get(key).copied().flatten())
}
