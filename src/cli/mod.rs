//! The command line.

pub mod progress;
pub mod table;
pub mod words;
