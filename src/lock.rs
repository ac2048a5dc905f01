//! The lock that keeps a second runner out, and the Python predecessor during migration.
//!
//! It knows two files and `flock`, nothing of what a runner does. The lock is the kernel's, on a file that is never
//! deleted: it ends with the process however that ends, and two processes can never hold locks on two files of the
//! same name. What the file says about its holder is only for messages.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::state_dir;

/// The lock's name in the state directory.
pub const FILE_NAME: &str = "lock";
/// [`holder`] takes the lock for an instant. A runner that starts in this instant tries again.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// The lock, until this is dropped. The files stay.
#[derive(Debug)]
pub struct Held {
    /// What a person should know although the lock is held: the predecessor cannot be kept out.
    pub warnings: Vec<String>,
    _lock: File,
    _legacy: Option<File>,
}

/// Who holds the lock, as far as the file tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holder {
    /// Its process id.
    pub pid: Option<u32>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Its command line, at most 200 characters.
    pub command: Option<String>,
}

/// The lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another runner is at work.
    #[error(
        "jetbackup-remote is running already ({holder}). Wait until it ends, or ask it: `jetbackup-remote status`"
    )]
    Held {
        /// Who holds it.
        holder: Holder,
        /// The lock.
        path: PathBuf,
    },
    /// The predecessor, or something else that takes its lock, is at work.
    #[error(
        "the Python program ({holder}) is running: it holds {}. Wait until it ends, and disable its timer; if \
         nothing of it runs, set orchestrator.lock_file to another path",
        .path.display()
    )]
    Predecessor {
        /// Who holds it.
        holder: Holder,
        /// Its lock.
        path: PathBuf,
    },
    /// The lock's file cannot be used.
    #[error("could not {doing} the lock {}: {source}. {}", .path.display(), hint(source))]
    File {
        /// What was being done.
        doing: &'static str,
        /// The lock.
        path: PathBuf,
        /// Why it could not be.
        source: io::Error,
    },
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "Create the state directory, or check orchestrator.state_dir",
        io::ErrorKind::PermissionDenied => {
            "Run it as root or as the user that the state directory belongs to"
        }
        io::ErrorKind::Unsupported => "Set orchestrator.state_dir to a directory on a local disk",
        _ => "Check the disk, and orchestrator.state_dir",
    }
}

/// Takes the lock of the state directory, and the predecessor's `lock_file` as well where possible.
///
/// # Errors
/// When another process holds either of them, or the lock in the state directory cannot be used. That the
/// predecessor's cannot be used is a warning.
pub fn acquire(state_dir: &Path, legacy: &Path) -> Result<Held, LockError> {
    let path = state_dir.join(FILE_NAME);
    let mut lock = take(&path)?;
    // A lock that says nothing of its holder is as good: on a full disk the queue must still run.
    let _ = introduce(&mut lock);
    match take_legacy(legacy, &lock) {
        Ok(legacy) => Ok(Held { warnings: Vec::new(), _lock: lock, _legacy: legacy }),
        Err(LegacyFailure::Held(holder)) => Err(LockError::Predecessor { holder, path: legacy.to_owned() }),
        Err(LegacyFailure::Unusable(why)) => {
            let warning = format!(
                "orchestrator.lock_file {} could not be locked: {why}. The Python program would not notice that \
                 this one runs: make sure that it is not started any more",
                legacy.display()
            );
            Ok(Held { warnings: vec![warning], _lock: lock, _legacy: None })
        }
    }
}

/// Who holds the lock of the state directory, if another process does.
#[must_use]
pub fn holder(state_dir: &Path) -> Option<Holder> {
    let mut file = File::open(state_dir.join(FILE_NAME)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            let holder = read_holder(&mut file);
            (holder.pid != Some(std::process::id())).then_some(holder)
        }
        // Dropping the file gives the lock back.
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

fn take(path: &Path) -> Result<File, LockError> {
    let failed = |doing| move |source| LockError::File { doing, path: path.to_owned(), source };
    let mut attempts = 1..=TRIES;
    loop {
        let mut file = open(path).map_err(failed("open"))?;
        match file.try_lock() {
            // Someone deleted the file between opening and locking: the next one locks another.
            Ok(()) if !is_at(&file, path) => {}
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(failed("take")(source)),
            Err(TryLockError::WouldBlock) if attempts.next().is_some() => std::thread::sleep(BETWEEN_TRIES),
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { holder: read_holder(&mut file), path: path.to_owned() });
            }
        }
    }
}

