//! Asking a world in few words. Times are in seconds after [`t0`].
#![allow(dead_code, reason = "not every test file asks everything")]

use jetbackup_sim::clock::{after, at};
use jetbackup_sim::{Job, Run, World, id};
use jiff::Timestamp;
use serde_json::Value;

pub fn t0() -> Timestamp {
    at("2024-01-01T00:00:00Z")
}

pub fn world(run: Run) -> World {
    World::new("alpha").job(Job::new(id(1), "accounts").runs(run))
}

pub fn call(world: &mut World, seconds: i64, function: &str, params: &str) -> Value {
    let reply = world.call(after(t0(), seconds), &["-F", function, "-D", params, "-O", "json"]);
    assert_eq!(reply.exit, 0);
    reply.json()
}

pub fn trigger(world: &mut World, seconds: i64) -> Value {
    call(world, seconds, "runBackupJobManually", &format!("_id={}", id(1)))
}

pub fn job(world: &mut World, seconds: i64) -> Value {
    call(world, seconds, "getBackupJob", &format!("_id={}", id(1)))["data"].clone()
}

pub fn running(world: &mut World, seconds: i64) -> bool {
    job(world, seconds)["running"].as_bool().unwrap()
}

pub fn groups(world: &mut World, seconds: i64) -> Vec<Value> {
    let data = call(world, seconds, "listQueueGroups", "type=1&sort[created]=-1")["data"].clone();
    data["groups"].as_array().unwrap().clone()
}

/// The status of the newest group.
pub fn status(world: &mut World, seconds: i64) -> Option<i64> {
    groups(world, seconds).first().map(|group| group["status"].as_i64().unwrap())
}
