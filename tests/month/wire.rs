//! The way to a server, and what may happen on it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jetbackup_remote::ssh::{Exec, ExecError, ExecFuture, Output, Sent};
use jetbackup_sim::World;
use jiff::Timestamp;

use crate::ledger::Ledger;
use crate::sky::Sky;
use crate::tide::Tide;

/// How long each half of a call takes.
const LATENCY: Duration = Duration::from_millis(20);

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
    /// When each function was last answered so that the program could read it.
    answered: Vec<(String, Timestamp)>,
}

/// What happens at a call, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// The command is lost on its way, and that it is.
    LoseCommand,
    /// The answer is lost.
    LoseAnswer,
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
        self.state().cut = cut;
    }

    /// At the next call of this function; nothing else is waited for any more.
    pub fn expect(&self, mishap: Option<(&'static str, Mishap)>) {
        self.state().mishap = mishap;
    }

    /// When the list of queue groups was last answered.
    pub fn listed(&self) -> Option<Timestamp> {
        let state = self.state();
        state.answered.iter().find(|(function, _)| function == "listQueueGroups").map(|(_, at)| *at)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn answered(&self, function: &str, at: Timestamp) {
        let mut state = self.state();
        match state.answered.iter_mut().find(|(known, _)| known == function) {
            Some(known) => known.1 = at,
            None => state.answered.push((function.to_owned(), at)),
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
            let lost = |sent, message: &str| ExecError { sent, transient: true, message: message.into() };
            tokio::time::sleep(LATENCY).await;
            if self.state().cut {
                return Err(lost(Sent::No, "connection refused"));
            }
            let mishap = self.state().mishap.take_if(|(function, _)| command.contains(*function));
            let mishap = mishap.map(|(_, mishap)| mishap);
            match mishap {
                Some(Mishap::LoseCommand) => return Err(lost(Sent::Maybe, "connection lost")),
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
                return Err(lost(Sent::Maybe, "connection lost"));
            }
            if let Some(call) = call.filter(|call| !call.spoiled) {
                self.answered(&call.function, call.at);
            }
            let exit = u32::try_from(reply.exit).unwrap();
            Ok(Output { stdout: reply.stdout, stderr: reply.stderr, exit })
        })
    }
}
