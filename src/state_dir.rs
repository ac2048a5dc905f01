//! The directory where everything lives that must outlast a restart, and the files in it.
//!
//! It knows directories, owners and modes, nothing of what the files hold. Both root and the service user may run the
//! program, so whatever root creates there takes the directory's owner and group.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// The state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// It does not exist and could not be made.
    #[error(
        "could not create the state directory {}: {source}. Create it as root with `install -d -m 0750 -o USER {}`, \
         or set orchestrator.state_dir to a directory that you may write to",
        .path.display(), .path.display()
    )]
    Create {
        /// The directory.
        path: PathBuf,
        /// Why it could not be made.
        source: io::Error,
    },
    /// Something else has its name.
    #[error("{} is not a directory: set orchestrator.state_dir to one", .path.display())]
    NotADirectory {
        /// What is in the way.
        path: PathBuf,
    },
}

/// Makes sure that the state directory exists; a new one is mode 0750.
///
/// # Errors
/// When it cannot be made, or something else has its name. That it can be written to is not checked: whoever writes
/// there reports that with the file at hand.
pub fn ensure(path: &Path) -> Result<(), StateDirError> {
    let create = || {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        DirBuilder::new().mode(0o750).create(path)
    };
    match create() {
        Ok(()) => Ok(()),
        // "Exists" covers files and dangling links too; a read-only disk may say so only after "exists".
        Err(_) if path.is_dir() => Ok(()),
        Err(_) if path.symlink_metadata().is_ok() => {
            Err(StateDirError::NotADirectory { path: path.to_owned() })
        }
        Err(source) => Err(StateDirError::Create { path: path.to_owned(), source }),
    }
}

/// Opens a file of the state directory for reading and writing, without following a symbolic link. A new one has
/// exactly this mode, whatever the umask, and takes the directory's owner and group where that is allowed.
///
/// # Errors
/// As the operating system says.
pub(crate) fn open_file(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_NOFOLLOW);
    // Opening first and creating second: with O_CREAT the kernel refuses files of others in sticky directories
    // (fs.protected_regular), and only a file known to be new may have its owner and mode set.
    for _ in 0..3 {
        match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        match OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path) {
            // Someone else was quicker: theirs is as good.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => {
                adopt(&file, path, mode)?;
                return Ok(file);
            }
        }
    }
    Err(io::Error::other("it is being created and deleted all the time"))
}

/// Gives a new file its mode and the directory's owner.
fn adopt(file: &File, path: &Path, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))?;
    let Some(directory) = path.parent().and_then(|parent| parent.metadata().ok()) else { return Ok(()) };
    let ours = file.metadata()?;
    if (ours.uid(), ours.gid()) != (directory.uid(), directory.gid()) {
        // Only root may give files away. For anyone else the file is their own, which serves them.
        let _ = fchown(file, Some(directory.uid()), Some(directory.gid()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_directory_is_closed_to_others_and_an_existing_one_is_left_alone() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("a/b");
        ensure(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o750);
        std::fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        ensure(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("file");
        std::fs::write(&path, "").unwrap();
        assert!(ensure(&path).unwrap_err().to_string().contains("is not a directory"));
        let below = path.join("state");
        let error = ensure(&below).unwrap_err().to_string();
        assert!(error.contains("could not create") && error.contains("orchestrator.state_dir"), "{error}");
    }

    #[test]
    fn a_new_file_has_the_mode_and_owner_that_others_need_and_links_are_not_followed() {
        let tmp = tempfile::tempdir().unwrap();
        let state = tmp.path().join("state");
        ensure(&state).unwrap();
        // Only root can give the directory to somebody; anyone else keeps it and the test proves less.
        let _ = std::os::unix::fs::chown(&state, Some(4711), Some(4712));
        let directory = state.metadata().unwrap();
        let file = open_file(&state.join("lock"), 0o660).unwrap().metadata().unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o660);
        assert_eq!((file.uid(), file.gid()), (directory.uid(), directory.gid()));

        std::os::unix::fs::symlink(tmp.path().join("elsewhere"), state.join("link")).unwrap();
        assert!(open_file(&state.join("link"), 0o660).is_err());
        assert!(!tmp.path().join("elsewhere").exists());
    }
}
