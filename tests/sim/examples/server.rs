//! Puts a simulated JetBackup with two jobs into a directory, for scripts: `server DIRECTORY SECONDS`.
//!
//! The jobs take this many seconds each; their ids are printed.

use std::error::Error;
use std::path::PathBuf;

use jetbackup_sim::{Job, Run, Store, World, id};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let usage = "usage: server DIRECTORY SECONDS";
    let directory = PathBuf::from(arguments.next().ok_or(usage)?);
    let seconds: i64 = arguments.next().and_then(|text| text.to_str()?.parse().ok()).ok_or(usage)?;
    std::fs::create_dir_all(&directory)?;
    let run = || Run::completed().group_after(0).pending(0).lasting(seconds);
    let world = [1, 2].into_iter().fold(World::new("web1"), |world, number| {
        world.job(Job::new(id(number), format!("job {number}")).runs(run()))
    });
    Store::install(&directory, &world)?;
    [1, 2].into_iter().for_each(|number| println!("{}", id(number)));
    Ok(())
}
