//! Who holds the locks, and whether the runner answers. No lock is taken: the kernel's list of locks is read.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::finding::{Finding, Level, Section};
use crate::config::Orchestrator;
use crate::control::{self, ControlError, Found, Runner, Status};
use crate::lock;

/// How long a runner may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);
const LOCKS: &str = "/proc/locks";

/// The runner at work, as it answered.
#[derive(Debug)]
pub(super) struct AtWork {
    pub kind: Runner,
    pub pid: u32,
    pub status: Option<Status>,
}

/// What was found, and the runner at work.
pub(super) async fn examine(settings: &Orchestrator) -> (Section, Option<AtWork>) {
    let mut section = Section::new("Runner");
    let own = settings.state_dir.join(lock::FILE_NAME);
    let (held, theirs) = (holder(&own), holder(&settings.lock_file));
    let answered = timeout(PATIENCE, ask(&settings.control_socket)).await.unwrap_or_else(|_| {
        let (path, reason) = (settings.control_socket.clone(), "it is silent".to_owned());
        Err(ControlError::Silent { path, reason })
    });
    section.push(match &held {
        None => Finding::ok("lock", "free: no runner is at work"),
        Some(_) => Finding::ok("lock", format!("held by a runner at work ({})", told(&own, held))),
    });
    let (finding, at_work) = of_socket(answered, held, &settings.control_socket);
    section.push(finding);
    section.push(of_predecessor(settings, held, theirs));
    (section, at_work)
}

async fn ask(socket: &Path) -> Result<Option<AtWork>, ControlError> {
    match control::connect(socket).await? {
        Found::Nobody => Ok(None),
        Found::Runner(mut client) => {
            let (kind, pid) = (client.runner(), client.pid());
            Ok(Some(AtWork { kind, pid, status: client.status().await.ok() }))
        }
    }
}

fn of_socket(
    answered: Result<Option<AtWork>, ControlError>,
    held: Option<u32>,
    socket: &Path,
) -> (Finding, Option<AtWork>) {
    const CHECK: &str = "control socket";
    let shown = socket.display();
    match answered {
        Ok(Some(runner)) if held.is_none() => {
            let text = format!(
                "{} (process {}) answers at {shown} without the lock",
                runner.kind.name(),
                runner.pid
            );
            let advice = "it has another orchestrator.state_dir than this configuration: give both the same";
            (Finding::failure(CHECK, text, advice), Some(runner))
        }
        Ok(Some(runner)) => {
            let text = format!("{} (process {}) answers at {shown}", runner.kind.name(), runner.pid);
            (Finding::ok(CHECK, text), Some(runner))
        }
        Ok(None) if held.is_some() => {
            let text = format!("the runner at work does not answer at {shown}");
            let advice = "compare orchestrator.control_socket with its configuration, or look into its log";
            (Finding::warning(CHECK, text, advice), None)
        }
        Ok(None) => (Finding::ok(CHECK, format!("{shown}: nobody, as no runner is at work")), None),
        Err(error) => {
            let advice = "run this as root or as the user of the service";
            (Finding::from_error(Level::Failure, CHECK, &error, advice), None)
        }
    }
}

fn of_predecessor(settings: &Orchestrator, held: Option<u32>, theirs: Option<u32>) -> Finding {
    const CHECK: &str = "lock_file";
    let path = &settings.lock_file;
    let shown = path.display();
    match theirs {
        None => Finding::ok(CHECK, format!("{shown} is free: the Python program does not run")),
        Some(_) if theirs == held => Finding::ok(CHECK, format!("{shown} is held by the same runner")),
        Some(_) => Finding::failure(
            CHECK,
            format!("{shown} is held by another program ({}): nothing is run beside it", told(path, theirs)),
            "wait until it ends, and disable the Python program's timer",
        ),
    }
}

/// What the file says of its holder, if that is who holds it.
fn told(path: &Path, holder: Option<u32>) -> String {
    let introduced = lock::introduced(path);
    match holder {
        Some(pid) if introduced.pid != Some(pid) && pid != 0 => format!("pid {pid}"),
        _ => introduced.to_string(),
    }
}

/// The process that holds the lock of a file; 0 for one that cannot be seen from here.
fn holder(path: &Path) -> Option<u32> {
    let file = path.metadata().ok()?;
    let device = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));
    let locks = std::fs::read_to_string(LOCKS).ok()?;
    // Overlayfs, as on a router, and btrfs give a file another place there than here; the file names who locked it.
    find(&locks, device, file.ino())
        .or_else(|| lock::introduced(path).pid.filter(|&pid| holds_one(&locks, pid)))
}

/// Who holds the lock at this place in a text as of `/proc/locks`.
fn find(locks: &str, device: (u32, u32), inode: u64) -> Option<u32> {
    held(locks).find(|held| (held.device, held.inode) == (device, inode)).map(|held| held.pid)
}

/// Whether this process holds any lock of this kind.
fn holds_one(locks: &str, pid: u32) -> bool {
    held(locks).any(|held| held.pid == pid)
}

/// A line of `/proc/locks` (proc_locks(5)): `1: FLOCK  ADVISORY  WRITE 708 08:02:1048609 0 EOF`.
struct Held {
    pid: u32,
    device: (u32, u32),
    inode: u64,
}

/// The locks by flock(2) that are held. A line with `->` is of one who waits.
fn held(locks: &str) -> impl Iterator<Item = Held> {
    locks.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        (words.next()? == "FLOCK").then_some(())?;
        let pid = words.nth(2)?.parse().unwrap_or(0);
        let mut place = words.next()?.split(':');
        let mut hex = || u32::from_str_radix(place.next()?, 16).ok();
        Some(Held { pid, device: (hex()?, hex()?), inode: place.next()?.parse().ok()? })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_lock_is_found_by_its_place() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 08:02:5 0 EOF\n2: FLOCK  ADVISORY  WRITE 708 08:0a:1048609 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 709 08:0a:1048609 0 EOF\n3: FLOCK  ADVISORY  READ -1 00:1b:9 0 EOF\n";
        assert_eq!(find(locks, (8, 10), 1_048_609), Some(708));
        assert_eq!(find(locks, (8, 2), 5), None, "another kind of lock");
        assert_eq!(find(locks, (0, 27), 9), Some(0));
        assert_eq!(find(locks, (8, 10), 1), None);
        assert!(holds_one(locks, 708));
        assert!(!holds_one(locks, 7) && !holds_one(locks, 709), "of another kind, and waiting");
    }

    #[test]
    fn a_real_lock_is_seen_and_looking_takes_none() {
        let folder = tempfile::tempdir().unwrap();
        let (own, legacy) = (folder.path().join(lock::FILE_NAME), folder.path().join("legacy"));
        assert_eq!(holder(&own), None);
        let held = lock::acquire(folder.path(), &legacy).unwrap();
        assert_eq!((holder(&own), holder(&legacy)), (Some(std::process::id()), Some(std::process::id())));
        assert!(told(&own, holder(&own)).starts_with(&format!("pid {}, since", std::process::id())));
        drop(held);
        assert_eq!((holder(&own), holder(&legacy)), (None, None));
    }

    proptest! {
        #[test]
        fn any_text_may_stand_there(text in "(?s).{0,200}", words in prop::collection::vec("[0-9a-f:A-Z>-]{0,9}", 0..12)) {
            let _ = find(&text, (1, 2), 3);
            let _ = find(&words.join(" "), (1, 2), 3);
        }
    }
}
