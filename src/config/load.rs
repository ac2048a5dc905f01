//! From a file to the checked configuration, or to everything that is wrong with it.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::assembly::{Assembled, assemble};
use super::check::{Findings, check};
use super::file::File;
use super::{Config, Finding, json};

/// A configuration that can be used, and what is odd about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What has no effect, or perhaps not the one that was meant.
    pub warnings: Vec<Finding>,
}

/// What to do about a configuration that cannot be read.
fn way_out(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => "jetbackup-remote init makes one, and -c names another one",
        std::io::ErrorKind::PermissionDenied => "use sudo, or join the file's group; -c names another one",
        _ => "name another one with -c",
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read: {source}; {}", way_out(source))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no JSON.
    #[error(
        "the configuration {path} is no JSON: {source}; look there for a missing or surplus comma, quote or bracket"
    )]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// It says something that cannot be.
    #[error("the configuration {path} has {count}:{list}",
        count = how_many(problems.len()), list = listed(problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All that is wrong.
        problems: Vec<Finding>,
        /// All that is odd.
        warnings: Vec<Finding>,
    },
}

fn how_many(problems: usize) -> String {
    if problems == 1 { "a problem".into() } else { format!("{problems} problems") }
}

fn listed(problems: &[Finding]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

/// The JSON Schema of the file, made from its types.
#[must_use]
pub fn json_schema() -> Value {
    schemars::schema_for!(File).to_value()
}

/// Reads and checks the configuration at `path`.
///
/// # Errors
/// When it cannot be read, or with everything that is wrong with it.
pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let (mut loaded, holds_secrets) = parsed(&text, path)?;
    if holds_secrets && can_be_read_by_everyone(path) {
        let message = format!(
            "{} holds a secret and can be read by everyone; chmod o-r it, or move the secret out (FROM_FILE:…)",
            path.display()
        );
        loaded.warnings.push(Finding::new("", message));
    }
    Ok(loaded)
}

fn can_be_read_by_everyone(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
}

/// Checks the configuration `text`, which came from `path`.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, path: &Path) -> Result<Loaded, ConfigError> {
    parsed(text, path).map(|(loaded, _)| loaded)
}

/// Also answers whether the text itself holds a secret.
fn parsed(text: &str, path: &Path) -> Result<(Loaded, bool), ConfigError> {
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut value, twice) =
        json::read(text).map_err(|source| ConfigError::Syntax { path: path.to_owned(), source })?;
    let mut findings = check(&json_schema(), &mut value);
    let assembled = File::deserialize(&value).map(|file| assemble(file, path, &mut findings));
    let Findings { mut problems, warnings } = findings;
    if assembled.is_err() {
        // What was checked has the file's shape. Should the two ever disagree, the reader's words could show a secret.
        problems.push(Finding::new(
            "",
            "has a value of a shape nobody knows; compare it with `jetbackup-remote schema`",
        ));
    }
    problems.extend(
        twice.iter().map(|path| Finding::new(path, "stands twice in its object; only one can be meant")),
    );
    match assembled {
        Ok(Assembled { config, holds_secrets }) if problems.is_empty() => {
            Ok((Loaded { config, warnings }, holds_secrets))
        }
        _ => Err(ConfigError::Invalid { path: path.to_owned(), problems, warnings }),
    }
}
