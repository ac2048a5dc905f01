//! The state directory and what is kept there.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD};

use super::finding::{Finding, Level, Section};
use super::people::{User, Wish, name_of};
use crate::history::{self, HistoryError, Inspected};
use crate::words::{count, size};

/// Bytes. With less than this the history of a year may not fit.
const LITTLE: u64 = 20_000_000;
/// Bytes. With less than this a commit may fail.
const NONE: u64 = 1_000_000;
const SETTING: &str = "orchestrator.state_dir";

/// Looks at the directory, the room around it and the history. Blocks.
pub(super) fn examine(path: &Path) -> Section {
    let mut section = Section::new("State directory");
    let user = User::of_service();
    let is_there = match path.metadata() {
        Ok(found) if found.is_dir() => {
            section.findings.extend(of_directory(path, &found, user.as_ref()));
            true
        }
        Ok(_) => {
            let text = format!("{} is not a directory", path.display());
            section.push(Finding::failure("directory", text, format!("set {SETTING} to one")));
            false
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            section.push(to_be_made(path));
            false
        }
        Err(error) => {
            let text = format!("{} cannot be looked at: {error}", path.display());
            section.push(Finding::failure(
                "directory",
                text,
                "run this as root or as the user of the service",
            ));
            false
        }
    };
    section.findings.extend(room(path));
    if is_there {
        section.push(of_history(path));
        section.findings.extend(set_aside(path));
    }
    section
}

fn of_directory(path: &Path, found: &std::fs::Metadata, service: Option<&User>) -> Vec<Finding> {
    const CHECK: &str = "directory";
    let (mode, owner, shown) = (found.mode() & 0o7777, name_of(found.uid()), path.display());
    let mut findings = Vec::new();
    match may_write(path) {
        Ok(()) if mode & 0o002 != 0 => findings.push(Finding::failure(
            CHECK,
            format!("{shown} can be written to by everyone (mode {mode:04o}): known host keys can be exchanged there"),
            format!("run: chmod 750 {shown}"),
        )),
        Ok(()) => findings.push(Finding::ok(CHECK, format!("{shown} belongs to {owner} (mode {mode:04o})"))),
        Err(error) => findings.push(Finding::failure(
            CHECK,
            format!("{shown} belongs to {owner} (mode {mode:04o}) and cannot be written to: {error}"),
            format!("run this as root or as {owner}; or set {SETTING} to a directory on a disk that can be written to"),
        )),
    }
    if let Some(user) = service.filter(|user| !(user.can(Wish::Enter, path) && user.may(Wish::Write, found)))
    {
        findings.push(Finding::warning(
            CHECK,
            format!("{shown} cannot be written to by the service's user {}", user.name),
            format!("run: chown -R {0}: {shown}", user.name),
        ));
    }
    findings
}

/// As the effective user, a file system that is mounted read-only included.
fn may_write(path: &Path) -> io::Result<()> {
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    Ok(rustix::fs::accessat(CWD, path, wanted, AtFlags::EACCESS)?)
}

/// The nearest folder above that is there.
fn nearest(path: &Path) -> Option<&Path> {
    path.ancestors().find(|folder| folder.is_dir())
}

fn to_be_made(path: &Path) -> Finding {
    const CHECK: &str = "directory";
    let (shown, above) = (path.display(), nearest(path));
    match above.map(may_write) {
        Some(Ok(())) => Finding::ok(CHECK, format!("{shown} is not there yet; the first run makes it")),
        Some(Err(error)) => Finding::failure(
            CHECK,
            format!("{shown} is not there and cannot be made: {error}"),
            format!("run as root: install -d -m 0750 -o USER {shown}"),
        ),
        None => Finding::failure(CHECK, format!("{shown} is nowhere"), format!("correct {SETTING}")),
    }
}

fn room(path: &Path) -> Option<Finding> {
    const CHECK: &str = "free space";
    let found = rustix::fs::statvfs(nearest(path)?).ok()?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let (text, advice) =
        (format!("{} free", size(free)), format!("free some space, or set {SETTING} elsewhere"));
    Some(match free {
        0..NONE => Finding::failure(CHECK, text, advice),
        NONE..LITTLE => Finding::warning(CHECK, text, advice),
        _ => Finding::ok(CHECK, text),
    })
}

fn of_history(path: &Path) -> Finding {
    const CHECK: &str = "history";
    match history::inspect(path) {
        Ok(Inspected::Sound { runs }) => {
            let runs = count(usize::try_from(runs).unwrap_or(usize::MAX), "run", "runs");
            Finding::ok(CHECK, format!("sound, {runs} on record"))
        }
        Ok(Inspected::Unfinished) => {
            Finding::ok(CHECK, "opens; the disk is too slow to check all of it beside a runner")
        }
        Ok(Inspected::CutOff) => {
            Finding::ok(CHECK, "the last write was cut off; the next start of a runner takes it back")
        }
        Err(HistoryError::Absent { .. }) => Finding::ok(CHECK, "none yet; the first run makes it"),
        Err(HistoryError::Damaged { path, detail }) => Finding::failure(
            CHECK,
            format!("{} is damaged ({detail})", path.display()),
            "check the disk (`dmesg`); the next start sets the file aside and carries over what can be read",
        ),
        Err(error) => {
            Finding::from_error(Level::Failure, CHECK, &error, "check the disk, and whom the file belongs to")
        }
    }
}

/// What an earlier start found damaged.
fn set_aside(path: &Path) -> Option<Finding> {
    let start = format!("{}.damaged-", history::FILE_NAME);
    let names =
        std::fs::read_dir(path).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut aside: Vec<String> =
        names.filter(|name| name.starts_with(&start) && !name.ends_with("-journal")).collect();
    aside.sort_unstable();
    let newest = aside.last()?;
    Some(Finding::warning(
        "history",
        format!("an earlier file was damaged and set aside: {newest}"),
        format!("check the disk, and delete {} once it is of no more use", path.join(newest).display()),
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn said(section: &Section) -> Vec<(Level, &str)> {
        section.findings.iter().map(|finding| (finding.level, finding.check.as_str())).collect()
    }

    #[test]
    fn what_is_not_there_yet_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let section = examine(&path);
        assert_eq!(section.findings[0].level, Level::Ok, "{section:?}");
        assert!(section.findings[0].text.contains("not there yet"), "{section:?}");
        assert!(!folder.path().join("a").exists());
        std::fs::write(folder.path().join("a"), "").unwrap();
        assert_eq!(examine(&folder.path().join("a")).findings[0].level, Level::Failure);
    }

    #[test]
    fn damage_is_seen_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o750)).unwrap();
        assert!(said(&examine(folder.path())).contains(&(Level::Ok, "history")));
        let file = folder.path().join(history::FILE_NAME);
        std::fs::write(&file, "this is no database, whatever its name says".repeat(100)).unwrap();
        let before = std::fs::read(&file).unwrap();
        std::fs::write(folder.path().join("history.db.damaged-20260101T000000Z"), "").unwrap();
        let found = examine(folder.path());
        assert!(
            said(&found).ends_with(&[(Level::Failure, "history"), (Level::Warning, "history")]),
            "{found:?}"
        );
        assert_eq!(std::fs::read(&file).unwrap(), before);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_directory_open_to_all_is_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(said(&examine(folder.path()))[0], (Level::Failure, "directory"));
    }
}
