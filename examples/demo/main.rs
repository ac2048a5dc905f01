//! A night of backups in half a minute, on a machine with nothing but Rust: `cargo run --example demo`.
//!
//! Three simulated servers listen on loopback ports with SSH and JetBackup's API. The real command line runs against
//! them, from its configuration file to its exit code. At the end the servers themselves are asked what really ran;
//! the demo fails if that is not what it should have been.

mod night;
mod truth;

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use night::Night;

const INTRODUCTION: &str = "\
jetbackup-remote gives the backup jobs of several JetBackup 5 servers their turns,
strictly one at a time. Here it does so with three simulated servers, real SSH
between them and the program, and jobs of seconds where yours take hours:

  web1  Accounts           completes
        Databases          ends as partial: not every account was saved
  web2  Accounts           takes longer than its time limit. It is reported and
                           left alone, and the queue goes on beside it
        Home directories   fails
        Retired mail       is disabled on its server: skipped, with the reason
  web3  Accounts           JetBackup's own scheduler has started it just now: it
                           is waited for, and that is its turn
        Home directories   completes, and the late one of web2 ends meanwhile
";

fn main() -> ExitCode {
    match show() {
        Ok(flaws) if flaws.is_empty() => {
            say("\nAll of it was as it should be, by the servers' own account.");
            ExitCode::SUCCESS
        }
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
fn show() -> Result<Vec<String>, Box<dyn Error>> {
    // The servers have threads of their own: the command line takes this one, as in a process of its own.
    let servers = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let night = servers.block_on(Night::fall())?;
    say(INTRODUCTION);

    let run = type_in(night.config(), &["run"]);
    let mut flaws = Vec::new();
    if run == ExitCode::from(2) {
        say("Its exit code is 2: some job did not complete. It is 0 when all of them do,");
        say("and 1 when the run could not start.");
    } else {
        flaws.push(format!("`run` ended with {run:?}, not with the exit code 2"));
    }
    for command in [["history"], ["status"]] {
        let ended = type_in(night.config(), &command);
        if ended != ExitCode::SUCCESS {
            flaws.push(format!("`{}` ended with {ended:?}, not with the exit code 0", command.join(" ")));
        }
    }
    flaws.extend(servers.block_on(truth::flaws(&night))?);
    Ok(flaws)
}

/// Runs a command as if a person had typed it.
fn type_in(config: &Path, words: &[&str]) -> ExitCode {
    let (bold, plain) = if io::stdout().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    say(&format!("\n{bold}$ jetbackup-remote {}{plain}", words.join(" ")));
    let mut arguments: Vec<OsString> = ["jetbackup-remote", "--config"].map(OsString::from).into();
    arguments.push(config.into());
    arguments.extend(words.iter().map(OsString::from));
    jetbackup_remote::cli::main(arguments)
}

fn say(line: &str) {
    // Nobody listening any more does not change how it ends.
    let _ = writeln!(io::stdout(), "{line}");
}
