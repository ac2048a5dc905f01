//! What the kernel says of processor time and memory, from /proc.

use std::fs;
use std::time::Duration;

/// The unit of processor times in /proc: `USER_HZ`, 100 on every Linux that Rust's standard library runs on.
const TICK: Duration = Duration::from_millis(10);

/// Processor time of the calling thread.
pub fn thread() -> Duration {
    times("/proc/thread-self/stat", &[UTIME, STIME])
}

/// Processor time of all children that have ended and been waited for.
pub fn ended_children() -> Duration {
    times("/proc/self/stat", &[CUTIME, CSTIME])
}

/// Processor time of a process that is still there.
pub fn process(id: u32) -> Duration {
    times(&format!("/proc/{id}/stat"), &[UTIME, STIME])
}

/// A line such as `VmRSS` of a process that is still there, as it stands in /proc.
pub fn memory(id: u32, line: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let value = status.lines().find_map(|candidate| candidate.strip_prefix(line)?.strip_prefix(':'))?;
    Some(value.trim().to_owned())
}

// The places of proc_pid_stat(5), counted from the state on, the first after the name.
const UTIME: usize = 11;
const STIME: usize = 12;
const CUTIME: usize = 13;
const CSTIME: usize = 14;

fn times(path: &str, places: &[usize]) -> Duration {
    let stat = fs::read_to_string(path).unwrap();
    // The name may hold anything, brackets and spaces included.
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks: u32 = places.iter().map(|place| fields[*place].parse::<u32>().unwrap()).sum();
    TICK * ticks
}
