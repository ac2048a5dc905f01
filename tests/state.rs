//! State that outlasts a process, against real peers: Python's `flock`, killed processes, full and read-only disks.
//!
//! Disks are mounted in a mount namespace of their own, by `unshare`, in which the test runs itself once more: root
//! can do so, and everyone else where user namespaces are allowed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use jetbackup_remote::history::{Filter, History, HistoryError, Opened};
use jetbackup_remote::lock::{self, LockError};
use jetbackup_remote::model::{Event, JobKey, RunId, RunRecord, What};

/// A program that holds a lock as the predecessor does, until it is told to go.
struct Python {
    child: Child,
}

impl Python {
    fn holding(path: &Path) -> Self {
        let program = "import fcntl, os, sys\n\
             f = open(sys.argv[1], 'w')\n\
             fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)\n\
             f.write(str(os.getpid())); f.flush()\n\
             print('held', flush=True)\n\
             sys.stdin.read()\n";
        let mut child = Command::new("python3")
            .args(["-c", program])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is needed for this test");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        Self { child }
    }
}

fn legacy_and_state() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    jetbackup_remote::state_dir::ensure(&state).unwrap();
    let legacy = dir.path().join("jetbackup-remote.lock");
    (dir, state, legacy)
}

#[test]
fn the_python_program_and_this_one_keep_each_other_out() {
    let (_dir, state, legacy) = legacy_and_state();
    let mut python = Python::holding(&legacy);
    let error = lock::acquire(&state, &legacy).unwrap_err();
    assert!(matches!(error, LockError::Predecessor { .. }), "{error}");
    assert!(error.to_string().contains(&format!("(pid {})", python.child.id())), "{error}");

    // Killed, it leaves its file, and no lock.
    python.child.kill().unwrap();
    python.child.wait().unwrap();
    let held = lock::acquire(&state, &legacy).unwrap();
    assert_eq!(held.warnings, Vec::<String>::new());

    let program = "import fcntl, sys\n\
         f = open(sys.argv[1], 'a+')\n\
         try:\n    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)\n\
         except OSError:\n    f.seek(0); print(f.readline().strip())\n";
    let theirs = Command::new("python3").args(["-c", program]).arg(&legacy).output().unwrap();
    assert_eq!(String::from_utf8(theirs.stdout).unwrap().trim(), std::process::id().to_string());
}

#[test]
fn the_holder_is_known_while_it_lives_and_not_after() {
    let (_dir, state, _legacy) = legacy_and_state();
    let mut python = Python::holding(&state.join(lock::FILE_NAME));
    assert_eq!(lock::holder(&state).unwrap().pid, Some(python.child.id()));
    python.child.kill().unwrap();
    python.child.wait().unwrap();
    assert_eq!(lock::holder(&state), None);
}

/// Runs the test `name` of this file once more where it may mount disks, with `mount` done first on `dir`.
fn with_disk(name: &str, dir: &Path, mount: &str) {
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let mut command = Command::new("unshare");
    command.args(if root { &["--mount"][..] } else { &["--mount", "--map-root-user"][..] });
    let inner = format!("{mount} && exec \"$TEST\" --exact {name} --nocapture");
    let status = command
        .args(["sh", "-c", &inner])
        .env("TEST", std::env::current_exe().unwrap())
        .env("ON_DISK", dir)
        .status()
        .expect("unshare (util-linux) is needed for this test");
    assert!(status.success(), "it failed on the mounted disk, or nothing may be mounted here");
}

fn on_disk() -> Option<PathBuf> {
    std::env::var_os("ON_DISK").map(PathBuf::from)
}

fn event(id: i64) -> Event {
    let at = "2025-03-01T02:00:00Z".parse().unwrap();
    let key = JobKey { server: "web".parse().unwrap(), job: "64abcdef0123456789abcdef".parse().unwrap() };
    let run =
        RunRecord { error: Some("x".repeat(250)), ..RunRecord::new(RunId(id), key, "Accounts", at, 14_400) };
    Event { at, what: What::JobStarting(run) }
}

