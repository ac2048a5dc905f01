//! The daemon with a broker for your own Home Assistant, until Ctrl-C.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::runtime::Runtime;

use crate::broker::Broker;
use crate::plans::home_assistant;
use crate::site::Site;
use crate::{live, say, type_in};

/// Serves until it is told to end. Answers what was not as it should be.
///
/// # Errors
/// If it cannot listen or the servers cannot be started.
pub fn serve(servers: &Runtime, listen: SocketAddr) -> Result<Vec<String>, Box<dyn Error>> {
    let broker = servers.block_on(Broker::start(listen)).map_err(|error| {
        format!(
            "no broker can listen on {listen}: {error}; choose another address with --listen ADDRESS:PORT"
        )
    })?;
    let (listening, mut here) = (broker.address(), broker.address());
    if listening.ip().is_unspecified() {
        here.set_ip(if listening.is_ipv6() {
            [0, 0, 0, 0, 0, 0, 0, 1].into()
        } else {
            [127, 0, 0, 1].into()
        });
    }
    let site = servers.block_on(Site::open(home_assistant(), here, 2))?;
    introduce(listening);
    servers.spawn(live::follow(broker.look_on(), home_assistant()));

    let ended = type_in(site.config(), &["daemon"]);
    // Home Assistant is left as it was found.
    let cleared = type_in(site.config(), &["mqtt", "discovery", "--clear"]);
    servers.block_on(broker.close());
    let flaws = [("daemon", ended), ("mqtt discovery --clear", cleared)];
    let flaws = flaws.into_iter().filter(|(_, exit)| *exit != ExitCode::SUCCESS);
    Ok(flaws.map(|(command, exit)| format!("`{command}` ended with {exit:?}, not with 0")).collect())
}

fn introduce(listening: SocketAddr) {
    let port = listening.port();
    say("Three simulated servers with seven jobs of 20 to 60 seconds, the daemon, and a broker");
    say("for your own Home Assistant. In Home Assistant, choose");
    say("");
    say("  Settings > Devices & services > Add integration > MQTT");
    if listening.ip().is_loopback() {
        say(&format!("  Broker: {}   Port: {port}   no user, no password", listening.ip()));
    } else if listening.ip().is_unspecified() {
        say(&format!("  Broker: the address of this machine   Port: {port}   no user, no password"));
    } else {
        say(&format!("  Broker: {}   Port: {port}   no user, no password", listening.ip()));
    }
    say("");
    say("and the servers and jobs appear under MQTT, with buttons to run and stop them. Press");
    say("“Run all”, or a job's “Run”. Without Home Assistant:");
    say("");
    say(&format!("  mosquitto_sub -p {port} -v -t 'jetbackup-remote/#'"));
    say(&format!("  mosquitto_pub -p {port} -t jetbackup-remote/command/run -m all"));
    say("");
    if listening.ip().is_loopback() {
        say(&format!("If Home Assistant is on another machine or in a container: --listen 0.0.0.0:{port}"));
        say("This broker knows no password: then everybody who can reach it is let in.");
    } else {
        say("This broker knows no password: everybody who can reach it is let in.");
    }
    say("Ctrl-C ends it and takes the devices out of Home Assistant again.");
}
