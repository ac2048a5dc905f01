//! The binary as a process: its size, its start, its memory, and `status` over many servers.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use crate::park::Park;
use crate::program;
use crate::sshd::eventually;
use crate::{figure, heading, milliseconds, usage};

const STARTS: usize = 21;
const SERVERS: usize = 50;

pub fn report() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    heading("The binary");
    let size = fs::metadata(program::path()).unwrap().len() as f64 / 1e6;
    figure("its size", &format!("{size:.2} MB"));
    let one = Park::open(&runtime, 1, 1);
    figure("`--version`", &milliseconds(median(|| one.type_in(&["--version"]))));
    figure("`validate`", &milliseconds(median(|| one.type_in(&["validate"]))));
    memory(&one);

    let many = Park::open(&runtime, SERVERS, 1);
    heading(&format!("`status` over {SERVERS} servers, which share this machine's processors"));
    let before = usage::ended_children();
    let wall = many.type_in(&["status"]);
    figure("from the first byte to the last", &milliseconds(wall));
    figure("its own processor time", &milliseconds(usage::ended_children() - before));
}

/// Memory and processor time while a job runs.
fn memory(park: &Park) {
    let mut run = park.command(&["run"]).stdout(Stdio::null()).spawn().unwrap();
    let watched = || park.servers[0].world().count("getQueueGroup") >= 4;
    eventually("the run is watched", watched);
    usage::report_memory(run.id(), "while a job runs");
    run.wait().unwrap();
}

fn median(mut measure: impl FnMut() -> Duration) -> Duration {
    let mut walls: Vec<Duration> = (0..STARTS).map(|_| measure()).collect();
    walls.sort();
    walls[STARTS / 2]
}
