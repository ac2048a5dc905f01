#![allow(clippy::unwrap_used, clippy::expect_used)]
//! Mail against real SMTP servers: what is worth a letter arrives, read back by a parser that is not ours, whatever
//! becomes of the server, the program or the night; and no backup waits for it.

#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/farm.rs"]
mod farm;
#[path = "../support/mod.rs"]
mod support;

mod handing;
mod nights;
mod server;
mod silence;

/// Starts the daemon, and waits until it takes commands.
fn serve(farm: &farm::Farm) -> farm::Runner {
    let daemon = farm.start(&["daemon"]);
    farm.until("the daemon is there", |farm| farm.status()["runner"] == daemon.pid());
    daemon
}
