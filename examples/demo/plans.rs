//! What is going to happen: the jobs, how each of their runs goes, and how it has to end.

use jetbackup_sim::{Run, id};

/// A job. All times are in seconds.
pub struct Plan {
    pub server: &'static str,
    pub label: &'static str,
    pub kind: &'static str,
    /// Its time limit.
    pub limit: u32,
    pub script: Script,
    /// How its turns have to end, in order: the result, and whether it passed its limit.
    pub ends: &'static [(&'static str, bool)],
    /// How often it has to be triggered.
    pub triggers: usize,
}

pub enum Script {
    /// Its runs in order; the last one is repeated.
    Runs(Vec<Run>),
    Disabled,
    /// JetBackup's own scheduler starts it a moment before all begins.
    Scheduled(Run),
}

/// Long enough for every job but the one that is meant to be late, on the slowest of machines.
const AMPLE: u32 = 120;

/// The job that is asked for once more while the night goes on, by its place.
pub const ASKED_FOR: usize = 1;

/// The jobs of the night in the order of the configuration file.
pub fn night() -> Vec<Plan> {
    let completed = |seconds, items| brisk(Run::completed().lasting(seconds).items(items));
    let partial = brisk(Run::partial().lasting(4).items(8));
    vec![
        plan("web1", "Accounts", vec![completed(5, 24)], &[("completed", false)]),
        Plan {
            kind: "database",
            triggers: 2,
            ..plan(
                "web1",
                "Databases",
                vec![partial, completed(3, 8)],
                &[("partial", false), ("completed", false)],
            )
        },
        Plan { limit: 4, ..plan("web2", "Accounts", vec![completed(12, 40)], &[("completed", true)]) },
        Plan {
            kind: "directories",
            ..plan(
                "web2",
                "Home directories",
                vec![brisk(Run::failed().lasting(3).items(5))],
                &[("failed", false)],
            )
        },
        retired(),
        Plan {
            script: Script::Scheduled(completed(7, 12)),
            triggers: 0,
            ..plan("web3", "Accounts", Vec::new(), &[("completed", false)])
        },
        Plan {
            kind: "directories",
            ..plan("web3", "Home directories", vec![completed(5, 6)], &[("completed", false)])
        },
    ]
}

/// Jobs to be run and stopped from Home Assistant as often as one likes.
pub fn home_assistant() -> Vec<Plan> {
    let completed = |seconds, items| slow(Run::completed().lasting(seconds).items(items));
    let partial = slow(Run::partial().lasting(20).items(8));
    let failed = slow(Run::failed().lasting(25).items(5));
    vec![
        plan("web1", "Accounts", vec![completed(40, 24)], &[]),
        Plan { kind: "database", ..plan("web1", "Databases", vec![partial, completed(20, 8)], &[]) },
        Plan { limit: 30, ..plan("web2", "Accounts", vec![completed(60, 40)], &[]) },
        Plan { kind: "directories", ..plan("web2", "Home directories", vec![failed, completed(25, 5)], &[]) },
        retired(),
        plan("web3", "Accounts", vec![completed(35, 12)], &[]),
        Plan { kind: "directories", ..plan("web3", "Home directories", vec![completed(20, 6)], &[]) },
    ]
}

/// The id of the plan at this place.
pub fn job_id(place: usize) -> String {
    id(0x64a1_b2c3_0000 + u64::try_from(place).unwrap_or_default())
}

fn plan(
    server: &'static str,
    label: &'static str,
    runs: Vec<Run>,
    ends: &'static [(&'static str, bool)],
) -> Plan {
    Plan { server, label, kind: "accounts", limit: AMPLE, script: Script::Runs(runs), ends, triggers: 1 }
}

fn retired() -> Plan {
    Plan {
        script: Script::Disabled,
        triggers: 0,
        ..plan("web2", "Retired mail", Vec::new(), &[("skipped", false)])
    }
}

/// JetBackup shows a run at once and starts it a second later.
fn brisk(run: Run) -> Run {
    run.group_after(0).pending(1)
}

/// As [`brisk`], and a stop is heeded after two seconds.
fn slow(run: Run) -> Run {
    brisk(run).stop_after(2)
}
