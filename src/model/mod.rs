//! The words everything else speaks: ids, runs, events, the snapshot and commands.
//!
//! This room must know no I/O, no tokio and no other room. Whatever status, MQTT or a mail shows is computed here
//! by pure functions, so that it can be tested without a server or a clock.

mod boot;
mod command;
mod event;
mod id;
pub mod news;
mod remark;
mod run;
mod snapshot;
pub mod text;
pub mod view;

pub use boot::{BootMoment, NotABootMoment};
pub use command::{Answer, Command, Selection};
pub use event::{AfterTimeout, CycleRecord, Event, Progress, What};
pub use id::{DestinationId, GroupId, InvalidId, JobId, JobKey, LogId, ServerName};
pub use remark::{Remark, RemarkKind};
pub use run::{CycleId, JobResult, Origin, Reason, RunId, RunRecord, StopRequest};
pub use snapshot::{JobFacts, Snapshot};
