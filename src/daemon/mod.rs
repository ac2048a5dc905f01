//! The daemon: a runner that stays, with a schedule of its own, reloaded by SIGHUP and watched by systemd.
//!
//! It wires the rooms together and listens to signals. A reload is a restart without losing the lock or the process:
//! the orchestrator leaves its queue and its runs on record and the next one, with the new configuration, takes them
//! up. So there is one way to go on after anything, and it is the one that crashes exercise too.

mod signals;
mod status_line;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::signals::{Signal, Signals};
use crate::config::{self, Config};
use crate::control;
use crate::orchestrator::{Duties, ScheduleRecord, Timetable};
use crate::runner::{Claim, ClaimError, Line, LineError, Runner, Sentence, lines, log_events};
use crate::schedule::Schedule;
use crate::service::Service;

/// The daemon could not start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// It may not be the runner.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// A server's key cannot be used.
    #[error(transparent)]
    Line(#[from] LineError),
    /// Signals cannot be listened to.
    #[error("cannot listen to signals: {0}")]
    Signals(#[from] std::io::Error),
    /// The orchestrator broke off: a bug. What runs is on record, and a restarted daemon takes it up.
    #[error("the queue broke off: {0}; restart the daemon, it takes up what is on record, and report this")]
    Broken(#[from] tokio::task::JoinError),
}

/// Keeps the queue until SIGTERM or SIGINT; what `log` makes of an event is written into the log. The configuration is read again from its file upon SIGHUP.
///
/// # Errors
/// If it cannot start, or the orchestrator broke off.
pub async fn run(config: Arc<Config>, log: Sentence) -> Result<(), DaemonError> {
    let service = Arc::new(Service::from_env());
    let mut signals = Signals::listen()?;
    let claim = Claim::take(&config.orchestrator).await?;
    let mut next = Some((all_lines(&config)?, config));
    let mut is_first = true;
    while let Some((lines, config)) = next.take() {
        next = generation(config, lines, &claim, &service, &mut signals, log, is_first).await?;
        is_first = false;
    }
    Ok(())
}

/// What the next generation begins with.
type Reload = (Vec<Line>, Arc<Config>);

/// Keeps the queue with one configuration; answers the next one, if there is one.
async fn generation(
    config: Arc<Config>,
    lines: Vec<Line>,
    claim: &Claim,
    service: &Arc<Service>,
    signals: &mut Signals,
    log: Sentence,
    is_first: bool,
) -> Result<Option<Reload>, DaemonError> {
    let (mut runner, machine) = Runner::start(&config, control::Runner::Daemon, claim, lines).await;
    runner.tell_of_start(is_first).await;
    let views = [
        tokio::spawn(log_events(runner.handle.events.subscribe(), log)),
        tokio::spawn(status_line::keep(Arc::clone(service), runner.handle.snapshot.clone())),
    ];
    let duties = duties(&config, service);
    let leave = CancellationToken::new();
    let mut turning = tokio::spawn(machine.serve(duties, leave.clone()));
    let next = loop {
        tokio::select! {
            // It only ends by itself if it breaks.
            broken = &mut turning => {
                runner.close().await;
                return broken.map(|()| None).map_err(Into::into);
            }
            signal = signals.next() => match signal {
                Signal::End => {
                    tracing::info!("told to end: what runs goes on and is taken up at the next start");
                    service.stopping();
                    runner.tell_of_end().await;
                    break None;
                }
                Signal::Reload => {
                    service.reloading();
                    match reload(&config) {
                        Ok(next) => {
                            tracing::info!("the configuration was read again and is in force");
                            break Some(next);
                        }
                        Err(error) => {
                            tracing::error!("the configuration stays as it was: {error}");
                            service.ready();
                        }
                    }
                }
            }
        }
    };
    leave.cancel();
    let ended = async {
        turning.await?;
        for view in views {
            // The views end with the events. Whatever became of them, the backups are what counts.
            if let Err(error) = view.await {
                tracing::warn!("a view failed: {error}");
            }
        }
        runner.close().await;
        Ok::<_, DaemonError>(())
    };
    signals.or_at_once(ended, next.is_none()).await?;
    Ok(next)
}

fn duties(config: &Arc<Config>, service: &Arc<Service>) -> Duties {
    let timetable = if config.daemon.schedule.is_none() && config.cycle_loop.is_none() {
        Timetable::Never
    } else {
        let config = Arc::clone(config);
        Timetable::WaitsForClock(Box::new(move |ScheduleRecord { memory, last_cycle }, now| {
            let memory = memory.and_then(|memory| serde_json::from_str(&memory).ok());
            Schedule::new(&config, crate::zone::system(), memory, last_cycle.as_ref(), now)
        }))
    };
    let (alive, mut ready) = (Arc::clone(service), false);
    let wheel_turned = move || {
        if !std::mem::replace(&mut ready, true) {
            alive.ready();
        }
        alive.alive();
    };
    Duties::new(timetable, wheel_turned, service.watchdog_interval().map(|interval| interval / 3))
}

/// Why the configuration cannot be taken over.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    #[error(transparent)]
    Line(#[from] LineError),
}

/// Reads the configuration again, as a whole or not at all.
fn reload(old: &Config) -> Result<Reload, ReloadError> {
    let loaded = config::load(&old.path)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let mut config = loaded.config;
    keep_fixed(old, &mut config);
    let lines = all_lines(&config)?;
    Ok((lines, Arc::new(config)))
}

fn all_lines(config: &Config) -> Result<Vec<Line>, LineError> {
    lines(config, &config.servers.iter().collect::<Vec<_>>())
}

/// What hangs on the process: the lock, the history and the log stay where they are until a restart.
fn keep_fixed(old: &Config, new: &mut Config) {
    let (old, new) = (&old.orchestrator, &mut new.orchestrator);
    let keep = |name: &str, changed: bool| {
        if changed {
            tracing::warn!("orchestrator.{name} changes with the next restart");
        }
    };
    keep("state_dir", old.state_dir != new.state_dir);
    keep("lock_file", old.lock_file != new.lock_file);
    keep("log_file", old.log_file != new.log_file);
    keep("log_max_bytes", old.log_max_bytes != new.log_max_bytes);
    keep("log_backup_count", old.log_backup_count != new.log_backup_count);
    new.state_dir.clone_from(&old.state_dir);
    new.lock_file.clone_from(&old.lock_file);
    new.log_file.clone_from(&old.log_file);
    new.log_max_bytes = old.log_max_bytes;
    new.log_backup_count = old.log_backup_count;
}
