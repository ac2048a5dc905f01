//! Where the executable `jetbackup5api` is.

use std::path::PathBuf;

/// The executable has not been built.
#[derive(Debug)]
pub struct MissingExecutable {
    searched: Vec<PathBuf>,
}

impl std::fmt::Display for MissingExecutable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the simulator's executable is in none of {:?}; build it with \
             `cargo build -p jetbackup-sim --bin jetbackup5api` (and the same --release and --target)",
            self.searched
        )
    }
}

impl std::error::Error for MissingExecutable {}

/// Finds the simulator's `jetbackup5api` near the running test or example: in `target/<profile>`, of which test
/// executables live in `deps` and examples in `examples`.
///
/// # Errors
/// If it is not there, with the command that builds it.
pub fn executable() -> Result<PathBuf, MissingExecutable> {
    let own = std::env::current_exe().unwrap_or_default();
    let searched: Vec<_> =
        own.ancestors().skip(1).take(3).map(|folder| folder.join("jetbackup5api")).collect();
    match searched.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => Err(MissingExecutable { searched }),
    }
}
