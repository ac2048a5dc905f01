//! The daemon with a broker for your own Home Assistant, until Ctrl-C.

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
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
    introduce(listening, site.config());
    servers.spawn(live::follow(broker.look_on(), home_assistant()));

    let ended = type_in(site.config(), &["daemon"]);
    // Home Assistant is left as it was found.
    let cleared = type_in(site.config(), &["mqtt", "discovery", "--clear"]);
    servers.block_on(broker.close());
    let flaws = [("daemon", ended), ("mqtt discovery --clear", cleared)];
    let flaws = flaws.into_iter().filter(|(_, exit)| *exit != ExitCode::SUCCESS);
    Ok(flaws.map(|(command, exit)| format!("`{command}` ended with {exit:?}, not with 0")).collect())
}

fn introduce(listening: SocketAddr, config: &Path) {
    let (ip, port) = (listening.ip(), listening.port());
    let broker = if ip.is_unspecified() { "the address of this machine".to_owned() } else { ip.to_string() };
    say(&format!(
        "\
Three simulated servers with seven jobs of 20 to 60 seconds, some of which fail or
take too long, the daemon, and a broker for your Home Assistant. In it, choose

  Settings > Devices & services > Add integration > MQTT
  Broker: {broker}   Port: {port}   no user name, no password

and the queue, the servers and the jobs appear there as devices, with buttons to run
and to stop. From another terminal:

  mosquitto_sub -p {port} -v -t 'jetbackup-remote/#'
  mosquitto_pub -p {port} -t jetbackup-remote/command/run -m all
  cargo run -- --config {} status
",
        config.display()
    ));
    if ip.is_loopback() {
        say(&format!("For a Home Assistant on another machine or in a container: --listen 0.0.0.0:{port}"));
        say("(the broker asks for no password, and so lets in everybody who can reach it).");
    } else {
        say("The broker asks for no password: it lets in everybody who can reach it.");
    }
    say("Ctrl-C ends everything, and takes the devices out of Home Assistant again.");
}
