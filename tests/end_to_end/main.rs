#![allow(clippy::unwrap_used, clippy::expect_used)]
//! The program as it is used: the real binary, over a real sshd, through the shipped gate, to servers that are
//! simulated only behind it. What is asserted is what the servers saw, not what the program believes.

#[path = "../support/farm.rs"]
mod farm;
#[path = "../support/mod.rs"]
mod support;

mod crashes;
mod daemon;
mod destinations;
mod handed;
mod limits;
mod network;
mod nights;
mod shared;
