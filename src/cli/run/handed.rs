//! `run` handed to the daemon: it is followed like a run of its own until every turn that was asked for is over.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::screen::Screen;
use super::turns::{End, Turns};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{print, print_error};
use crate::cli::progress::{self, Handed, Live};
use crate::config::Config;
use crate::control::{self, Carried, Client, ControlError, Followed, Follower, Found, Runner};
use crate::model::{Command, Event, JobKey, Selection, Snapshot, What};
use crate::words;

/// How long a daemon that went away may take to come back.
const BACK: Duration = Duration::from_secs(120);

/// How long a daemon may take to show a turn it has taken: after a restart it first asks the servers what runs.
const SEEN: Duration = Duration::from_secs(180);

/// How often a daemon that went away is looked for.
const PAUSE: Duration = Duration::from_secs(1);

/// Gives the selected jobs to the daemon and follows it.
pub(super) async fn run(
    config: &Config,
    daemon: Client,
    selection: Selection,
    verbose: u8,
) -> Result<Exit, Failure> {
    let socket = &config.orchestrator.control_socket;
    let screen = Screen::default();
    let _log = screen.log(verbose, None);
    let leave = leave_on_signals()?;
    // First, so that nothing that happens after the daemon's answer is missed.
    let mut follower = daemon.follow().await?;
    let Followed::Snapshot(snapshot) = follower.next().await? else {
        return Err(Failure::NotHanded("the daemon did not say how its queue stands; try again".into()));
    };
    let mut turns = Turns::asked(&snapshot, &selection, config.orchestrator.on_timeout);
    for job in config.jobs.iter().filter(|job| selection.takes(&job.key)) {
        if turns.iter().all(|turn| turn.key != job.key) {
            let name = words::name(&job.label, &job.key.server);
            tracing::warn!("the daemon does not know {name}: restart it after changing the configuration");
            turns.unknown(job.key.clone(), job.label.clone());
        }
    }
    let mut told = Vec::new();
    let carried = tokio::select! {
        () = leave.cancelled() => return left(),
        carried = hand_over(socket, selection, &mut follower, &mut told) => carried?,
    };
    if !carried.answer.accepted {
        print_error(&carried.answer.reason);
        return Ok(Exit::CouldNotStart);
    }
    print(&carried.answer.reason.replace("; ", "\n"))?;

    let usual: HashMap<_, _> = snapshot.jobs().into_iter().map(|job| (job.key, job.usual_duration)).collect();
    let (events, seen) = broadcast::channel(1024);
    let (shown, snapshot) = watch::channel(*snapshot);
    let live = Live::new(seen, snapshot);
    screen.show(live.println_hook());
    let view = tokio::spawn(live.run());
    let mut following = Following { events, shown, turns, from: carried.applied };
    told.into_iter().for_each(|told| following.take(told));
    let stayed = tokio::select! {
        () = leave.cancelled() => false,
        () = following.until_over(socket, follower) => true,
    };
    let Following { events, shown, turns, .. } = following;
    // The view ends with the events. Should it have failed, the summary is still due.
    drop((events, shown));
    if let Err(error) = view.await {
        tracing::warn!("the view failed: {error}");
    }
    if !stayed {
        return left();
    }
    print(&summary(&turns, |key| usual.get(key).copied().flatten()))?;
    let all = turns.iter().all(|turn| turn.end().is_some_and(End::completed_in_time));
    Ok(if all { Exit::Done } else { Exit::Incomplete })
}

/// The person who waits has gone; the daemon has not.
fn left() -> Result<Exit, Failure> {
    print(
        "no longer followed; the daemon goes on with it: `jetbackup-remote status` shows how it goes, \
         `jetbackup-remote stop` stops a run",
    )?;
    Ok(Exit::Incomplete)
}

fn leave_on_signals() -> Result<CancellationToken, Failure> {
    let leave = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = leave.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        token.cancel();
    });
    Ok(leave)
}

/// Asks the daemon to run the jobs. What the follower hears meanwhile goes to `told`.
async fn hand_over(
    socket: &Path,
    selection: Selection,
    follower: &mut Follower,
    told: &mut Vec<Followed>,
) -> Result<Carried, Failure> {
    let Found::Runner(mut daemon) = control::connect(socket).await? else {
        return Err(Failure::NotHanded("the daemon has just ended, and was not asked; try again".into()));
    };
    if daemon.pid() != follower.pid() {
        return Err(Failure::NotHanded("the daemon is being restarted, and was not asked; try again".into()));
    }
    let mut asking = std::pin::pin!(daemon.carry_out(Command::Run(selection)));
    let carried = loop {
        tokio::select! {
            carried = &mut asking => break carried,
            next = follower.next() => match next {
                Ok(next) => told.push(next),
                // Whoever follows next will see that it is gone; the answer may still come.
                Err(_) => break asking.await,
            },
        }
    };
    carried.map_err(|error| match error {
        ControlError::Refused { error, .. } => Failure::NotHanded(error),
        error => Failure::NotHanded(format!(
            "{error}. Whether it has taken the jobs is not known; `jetbackup-remote status` shows it"
        )),
    })
}

