//! `run`: one cycle, watched by a person or a log.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use super::RunArgs;
use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::output::{print, print_warning};
use super::progress::{self, Live};
use super::table::{Cell, Column, Table};
use super::words::{self, duration};
use crate::config::{self, Config};
use crate::control::{self, Door, Found};
use crate::history::{Filter, History, Opened};
use crate::lock;
use crate::logging::{self, Logging};
use crate::model::{CycleRecord, Event, JobKey, Selection};
use crate::orchestrator::{Orchestrator, SystemClock, plan};
use crate::state_dir;

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

async fn perform(config: Arc<Config>, selection: Selection, verbose: u8) -> Result<Exit, Failure> {
    let orchestrator = &config.orchestrator;
    let screen = Screen::default();
    let logging = log(orchestrator, verbose, &screen);
    logging.warnings.iter().for_each(|warning| print_warning(warning));

    state_dir::ensure(&orchestrator.state_dir)?;
    if let Found::Runner(runner) = control::connect(&orchestrator.control_socket).await? {
        return Err(Failure::Busy(format!(
            "a run is under way already (process {}); `jetbackup-remote status` shows it",
            runner.pid()
        )));
    }
    let held = lock::acquire(&orchestrator.state_dir, &orchestrator.lock_file)?;
    held.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let Opened { history, notices } = History::open(&orchestrator.state_dir).await;
    notices.iter().for_each(|notice| tracing::warn!("{notice}"));

    let servers: Vec<_> = config.servers.iter().collect();
    let lines = context::lines(&config, &servers)?;
    let clients = lines.iter().map(|line| (line.name.clone(), Arc::clone(&line.client))).collect();
    let clock = Arc::new(SystemClock);
    let (machine, handle) = Orchestrator::new(Arc::clone(&config), clients, history.clone(), clock).await;
    let door = Door {
        requests: handle.requests.clone(),
        snapshot: handle.snapshot.clone(),
        events: handle.events.downgrade(),
    };
    let served = control::serve(&orchestrator.control_socket, control::Runner::Run, door).await;
    // Without the socket nobody can ask how it goes or release a run; the backups still have to be made.
    let served = served.map_err(|error| tracing::warn!("{error}")).ok();

    let leave = leave_on_signals()?;
    let live = Live::new(handle.events.subscribe(), handle.snapshot.clone());
    screen.show(live.println_hook());
    let views = [tokio::spawn(live.run()), tokio::spawn(log_events(handle.events.subscribe()))];
    // As it was before: a run is not to be compared with itself.
    let usual =
        handle.snapshot.borrow().jobs().into_iter().map(|job| (job.key, job.usual_duration)).collect();
    drop(handle);
    let cycle = machine.run(&selection, leave.clone()).await;
    for view in views {
        // The views end with the events. Should one have failed, the summary is still due.
        if let Err(error) = view.await {
            tracing::warn!("a view failed: {error}");
        }
    }
    print(&summary(&history, &cycle, &usual).await)?;
    if let Some(served) = served {
        served.close().await;
    }
    for line in &lines {
        line.close().await;
    }
    let all_completed = cycle.completed == cycle.total && !leave.is_cancelled();
    Ok(if all_completed { Exit::Done } else { Exit::Incomplete })
}

/// Where log lines for standard error go: above the bars, once there are some.
#[derive(Clone, Default)]
struct Screen(Arc<OnceLock<logging::Sink>>);

impl Screen {
    fn show(&self, println: logging::Sink) {
        // It is set once, here.
        let _ = self.0.set(println);
    }

    fn sink(&self) -> logging::Sink {
        let (screen, stderr) = (self.clone(), logging::stderr());
        Arc::new(move |text| match screen.0.get() {
            Some(println) => println(text.trim_end_matches('\n')),
            None => stderr(text),
        })
    }
}

fn log(orchestrator: &config::Orchestrator, verbose: u8, screen: &Screen) -> Logging {
    let file = logging::LogFile {
        path: orchestrator.log_file.clone(),
        max_bytes: orchestrator.log_max_bytes,
        backups: orchestrator.log_backup_count,
    };
    // The live view says what happens; the log on standard error is for what goes wrong.
    logging::init(logging::Options { verbose, quiet: true, file: Some(file), stderr: screen.sink() })
}

/// Writes what happens into the log.
async fn log_events(mut events: broadcast::Receiver<Event>) {
    loop {
        match events.recv().await {
            Ok(event) => {
                if let Some(sentence) = words::sentence(&event) {
                    tracing::info!("{sentence}");
                }
            }
            Err(RecvError::Lagged(missed)) => tracing::warn!("{missed} events came too fast for the log"),
            Err(RecvError::Closed) => return,
        }
    }
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
