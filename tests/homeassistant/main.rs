#![allow(clippy::unwrap_used, clippy::expect_used)]
//! A real Home Assistant beside the real program, with a real broker between them: what its owner sees and can do.
//!
//! `tests/homeassistant/install.sh` installs it. One instance serves all tests, one after the other; each test brings
//! its own servers, its own program and its own base topic.

#[path = "../support/farm.rs"]
mod farm;
#[path = "../support/mod.rs"]
mod support;

mod alerts;
mod broker;
mod commands;
mod dashboard;
mod discovery;
mod home;
mod lab;
mod outages;
mod published;
mod site;
