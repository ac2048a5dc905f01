//! What the program costs, in figures from one run on this machine: `cargo bench`.
//!
//! Nothing here passes or fails. A figure whose tools are missing is left out, and that is said.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod binary;
mod calls;
mod daemon;
mod idle;
mod park;
mod usage;

#[path = "../../tests/support/mosquitto.rs"]
mod mosquitto;
#[path = "../../tests/support/night.rs"]
mod night;
#[allow(dead_code)]
#[path = "../../tests/support/sshd.rs"]
mod sshd;

use std::time::Duration;

fn main() {
    // `cargo test --benches` runs this too, and only wants to know that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!(
        "One run on this machine. Built as released, but with thin in place of fat link-time optimization."
    );
    calls::report();
    idle::report();
    binary::report();
    daemon::report();
}

fn heading(text: &str) {
    println!("\n{text}");
}

fn figure(name: &str, value: &str) {
    println!("  {name:<46} {value}");
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn times(more: Duration, less: Duration) -> String {
    format!("{:.0} times", more.as_secs_f64() / less.as_secs_f64())
}
