//! Watching for silence: what is odd on a server before it costs a backup, by comparing it with the configuration.
//!
//! Everything here is pure and reads only. This room must not know how servers are asked, nor who is told.

mod remarks;
mod room;
mod standing;

pub use remarks::{Answer, Answers, look_over, remarks, wanted_destinations};
pub use standing::{Standing, Stands, standings};
