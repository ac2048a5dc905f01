//! What there is to remark on a server.

use std::collections::HashMap;

use jiff::Timestamp;

use super::room::nearly_full;
use super::standing::{Standing, standings};
use crate::config::Config;
use crate::jetbackup::{Destination, Job};
use crate::model::{DestinationId, Remark, RemarkKind, ServerName};
use crate::words;

/// The `type` of the job with which JetBackup backs up its own configuration. It is on every server, and small.
const OWN_CONFIGURATION: i64 = 3;

/// What a server said of one of its destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// This.
    Is(Destination),
    /// It does not know it, or its gate lets nobody ask.
    Nothing,
    /// It did not answer: what was known stays so.
    Unasked,
}

/// What a server said of its destinations.
pub type Answers = HashMap<DestinationId, Answer>;

/// The destinations that are worth asking about: those that the configured jobs write to, and the configured one.
#[must_use]
pub fn wanted_destinations(config: &Config, server: &ServerName, there: &[Job]) -> Vec<DestinationId> {
    let own = config.servers.iter().find(|known| known.name == *server).and_then(|own| own.destination_id);
    let stands = standings(config, server, Some(there));
    let queued = stands.iter().filter(|stands| stands.configured.is_some()).filter_map(|stands| stands.there);
    let mut wanted: Vec<DestinationId> = queued.flat_map(|job| job.destinations.clone()).chain(own).collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

/// Everything there is to remark: on the jobs of a server, which `there` has all, and on these of its destinations.
#[must_use]
pub fn remarks(
    config: &Config,
    server: &ServerName,
    there: &[Job],
    destinations: &[Destination],
) -> Vec<Remark> {
    let mut remarks = of_jobs(config, server, there);
    remarks.extend(destinations.iter().flat_map(|one| of_destination(config, server, one, &[])));
    sorted(remarks)
}

/// As [`remarks`], beside those that were `known`: what stays keeps its time, what was not asked about stays as it was.
#[must_use]
pub fn look_over(
    config: &Config,
    server: &ServerName,
    there: &[Job],
    answers: &Answers,
    known: &[Remark],
    now: Option<Timestamp>,
) -> Vec<Remark> {
    let mut remarks = of_jobs(config, server, there);
    for id in wanted_destinations(config, server, there) {
        match answers.get(&id) {
            Some(Answer::Is(destination)) => {
                remarks.extend(of_destination(config, server, destination, known));
            }
            Some(Answer::Nothing) => {}
            Some(Answer::Unasked) | None => {
                let id = id.to_string();
                let kept = known.iter().filter(|known| known.kind.is_of_destination() && known.id == id);
                remarks.extend(kept.cloned());
            }
        }
    }
    for remark in &mut remarks {
        remark.since = match known.iter().find(|known| known.is_about(remark)) {
            Some(known) => known.since,
            None => now,
        };
    }
    sorted(remarks)
}

fn of_jobs(config: &Config, server: &ServerName, there: &[Job]) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for stands in standings(config, server, Some(there)) {
        let kind = match stands.standing {
            Standing::Disabled => RemarkKind::JobDisabled,
            Standing::Missing => RemarkKind::JobNotFound,
            Standing::NotConfigured if stands.there.is_some_and(is_left_out) => RemarkKind::JobInNoQueue,
            _ => continue,
        };
        let name = match (stands.configured, stands.there) {
            (Some(job), _) => Some(job.label.as_str()),
            (None, there) => there.and_then(|job| job.name.as_deref()),
        };
        let id = stands.configured.map(|job| job.key.job).or_else(|| stands.there.map(|job| job.id));
        let Some(id) = id.map(|id| id.to_string()) else { continue };
        remarks.push(Remark { kind, text: words::remark(kind, name, &id), id, since: None });
    }
    remarks
}

/// Whether a job that is in no queue should perhaps be in one.
fn is_left_out(job: &Job) -> bool {
    job.disabled != Some(true) && job.kind != Some(OWN_CONFIGURATION)
}

fn of_destination(
    config: &Config,
    server: &ServerName,
    destination: &Destination,
    known: &[Remark],
) -> Vec<Remark> {
    let id = destination.id.to_string();
    let name = destination.name.as_deref();
    let own = config.servers.iter().find(|known| known.name == *server).and_then(|own| own.destination_id);
    // One that is enabled before the jobs and disabled after them is as it should be, either way.
    let is_switched = config.destination.force_activate && own == Some(destination.id);
    let remark = |kind, text| Remark { kind, id: id.clone(), text, since: None };
    let simple = |kind| remark(kind, words::remark(kind, name, &id));
    let was = known.iter().any(|known| known.kind == RemarkKind::DestinationNearlyFull && known.id == id);
    let mut remarks = Vec::new();
    if destination.disabled == Some(true) && !is_switched {
        remarks.push(simple(RemarkKind::DestinationDisabled));
    }
    if destination.readonly == Some(true) {
        remarks.push(simple(RemarkKind::DestinationReadOnly));
    }
    if let Some(full) = nearly_full(destination, was) {
        let text = words::nearly_full(name, &id, full.used, full.limit);
        remarks.push(remark(RemarkKind::DestinationNearlyFull, text));
    }
    remarks
}

/// In an order of their own, each once: lists of servers have none.
fn sorted(mut remarks: Vec<Remark>) -> Vec<Remark> {
    remarks.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
    remarks.dedup_by(|a, b| a.is_about(b));
    remarks
}

#[cfg(test)]
mod tests;
