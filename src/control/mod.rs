//! The unix socket between the command line and the runner, be it the daemon or a one-shot `run`.
//!
//! It carries questions to the one process that knows the queue, and its answers back. This room must not know what
//! a command means or how status is printed: it hands [`Command`](crate::model::Command)s through a [`Door`] and
//! reads the [`Snapshot`](crate::model::Snapshot).
//!
//! The protocol is one JSON object a line, in both directions:
//!
//! ```text
//! > {"version":1,"ask":"status"}
//! < {"version":1,"pid":812,"runner":"daemon","status":{"queue":{…},"servers":[…],"jobs":[…]}}
//! > {"version":1,"ask":{"command":{"release":{"server":"web1","job_id":"64ab…"}}}}
//! < {"version":1,"pid":812,"runner":"daemon","answer":{"accepted":true,"reason":"…"}}
//! > {"version":1,"ask":"tea"}
//! < {"version":1,"pid":812,"runner":"daemon","error":"…"}
//! ```
//!
//! Who asks to follow is told how the queue stands, and from then on everything that happens, in order, until one of
//! the two ends:
//!
//! ```text
//! > {"version":1,"ask":"follow"}
//! < {"version":1,"pid":812,"runner":"daemon","snapshot":{…}}
//! < {"event":{"at":"…","what":{…}}}          every event, each exactly once: here or taken in by a snapshot
//! < {}                                       after 20 s without any other line: the runner is alive
//! < {"missed":40,"snapshot":{…}}             the follower was too slow for so many events
//! < {"ended":true}                           the runner ends; without this line it was killed
//! ```
//!
//! Keys a reader does not know are skipped, so that a later version may say more. Who may connect is decided by the
//! file's owner, group and mode alone.

mod client;
mod error;
mod feed;
mod follower;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod line;
mod protocol;
mod server;
mod socket;

pub use client::{Carried, Client, Found, connect};
pub use error::ControlError;
pub use follower::{Followed, Follower};
pub use protocol::{Runner, Status};
pub use server::{Asked, Door, Served, serve};