/// The queue of the daemon as it is seen from here.
struct Following {
    events: broadcast::Sender<Event>,
    shown: watch::Sender<Snapshot>,
    turns: Turns,
    /// How many events the daemon had told when it answered: how things stood before says nothing of the turns.
    from: u64,
}

impl Following {
    /// Follows until every turn is over, or nothing more can be learned of those that are left.
    async fn until_over(&mut self, socket: &Path, mut follower: Follower) {
        self.look();
        let mut unseen = Instant::now() + SEEN;
        while !self.turns.are_over() {
            let error = tokio::select! {
                next = follower.next() => match next {
                    Ok(told) => {
                        self.take(told);
                        continue;
                    }
                    Err(error) => error,
                },
                () = sleep_until(unseen), if self.turns.some_unseen() => {
                    self.turns.give_up_unseen();
                    continue;
                }
            };
            tracing::warn!(
                "{error}; what runs goes on. Looking for the daemon for up to {} s",
                BACK.as_secs()
            );
            self.turns.lose_sight();
            match find_again(socket).await {
                Ok(again) => {
                    tracing::warn!("the daemon is back (process {}) and goes on with its queue", again.pid());
                    follower = again;
                    // Another process counts its events from the beginning, and all of them are after the answer.
                    self.from = 0;
                    unseen = Instant::now() + SEEN;
                }
                Err(reason) => {
                    tracing::warn!("no longer followed: {reason}");
                    return;
                }
            }
        }
    }

    fn take(&mut self, told: Followed) {
        match told {
            Followed::Snapshot(snapshot) => {
                self.shown.send_replace(*snapshot);
                self.look();
            }
            // It may come back and go on; if not, how it stood when it left is what is known.
            Followed::Event(event) if event.what == What::Leaving => {}
            Followed::Event(event) => {
                self.shown.send_modify(|snapshot| snapshot.apply(&event));
                self.look();
                let after = self.shown.borrow().applied() > self.from;
                if after && matches!(event.what, What::CycleFinished(_)) {
                    self.turns.cycle_is_over(&self.shown.borrow());
                }
                // The view takes this for the end of all events, but a daemon that was restarted is followed on.
                if event.what != What::Leaving {
                    // A view that failed is no reason to stop following.
                    let _ = self.events.send(*event);
                }
            }
            Followed::Missed(missed) => tracing::warn!("{missed} events came too fast to be shown"),
        }
    }

    fn look(&mut self) {
        if self.shown.borrow().applied() >= self.from {
            self.turns.look(&self.shown.borrow());
        }
    }
}

/// Looks for a daemon that went away and follows it again, or says why that can't be.
async fn find_again(socket: &Path) -> Result<Follower, String> {
    let looking = async {
        loop {
            match control::connect(socket).await {
                Ok(Found::Runner(runner)) if runner.runner() == Runner::Daemon => match runner.follow().await
                {
                    Ok(follower) => return Ok(follower),
                    Err(error @ ControlError::NotUnderstood { .. }) => return Err(error.to_string()),
                    // It may be ending or have no room yet.
                    Err(error) => tracing::debug!("{error}"),
                },
                Ok(Found::Runner(other)) => {
                    return Err(format!(
                        "{} (process {}) is at work now",
                        other.runner().name(),
                        other.pid()
                    ));
                }
                Err(error @ ControlError::NotUnderstood { .. }) => return Err(error.to_string()),
                Ok(Found::Nobody) => {}
                Err(error) => tracing::debug!("{error}"),
            }
            sleep(PAUSE).await;
        }
    };
    let given_up = || format!("the daemon did not come back within {} s", BACK.as_secs());
    timeout(BACK, looking).await.unwrap_or_else(|_| Err(given_up()))
}

fn summary(turns: &Turns, usual: impl Fn(&JobKey) -> Option<u64>) -> String {
    let mut handed = Handed::default();
    for turn in turns.iter() {
        let name = || words::name(&turn.label, &turn.key.server);
        match turn.end() {
            Some(End::Run(run)) => handed.runs.push((**run).clone()),
            Some(End::NotReached) => handed.not_reached.push(name()),
            None => handed.unknown.push(name()),
        }
    }
    progress::handed(&handed, usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_daemon_that_does_not_come_back_is_given_up() {
        let room = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let reason = find_again(&room.path().join("control.sock")).await.unwrap_err();
        assert_eq!(reason, "the daemon did not come back within 120 s");
        assert_eq!(begun.elapsed(), BACK);
    }
}
