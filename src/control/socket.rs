//! The socket file: made, taken over when stale, and removed only while it is still ours.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use tokio::net::{UnixListener, UnixStream};

use super::ControlError;

/// A listening socket and the file that leads to it.
#[derive(Debug)]
pub(super) struct Socket {
    pub listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file. They stay ours for as long as the listener is open, whatever becomes of the name.
    file: (u64, u64),
}

impl Socket {
    /// Listens at `path`, in a directory that is made if it is missing.
    pub async fn listen(path: &Path) -> Result<Self, ControlError> {
        let failed = |doing| move |source| ControlError::Setup { doing, path: path.to_owned(), source };
        let directory = directory(path);
        DirBuilder::new().recursive(true).mode(0o750).create(directory).map_err(|source| {
            ControlError::Setup { doing: "create the directory", path: directory.to_owned(), source }
        })?;
        remove_stale(path).await?;
        // Two runners that get here at once: the bind of the second one fails.
        let listener = UnixListener::bind(path).map_err(|source| match source.kind() {
            ErrorKind::AddrInUse => ControlError::InUse { path: path.to_owned(), pid: None },
            _ => failed("listen at")(source),
        })?;
        let pinned = Pinned::open(path).map_err(failed("look at"))?;
        let socket = Self { listener, path: path.to_owned(), file: pinned.file };
        // From here on, a failure drops `socket`, which removes the file.
        pinned.give_to_group_of(directory, path);
        pinned.set_mode(0o660).map_err(failed("set the mode of"))?;
        Ok(socket)
    }
}

impl Socket {
    /// Removes the file, if it is still ours.
    pub fn remove(&self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.file);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("cannot remove the control socket {}: {error}", self.path.display());
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.remove();
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// The file held by a descriptor. Root may serve in a directory that a service user owns; going by the name, it
/// could be led by a link swapped in to change the owner and mode of any file.
struct Pinned {
    file: (u64, u64),
    group: u32,
    /// The kernel's name of the descriptor, good for as long as `_held` is open.
    name: PathBuf,
    _held: File,
}

impl Pinned {
    fn open(path: &Path) -> io::Result<Self> {
        // Not by std's options: with musl it takes O_PATH for a part of the access mode, and drops it.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let held = File::from(rustix::fs::open(path, flags, Mode::empty())?);
        let found = held.metadata()?;
        if !found.file_type().is_socket() {
            return Err(io::Error::other("it was replaced by something that is not a socket"));
        }
        let name = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
        Ok(Self { file: (found.dev(), found.ino()), group: found.gid(), name, _held: held })
    }

    /// The directory's group is whom the administrator lets in. Where giving the file away is not allowed, the
    /// runner's own group keeps it.
    fn give_to_group_of(&self, directory: &Path, path: &Path) {
        let given = match fs::metadata(directory) {
            Ok(directory) if directory.gid() == self.group => Ok(()),
            Ok(directory) => chown(&self.name, None, Some(directory.gid())),
            Err(error) => Err(error),
        };
        if let Err(error) = given {
            tracing::warn!(
                "cannot give the control socket {} to the group of its directory: {error}",
                path.display()
            );
        }
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        fs::set_permissions(&self.name, Permissions::from_mode(mode))
    }
}

/// Makes room at `path`, where a runner that was killed may have left its socket.
async fn remove_stale(path: &Path) -> Result<(), ControlError> {
    let failed = |doing| move |source| ControlError::Setup { doing, path: path.to_owned(), source };
    match reach(path).await? {
        Reached::Missing => Ok(()),
        Reached::Peer(stream) => {
            let pid = stream.peer_cred().ok().and_then(|peer| u32::try_from(peer.pid()?).ok());
            Err(ControlError::InUse { path: path.to_owned(), pid: pid.filter(|pid| *pid > 0) })
        }
        Reached::Busy => Err(ControlError::InUse { path: path.to_owned(), pid: None }),
        Reached::Stale => match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(failed("remove the stale socket")(error))
            }
            _ => Ok(()),
        },
    }
}

/// What is behind a path.
#[derive(Debug)]
pub(super) enum Reached {
    /// No file.
    Missing,
    /// A socket nobody listens to.
    Stale,
    /// Somebody listens, and has more callers waiting than fit.
    Busy,
    /// Somebody listens.
    Peer(UnixStream),
}

/// Tries to connect to the socket at `path`.
pub(super) async fn reach(path: &Path) -> Result<Reached, ControlError> {
    let told = |source: io::Error| match source.kind() {
        ErrorKind::PermissionDenied => ControlError::NoAccess { path: path.to_owned() },
        _ => ControlError::Connect { path: path.to_owned(), source },
    };
    match fs::metadata(path) {
        // A file that is no socket refuses connections as a stale socket does, and must not be taken for one.
        Ok(found) if !found.file_type().is_socket() => {
            return Err(ControlError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Reached::Missing),
        Err(error) => return Err(told(error)),
    }
    match UnixStream::connect(path).await {
        Ok(stream) => Ok(Reached::Peer(stream)),
        Err(error) => match error.kind() {
            ErrorKind::NotFound => Ok(Reached::Missing),
            ErrorKind::ConnectionRefused => Ok(Reached::Stale),
            ErrorKind::WouldBlock => Ok(Reached::Busy),
            _ => Err(told(error)),
        },
    }
}
