//! `daemon`: the runner that stays.

use std::path::Path;
use std::sync::Arc;

use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::output::print_warning;
use crate::control::{self, Found};
use crate::words;
use crate::{daemon, logging};

pub(super) fn daemon(path: &Path, verbose: u8) -> Result<Exit, Failure> {
    let config = context::load(path)?;
    let orchestrator = &config.orchestrator;
    let logging = logging::init(logging::Options {
        verbose,
        quiet: false,
        file: context::log_file(orchestrator),
        logs_directory: logging::logs_directory(),
        stderr: logging::stderr(),
    });
    logging.warnings.iter().for_each(|warning| print_warning(warning));
    block_on(async {
        if let Found::Runner(runner) = control::connect(&orchestrator.control_socket).await? {
            return Err(Failure::Busy(format!(
                "{} is at work already (process {}); `jetbackup-remote status` shows it",
                runner.runner().name(),
                runner.pid()
            )));
        }
        daemon::run(Arc::clone(&config), words::sentence).await?;
        Ok(Exit::Done)
    })
}
