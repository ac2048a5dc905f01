//! jetbackup-remote runs the JetBackup 5 backup jobs of several hosting servers strictly one at a time.
//!
//! The crate is one stream of events, one snapshot and many views:
//!
//! ```text
//! signals, control socket ─> Command ─> orchestrator ─> Event ─> commit (history) ─> Snapshot ─> views
//!                                            │
//!                                  jetbackup (typed API) ─> ssh (one connection a server)
//! ```
//!
//! Start reading at [`model`] (the words), then [`orchestrator`] (who may write), then the rooms at the rim.

pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod doctor;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod history;
pub mod jetbackup;
pub mod lock;
pub mod logging;
pub mod model;
pub mod mqtt;
pub mod notify;
pub mod orchestrator;
pub mod runner;
pub mod schedule;
pub mod service;
pub mod setup;
pub mod ssh;
pub mod state_dir;
pub mod tls;
pub mod watch;
pub mod words;
pub mod zone;
