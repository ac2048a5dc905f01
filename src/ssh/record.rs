//! The `known_hosts` file on disk: read, and extended by one line that is there whole or not at all.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long another process may hold the file. It needs it for one short write.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// The whole file; one that does not exist is empty.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result,
    }
}

/// The file, locked until this is dropped: of two processes that meet a server at once the second sees what the first
/// has written.
pub(super) struct Record {
    file: File,
    length: u64,
    /// Whether the last line ends.
    whole: bool,
}

impl Record {
    /// Opens the file, creating it if need be, and waits for its lock; also returns what it holds.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<u8>)> {
        let mut file = open(path)?;
        lock(&file)?;
        let mut text = Vec::new();
        let length = file.read_to_end(&mut text)? as u64;
        let whole = text.is_empty() || text.ends_with(b"\n");
        Ok((Self { file, length, whole }, text))
    }

    /// Appends a line; it is on disk when this returns.
    pub(super) fn append(&mut self, line: &str) -> io::Result<()> {
        self.append_by(line, |mut file, bytes| file.write_all(bytes))
    }

    fn append_by(&mut self, line: &str, write: impl Fn(&File, &[u8]) -> io::Result<()>) -> io::Result<()> {
        // An editor may have left the last line open.
        let separator = if self.whole { "" } else { "\n" };
        let text = format!("{separator}{line}\n");
        let written = write(&self.file, text.as_bytes()).and_then(|()| self.file.sync_all());
        match &written {
            Ok(()) => (self.length, self.whole) = (self.length + text.len() as u64, true),
            // A torn line (disk full) is not understood, which would make the whole file useless.
            Err(_) => self.file.set_len(self.length)?,
        }
        written
    }
}

/// Opens the file, creating it for the directory's owner: a first start as root must not lock the service out.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o644);
    let file = match options.clone().create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return options.open(path),
        result => result?,
    };
    file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    let directory = path.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory = File::open(directory)?;
    let (wanted, actual) = (directory.metadata()?, file.metadata()?);
    if (wanted.uid(), wanted.gid()) != (actual.uid(), actual.gid()) {
        // Only root may give files away; for anybody else the file stays theirs, which serves them as well.
        match fchown(&file, Some(wanted.uid()), Some(wanted.gid())) {
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
    }
    directory.sync_all()?;
    Ok(file)
}

/// Waits for the lock, but not for ever. Polls, because a lock cannot be waited for with a limit.
fn lock(file: &File) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begun.elapsed() > LOCK_WAIT => {
                return Err(io::Error::new(io::ErrorKind::WouldBlock, "another process keeps it locked"));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the first half and then finds the disk full.
    fn torn(mut file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(&bytes[..bytes.len() / 2])?;
        Err(io::ErrorKind::StorageFull.into())
    }

    #[test]
    fn a_torn_line_is_taken_back() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("known_hosts");
        for before in ["", "first\n", "first, left open"] {
            std::fs::write(&path, before)?;
            let (mut record, _) = Record::open(&path)?;
            let error = record.append_by("second", torn).map_err(|error| error.kind());
            assert_eq!(error, Err(io::ErrorKind::StorageFull));
            assert_eq!(std::fs::read_to_string(&path)?, before);
            record.append("third")?;
            record.append("fourth")?;
            let separator = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
            assert_eq!(std::fs::read_to_string(&path)?, format!("{before}{separator}third\nfourth\n"));
        }
        Ok(())
    }

    #[test]
    fn a_missing_file_is_empty_and_other_trouble_an_error() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        assert_eq!(read(&directory.path().join("known_hosts"))?, b"");
        assert!(read(directory.path()).is_err());
        Ok(())
    }

    #[test]
    fn a_new_file_belongs_to_whom_its_directory_belongs_to() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let owner = std::fs::metadata(directory.path())?;
        if owner.uid() == 0 {
            std::os::unix::fs::chown(directory.path(), Some(1234), Some(5678))?;
        }
        let (owner, path) = (std::fs::metadata(directory.path())?, directory.path().join("known_hosts"));
        Record::open(&path)?;
        let made = std::fs::metadata(&path)?;
        assert_eq!((made.uid(), made.gid(), made.mode() & 0o7777), (owner.uid(), owner.gid(), 0o644));
        Ok(())
    }
}
