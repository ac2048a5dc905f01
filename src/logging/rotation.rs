//! A file that is renamed when it has grown too long: `log`, `log.1` … `log.N`, as the predecessor names them.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where the log goes, and how much of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// The file.
    pub path: PathBuf,
    /// It is renamed before it would grow beyond this, in bytes. 0: never.
    pub max_bytes: u64,
    /// How many renamed files are kept. 0: the file is never renamed, as with the predecessor.
    pub backups: u32,
}

/// The open file.
#[derive(Debug)]
pub(super) struct Rotating {
    settings: LogFile,
    file: Option<File>,
}

impl Rotating {
    /// Opens or creates the file.
    pub(super) fn open(settings: LogFile) -> io::Result<Self> {
        let file = Some(append_to(&settings.path)?);
        Ok(Self { settings, file })
    }

    /// Appends whole lines. After an error the next call starts afresh: the disk may have room again.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => append_to(&self.settings.path)?,
        };
        let length = file.metadata()?.len();
        let LogFile { max_bytes, backups, .. } = self.settings;
        let too_long = length > 0 && length.saturating_add(lines.len() as u64) > max_bytes;
        if too_long && max_bytes > 0 && backups > 0 {
            file = self.rotate(file)?;
        }
        file.write_all(lines)?;
        self.file = Some(file);
        Ok(())
    }

    fn rotate(&self, file: File) -> io::Result<File> {
        let path = &self.settings.path;
        let backup = |n: u32| numbered(path, n);
        for n in (1..self.settings.backups).rev() {
            match fs::rename(backup(n), backup(n + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return start_over(file),
                _ => {}
            }
        }
        match fs::rename(path, backup(1)) {
            Ok(()) => append_to(path),
            // Someone else renamed it meanwhile, which will do.
            Err(error) if error.kind() == io::ErrorKind::NotFound => append_to(path),
            Err(_) => start_over(file),
        }
    }
}

/// Empties a file whose directory allows no renaming (a file in `/var/log` given to the service user). To lose old
/// lines is better than to fill the card.
fn start_over(file: File) -> io::Result<File> {
    file.set_len(0)?;
    Ok(file)
}

fn append_to(path: &Path) -> io::Result<File> {
    // A pipe without a reader must not make the program wait.
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640).custom_flags(libc::O_NONBLOCK);
    options.open(path)
}

fn numbered(path: &Path, n: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{n}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotating(dir: &Path, max_bytes: u64, backups: u32) -> Rotating {
        Rotating::open(LogFile { path: dir.join("log"), max_bytes, backups }).unwrap()
    }

    fn files(dir: &Path) -> Vec<(String, String)> {
        let mut files: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, fs::read_to_string(path).unwrap())
            })
            .collect();
        files.sort();
        files
    }

    fn named(files: &[(&str, &str)]) -> Vec<(String, String)> {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn so_many_files_are_kept_none_too_long_and_no_line_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = rotating(dir.path(), 8, 2);
        for n in 1..=7 {
            log.write(format!("{n}--\n").as_bytes()).unwrap();
        }
        let expected = [("log", "7--\n"), ("log.1", "5--\n6--\n"), ("log.2", "3--\n4--\n")];
        assert_eq!(files(dir.path()), named(&expected));
    }

    #[test]
    fn a_restart_goes_on_where_it_was_and_a_long_line_stays_whole() {
        let dir = tempfile::tempdir().unwrap();
        rotating(dir.path(), 8, 2).write(b"old\n").unwrap();
        rotating(dir.path(), 8, 2).write(b"new\n").unwrap();
        rotating(dir.path(), 8, 2).write(b"much too long\n").unwrap();
        rotating(dir.path(), 8, 2).write(b"x\n").unwrap();
        let expected = [("log", "x\n"), ("log.1", "much too long\n"), ("log.2", "old\nnew\n")];
        assert_eq!(files(dir.path()), named(&expected));
    }

    #[test]
    fn zero_bytes_or_zero_backups_never_rotate() {
        for (max_bytes, backups) in [(0, 5), (4, 0)] {
            let dir = tempfile::tempdir().unwrap();
            let mut log = rotating(dir.path(), max_bytes, backups);
            log.write(b"one\n").unwrap();
            log.write(b"two\n").unwrap();
            assert_eq!(files(dir.path()), named(&[("log", "one\ntwo\n")]));
        }
    }

    #[test]
    fn a_file_that_cannot_be_renamed_starts_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = rotating(dir.path(), 8, 1);
        // Not even root renames a file over a directory.
        fs::create_dir(dir.path().join("log.1")).unwrap();
        log.write(b"one\n").unwrap();
        log.write(b"two\n").unwrap();
        log.write(b"three\n").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("log")).unwrap(), "three\n");
    }

    #[test]
    fn a_file_that_goes_away_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = rotating(dir.path(), 4, 1);
        log.write(b"one\n").unwrap();
        fs::remove_file(dir.path().join("log")).unwrap();
        log.write(b"two\n").unwrap();
        assert_eq!(files(dir.path()), named(&[("log", "two\n")]));
    }
}
