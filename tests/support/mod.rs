//! Peers that integration tests start: a real sshd, and a proxy that misbehaves on request.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

pub mod proxy;
pub mod sshd;
