//! `list`: the configured jobs beside those the servers have, and what is odd there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::output::{print, print_error};
use super::paint::Paint;
use super::remarks;
use super::table::{Cell, Column, Table, stdout_width};
use crate::config::Config;
use crate::jetbackup::{ApiError, Job};
use crate::model::{JobKey, Remark, Selection, ServerName};
use crate::orchestrator;
use crate::watch::{Answers, Standing, Stands, look_over, standings, wanted_destinations};
use crate::words::Tone;

fn words(row: &Row) -> (&'static str, Tone) {
    match row.standing {
        Standing::Queued => ("in the queue", Tone::Good),
        Standing::Disabled => ("DISABLED on the server", Tone::Warn),
        Standing::Missing => ("NOT FOUND on the server", Tone::Bad),
        Standing::Unknown => ("server not reached", Tone::Bad),
        Standing::NotConfigured if row.disabled == Some(true) => ("in no queue, disabled there", Tone::Quiet),
        Standing::NotConfigured => ("in no queue", Tone::Warn),
    }
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    key: JobKey,
    /// The configured label, else the name the server has for it.
    label: String,
    /// The name the server has for it.
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<crate::config::JobKind>,
    priority: Option<i64>,
    standing: Standing,
    /// Whether it is disabled on its server, where that is known.
    disabled: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Listing {
    jobs: Vec<Row>,
    /// What a person should look at, where there is something.
    remarks: BTreeMap<ServerName, Vec<Remark>>,
    errors: BTreeMap<ServerName, String>,
}

/// What a server answered: its jobs, and how the destinations stand that matter.
type There = Result<(Vec<Job>, Answers), ApiError>;

pub(super) fn list(path: &Path, verbose: u8, json: bool) -> Result<Exit, Failure> {
    let config = Arc::new(context::load(path)?);
    let servers = context::servers(&config, None)?;
    let _log = context::log_to_stderr(verbose);
    let lines = context::lines(&config, &servers)?;
    let answers = block_on(async {
        let answers = context::ask_all(&lines, |client| {
            let config = Arc::clone(&config);
            async move {
                let jobs = client.jobs().await?;
                let wanted = wanted_destinations(&config, client.server(), &jobs);
                let destinations = orchestrator::ask_destinations(&client, wanted).await;
                Ok((jobs, destinations))
            }
        });
        let answers = answers.await.into_iter();
        Ok(answers.map(|(line, answer)| (line.name.clone(), answer)).collect::<Vec<_>>())
    })?;
    let listing = compare(&config, answers);
    if json {
        print(&serde_json::to_string_pretty(&listing)?)?;
    } else {
        print(text(&listing, stdout_width(), Paint::stdout()).trim_end())?;
        for error in listing.errors.values() {
            print_error(error);
        }
    }
    Ok(if listing.errors.is_empty() { Exit::Done } else { Exit::Incomplete })
}

fn compare(config: &Config, answers: Vec<(ServerName, There)>) -> Listing {
    let mut there: BTreeMap<ServerName, (Vec<Job>, Answers)> = BTreeMap::new();
    let mut errors = BTreeMap::new();
    for (server, answer) in answers {
        match answer {
            Ok(answered) => drop(there.insert(server, answered)),
            Err(error) => drop(errors.insert(server, error.to_string())),
        }
    }
    let of =
        |server: &ServerName| standings(config, server, there.get(server).map(|(jobs, _)| jobs.as_slice()));
    let mut rows = Vec::new();
    for job in orchestrator::plan(&config.servers, &config.jobs, &Selection::default()) {
        let stands = of(&job.key.server);
        let own = stands.iter().find(|stands| stands.configured.is_some_and(|known| known.key == job.key));
        rows.extend(own.and_then(|stands| row(&job.key.server, stands)));
    }
    for server in there.keys() {
        let stands = of(server);
        let others = stands.iter().filter(|stands| stands.configured.is_none());
        rows.extend(others.filter_map(|stands| row(server, stands)));
    }
    let mut remarks = BTreeMap::new();
    for (server, (jobs, destinations)) in &there {
        let found = look_over(config, server, jobs, destinations, &[], None);
        if !found.is_empty() {
            remarks.insert(server.clone(), found);
        }
    }
    Listing { jobs: rows, remarks, errors }
}

/// What is shown of a job; nothing of one that is on neither side.
fn row(server: &ServerName, stands: &Stands<'_>) -> Option<Row> {
    let id = stands.configured.map(|job| job.key.job).or_else(|| stands.there.map(|job| job.id))?;
    let name = stands.there.and_then(|job| job.name.clone());
    let label = stands.configured.map(|job| job.label.clone()).or_else(|| name.clone());
    Some(Row {
        key: JobKey { server: server.clone(), job: id },
        label: label.unwrap_or_else(|| id.to_string()),
        name,
        kind: stands.configured.map(|job| job.kind),
        priority: stands.configured.map(|job| job.priority),
        standing: stands.standing,
        disabled: stands.there.and_then(|job| job.disabled),
    })
}

fn text(listing: &Listing, width: usize, paint: Paint) -> String {
    let mut table = Table::new([
        Column::left("Server").shrinks(2),
        Column::left("Job id"),
        Column::left("Label").shrinks(1),
        Column::left("Standing"),
    ]);
    for row in &listing.jobs {
        let (standing, tone) = words(row);
        table.row([
            Cell::from(row.key.server.as_str()),
            Cell::from(row.key.job.to_string()),
            Cell::from(row.label.as_str()),
            Cell::toned(standing, tone),
        ]);
    }
    let mut text = table.render(width, paint);
    // How the jobs stand is in the table already.
    let destinations = |(server, remarks): (&ServerName, &Vec<Remark>)| {
        let of_destinations = remarks.iter().filter(|remark| remark.kind.is_of_destination());
        (server.clone(), of_destinations.cloned().collect())
    };
    let odd: Vec<(ServerName, Vec<Remark>)> = listing.remarks.iter().map(destinations).collect();
    if let Some(table) = remarks::table(&odd, &crate::zone::system()) {
        text.push('\n');
        text.push_str(&table.render(width, paint));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"ssh_key": "/k",
        "servers": {"web1": {"host": "h"}, "web2": {"host": "i"}},
        "jobs": [
            {"server": "web2", "job_id": "000000000000000000000004", "label": "Mail"},
            {"server": "web1", "job_id": "000000000000000000000001", "label": "Accounts"},
            {"server": "web1", "job_id": "000000000000000000000002", "label": "Home", "priority": 5},
            {"server": "web1", "job_id": "000000000000000000000003", "label": "Gone"}
        ]}"#;

    fn id(n: u8) -> String {
        format!("{n:024}")
    }

    fn job(n: u8, name: &str, disabled: bool) -> Job {
        Job {
            id: id(n).parse().unwrap(),
            name: Some(name.into()),
            destinations: vec![id(77).parse().unwrap()],
            kind: Some(1),
            contains: None,
            state: None,
            running: None,
            disabled: Some(disabled),
            next_run: None,
            last_run: None,
            last_completed: None,
        }
    }

    #[test]
    fn every_job_stands_somewhere_and_what_is_odd_is_said() {
        let config = crate::config::parse(CONFIG, "config.json".as_ref()).unwrap().config;
        let listed = vec![
            job(1, "acc", false),
            job(2, "home", true),
            job(8, "Old accounts", false),
            job(9, "Older accounts", true),
        ];
        let destination = crate::jetbackup::Destination {
            id: id(77).parse().unwrap(),
            name: Some("NAS".into()),
            disabled: Some(false),
            readonly: Some(true),
            usage: Some(97),
            free: Some(3),
            total: Some(100),
            disk_limit: Some(95),
        };
        let destinations = Answers::from([(destination.id, crate::watch::Answer::Is(destination))]);
        let web1: ServerName = "web1".parse().unwrap();
        let listing = compare(&config, vec![(web1.clone(), Ok((listed, destinations)))]);
        let shown = text(&listing, 120, Paint::PLAIN);
        let golden = "\
Server  Job id                    Label           Standing
web1    000000000000000000000002  Home            DISABLED on the server
web1    000000000000000000000001  Accounts        in the queue
web1    000000000000000000000003  Gone            NOT FOUND on the server
web2    000000000000000000000004  Mail            server not reached
web1    000000000000000000000008  Old accounts    in no queue
web1    000000000000000000000009  Older accounts  in no queue, disabled there

Worth a look
web1
    destination NAS (000000000000000000000077) is read-only: nothing can be backed up to it
    destination NAS (000000000000000000000077) is nearly full: 97 % used, and JetBackup stops at 95 %
";
        assert_eq!(shown, golden, "{shown}");
        let kinds: Vec<String> = listing.remarks[&web1]
            .iter()
            .map(|remark| format!("{:?} {}", remark.kind, remark.id.trim_start_matches('0')))
            .collect();
        assert_eq!(
            kinds,
            [
                "JobInNoQueue 8",
                "JobDisabled 2",
                "JobNotFound 3",
                "DestinationReadOnly 77",
                "DestinationNearlyFull 77"
            ]
        );
    }
}
