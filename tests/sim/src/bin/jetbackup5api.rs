//! The simulator in the place of the real `jetbackup5api`, for tests behind a real sshd and the real gate.
//!
//! It answers from the world in the file beside it; see `jetbackup_sim::Store`.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use jetbackup_sim::Store;

fn main() -> ExitCode {
    answer().unwrap_or_else(|error| {
        eprintln!("jetbackup5api (simulator): {error}");
        // Apart from any status that JetBackup or the gate would give.
        ExitCode::from(70)
    })
}

fn answer() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let reply = Store::of_this_program()?.with(|world, now| world.call(now, &arguments))?;
    std::thread::sleep(reply.delay);
    io::stderr().write_all(reply.stderr.as_bytes())?;
    io::stdout().write_all(&reply.stdout)?;
    io::stdout().flush()?;
    Ok(ExitCode::from(u8::try_from(reply.exit).unwrap_or(255)))
}
