//! What can go wrong on the way to the disk, and what to do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::ErrorCode;

/// The history could not be written or read. The run itself goes on.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The disk took longer than it may. A write may still land when the disk answers.
    #[error(
        "{}: the disk did not answer within {} s. Check the disk (`dmesg`)",
        .path.display(), .bound.as_secs_f32()
    )]
    TimedOut {
        /// The database.
        path: PathBuf,
        /// How long was waited.
        bound: Duration,
    },
    /// An earlier access hangs, and this one was not begun.
    #[error("{}: an earlier access still hangs. Check the disk (`dmesg`)", .path.display())]
    Busy {
        /// The database.
        path: PathBuf,
    },
    /// There is no history.
    #[error("{} does not exist yet: the history begins with the first run", .path.display())]
    Absent {
        /// Where it would be.
        path: PathBuf,
    },
    /// The database refused.
    #[error("could not {doing} {}: {source}. {}", .path.display(), hint(source))]
    Database {
        /// What was being done.
        doing: &'static str,
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A file could not be created, renamed or opened.
    #[error("could not {doing} {}: {source}. Check the disk, and the owner of the directory", .path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The database is damaged, and stays in place.
    #[error("{} is damaged ({detail}). Move it away: a new one is started at the next write", .path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// This history was opened for reading only.
    #[error("{} is open for reading only", .path.display())]
    ReadOnly {
        /// The database.
        path: PathBuf,
    },
    /// A defect of this program.
    #[error("{}: the access broke off. Please report this defect", .path.display())]
    BrokeOff {
        /// The database.
        path: PathBuf,
    },
}

impl HistoryError {
    /// Whether there is no file, and none could be made: then nothing is on record, and that is certain.
    #[must_use]
    pub fn is_nothing_there(&self) -> bool {
        matches!(self, Self::File { doing: "create", path, .. } if !path.exists())
    }
}

/// What to do about what SQLite says.
fn hint(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "The disk is full: free some space",
        Some(ErrorCode::ReadOnly) => {
            "The disk or the file is read-only: check `mount`, and that the file belongs to the user that runs this"
        }
        Some(ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            "Check that the directory exists and that the user that runs this may use it"
        }
        Some(ErrorCode::SystemIoFailure) => "The disk reports errors: check `dmesg`",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "Another program keeps the database locked: close it (`fuser` names it)"
        }
        _ => "If this stays so, move the file away: a new one is started",
    }
}

/// Whether the file itself is at fault, and not the disk, the caller or the moment.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Whether a connection may be no good any more although the file may be: deleted underneath, or the disk was
/// remounted. A new one is worth a try.
pub(super) fn is_stale(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::ReadOnly | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen))
}

/// Whether SQLite makes no sense of the statement, or of the schema it is about.
pub(super) fn is_misunderstanding(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqlInputError { .. })
        || error.sqlite_error_code() == Some(ErrorCode::Unknown)
}
