//! What the kernel says of processor time and memory, from /proc.

use std::fs;
use std::time::Duration;

use crate::figure;

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
fn memory(id: u32, line: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let value = status.lines().find_map(|candidate| candidate.strip_prefix(line)?.strip_prefix(':'))?;
    Some(value.trim().to_owned())
}

/// Prints the memory of a process that is still there.
pub fn report_memory(id: u32, when: &str) {
    for (line, name) in
        [("VmRSS", format!("memory {when} (VmRSS)")), ("VmHWM", "the most so far (VmHWM)".to_owned())]
    {
        figure(&name, &memory(id, line).unwrap_or_else(|| format!("{line} is not told here")));
    }
}

/// How often the threads of a process have gone to sleep by themselves, and were woken after it.
pub fn wake_ups(id: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{id}/task")).unwrap();
    let count = |status: String| {
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    let statuses = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("status")).ok());
    statuses.map(count).sum()
}

/// Bytes that a process had written to disk.
pub fn written(id: u32) -> Option<u64> {
    let io = fs::read_to_string(format!("/proc/{id}/io")).ok()?;
    io.lines().find_map(|line| line.strip_prefix("write_bytes:"))?.trim().parse().ok()
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
