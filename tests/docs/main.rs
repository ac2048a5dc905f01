#![allow(clippy::unwrap_used, clippy::expect_used)]
//! The documentation is true: its samples are valid, its commands can be typed, its links lead somewhere, what it calls
//! a key is one, the configuration reference is the schema's, JSON is printed as described, and both languages of the
//! manual say the same.
//!
//! `mqtt` in the sources proves the topics, `tests/guides` the messages.

#[path = "../support/farm.rs"]
mod farm;
#[path = "../support/mod.rs"]
mod support;

mod commands;
mod configuration;
mod keys;
mod languages;
mod links;
mod pages;
mod samples;
