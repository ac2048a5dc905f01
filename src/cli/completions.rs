//! `completions SHELL`.

use super::exit::{Exit, Failure};
use super::output::print;

pub(super) fn completions(shell: clap_complete::Shell, command: &mut clap::Command) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "jetbackup-remote", &mut script);
    print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Done)
}
