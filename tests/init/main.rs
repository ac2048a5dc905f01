#![allow(clippy::unwrap_used, clippy::expect_used)]
//! From nothing to a configuration that runs: `init` and `gate` as people use them, against real sshds with the
//! shipped gate, by flags and at a terminal.

#[path = "../support/farm.rs"]
mod farm;
#[path = "../support/mod.rs"]
mod support;

mod asked;
mod existing;
mod flags;
mod gates;
mod site;
mod terminal;
