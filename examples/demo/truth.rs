//! What really happened, by the servers' account and by the program's records, beside what had to.

use jetbackup_remote::history::{Filter, History, HistoryError};
use jetbackup_remote::model::{JobResult, RunRecord};
use jetbackup_sim::World;
use jetbackup_sim::truth::{Overlap, overlaps, triggered_while_busy};
use jiff::{SignedDuration, Timestamp};

use crate::plans::{Plan, job_id};
use crate::site::Site;

/// Everything that is not as it should be, in sentences.
///
/// # Errors
/// If the program has left no readable history.
pub async fn flaws(site: &Site) -> Result<Vec<String>, HistoryError> {
    let records = History::read_only(&site.state_dir())?.runs(&Filter::default()).await?;
    let worlds = site.worlds();
    let mut flaws = Vec::new();
    for (place, plan) in site.plans().iter().enumerate() {
        flaws.extend(wrong_end(place, plan, &records));
        flaws.extend(wrong_triggers(place, plan, &worlds));
    }
    let worlds: Vec<&World> = worlds.iter().map(|world| &**world).collect();
    let now = Timestamp::now();
    let together = overlaps(&worlds, now).into_iter().map(|pair| (pair, "wrote at the same time"));
    let hasty =
        triggered_while_busy(&worlds, now).into_iter().map(|pair| (pair, "was started beside another"));
    for (pair, what) in together.chain(hasty) {
        if !is_behind_overrun(&pair, &records) {
            flaws.push(format!("{} of {} {what}: {pair:?}", pair.second.job, pair.second.server));
        }
    }
    Ok(flaws)
}

fn wrong_end(place: usize, plan: &Plan, records: &[RunRecord]) -> Option<String> {
    let found: Vec<_> = (records.iter().rev())
        .filter(|record| record.key.job.to_string() == job_id(place))
        .map(|record| (record.result.map_or("open", JobResult::word), record.overrun))
        .collect();
    (found != plan.ends).then(|| {
        format!(
            "{} of {} ended as {found:?} (result, overrun), not as {:?}",
            plan.label, plan.server, plan.ends
        )
    })
}

fn wrong_triggers(
    place: usize,
    plan: &Plan,
    worlds: &[impl std::ops::Deref<Target = World>],
) -> Option<String> {
    let triggers: usize = worlds.iter().map(|world| world.triggers(&job_id(place))).sum();
    (triggers != plan.triggers).then(|| {
        format!("{} of {} was triggered {triggers} times, not {}", plan.label, plan.server, plan.triggers)
    })
}

/// Whether the second was started by the program after the first had passed its limit and was on record for it.
fn is_behind_overrun(pair: &Overlap, records: &[RunRecord]) -> bool {
    let record = records.iter().find(|record| record.key.job.to_string() == pair.first.job);
    let Some((record, started)) = record.filter(|record| record.overrun).zip(pair.first.started) else {
        return false;
    };
    // JetBackup tells its times in whole seconds.
    let limit = SignedDuration::from_secs(i64::try_from(record.limit).unwrap_or(i64::MAX) - 1);
    pair.second.triggered.duration_since(started) >= limit
}
