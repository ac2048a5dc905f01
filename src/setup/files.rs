//! What is put on disk: each file whole or not at all, and readable by the service as well as by nobody else.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown, fchown};
use std::path::{Path, PathBuf};

use crate::ssh::{KeyFile, KeyPair, KeyPairError, public_line};
use crate::state_dir::{self, StateDirError};

/// The user that the service runs as where a package has made it, and that user's group.
const SERVICE: &str = "jetbackup-remote";

/// A file that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be written.
    #[error("writing {}: {source}; run this as root, or name another place with -c or --key", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A password cannot be read.
    #[error("reading the password from {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no password in it.
    #[error("{} holds no password: one line of text is needed", .0.display())]
    NoPassword(PathBuf),
    /// The key cannot be made or used.
    #[error(transparent)]
    Key(#[from] KeyPairError),
    /// The state directory cannot be made.
    #[error(transparent)]
    State(#[from] StateDirError),
}

/// Who the service is: its user and group ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    user: u32,
    group: u32,
}

/// The service's user and group, where there are both. A static program reads the files; it knows no other directory.
#[must_use]
pub fn service_owner() -> Option<Owner> {
    let third = |file: &str| third_field(&fs::read_to_string(file).ok()?, SERVICE);
    Some(Owner { user: third("/etc/passwd")?, group: third("/etc/group")? })
}

/// The number of a name in `/etc/passwd` or `/etc/group`, where it stands in the third field.
fn third_field(text: &str, name: &str) -> Option<u32> {
    let mut lines = text.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?)
}

/// The public key of a private one, which is made without a passphrase if it is not there; also whether it was. A new one gets
/// a `.pub` beside it.
///
/// # Errors
/// If it can be neither read nor made.
pub fn ensure_key(key: &KeyFile, owner: Option<Owner>) -> Result<(String, bool), FileError> {
    let path = &key.path;
    if path.symlink_metadata().is_ok() {
        return Ok((public_line(key)?, false));
    }
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain: String =
        host.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect();
    let comment = if plain.is_empty() { SERVICE.to_owned() } else { format!("{SERVICE}@{plain}") };
    let pair = KeyPair::generate(&comment)?;
    put(path, pair.private.as_bytes(), Mode::Secret, owner)?;
    put(&beside(path, ".pub"), format!("{}\n", pair.public).as_bytes(), Mode::Public, None)?;
    Ok((pair.public, true))
}

/// Writes a password where the service can read it.
///
/// # Errors
/// If it cannot be written.
pub fn write_secret(path: &Path, secret: &str, owner: Option<Owner>) -> Result<(), FileError> {
    put(path, format!("{secret}\n").as_bytes(), Mode::Secret, owner)
}

/// The password in a file: its first line.
///
/// # Errors
/// If it cannot be read or is empty.
pub fn read_secret(path: &Path) -> Result<String, FileError> {
    let text =
        fs::read_to_string(path).map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => Err(FileError::NoPassword(path.to_owned())),
    }
}

/// Writes the configuration: readable by root and the service. One that is a link stays one.
///
/// # Errors
/// If it cannot be written; then the old one is still there.
pub fn write_config(path: &Path, text: &str, owner: Option<Owner>) -> Result<(), FileError> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    put(&target, text.as_bytes(), Mode::Config, owner)
}

/// Copies a file to a name beside it that is free: `config.json.bak`, `config.json.bak2`, …
///
/// # Errors
/// If there can be no copy.
pub fn back_up(path: &Path, owner: Option<Owner>) -> Result<PathBuf, FileError> {
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    let bytes = fs::read(path).map_err(failed)?;
    let names = (1..1000).map(|number| match number {
        1 => beside(path, ".bak"),
        _ => beside(path, &format!(".bak{number}")),
    });
    for copy in names {
        if copy.symlink_metadata().is_err() {
            put(&copy, &bytes, Mode::Config, owner)?;
            return Ok(copy);
        }
    }
    Err(failed(io::Error::other("there are a thousand copies of it already")))
}

