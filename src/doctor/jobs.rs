//! The configured jobs of a server, as that server has them.

use jiff::Timestamp;

use super::finding::{Finding, Level};
use crate::config::{Config, JobKind, Server};
use crate::jetbackup::{Client, Job};
use crate::model::RemarkKind;
use crate::orchestrator::ask_destinations;
use crate::watch::{Answers, Standing, Stands, look_over, standings, wanted_destinations};

/// Asks for them, and judges; also the newest moment of the past that was told.
pub(super) async fn examine(
    config: &Config,
    server: &Server,
    client: &Client,
) -> (Vec<Finding>, Option<Timestamp>) {
    let there = match client.jobs().await {
        Ok(there) => there,
        Err(error) => {
            let advice = "look at JetBackup on the server";
            return (vec![Finding::from_error(Level::Failure, "jobs", &error, advice)], None);
        }
    };
    let wanted = wanted_destinations(config, &server.name, &there);
    let destinations = ask_destinations(client, wanted).await;
    let told = there.iter().flat_map(|job| [job.last_run, job.last_completed]).flatten().max();
    (judge(config, server, &there, &destinations), told)
}

fn judge(config: &Config, server: &Server, there: &[Job], destinations: &Answers) -> Vec<Finding> {
    let stands = standings(config, &server.name, Some(there));
    let mut findings: Vec<Finding> = stands.iter().filter_map(of_job).collect();
    for remark in look_over(config, &server.name, there, destinations, &[], None) {
        let advice = match remark.kind {
            // The job itself has been told of.
            RemarkKind::JobDisabled | RemarkKind::JobNotFound => continue,
            RemarkKind::JobInNoQueue => "add it to `jobs`, or leave it to JetBackup's own schedule",
            RemarkKind::DestinationDisabled => "enable it in JetBackup there",
            RemarkKind::DestinationReadOnly => "have JetBackup write to it, or to another one",
            RemarkKind::DestinationNearlyFull => "make room there, or raise its limit",
        };
        let check = if remark.kind.is_of_destination() { "destination" } else { "other job" };
        let text = match remark.kind {
            // Its words go on with the advice.
            RemarkKind::JobInNoQueue => remark.text.split("; ").next().unwrap_or_default().to_owned(),
            _ => remark.text,
        };
        findings.push(Finding::warning(check, text, advice));
    }
    findings
}

fn of_job(stands: &Stands<'_>) -> Option<Finding> {
    const CHECK: &str = "job";
    let job = stands.configured?;
    let called = format!("{} ({})", job.label, job.key.job);
    Some(match (stands.standing, stands.there) {
        (Standing::Missing, _) => Finding::failure(
            CHECK,
            format!("{called} is not known there: its turns are skipped"),
            "take it out of `jobs`, or correct its job_id: `list` shows those that are there",
        ),
        (Standing::Disabled, _) => Finding::warning(
            CHECK,
            format!("{called} is disabled there: its turns are skipped"),
            "enable it in JetBackup there, or take it out of `jobs`",
        ),
        (_, Some(there)) => match kind(there).filter(|kind| *kind != job.kind) {
            Some(kind) => Finding::warning(
                CHECK,
                format!("{called} is there, but backs up {} and not {}", words(kind), words(job.kind)),
                format!("set the type of this job to {:?} in `jobs`", word(kind)),
            ),
            None => {
                let name = there.name.as_deref().filter(|name| *name != job.label);
                let name = name.map(|name| format!(", as {name:?}")).unwrap_or_default();
                Finding::ok(CHECK, format!("{called} is there{name} and enabled"))
            }
        },
        (_, None) => return None,
    })
}

/// What a job backs up, as its server says; `None` where that has no clear word of the configuration.
fn kind(job: &Job) -> Option<JobKind> {
    /// `contains`: databases only, with and without their users.
    const DATABASES: [i64; 2] = [4, 132];
    match job.kind? {
        1 if job.contains.is_some_and(|contains| DATABASES.contains(&contains)) => Some(JobKind::Database),
        1 => Some(JobKind::Accounts),
        2 => Some(JobKind::Directories),
        _ => None,
    }
}

fn word(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Accounts => "accounts",
        JobKind::Directories => "directories",
        JobKind::Database => "database",
        JobKind::Other => "other",
    }
}

fn words(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Database => "databases",
        JobKind::Other => "something else",
        kind => word(kind),
    }
}