/// Opens the lock's file. A disk that has become read-only is no reason to run beside another one, nor not to run: a file
/// that is there can be locked all the same.
fn open(path: &Path) -> io::Result<File> {
    match state_dir::open_file(path, 0o660) {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
            let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
            OpenOptions::new().read(true).custom_flags(flags).open(path)
        }
        opened => opened,
    }
}

enum LegacyFailure {
    Held(Holder),
    Unusable(String),
}

/// Locks the predecessor's file, which usually lies in `/tmp`, where everyone may put things.
fn take_legacy(path: &Path, ours: &File) -> Result<Option<File>, LegacyFailure> {
    let unusable = |error: io::Error| {
        LegacyFailure::Unusable(match error.raw_os_error() {
            Some(libc::ELOOP) => "it is a symbolic link".to_owned(),
            _ => error.to_string(),
        })
    };
    let mut file = open_legacy(path).map_err(unusable)?;
    let metadata = file.metadata().map_err(unusable)?;
    if !metadata.is_file() {
        return Err(LegacyFailure::Unusable("it is not a file".to_owned()));
    }
    if same_file(&metadata, &ours.metadata().map_err(unusable)?) {
        return Ok(None);
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(LegacyFailure::Held(read_holder(&mut file))),
        Err(TryLockError::Error(error)) => return Err(unusable(error)),
    }
    if !is_at(&file, path) {
        return Err(LegacyFailure::Unusable("it was replaced meanwhile".to_owned()));
    }
    // A second name could be anybody's trap: the file is then locked, but not written to.
    if metadata.nlink() == 1 {
        let _ = introduce(&mut file);
    }
    Ok(Some(file))
}

/// Opens the file as it is, for reading alone if need be (that is enough to lock it), or creates it. Links are not
/// followed, and a pipe does not make it wait.
fn open_legacy(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let existing = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
    match existing.as_ref().map_err(io::Error::kind) {
        Err(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
            OpenOptions::new().read(true).custom_flags(flags).open(path)
        }
        // The predecessor may run as another user than this: let both open it.
        Err(io::ErrorKind::NotFound) => {
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o644).open(path)
        }
        _ => existing,
    }
}

/// Writes who holds the lock. The pid stands first and alone on its line, as the predecessor does it.
fn introduce(file: &mut File) -> io::Result<()> {
    let command: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let command: String =
        command.join(" ").chars().map(|c| if c == '\n' { ' ' } else { c }).take(200).collect();
    let since = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    let text = format!("{}\n{since}\n{}\n", std::process::id(), command);
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

/// What the lock file at `path` says of whoever held it last; nothing of it is touched.
#[must_use]
pub(crate) fn introduced(path: &Path) -> Holder {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    file.map(|mut file| read_holder(&mut file)).unwrap_or_default()
}

/// What a lock file says of its holder: this program's three lines, or only a pid.
fn read_holder(file: &mut File) -> Holder {
    let mut bytes = Vec::new();
    let _ = file.rewind();
    // The file may be anybody's: what matters stands at its beginning.
    let _ = file.take(1024).read_to_end(&mut bytes);
    parse_holder(&String::from_utf8_lossy(&bytes))
}

fn parse_holder(text: &str) -> Holder {
    let mut lines = text.lines();
    let pid = lines.next().and_then(|line| line.trim().parse().ok());
    let since = lines.next().and_then(|line| line.trim().parse().ok());
    let command = lines.next().map(|line| line.chars().filter(|c| !c.is_control()).take(200).collect());
    Holder { pid, since, command: command.filter(|command: &String| !command.is_empty()) }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "pid {pid}")?,
            None => f.write_str("pid unknown")?,
        }
        if let Some(since) = self.since {
            let local = since.to_zoned(crate::zone::system());
            write!(f, ", since {}", local.strftime("%Y-%m-%d %H:%M:%S"))?;
        }
        match &self.command {
            Some(command) => write!(f, ", {command}"),
            None => Ok(()),
        }
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(open), Ok(named)) => same_file(&open, &named),
        _ => false,
    }
}

