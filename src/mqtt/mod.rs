//! The broker: what Home Assistant, automations and plain MQTT clients see of the queue, and what they ask of it.
//!
//! `topics`, `states`, `events`, `commands` and `homeassistant` are pure: what is said on which topic, and what that
//! which is heard means. `session` is the view: it tells what changed and passes on what is asked. `link` is one
//! connection to the broker, with `tls` below it and `trouble` for its ends. `watcher` puts events into words and
//! `backlog` keeps them until the broker has them; `board` knows what the broker has been told, `inbox` answers
//! commands, `clearing` takes everything back.
//!
//! This room must know nothing of servers, runs or the disk beyond what the snapshot, the events and the record of
//! what was published tell. Nothing in it can hold up the queue.

mod backlog;
mod board;
mod clearing;
mod commands;
mod events;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod homeassistant;
mod inbox;
mod link;
#[cfg(test)]
mod manual_tests;
mod probe;
mod session;
mod states;
#[cfg(test)]
mod testing;
mod tls;
mod topics;
mod trouble;
mod watcher;

pub use clearing::{ClearError, Cleared, clear};
pub use homeassistant::{dashboard, discovery};
pub use probe::{Broker, probe};
pub use session::{Session, start};
