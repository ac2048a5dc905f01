//! Prints, as JSON, what happened to the simulated JetBackup in a directory: `record DIRECTORY`.
//!
//! `calls` counts the calls by function; `runs` has each run's job and its times in Unix seconds, `null` for what has
//! not happened yet. It is what the simulator did, not what it answered.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use jetbackup_sim::Store;
use jiff::Timestamp;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory] = arguments.as_slice() else { return Err("usage: record DIRECTORY".into()) };
    let seconds = |time: Timestamp| time.as_nanosecond() as f64 / 1e9;
    let record = Store::open(Path::new(directory)).with(|world, now| {
        let mut calls = BTreeMap::new();
        for call in world.calls() {
            *calls.entry(call.function.clone()).or_insert(0) += 1;
        }
        let runs: Vec<_> = (world.runs_at(now).into_iter())
            .map(|run| {
                let ended = run.ended.filter(|ended| *ended <= now);
                json!({
                    "job": run.job,
                    "triggered": seconds(run.triggered),
                    "started": run.started.map(seconds),
                    "ended": ended.map(seconds),
                })
            })
            .collect();
        json!({"calls": calls, "runs": runs})
    })?;
    println!("{record}");
    Ok(())
}
