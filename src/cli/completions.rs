//! `completions SHELL`.

use std::io::Write;

use super::exit::{Exit, Failure};

pub(super) fn completions(shell: clap_complete::Shell, command: &mut clap::Command) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "jetbackup-remote", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Exit::Done)
}