fn same_file(a: &std::fs::Metadata, b: &std::fs::Metadata) -> bool {
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    struct Place {
        dir: tempfile::TempDir,
        legacy: PathBuf,
    }

    fn place() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let legacy = dir.path().join("legacy.lock");
        Place { dir, legacy }
    }

    impl Place {
        fn acquire(&self) -> Result<Held, LockError> {
            acquire(self.dir.path(), &self.legacy)
        }
    }

    #[test]
    fn it_is_held_once_names_its_holder_and_outlives_it_as_a_file() {
        let place = place();
        let held = place.acquire().unwrap();
        assert_eq!(held.warnings, Vec::<String>::new());
        let error = place.acquire().unwrap_err();
        let expected = format!("is running already (pid {}, since ", std::process::id());
        assert!(matches!(error, LockError::Held { .. }) && error.to_string().contains(&expected), "{error}");
        let before = fs::metadata(place.dir.path().join(FILE_NAME)).unwrap();
        drop(held);
        let held = place.acquire().unwrap();
        let after = fs::metadata(place.dir.path().join(FILE_NAME)).unwrap();
        assert!(same_file(&before, &after));
        drop(held);
    }

    #[test]
    fn a_long_text_of_the_last_holder_leaves_nothing_behind() {
        let place = place();
        fs::write(place.dir.path().join(FILE_NAME), "9".repeat(5000)).unwrap();
        let _held = place.acquire().unwrap();
        let text = fs::read_to_string(place.dir.path().join(FILE_NAME)).unwrap();
        assert_eq!(text.lines().next(), Some(std::process::id().to_string().as_str()));
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn asking_for_the_holder_neither_finds_this_process_nor_disturbs() {
        let place = place();
        assert_eq!(holder(place.dir.path()), None);
        let held = place.acquire().unwrap();
        assert_eq!(holder(place.dir.path()), None);
        drop(held);
        assert_eq!(holder(place.dir.path()), None);
        place.acquire().unwrap();
    }

    #[test]
    fn askers_do_not_see_each_other() {
        let place = place();
        drop(place.acquire().unwrap());
        let asker = File::open(place.dir.path().join(FILE_NAME)).unwrap();
        asker.try_lock_shared().unwrap();
        assert_eq!(holder(place.dir.path()), None);
    }

    #[test]
    fn the_predecessors_lock_held_by_another_is_an_error_with_its_pid() {
        let place = place();
        fs::write(&place.legacy, "4711").unwrap();
        let theirs = File::open(&place.legacy).unwrap();
        theirs.try_lock().unwrap();
        let error = place.acquire().unwrap_err();
        assert!(error.to_string().starts_with("the Python program (pid 4711) is running"), "{error}");
        assert_eq!(fs::read_to_string(&place.legacy).unwrap(), "4711", "not ours to write");
        drop(theirs);
        place.acquire().unwrap();
    }

    #[test]
    fn what_cannot_be_locked_for_the_predecessor_is_a_warning_and_untouched() {
        let place = place();
        let target = place.dir.path().join("precious");
        fs::write(&target, "data").unwrap();
        symlink(&target, &place.legacy).unwrap();
        let warned = |why: &str| {
            let held = place.acquire().unwrap();
            assert!(held.warnings.len() == 1 && held.warnings[0].contains(why), "{:?}", held.warnings);
        };
        warned("it is a symbolic link");
        fs::remove_file(&place.legacy).unwrap();
        fs::create_dir(&place.legacy).unwrap();
        warned("directory");
        fs::remove_dir(&place.legacy).unwrap();

        // A second name of another file: locked, but never written to.
        fs::hard_link(&target, &place.legacy).unwrap();
        assert_eq!(place.acquire().unwrap().warnings, Vec::<String>::new());
        assert_eq!(fs::read_to_string(&target).unwrap(), "data");

        let nowhere = acquire(place.dir.path(), Path::new("/nonexistent/lock")).unwrap();
        assert!(nowhere.warnings[0].contains("could not be locked"), "{:?}", nowhere.warnings);
    }

    #[test]
    fn a_pipe_in_the_way_does_not_make_it_wait() {
        let place = place();
        let made = std::process::Command::new("mkfifo").arg(&place.legacy).status().unwrap();
        assert!(made.success());
        assert!(place.acquire().unwrap().warnings[0].contains("it is not a file"));
    }

    #[test]
    fn both_settings_may_name_the_same_file() {
        let place = place();
        let held = acquire(place.dir.path(), &place.dir.path().join(FILE_NAME)).unwrap();
        assert_eq!(held.warnings, Vec::<String>::new());
    }

    #[test]
    fn a_state_directory_that_cannot_be_used_is_an_error_that_says_what_to_do() {
        let error = acquire(Path::new("/nonexistent"), Path::new("/nonexistent")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/lock") && error.contains("orchestrator.state_dir"), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_is_a_holder_that_can_be_shown(text in "(?s).{0,60}") {
            let shown = parse_holder(&text).to_string();
            prop_assert!(shown.starts_with("pid ") && !shown.contains('\n'));
        }
    }
}
