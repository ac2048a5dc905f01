//! What `init` starts from: nothing, or the configuration that is there.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{InitArgs, Talk};
use crate::cli::exit::Failure;
use crate::config::{self, Config, ConfigError};
use crate::setup::{Answers, Asker as _, NewServer, document, extended};

/// What the answers are added to.
pub(super) enum Base {
    /// Nothing: a new configuration, or one in place of another.
    Nothing,
    /// The configuration that is there, as it is written and as it is read.
    Existing(Value, Box<Config>),
}

impl Base {
    /// What is to become of a configuration that is there; `None`: it is left alone.
    pub(super) fn choose(talk: &mut Talk, path: &Path, args: &InitArgs) -> Result<Option<Self>, Failure> {
        if path.symlink_metadata().is_err() {
            return if args.add { Err(missing(path)) } else { Ok(Some(Self::Nothing)) };
        }
        if args.force {
            return Ok(Some(Self::Nothing));
        }
        if args.add {
            return Self::existing(path).map(Some);
        }
        let there = format!("{} is there already", path.display());
        if !talk.asks {
            let hint =
                "add to it with --add, replace it with --force (a copy is kept), or name another one with -c";
            return Err(Failure::Unusable(format!("{there}: {hint}")));
        }
        let question = format!("{there}. Add to it, replace it (a copy is kept), or quit?");
        let word = talk.console.ask_for(&question, Some("add"), |answer| match answer {
            "add" | "replace" | "quit" => Ok(answer.to_owned()),
            _ => Err("please answer add, replace or quit".into()),
        })?;
        match word.as_str() {
            "add" => Self::existing(path).map(Some),
            "replace" => Ok(Some(Self::Nothing)),
            _ => Ok(None),
        }
    }

    fn existing(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let config = config::parse(&text, path)?.config;
        let value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|source| ConfigError::Syntax { path: path.to_owned(), source })?;
        Ok(Self::Existing(value, Box::new(config)))
    }

    /// The configuration that is there.
    pub(super) fn config(&self) -> Option<&Config> {
        match self {
            Self::Nothing => None,
            Self::Existing(_, config) => Some(config),
        }
    }

    /// The key to log in with: the one that is named, else the one that is configured for all.
    pub(super) fn key(&self, named: Option<&Path>) -> Option<PathBuf> {
        let configured = || match self {
            Self::Existing(value, config) => {
                let common = value.get("ssh_key").and_then(Value::as_str)?;
                // As it is read: a credential or a home folder may stand behind it.
                let server = config.servers.iter().find(|server| {
                    value["servers"][server.name.as_str()].get("ssh_key").is_none_or(Value::is_null)
                });
                Some(server.map_or_else(|| common.into(), |server| server.ssh_key.path.clone()))
            }
            Self::Nothing => None,
        };
        named.map(Path::to_owned).or_else(configured)
    }

    /// The configuration with the answers.
    pub(super) fn with(&self, answers: &Answers) -> Value {
        match self {
            Self::Nothing => document(answers),
            Self::Existing(value, _) => extended(value.clone(), answers),
        }
    }

    /// The servers whose jobs are looked for: the new ones, else all that are configured.
    pub(super) fn asked(&self, answers: &Answers, draft: &Config) -> Vec<NewServer> {
        if !answers.servers.is_empty() {
            return answers.servers.clone();
        }
        let place = |server: &config::Server| NewServer {
            name: server.name.clone(),
            host: server.host.clone(),
            port: server.port,
            user: server.user.clone(),
            ssh_key: Some(server.ssh_key.path.clone()),
        };
        draft.servers.iter().map(place).collect()
    }
}

fn missing(path: &Path) -> Failure {
    Failure::Unusable(format!("there is no configuration {} to add to; leave --add out", path.display()))
}
