//! Proves that the SSH gate lets the closed grammar through and nothing else: under dash, bash (three ways) and
//! busybox ash, against hostile commands, hostile surroundings and random input. Also that its installer changes
//! `authorized_keys` only where it should.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "gate/commands.rs"]
mod commands;
#[path = "gate/fuzz.rs"]
mod fuzz;
#[path = "gate/harness.rs"]
mod harness;
#[path = "gate/install.rs"]
mod install;
#[path = "gate/oracle.rs"]
mod oracle;
#[path = "gate/sshd.rs"]
mod sshd;
#[path = "gate/surroundings.rs"]
mod surroundings;
