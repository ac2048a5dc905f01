//! What really ran, for assertions: whatever the answers claimed, these are the times at which something wrote.

use jiff::Timestamp;

use crate::calls::Effect;
use crate::run::{Origin, Outcome};
use crate::world::World;

/// One real run of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealRun {
    /// The server's name.
    pub server: String,
    /// The job.
    pub job: String,
    /// The queue group, listed or not.
    pub group: String,
    /// Whether the job is one that the program under test manages.
    pub managed: bool,
    /// Who started it.
    pub origin: Origin,
    /// When it was asked for.
    pub triggered: Timestamp,
    /// When it began to write, if it has.
    pub started: Option<Timestamp>,
    /// When it ended, if it has; for a run that never started, when it was given up.
    pub ended: Option<Timestamp>,
    /// How it ended. A run that crashed has none before JetBackup's restart.
    pub outcome: Option<Outcome>,
}

impl RealRun {
    /// When it wrote, `now` standing in for an end that has not come.
    fn writing(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        self.started.map(|start| (start, self.ended.unwrap_or(now)))
    }

    /// When it was queued or wrote.
    fn busy(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        (self.triggered, self.ended.unwrap_or(now))
    }
}

/// Two runs of managed jobs that wrote at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The one that began first.
    pub first: RealRun,
    /// The one that began while the first was writing.
    pub second: RealRun,
}

/// The runs of `world` until `now`, in the order in which they were asked for. Filler groups are left out.
pub(crate) fn runs(world: &World, now: Timestamp) -> Vec<RealRun> {
    let mut world = world.clone();
    runs_now(&mut world, now)
}

/// The same, and the world itself goes on until `now`: what asks often saves the copy.
pub(crate) fn runs_now(world: &mut World, now: Timestamp) -> Vec<RealRun> {
    world.advance(now);
    let mut runs: Vec<_> = (world.groups.iter())
        .filter(|group| group.kind == 1 && group.origin != Origin::History && group.triggered <= now)
        .map(|group| RealRun {
            server: world.name.clone(),
            job: group.subject.0.clone(),
            group: group.id.clone(),
            managed: group.managed,
            origin: group.origin,
            triggered: group.triggered,
            started: group.started(now),
            ended: group.really_ended(now),
            outcome: group.ended(now).map(|(_, outcome)| outcome),
        })
        .collect();
    runs.sort_by_key(|run| run.triggered);
    runs
}

/// Every two runs of managed jobs, on whatever servers, that wrote at the same time until `now`.
///
/// Runs that JetBackup's scheduler or a person started count too; look at [`RealRun::origin`] of the second.
pub fn overlaps(worlds: &[&World], now: Timestamp) -> Vec<Overlap> {
    let mut writers: Vec<_> = managed(worlds, now)
        .into_iter()
        .filter_map(|run| run.writing(now).map(|(start, end)| (start, end, run)))
        .collect();
    writers.sort_by_key(|(start, ..)| *start);
    let mut found = Vec::new();
    for (index, (_, end, first)) in writers.iter().enumerate() {
        for (start, _, second) in &writers[index + 1..] {
            if start < end {
                found.push(Overlap { first: first.clone(), second: second.clone() });
            }
        }
    }
    found
}

/// Every run of a managed job started through the API while another one, on whatever server, was queued or wrote.
///
/// Stricter than [`overlaps`]: it also finds triggers that were harmless by luck.
pub fn triggered_while_busy(worlds: &[&World], now: Timestamp) -> Vec<Overlap> {
    let all = managed(worlds, now);
    let mut found = Vec::new();
    for second in all.iter().filter(|run| run.origin == Origin::Api) {
        for first in all.iter().filter(|run| run.group != second.group) {
            let (begin, end) = first.busy(now);
            let earlier = (begin, &first.group) < (second.triggered, &second.group);
            if earlier && second.triggered < end {
                found.push(Overlap { first: first.clone(), second: second.clone() });
            }
        }
    }
    found
}

/// Whether any call on `world` has changed something, a trigger included.
pub fn touched(world: &World) -> bool {
    world.calls().iter().any(|call| !matches!(call.effect, Effect::None | Effect::Refused))
}

fn managed(worlds: &[&World], now: Timestamp) -> Vec<RealRun> {
    worlds.iter().flat_map(|world| runs(world, now)).filter(|run| run.managed).collect()
}
