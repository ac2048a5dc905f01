#![allow(clippy::unwrap_used, clippy::expect_used)]
//! Proves that the executable answers from the file beside it, shares it with the library and obeys its clock.

use std::path::Path;
use std::process::{Command, Output};

use jetbackup_sim::clock::{ScaledClock, after, at};
use jetbackup_sim::{Fault, Job, Run, Spoil, Store, World, id};

fn run(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(dir.join("jetbackup5api")).env_clear().args(arguments).output().unwrap()
}

fn world() -> World {
    World::new("alpha").job(Job::new(id(1), "accounts").runs(Run::completed().lasting(3600)))
}

#[test]
fn the_executable_and_the_library_share_one_world() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::install(dir.path(), &world()).unwrap();
    let t0 = at("2024-01-01T00:00:00Z");
    store.set_clock(ScaledClock::frozen(t0)).unwrap();
    let trigger = format!("_id={}", id(1));
    let reply = run(dir.path(), &["-F", "runBackupJobManually", "-D", &trigger, "-O", "json"]);
    assert!(reply.status.success(), "{reply:?}");
    assert_eq!(store.with(|world, _| world.triggers(&id(1))).unwrap(), 1);

    store.set_clock(ScaledClock::frozen(after(t0, 60))).unwrap();
    let list = ["-F", "listQueueGroups", "-D", "type=1", "-O", "json"];
    assert!(String::from_utf8(run(dir.path(), &list).stdout).unwrap().contains("\"status\":2"));
    store.set_clock(ScaledClock::frozen(after(t0, 4000))).unwrap();
    assert!(String::from_utf8(run(dir.path(), &list).stdout).unwrap().contains("\"status\":100"));
}

#[test]
fn exit_status_standard_error_and_plain_output_come_through() {
    let dir = tempfile::tempdir().unwrap();
    let fault = Fault::new(Spoil::ConnectionRefused).on("getInfo").times(1);
    Store::install(dir.path(), &world().fault(fault)).unwrap();
    let refused = run(dir.path(), &["-F", "getInfo", "-O", "json"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stdout.is_empty() && !refused.stderr.is_empty());
    let plain = String::from_utf8(run(dir.path(), &["-F", "getInfo"]).stdout).unwrap();
    assert!(plain.contains("success: 1\n"), "{plain}");
    assert_eq!(run(dir.path(), &[]).status.code(), Some(1));
}

#[test]
fn processes_do_not_lose_each_others_calls() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::install(dir.path(), &world()).unwrap();
    let ask = || Command::new(dir.path().join("jetbackup5api")).args(["-F", "getInfo", "-O", "json"]).spawn();
    let children: Vec<_> = (0..8).map(|_| ask().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(store.with(|world, _| world.count("getInfo")).unwrap(), 8);
}

#[test]
fn a_missing_world_is_said_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::install(dir.path(), &world()).unwrap();
    std::fs::remove_file(store.path()).unwrap();
    let reply = run(dir.path(), &["-F", "getInfo", "-O", "json"]);
    assert_eq!(reply.status.code(), Some(70));
    assert!(String::from_utf8(reply.stderr).unwrap().contains("jetbackup5api.json"));
}
