//! Which program is tested and measured.

use std::path::PathBuf;

/// Another binary in the place of the one built along: one that was made to be released, say.
const OTHER: &str = "JETBACKUP_REMOTE_BINARY";

/// The program.
pub fn path() -> PathBuf {
    std::env::var_os(OTHER).map_or_else(|| env!("CARGO_BIN_EXE_jetbackup-remote").into(), PathBuf::from)
}