/// Makes the state directory, if it is not there, as the service's own.
///
/// # Errors
/// If it cannot be made.
pub fn ensure_state_dir(path: &Path, owner: Option<Owner>) -> Result<(), FileError> {
    let is_new = path.symlink_metadata().is_err();
    state_dir::ensure(path)?;
    if let (true, Some(Owner { user, group })) = (is_new, owner) {
        // Only root may; for anybody else it stays their own, which serves them.
        let _ = chown(path, Some(user), Some(group));
    }
    Ok(())
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Its owner, and the service where there is one.
    Secret,
    /// Its owner and group.
    Config,
    /// Everybody.
    Public,
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// A folder that everybody may look into, whatever the umask: the files in it have modes of their own, and the service
/// must get to them.
fn ensure_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))
}

/// Writes a file as a whole: beside its place, onto the disk, then renamed.
fn put(path: &Path, bytes: &[u8], mode: Mode, owner: Option<Owner>) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    ensure_folder(folder).map_err(failed)?;
    let draft = beside(path, &format!(".new.{}", std::process::id()));
    let written = (|| {
        // What an earlier process of the same number left behind is not followed, but removed.
        let _ = fs::remove_file(&draft);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        let shared = owner.is_some_and(|Owner { group, .. }| fchown(&file, None, Some(group)).is_ok());
        file.set_permissions(Permissions::from_mode(match mode {
            Mode::Public => 0o644,
            Mode::Config => 0o640,
            Mode::Secret if shared => 0o640,
            Mode::Secret => 0o600,
        }))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        File::open(folder)?.sync_all()
    })();
    written.map_err(|source| {
        // What could not be renamed is of no use to anybody.
        let _ = fs::remove_file(&draft);
        failed(source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    fn key(path: &Path) -> KeyFile {
        KeyFile { path: path.to_owned(), passphrase: None }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_service_is_found_by_its_name_alone() {
        let text = "root:x:0:\nnot-jetbackup-remote:x:7:\njetbackup-remote:x:998:\n";
        assert_eq!(third_field(text, SERVICE), Some(998));
        assert_eq!(third_field("jetbackup-remote:x\njetbackup-remotes:x:5:", SERVICE), None);
    }

    #[test]
    fn a_key_is_made_once_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("etc/id_ed25519");
        let (line, made) = ensure_key(&key(&path), None).unwrap();
        assert!(made && line.starts_with("ssh-ed25519 AAAA"));
        assert_eq!((mode(&path), mode(&beside(&path, ".pub"))), (0o600, 0o644));
        assert_eq!(fs::read_to_string(beside(&path, ".pub")).unwrap(), format!("{line}\n"));
        assert_eq!(ensure_key(&key(&path), None).unwrap(), (line, false));
        fs::write(&path, "nonsense").unwrap();
        assert!(ensure_key(&key(&path), None).is_err(), "what is there is never replaced");
    }

    #[test]
    fn the_service_reads_what_belongs_to_root() {
        let folder = tempfile::tempdir().unwrap();
        if fs::metadata(folder.path()).unwrap().uid() != 0 {
            // Only root can give a file to a group; for anybody else nothing is shared.
            return;
        }
        let owner = Some(Owner { user: 4711, group: 4712 });
        let path = folder.path().join("id_ed25519");
        ensure_key(&key(&path), owner).unwrap();
        write_secret(&folder.path().join("password"), "hunter2", owner).unwrap();
        for name in ["id_ed25519", "password"] {
            let file = fs::metadata(folder.path().join(name)).unwrap();
            assert_eq!((file.uid(), file.gid(), file.mode() & 0o7777), (0, 4712, 0o640), "{name}");
        }
        let state = folder.path().join("state");
        ensure_state_dir(&state, owner).unwrap();
        assert_eq!(fs::metadata(&state).unwrap().uid(), 4711);
        assert_eq!(read_secret(&folder.path().join("password")).unwrap(), "hunter2");
        // The program itself takes such a key.
        assert!(ensure_key(&key(&path), owner).is_ok());
    }

    #[test]
    fn copies_never_replace_copies_and_links_stay_links() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        for text in ["one", "two"] {
            write_config(&path, text, None).unwrap();
            back_up(&path, None).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!([read("config.json.bak"), read("config.json.bak2")], ["one", "two"]);
        assert_eq!(mode(&path), 0o640);
        let link = folder.path().join("link.json");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_config(&link, "three", None).unwrap();
        assert!(link.is_symlink());
        assert_eq!(read("config.json"), "three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "no draft is left");
    }
}
