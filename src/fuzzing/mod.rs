//! Every reader of foreign input, as a function of bytes that panics if a promise is broken.
//!
//! They are written once and used twice: by the tests of this module, for a bounded time, with the inputs in
//! `fuzz/corpus` and random changes of them; and by `cargo fuzz`, for as long as one likes (`docs/fuzzing.md`). Each
//! stands in the room of the reader it drives, which need not be public for it. What the gate reads is a shell's
//! business; `tests/gate/fuzz.rs` drives it.
//!
//! This room is no part of the program: it is built for tests, and with the feature `fuzzing`.

#[cfg(test)]
mod tests;

pub use crate::config::fuzzing::{config, url};
pub use crate::control::fuzzing::control;
pub use crate::jetbackup::fuzzing::answer;
pub use crate::mqtt::fuzzing::command;
pub use crate::schedule::fuzzing::schedule;
pub use crate::ssh::fuzzing::known_hosts;

/// A reader.
pub type Target = fn(&[u8]);

/// All of them, by the names of their corpora.
pub const TARGETS: [(&str, Target); 7] = [
    ("answer", answer),
    ("command", command),
    ("config", config),
    ("control", control),
    ("known_hosts", known_hosts),
    ("schedule", schedule),
    ("url", url),
];
