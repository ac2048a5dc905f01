//! `release`: takes a run off the lane of the runner at work.

use std::path::Path;

use super::ReleaseArgs;
use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::output::{print, print_error};
use crate::control::{self, Found};
use crate::model::Command;

pub(super) fn release(path: &Path, args: &ReleaseArgs) -> Result<Exit, Failure> {
    let config = context::load(path)?;
    let key = context::job(&config, &args.server, &args.job)?;
    block_on(async {
        let Found::Runner(mut runner) = control::connect(&config.orchestrator.control_socket).await? else {
            print_error("nothing is running, so nothing can be released");
            return Ok(Exit::CouldNotStart);
        };
        let answer = runner.command(Command::Release(key)).await?;
        if answer.accepted {
            print(&answer.reason)?;
            return Ok(Exit::Done);
        }
        print_error(&answer.reason);
        Ok(Exit::CouldNotStart)
    })
}
