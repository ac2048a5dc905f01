//! Proves over real sockets that a runner is found, asked and answered, and that whatever else may be at the socket's
//! path is neither taken for "nobody" nor destroyed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use jetbackup_remote::control::{
    Asked, Client, ControlError, Door, Found, Runner, Served, Status, connect, serve,
};
use jetbackup_remote::model::{
    Answer, Command, Event, JobFacts, JobKey, Selection, ServerName, Snapshot, What,
};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{broadcast, mpsc, watch};

mod following;

fn key() -> JobKey {
    JobKey { server: "web1".parse().unwrap(), job: "64ab00000000000000000001".parse().unwrap() }
}

fn snapshot() -> Snapshot {
    let facts = JobFacts {
        key: key(),
        label: "Accounts".into(),
        limit: 14_400,
        last: None,
        last_success: None,
        usual: Some(3600),
        stale: false,
    };
    let mut snapshot = Snapshot::new(&["web1".parse::<ServerName>().unwrap()], vec![facts]);
    let at = "2026-03-01T02:00:00Z".parse().unwrap();
    snapshot.apply(&Event { at, what: What::JobQueued { job: key() } });
    snapshot
}

/// A queue that can be asked, and what it was asked.
struct Queue {
    asked: mpsc::Receiver<Asked>,
    shown: watch::Sender<Snapshot>,
    events: broadcast::Sender<Event>,
}

impl Queue {
    fn tell(&self, what: What) {
        let event = Event { at: "2026-03-01T02:00:01Z".parse().unwrap(), what };
        self.shown.send_modify(|snapshot| {
            snapshot.apply(&event);
            let _ = self.events.send(event);
        });
    }
}

fn door() -> (Door, Queue) {
    let (requests, asked) = mpsc::channel(4);
    let (shown, seen) = watch::channel(snapshot());
    let (events, _) = broadcast::channel(64);
    (
        Door { requests, snapshot: seen, events: events.downgrade(), broker: None },
        Queue { asked, shown, events },
    )
}

async fn served(path: &Path, runner: Runner) -> (Served, Queue) {
    let (door, queue) = door();
    (serve(path, runner, door).await.unwrap(), queue)
}

fn room() -> (TempDir, PathBuf) {
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("run/control.sock");
    (room, path)
}

async fn client(path: &Path) -> Client {
    match connect(path).await.unwrap() {
        Found::Runner(client) => client,
        Found::Nobody => panic!("nobody at {}", path.display()),
    }
}

async fn nobody(path: &Path) -> bool {
    matches!(connect(path).await.unwrap(), Found::Nobody)
}

/// What a runner leaves behind that was killed.
fn leave_stale(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    drop(StdListener::bind(path).unwrap());
    assert!(path.exists());
}

#[tokio::test]
async fn status_and_commands_reach_the_queue_over_one_connection() {
    let (_room, path) = room();
    let (_served, mut queue) = served(&path, Runner::Daemon).await;
    let mut client = client(&path).await;
    assert_eq!((client.pid(), client.runner()), (std::process::id(), Runner::Daemon));

    let status = client.status().await.unwrap();
    assert_eq!(status, Status::of(&snapshot()));
    assert_eq!(status.jobs[0].queue_position, Some(1));

    let release = Command::Release(key());
    let (answer, ()) = tokio::join!(client.command(release.clone()), async {
        let (command, answer) = queue.asked.recv().await.unwrap();
        assert_eq!(command, release);
        answer.send(Answer::refused("it is within its limit")).unwrap();
    });
    assert_eq!(answer.unwrap(), Answer::refused("it is within its limit"));
}

#[tokio::test]
async fn a_plain_text_tool_can_speak_it() {
    let (_room, path) = room();
    let (_served, _queue) = served(&path, Runner::Run).await;
    let mut stream = BufReader::new(tokio::net::UnixStream::connect(&path).await.unwrap());
    stream.write_all(b"{\"version\":1,\"ask\":\"status\"}\n{\"version\":9,\"ask\":\"x\"}\n").await.unwrap();
    let mut said = String::new();
    stream.read_line(&mut said).await.unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["version"], 1);
    assert_eq!(said["runner"], "run");
    assert_eq!(said["pid"], std::process::id());
    assert_eq!(said["status"]["jobs"][0]["label"], "Accounts");
    let mut said = String::new();
    stream.read_line(&mut said).await.unwrap();
    assert!(said.contains("only 1 is spoken here"), "{said}");
}

#[tokio::test]
async fn nobody_is_behind_a_missing_or_a_stale_socket() {
    let (_room, path) = room();
    assert!(nobody(&path).await);
    leave_stale(&path);
    assert!(nobody(&path).await);
}

