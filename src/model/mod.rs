//! The words everything else speaks: ids, jobs, outcomes, events, the snapshot and commands.
//!
//! This room must know no I/O, no tokio and no other room. Whatever status, MQTT or a mail shows is computed here
//! by pure functions, so that it can be tested without a server or a clock.

mod id;

pub use id::{DestinationId, GroupId, InvalidId, JobId, JobKey, LogId, ServerName};
