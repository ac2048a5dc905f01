//! The typed client of JetBackup 5's command line API, `jetbackup5api`, one [`Client`] a server.
//!
//! This room knows the request grammar of the SSH gate, JetBackup's envelope and objects, and how loosely all of them
//! are typed in real life. It must not know how commands reach a server (that is [`crate::ssh`]), nor decide anything:
//! it never retries, waits or schedules. Exit statuses and message texts prove nothing here, and secrets that a server
//! sends along (a destination's options) are dropped while reading.

mod client;
mod envelope;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod group_list;
mod objects;
mod paging;
mod request;
mod scalar;
mod status;
mod switch;
mod tail;
mod text;
mod view;

#[cfg(test)]
mod tests;

pub use client::{Client, Trigger};
pub use error::{ApiError, Cause};
pub use objects::{Destination, Group, Info, Job, Log};
pub use status::{GroupStatus, LogStatus};
pub use switch::SwitchError;
pub use view::View;
