//! What the program costs, in figures from one run on this machine: `cargo bench`.
//!
//! Nothing here passes or fails. A figure whose tools are missing is left out, and that is said. Only some of them:
//! `cargo bench -- binary daemon`; of another binary: `tools/sizes.sh`.
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
#[path = "../../tests/support/program.rs"]
mod program;
#[allow(dead_code)]
#[path = "../../tests/support/sshd.rs"]
mod sshd;

use std::time::Duration;

fn main() {
    // `cargo test --benches` runs this too, and only wants to know that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("One run on this machine, of {}.", program::path().display());
    let reports: [(&str, fn()); 4] = [
        ("calls", calls::report),
        ("idle", idle::report),
        ("binary", binary::report),
        ("daemon", daemon::report),
    ];
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for (name, report) in reports {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            report();
        }
    }
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
