//! A night of backups in half a minute, on a machine with nothing but Rust: `cargo run --example demo`.
//!
//! Three simulated servers listen on loopback ports with SSH and JetBackup's API, and so does an MQTT broker. The real
//! command line runs against them, from its configuration file to its exit code. At the end the servers and the broker
//! are asked what really happened; the demo fails if that is not what it should have been.
//!
//! With `--ha` it is the daemon that runs, with a broker for your own Home Assistant, until Ctrl-C.

mod broker;
mod button;
mod digest;
mod home;
mod live;
mod plans;
mod said;
mod site;
mod truth;
mod words;

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Runtime;

use broker::Broker;
use site::Site;

const INTRODUCTION: &str = "\
jetbackup-remote gives the backup jobs of several JetBackup 5 servers their turns,
strictly one at a time. Here it does so with three simulated servers, real SSH
between them and the program, and jobs of seconds where yours take hours:

  web1  Accounts           completes
        Databases          ends as partial: not every account was saved. It is
                           asked for again by MQTT, as with a button in Home
                           Assistant, gets a turn at the end, and completes
  web2  Accounts           takes longer than its time limit. It is reported and
                           left alone, and the queue goes on beside it
        Home directories   fails
        Retired mail       is disabled on its server: skipped, with the reason
  web3  Accounts           JetBackup's own scheduler has started it just now: it
                           is waited for, and that is its turn
        Home directories   completes, and the late one of web2 ends meanwhile";

/// Shows jetbackup-remote at work, with simulated servers, in less than a minute.
#[derive(Parser)]
#[command(name = "demo", bin_name = "cargo run --example demo --", max_term_width = 100)]
struct Arguments {
    /// Keep the daemon running instead, with a broker for your own Home Assistant, until Ctrl-C.
    #[arg(long)]
    ha: bool,
    /// Where that broker listens. It knows no password.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 1883)),
        requires = "ha"
    )]
    listen: SocketAddr,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match show(&arguments) {
        Ok(flaws) if flaws.is_empty() => ExitCode::SUCCESS,
        Ok(flaws) => {
            say("\nThis was not as it should be:");
            flaws.iter().for_each(|flaw| say(&format!("- {flaw}")));
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&format!("the demo cannot be shown: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Shows everything, and answers what was not as it should be.
fn show(arguments: &Arguments) -> Result<Vec<String>, Box<dyn Error>> {
    // The servers have threads of their own: the command line takes this one, as in a process of its own.
    let servers = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if arguments.ha { home::serve(&servers, arguments.listen) } else { night(&servers) }
}

/// Shows a night.
fn night(servers: &Runtime) -> Result<Vec<String>, Box<dyn Error>> {
    let broker = servers.block_on(Broker::start((Ipv4Addr::LOCALHOST, 0).into()))?;
    let site = servers.block_on(Site::open(plans::night(), broker.address(), 1))?;
    say(INTRODUCTION);
    servers.spawn(button::press_after_partial(broker.clone()));
    let mut notices = broker.look_on();

    let run = type_in(site.config(), &["run"]);
    let mut flaws = Vec::new();
    if run == ExitCode::from(2) {
        say("Its exit code is 2: some job did not complete. It is 0 when all of them do,");
        say("and 1 when the run could not start.");
    } else {
        flaws.push(format!("`run` ended with {run:?}, not with the exit code 2"));
    }
    let notices: Vec<_> = std::iter::from_fn(|| notices.try_recv().ok()).collect();
    say(&format!(
        "\nWhat it said by MQTT meanwhile, below {}/, with the seconds since the start:",
        site::BASE_TOPIC
    ));
    say("");
    digest::digest(&notices, site.plans()).iter().for_each(|line| say(line));
    for command in [["history"], ["status"]] {
        let ended = type_in(site.config(), &command);
        if ended != ExitCode::SUCCESS {
            flaws.push(format!("`{}` ended with {ended:?}, not with the exit code 0", command.join(" ")));
        }
    }
    flaws.extend(servers.block_on(truth::flaws(&site))?);
    flaws.extend(said::flaws(&broker.retained(), &notices, site.plans()));
    if flaws.is_empty() {
        say("\nAll of it was as it should be, by the account of the servers and of the broker.");
        say("To see it in your own Home Assistant: cargo run --example demo -- --ha");
    }
    Ok(flaws)
}

/// Runs a command as if a person had typed it.
fn type_in(config: &Path, words: &[&str]) -> ExitCode {
    say(&format!("\n{}", painted("1", &format!("$ jetbackup-remote {}", words.join(" ")))));
    let mut arguments: Vec<OsString> = ["jetbackup-remote", "--config"].map(OsString::from).into();
    arguments.push(config.into());
    arguments.extend(words.iter().map(OsString::from));
    jetbackup_remote::cli::main(arguments)
}

fn say(line: &str) {
    // Nobody listening any more does not change how it ends.
    let _ = writeln!(io::stdout(), "{line}");
}

/// Of less interest than what stands around it.
fn dim(text: &str) -> String {
    painted("2", text)
}

fn painted(code: &str, text: &str) -> String {
    if io::stdout().is_terminal() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}
