#![allow(clippy::unwrap_used, clippy::expect_used)]
//! The guides in `docs/` are true: the messages they explain are the program's, what it says is explained there, and
//! their samples for broker, keys and a second instance do what the text says.

#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/farm.rs"]
mod farm;
#[path = "../support/mosquitto.rs"]
mod mosquitto;
#[path = "../support/mod.rs"]
mod support;

mod broker;
mod keys;
mod messages;
mod second;
mod situations;
mod text;
