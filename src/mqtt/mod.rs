//! The queue on MQTT: states, events and commands on topics of its own, and what Home Assistant needs to show them.
//!
//! `topics` is where things are, `states` and `events` what is said there, `commands` what may be asked, and
//! `homeassistant` describes all of it to Home Assistant; these are pure. This room must know no server and no run:
//! it reads the snapshot, and hands commands on.

// What drives these stands beside them; until it does, only the tests use them.
#![cfg_attr(not(test), expect(dead_code, unused_imports, reason = "the driver is not wired yet"))]

pub(crate) mod commands;
pub(crate) mod events;
pub(crate) mod homeassistant;
pub(crate) mod states;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod topics;