#[test]
fn a_full_disk_is_reported_and_forgotten_when_there_is_room_again() {
    let Some(disk) = on_disk() else {
        let dir = tempfile::tempdir().unwrap();
        let mount = "mount -t tmpfs -o size=64k none \"$ON_DISK\"";
        return with_disk(
            "a_full_disk_is_reported_and_forgotten_when_there_is_room_again",
            dir.path(),
            mount,
        );
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Opened { history, notices } = History::open(&disk).await;
        assert_eq!(notices, Vec::<String>::new());
        history.commit(&event(1)).await.unwrap();
        let ballast = disk.join("ballast");
        let mut file = fs::File::create(&ballast).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
        let mut recorded = 1;
        let error = loop {
            match history.commit(&event(recorded + 1)).await {
                Ok(()) => recorded += 1,
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("The disk is full"), "{error}");
        let runs = History::read_only(&disk).unwrap().runs(&Filter::default()).await.unwrap();
        assert_eq!(i64::try_from(runs.len()).unwrap(), recorded, "what was recorded is still readable");
        let runs = history.runs(&Filter::default()).await.unwrap();
        assert_eq!(i64::try_from(runs.len()).unwrap(), recorded + 1, "what is owed is shown here");

        drop(file);
        fs::remove_file(&ballast).unwrap();
        history.settle().await.unwrap();
        let runs = History::read_only(&disk).unwrap().runs(&Filter::default()).await.unwrap();
        assert_eq!((i64::try_from(runs.len()).unwrap(), history.owed()), (recorded + 1, 0));
        assert_eq!(history.notices(), Vec::<String>::new());

        // Full from the start: the lock still works, and so does everything but the record.
        fs::remove_file(disk.join("history.db")).unwrap();
        let mut file = fs::File::create(&ballast).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
        let Opened { history, notices } = History::open(&disk).await;
        assert!(notices.iter().all(|notice| notice.contains("nothing will be recorded")), "{notices:?}");
        assert!(history.commit(&event(1)).await.is_err());
        lock::acquire(&disk, &disk.join("legacy")).unwrap();
    });
}

#[test]
fn a_read_only_disk_is_reported_and_can_still_be_read() {
    let Some(disk) = on_disk() else {
        let dir = tempfile::tempdir().unwrap();
        let mount = "mount -t tmpfs none \"$ON_DISK\"";
        return with_disk("a_read_only_disk_is_reported_and_can_still_be_read", dir.path(), mount);
    };
    let remount = |how: &str| {
        let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&disk).status().unwrap();
        assert!(done.success());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let other = disk.join("empty");
        fs::create_dir(&other).unwrap();
        History::open(&disk).await.history.commit(&event(1)).await.unwrap();
        drop(lock::acquire(&disk, &other.join("legacy")).unwrap());
        remount("ro");
        let held = lock::acquire(&disk, &other.join("legacy")).unwrap();
        let second = lock::acquire(&disk, &other.join("legacy")).unwrap_err();
        assert!(matches!(second, lock::LockError::Held { .. }), "{second:?}");
        drop(held);
        let Opened { history, .. } = History::open(&disk).await;
        let error = history.commit(&event(2)).await.unwrap_err();
        assert!(matches!(error, HistoryError::Database { .. }), "{error:?}");
        assert!(error.to_string().contains("read-only"), "{error}");
        assert_eq!(history.open_runs().await.unwrap().len(), 2, "what is owed is shown here");
        assert_eq!(History::read_only(&disk).unwrap().open_runs().await.unwrap().len(), 1);

        let Opened { history: empty, notices } = History::open(&other).await;
        assert!(notices[0].contains("nothing will be recorded"), "{notices:?}");
        assert!(empty.commit(&event(1)).await.is_err());

        remount("rw");
        history.commit(&event(2)).await.unwrap();
        empty.commit(&event(1)).await.unwrap();
        assert_eq!(history.open_runs().await.unwrap().len(), 2);
    });
}
