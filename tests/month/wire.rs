//! The way to a server, and what may happen on it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jetbackup_remote::ssh::{Exec, ExecError, ExecFuture, Output, Sent};
use jetbackup_sim::World;
use jiff::Timestamp;

use crate::ledger::Ledger;
use crate::sky::Sky;
use crate::spans::Spans;
use crate::tide::Tide;

/// How long each half of a call takes.
const LATENCY: Duration = Duration::from_millis(20);

/// A server that was silent so many seconds ago may answer again.
const UNTRIED: i64 = 900;

/// A server, and the way to it. It outlives the program.
pub struct Wire {
    pub name: String,
    world: Mutex<World>,
    state: Mutex<State>,
    sky: Sky,
    tide: Tide,
    ledger: Arc<Ledger>,
}

#[derive(Default)]
struct State {
    cut: bool,
    mishap: Option<(&'static str, Mishap)>,
    /// When the list of groups was last answered so that the program could read it.
    listed: Option<Timestamp>,
    /// When it was last asked for that list, whatever was answered.
    tried: Option<Timestamp>,
    /// When it was last asked for anything in vain, if nothing was answered since.
    silent: Option<Timestamp>,
    /// How often it was asked for.
    lists: u32,
    /// When it could not be asked, or gave no proper answer.
    failed: Vec<Timestamp>,
    trouble: Spans,
    stopped: HashSet<String>,
}

/// What happens at a call, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// The command is lost on its way, and that it is.
    LoseCommand,
    /// The answer is lost.
    LoseAnswer,
    /// There is no connection to send it by, and that is known.
    Refuse,
    /// The program is killed before the command arrives.
    KillBefore,
    /// The program is killed before the answer arrives.
    KillAfter,
}

impl Wire {
    pub fn new(world: World, sky: &Sky, tide: &Tide, ledger: &Arc<Ledger>) -> Arc<Self> {
        Arc::new(Self {
            name: world.name().to_owned(),
            world: Mutex::new(world),
            state: Mutex::default(),
            sky: sky.clone(),
            tide: tide.clone(),
            ledger: Arc::clone(ledger),
        })
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn cut(&self, cut: bool) {
        let now = self.sky.now();
        let mut state = self.state();
        state.cut = cut;
        state.trouble.mark(now, cut);
    }

    /// JetBackup is not itself from one moment to another.
    pub fn trouble(&self, from: Timestamp, to: Timestamp) {
        self.state().trouble.add(from, to);
    }

    /// Whether it could not be asked, or gave no proper answer, at any moment between these.
    pub fn was_in_trouble(&self, from: Timestamp, to: Timestamp) -> bool {
        let state = self.state();
        state.trouble.touch(from, to) || state.failed.iter().any(|at| (from..=to).contains(at))
    }

    /// At the next call of this function; nothing else is waited for any more.
    pub fn expect(&self, mishap: Option<(&'static str, Mishap)>) {
        self.state().mishap = mishap;
    }

    /// Whether that is still to come.
    pub fn expects(&self) -> bool {
        self.state().mishap.is_some()
    }

    pub fn is_cut(&self) -> bool {
        self.state().cut
    }

    /// When the list of queue groups was last answered.
    pub fn listed(&self) -> Option<Timestamp> {
        self.state().listed
    }

    /// When it was last asked for that list, whatever was answered.
    pub fn tried(&self) -> Option<Timestamp> {
        self.state().tried
    }

    /// Whether it may be counted on to answer: it did when it was last asked, or nobody has tried for a while.
    pub fn answers(&self, now: Timestamp) -> bool {
        self.state().silent.is_none_or(|at| now.duration_since(at).as_secs() > UNTRIED)
    }

    /// How often it was asked for that list so far.
    pub fn lists(&self) -> u32 {
        self.state().lists
    }

    /// A stop of this group has arrived.
    pub fn stopped(&self, group: &str) {
        self.state().stopped.insert(group.to_owned());
    }

    pub fn was_stopped(&self, group: &str) -> bool {
        self.state().stopped.contains(group)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What became of a command: `answered` at that time, or not, or who knows.
    fn note(&self, command: &str, answered: Option<Timestamp>, spoiled: bool) {
        let now = self.sky.now();
        let mut state = self.state();
        let failed = answered.is_none() || spoiled;
        if failed {
            state.failed.push(now);
        }
        state.silent = failed.then_some(now);
        if command.contains("listQueueGroups") {
            state.lists += 1;
            state.tried = Some(now);
            state.listed = answered.filter(|_| !spoiled).or(state.listed);
        }
    }

    async fn die(&self) -> ! {
        self.tide.kill();
        std::future::pending().await
    }
}

impl Exec for Wire {
    fn exec(&self, command: String, limit: Duration) -> ExecFuture<'_> {
        Box::pin(async move {
            let lost = |sent, message: &str| {
                self.note(&command, None, false);
                Err(ExecError { sent, transient: true, message: message.into() })
            };
            tokio::time::sleep(LATENCY).await;
            let mishap = self.state().mishap.take_if(|(function, _)| command.contains(*function));
            let mishap = mishap.map(|(_, mishap)| mishap);
            if self.state().cut || mishap == Some(Mishap::Refuse) {
                return lost(Sent::No, "connection refused");
            }
            self.ledger.leaving(&self.name, &command);
            match mishap {
                Some(Mishap::LoseCommand) => return lost(Sent::Maybe, "connection lost"),
                Some(Mishap::KillBefore) => self.die().await,
                _ => {}
            }
            let now = self.sky.now();
            self.ledger.arriving(&self.name, &command, now);
            let (reply, call) = {
                let mut world = self.world();
                let reply = world.exec(now, &command);
                (reply, world.take_calls().pop())
            };
            self.ledger.arrived(&self.name, call.as_ref());
            if mishap == Some(Mishap::KillAfter) {
                self.die().await;
            }
            tokio::time::sleep(LATENCY + reply.delay.min(limit)).await;
            if mishap == Some(Mishap::LoseAnswer) || reply.delay >= limit {
                return lost(Sent::Maybe, "connection lost");
            }
            self.note(&command, Some(now), call.is_some_and(|call| call.spoiled));
            let exit = u32::try_from(reply.exit).unwrap();
            Ok(Output { stdout: reply.stdout, stderr: reply.stderr, exit })
        })
    }
}
