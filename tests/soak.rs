//! Nights with random jobs, faults, lost connections and kills: whatever happens, nothing is triggered beside a run
//! that is under way, no job twice in a cycle, and what is on record is what really happened.
//!
//! The seed of each night is printed when it fails; `JETBACKUP_SOAK_SEED=n` repeats that night alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/dice.rs"]
mod dice;
#[path = "support/night.rs"]
mod night;

use std::time::Duration;

use dice::Dice;
use jetbackup_remote::model::{JobResult, Reason, Selection};
use jetbackup_sim::{Job, Outcome, World};
use night::{DUSK, Lost, Night, id};
use serde_json::json;

const NIGHTS: u64 = 80;

fn a_night(dice: &mut Dice) -> (Night, Vec<String>) {
    let mut worlds = Vec::new();
    let mut jobs = Vec::new();
    let servers = ["a", "b", "c"];
    for server in &servers[..usize::try_from(1 + dice.below(3)).unwrap()] {
        let mut world = World::new(*server);
        for number in 1..=1 + dice.below(3) {
            let mut job = Job::new(jetbackup_sim::id(number), format!("Job {number}"));
            for _ in 0..3 {
                job = job.runs(dice.run(4000));
            }
            world = world.job(job);
            jobs.push(format!("{server}/{number}"));
        }
        for _ in 0..dice.below(4) {
            world = world.fault(dice.fault());
        }
        if dice.chance(30) {
            world = world.old_groups(&id("1"), 120, DUSK.parse().unwrap());
        }
        worlds.push((*server, world));
    }
    let names: Vec<&str> = jobs.iter().map(String::as_str).collect();
    // Under `wait` no run may ever be triggered beside another one, whatever its time limit.
    let orchestrator = json!({"on_timeout": "wait", "job_timeout": 600 + dice.below(7200)});
    (Night::new(worlds, &names, orchestrator), jobs)
}

async fn through(seed: u64) {
    let mut dice = Dice(seed);
    let (night, jobs) = a_night(&mut dice);
    let mut starts = 0;
    for _ in 0..dice.below(3) {
        let runner = night.start(Selection::default()).await;
        starts += 1;
        for _ in 0..dice.below(4) {
            tokio::time::sleep(Duration::from_millis(dice.below(2_000_000))).await;
            let job = dice.pick(&jobs);
            let server = job.split('/').next().unwrap();
            match dice.below(3) {
                0 => {
                    night.cut(server, true);
                    tokio::time::sleep(Duration::from_millis(dice.below(400_000))).await;
                    night.cut(server, false);
                }
                1 => night.lose(server, "runBackupJobManually", dice.pick(&[Lost::Command, Lost::Answer])),
                _ => night.lose(server, "listQueueGroups", Lost::Answer),
            }
        }
        runner.kill().await;
    }
    night.run().await;
    starts += 1;
    night.assert_no_trigger_beside_a_run();
    for job in &jobs {
        assert!(night.triggers(job) <= starts, "{job}: {} triggers in {starts} starts", night.triggers(job));
    }
    for record in night.records().await {
        assert!(!record.open, "left open: {record:?}");
        let Some(group) = record.group else { continue };
        let real = night.real_runs(record.key.server.as_str());
        let real = real.into_iter().find(|run| run.group == group.to_string()).expect("it is a real group");
        let expected = match real.outcome.expect("it ended") {
            Outcome::Completed => JobResult::Completed,
            Outcome::Partial => JobResult::Partial,
            Outcome::Aborted => JobResult::Aborted,
            Outcome::NeverFinished => JobResult::NeverFinished,
            _ => JobResult::Failed,
        };
        let by_log = record.reason == Some(Reason::GroupVanished);
        assert!(record.result == Some(expected) || by_log, "{record:?} was really {real:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_night_breaks_a_promise() {
    let one = std::env::var("JETBACKUP_SOAK_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let seeds = one.map_or(0..NIGHTS, |seed| seed..seed + 1);
    for seed in seeds {
        let told = Told(seed);
        through(seed).await;
        std::mem::forget(told);
    }
}

/// Says which night it was when a test panics.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        eprintln!("this was the night of JETBACKUP_SOAK_SEED={}", self.0);
    }
}
