//! The configuration: everything that `validate` says of it.

use std::path::Path;

use super::finding::{Finding, Level, Section};
use crate::config::{self, Config, ConfigError, Loaded};
use crate::words::count;

const SUBJECT: &str = "Configuration";

/// Reads it; `None` where it cannot be used.
pub(super) fn examine(path: &Path) -> (Section, Option<Config>) {
    let mut section = Section::new(SUBJECT);
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source });
    // That it can be read by others is told among the secrets.
    let (config, warnings) = match text.and_then(|text| config::parse(&text, path)) {
        Ok(Loaded { config, warnings }) => {
            let servers = count(config.servers.len(), "server", "servers");
            let jobs = count(config.jobs.len(), "job", "jobs");
            section.push(Finding::ok("file", format!("{} is valid: {servers}, {jobs}", path.display())));
            (Some(config), warnings)
        }
        Err(ConfigError::Invalid { problems, warnings, .. }) => {
            let advice = format!("correct it in {}; until then nothing else can be checked", path.display());
            section.findings.extend(
                problems.iter().map(|problem| Finding::failure("problem", problem.to_string(), &advice)),
            );
            (None, warnings)
        }
        Err(error) => {
            let advice = "write one, as config.example.json shows";
            section.push(Finding::from_error(Level::Failure, "file", &error, advice));
            (None, Vec::new())
        }
    };
    let advice = format!("correct it in {}", path.display());
    section
        .findings
        .extend(warnings.iter().map(|warning| Finding::warning("warning", warning.to_string(), &advice)));
    (section, config)
}