#[tokio::test]
async fn a_stale_socket_is_taken_over_and_a_live_one_is_not() {
    let (_room, path) = room();
    leave_stale(&path);
    let (_served, _queue) = served(&path, Runner::Run).await;
    let error = serve(&path, Runner::Daemon, door().0).await.unwrap_err();
    assert!(
        matches!(error, ControlError::InUse { pid: Some(pid), .. } if pid == std::process::id()),
        "{error}"
    );
    assert!(error.to_string().contains(&format!("(process {})", std::process::id())), "{error}");
    assert_eq!(client(&path).await.runner(), Runner::Run);
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_hangs_is_not_nobody() {
    let (_room, path) = room();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _mute = StdListener::bind(&path).unwrap();
    let error = connect(&path).await.unwrap_err();
    assert!(matches!(error, ControlError::Silent { .. }), "{error}");
    let error = serve(&path, Runner::Run, door().0).await.unwrap_err();
    assert!(matches!(error, ControlError::InUse { .. }), "{error}");
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let (room, _) = room();
    let path = room.path().join("notes.txt");
    fs::write(&path, "precious").unwrap();
    assert!(matches!(connect(&path).await.unwrap_err(), ControlError::NotASocket { .. }));
    let error = serve(&path, Runner::Run, door().0).await.unwrap_err();
    assert!(matches!(error, ControlError::NotASocket { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn the_file_is_open_to_the_group_of_its_directory_only() {
    let (_room, path) = room();
    let (served, _queue) = served(&path, Runner::Run).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o750);
    assert_eq!(mode(&path), 0o660);
    served.close().await;

    // Only root may give the directory to a group it is not in; for others it has their own group.
    let _ = chown(path.parent().unwrap(), None, Some(12_345));
    let (_served, _queue) = self::served(&path, Runner::Run).await;
    let group = |path: &Path| fs::metadata(path).unwrap().gid();
    assert_eq!(group(&path), group(path.parent().unwrap()));
}

#[tokio::test]
async fn the_file_goes_with_its_runner_and_only_with_its_own() {
    let (_room, path) = room();
    let (served_once, _queue) = served(&path, Runner::Run).await;
    served_once.close().await;
    assert!(!path.exists());

    let (dropped, _queue) = served(&path, Runner::Run).await;
    drop(dropped);
    assert!(!path.exists());

    let (robbed, _queue) = served(&path, Runner::Run).await;
    fs::remove_file(&path).unwrap();
    let (_other, _queue) = served(&path, Runner::Daemon).await;
    robbed.close().await;
    assert_eq!(client(&path).await.runner(), Runner::Daemon);
}

#[tokio::test]
async fn an_answer_under_way_arrives_although_the_runner_ends() {
    let (_room, path) = room();
    let (served, mut queue) = served(&path, Runner::Run).await;
    let mut client = client(&path).await;
    let (answer, ()) = tokio::join!(client.command(Command::Run(Selection::default())), async {
        let (_, answer) = queue.asked.recv().await.unwrap();
        answer.send(Answer::accepted("the last one")).unwrap();
        served.close().await;
    });
    assert_eq!(answer.unwrap(), Answer::accepted("the last one"));
}

#[tokio::test]
async fn callers_who_only_hold_the_line_do_not_keep_others_out_for_long() {
    let (_room, path) = room();
    let (_served, _queue) = served(&path, Runner::Run).await;
    let idle: Vec<_> = (0..8).map(|_| StdStream::connect(&path).unwrap()).collect();
    let error = connect(&path).await.unwrap_err();
    assert!(matches!(error, ControlError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("try again"), "{error}");
    drop(idle);
    while connect(&path).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_path_the_system_cannot_take_is_told() {
    let (room, _) = room();
    let path = room.path().join("x".repeat(120));
    let error = serve(&path, Runner::Run, door().0).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot listen at "), "{error}");
}

/// Set for the part that must not be root.
const FORBIDDEN: &str = "JETBACKUP_REMOTE_TEST_FORBIDDEN";

#[tokio::test]
async fn no_permission_is_an_error_that_says_what_to_do() {
    let (room, path) = room();
    let (_served, _queue) = served(&path, Runner::Run).await;
    fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(room.path(), Permissions::from_mode(0o755)).unwrap();
    // Root is forbidden nothing, so another user asks, with a copy of this program that it can reach.
    let program = room.path().join("as-another-user");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut asking = std::process::Command::new(&program);
    if fs::metadata(room.path()).unwrap().uid() == 0 {
        asking.uid(65_534).gid(65_534);
    }
    asking.args(["--ignored", "--exact", "asked_by_another_user"]).env(FORBIDDEN, &path).current_dir("/");
    let asked = asking.output().unwrap();
    fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o750)).unwrap();
    let said = String::from_utf8_lossy(&asked.stdout);
    assert!(asked.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "only of use to the test above"]
async fn asked_by_another_user() {
    let Some(path) = std::env::var_os(FORBIDDEN).map(PathBuf::from) else { return };
    let error = connect(&path).await.unwrap_err();
    assert!(matches!(error, ControlError::NoAccess { .. }), "{error}");
    assert!(error.to_string().contains("use sudo, or become a member"), "{error}");
    let error = serve(&path, Runner::Run, door().0).await.unwrap_err();
    assert!(matches!(error, ControlError::NoAccess { .. }), "{error}");
}
