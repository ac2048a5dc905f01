//! A JetBackup 5 stand-in for tests and the demo: the API's behaviour on a settable clock.
//!
//! The crate knows what `jetbackup5api` shows to the outside and nothing of the program that asks. It shares no code
//! with that program, so that a misunderstanding in one of them does not hide in the other.
//!
//! - [`World`] is one JetBackup server: pure state and an explicit time, no threads, no sleeping.
//! - [`Job`] and [`Run`] script what happens when a job is started; [`Fault`] spoils answers.
//! - [`ssh::SshServer`] serves a world in-process; [`Store`] keeps one in a file for the executable `jetbackup5api`,
//!   which sits behind a real sshd and the real gate.
//! - [`truth`] says what really ran, whatever the answers claimed.
//!
//! ```
//! use jetbackup_sim::{Job, Run, World, clock::at, id};
//!
//! let t0 = at("2024-01-01T00:00:00Z");
//! let mut world = World::new("alpha")
//!     .job(Job::new(id(1), "accounts").runs(Run::completed().lasting(3600).pending(5).group_after(20)));
//! let reply = world.exec(t0, &format!("jetbackup5api -F runBackupJobManually -D '_id={}' -O json", id(1)));
//! assert_eq!(reply.exit, 0);
//! assert_eq!(world.triggers(&id(1)), 1);
//! ```

#![warn(missing_docs)]

mod api;
mod calls;
pub mod clock;
mod destination;
mod executable;
mod fault;
mod gate;
mod group;
mod job;
mod list;
mod objects;
mod params;
mod render;
mod run;
pub mod ssh;
mod store;
mod timeline;
pub mod truth;
mod world;

pub use calls::{Call, Effect};
pub use destination::{Destination, SECRET};
pub use executable::{MissingExecutable, executable};
pub use fault::{Fault, Spoil};
pub use gate::Allow;
pub use job::{DisabledAnswer, Job, WhenRunning};
pub use render::{Bools, Dialect, FailureData, Reply};
pub use run::{Origin, Outcome, Run};
pub use store::{Store, StoreError};
pub use world::{Shown, World};

/// A made-up id of the form JetBackup uses: 24 lower-case hex digits.
pub fn id(number: u64) -> String {
    format!("{number:024x}")
}
