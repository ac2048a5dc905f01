//! Puts a simulated JetBackup into a directory, for scripts: `server DIRECTORY SECONDS [JOBS [FINISHED]]`.
//!
//! It has this many jobs (2 if not given) that take this many seconds each; their ids are printed. Each job's queue
//! already lists `FINISHED` groups that ended before (0 if not given). The example `record` shows what happened to it.

use std::error::Error;
use std::path::PathBuf;
use std::str::FromStr;

use jetbackup_sim::{Job, Run, Store, World, id};
use jiff::Timestamp;

const USAGE: &str = "usage: server DIRECTORY SECONDS [JOBS [FINISHED]]";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, seconds, rest @ ..] = arguments.as_slice() else { return Err(USAGE.into()) };
    let (jobs, finished) = match rest {
        [] => (2, 0),
        [jobs] => (number(jobs)?, 0),
        [jobs, finished] => (number(jobs)?, number(finished)?),
        _ => return Err(USAGE.into()),
    };
    let (directory, seconds) = (PathBuf::from(directory), number::<i64>(seconds)?);
    std::fs::create_dir_all(&directory)?;
    let run = || Run::completed().group_after(0).pending(0).lasting(seconds);
    let ids: Vec<String> = (1..=jobs).map(id).collect();
    let mut world = World::new("web1");
    for (number, id) in (1..).zip(&ids) {
        world = world.job(Job::new(id.as_str(), format!("job {number}")).runs(run()));
    }
    for id in &ids {
        world = world.old_groups(id, finished, Timestamp::now());
    }
    Store::install(&directory, &world)?;
    ids.iter().for_each(|id| println!("{id}"));
    Ok(())
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number; {USAGE}"))
}
