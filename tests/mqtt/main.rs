#![allow(clippy::unwrap_used, clippy::expect_used)]
//! The view on MQTT against a real Mosquitto: whatever becomes of broker, network or program, the broker soon has the
//! truth, commands do what they say or nothing, and no backup waits for any of it.

#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/farm.rs"]
mod farm;
#[path = "../support/mosquitto.rs"]
mod mosquitto;
#[path = "../support/mod.rs"]
mod support;

mod asked;
mod clearing;
mod commands;
mod ends;
mod odd;
mod outages;
mod queue;
mod refusals;
mod said;
