//! What one look at a server shows, told as events: for those who only want to know how things stand.

use jiff::Timestamp;

use super::Now;
use super::run::{Pace, Run};
use super::sight::{Sight, says_running};
use crate::config::{Config, Job};
use crate::jetbackup::{Group, View};
use crate::model::{CycleId, Event, JobFacts, JobKey, Origin, RunId, RunRecord, ServerName, What};

/// The runs of the configured jobs that `view` shows: those under way, and each job's last finished one, unless `past`
/// knows that one or a later one.
#[must_use]
pub fn survey(
    config: &Config,
    server: &ServerName,
    view: &View,
    past: &[JobFacts],
    wall: Timestamp,
) -> Vec<Event> {
    let now = Now { mono: tokio::time::Instant::now(), wall, boot: None };
    let reachable = What::ServerReachable { server: server.clone(), version: view.version.clone() };
    let mut told = vec![reachable];
    for job in config.jobs.iter().filter(|job| job.key.server == *server) {
        let last = past.iter().find(|facts| facts.key == job.key).and_then(|facts| facts.last.as_ref());
        tell_job(config, job, last, view, now, &mut told);
    }
    told.into_iter().map(|what| Event { at: wall, what }).collect()
}

fn tell_job(
    config: &Config,
    job: &Job,
    last: Option<&RunRecord>,
    view: &View,
    now: Now,
    told: &mut Vec<What>,
) {
    let id = job.key.job;
    let newest =
        |finished: bool| view.groups_of(id).find(move |group| group.status.is_finished() == finished);
    let is_news = |group: &&Group| {
        last.is_none_or(|last| last.group != Some(group.id) && group.ended.is_none_or(|at| at > last.asked))
    };
    if let Some(group) = newest(true).filter(is_news) {
        let mut run = sighted(config, &job.key, Some(group), now);
        let sight =
            Sight { running: Some(false), group: Some(group.clone()), doubtful: false, another: false };
        run.observe(&sight, now, pace(config));
        told.push(What::JobFinished { run: run.record, recovered: false });
    }
    let under_way = newest(false);
    if under_way.is_some() || says_running(view, id) == Some(true) {
        let mut run = sighted(config, &job.key, under_way, now);
        run.tick(now, pace(config));
        let progress = run.progress(now.mono);
        let id = run.record.id;
        told.push(What::JobStarted(run.record));
        told.push(What::Progress { run: id, progress });
    }
}

fn sighted(config: &Config, key: &JobKey, group: Option<&Group>, now: Now) -> Run {
    let mut record = record(config, key, Origin::Adopted, None, now.wall);
    record.group = group.map(|group| group.id);
    let mut run = Run::adopted(record, now);
    if let Some(group) = group {
        run.find(group, now);
    }
    run
}

fn pace(config: &Config) -> Pace {
    let orchestrator = &config.orchestrator;
    Pace {
        poll_interval: orchestrator.poll_interval,
        startup_timeout: orchestrator.startup_timeout,
        remind: false,
    }
}

/// A new row of the history.
pub(super) fn record(
    config: &Config,
    key: &JobKey,
    origin: Origin,
    cycle: Option<CycleId>,
    asked: Timestamp,
) -> RunRecord {
    let job = config.job(key);
    RunRecord {
        cycle,
        origin,
        ..RunRecord::new(
            RunId(super::unique()),
            key.clone(),
            job.map_or_else(|| key.job.to_string(), |job| job.label.clone()),
            asked,
            job.map_or(config.orchestrator.job_timeout, |job| job.timeout).as_secs(),
        )
    }
}
