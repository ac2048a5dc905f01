//! Jobs that the servers have, made ready to be chosen from.

use std::collections::HashMap;

use super::document::NewJob;
use crate::jetbackup::Job;
use crate::model::{JobKey, ServerName};

/// JetBackup's job types.
const ACCOUNTS: i64 = 1;
const DIRECTORIES: i64 = 2;
/// JetBackup's job for its own configuration, which runs in minutes and by its own schedule.
const OWN_CONFIGURATION: i64 = 3;
/// What a job of accounts contains if it is databases only, with and without their users.
const DATABASES_ONLY: [i64; 2] = [4, 132];

/// A job that a server has and no queue.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where and which.
    pub key: JobKey,
    /// Its name there.
    pub name: String,
    /// The word for its type.
    pub kind: &'static str,
    /// It is disabled there.
    pub disabled: bool,
    /// It backs up JetBackup's own configuration.
    pub own: bool,
}

impl Found {
    /// A job as its server lists it.
    #[must_use]
    pub fn new(server: &ServerName, job: &Job) -> Self {
        Self {
            key: JobKey { server: server.clone(), job: job.id },
            name: job
                .name
                .clone()
                .filter(|name| !name.trim().is_empty())
                .unwrap_or_else(|| job.id.to_string()),
            kind: word_of_type(job.kind, job.contains),
            disabled: job.disabled == Some(true),
            own: job.kind == Some(OWN_CONFIGURATION),
        }
    }

    /// Whether it belongs into a queue as long as nobody says otherwise.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        !self.disabled && !self.own
    }
}

/// The configuration's word for a job's `type` and `contains`.
#[must_use]
pub fn word_of_type(kind: Option<i64>, contains: Option<i64>) -> &'static str {
    match (kind, contains) {
        (Some(ACCOUNTS), Some(parts)) if DATABASES_ONLY.contains(&parts) => "database",
        (Some(ACCOUNTS), _) => "accounts",
        (Some(DIRECTORIES), _) => "directories",
        _ => "other",
    }
}

/// The jobs with labels: each its name, and its server's where two would have the same. `taken` are labels that other
/// jobs have already.
#[must_use]
pub fn labels(jobs: &[(&Found, i64)], taken: &[&str]) -> Vec<NewJob> {
    let mut count: HashMap<&str, usize> = HashMap::new();
    for name in taken.iter().copied().chain(jobs.iter().map(|(job, _)| job.name.as_str())) {
        *count.entry(name).or_default() += 1;
    }
    let label = |job: &Found| match count.get(job.name.as_str()) {
        Some(&several) if several > 1 => format!("{} ({})", job.name, job.key.server),
        _ => job.name.clone(),
    };
    let new = |(job, priority): &(&Found, i64)| NewJob {
        key: job.key.clone(),
        label: label(job),
        kind: job.kind,
        priority: *priority,
    };
    jobs.iter().map(new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(server: &str, n: u8, name: &str) -> Found {
        let key = JobKey { server: server.parse().unwrap(), job: format!("{n:024}").parse().unwrap() };
        Found { key, name: name.into(), kind: "accounts", disabled: false, own: false }
    }

    #[test]
    fn types_have_the_words_of_the_configuration() {
        assert_eq!(word_of_type(Some(1), Some(511)), "accounts");
        assert_eq!(word_of_type(Some(1), None), "accounts");
        assert_eq!(word_of_type(Some(1), Some(132)), "database");
        assert_eq!(word_of_type(Some(2), Some(4)), "directories");
        assert_eq!(word_of_type(Some(3), None), "other");
        assert_eq!(word_of_type(None, None), "other");
    }

    #[test]
    fn only_names_that_stand_twice_get_their_server() {
        let (a, b, c) = (found("web1", 1, "Daily"), found("web2", 2, "Daily"), found("web2", 3, "Mail"));
        let named = labels(&[(&a, 0), (&b, 0), (&c, 5)], &["Old"]);
        let shown: Vec<&str> = named.iter().map(|job| job.label.as_str()).collect();
        assert_eq!(shown, ["Daily (web1)", "Daily (web2)", "Mail"]);
        assert_eq!(named[2].priority, 5);
        assert_eq!(labels(&[(&c, 0)], &["Mail"])[0].label, "Mail (web2)");
    }
}
