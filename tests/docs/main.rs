#![allow(clippy::unwrap_used, clippy::expect_used)]
//! The documentation is true: its samples are valid, its commands can be typed, its links lead somewhere, what it calls
//! a key is one, the configuration reference is the schema's, JSON is printed as described, and both languages of the
//! manual say the same; what the manual shows as output was printed.
//!
//! `mqtt` in the sources proves the topics, `tests/guides` the messages.

#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/farm.rs"]
mod farm;
// What the other tests of mail need of it is not needed here.
#[allow(dead_code)]
#[path = "../mail/server.rs"]
mod mail_server;
#[path = "../support/mosquitto.rs"]
mod mosquitto;
#[path = "../support/mod.rs"]
mod support;

mod commands;
mod configuration;
mod json;
mod keys;
mod languages;
mod links;
mod outputs;
mod pages;
mod play;
mod samples;
