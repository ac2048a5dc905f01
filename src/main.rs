//! The program: reads the command line, does what it says, ends with its exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    jetbackup_remote::cli::main(std::env::args_os())
}
