//! `gate`: the gate's installation as one script, for `ssh root@server sh`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::CONFIG;
use super::context;
use super::exit::{Exit, Failure};
use super::output::print;
use crate::config::SshKey;
use crate::setup::{Allow, NewServer, Order, bundle, shell_word};
use crate::ssh::{KeyFile, public_line};

// What is documented here would be the help of the command that flattens it.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct GateOptions {
    /// Where the gate lets the key come from: addresses, networks or host patterns, as the server sees this machine.
    #[arg(long, value_name = "ADDRESS[,ADDRESS]")]
    from: Option<String>,
    /// What the gate lets through beside the usual: reading the logs of backups, seeing destinations, enabling and
    /// disabling jobs and destinations; may be repeated.
    #[arg(long, value_name = "log|destination|switch", value_enum, hide_possible_values = true)]
    allow: Vec<Allow>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Install the gate from here, with your own login:

  jetbackup-remote gate | ssh root@web1.example.com sh

More arguments for the installer can follow: ssh root@web1.example.com sh -s -- --allow log")]
pub(super) struct GateArgs {
    /// The private key to let in [default: that of the configuration, else id_ed25519 beside it].
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    options: GateOptions,
}

pub(super) fn gate(path: &Path, args: &GateArgs) -> Result<Exit, Failure> {
    let key = match &args.key {
        Some(key) => KeyFile { path: key.clone(), passphrase: None },
        None if path.exists() => configured(path)?,
        None => KeyFile { path: usual_key(path), passphrase: None },
    };
    let line = public_line(&key).or_else(|error| written(&key.path).ok_or(error))?;
    print(args.options.script(line).trim_end())?;
    Ok(Exit::Done)
}

impl GateOptions {
    /// The script that lets this public key in.
    pub(super) fn script(&self, public: String) -> String {
        bundle(&Order { key: Some(public), from: self.from.clone(), allow: self.allow.clone() })
    }

    /// What a person types to do it: how the script is made, and how it gets there.
    pub(super) fn command(&self, config: &Path, key: &Path, server: &NewServer) -> String {
        let mut line = "jetbackup-remote".to_owned();
        let mut add = |option: &str, value: &str| {
            line.extend([" ", option, " ", &shell_word(value)]);
        };
        if config != Path::new(CONFIG) {
            add("-c", &config.display().to_string());
        }
        line.push_str(" gate");
        let mut add = |option: &str, value: &str| {
            line.extend([" ", option, " ", &shell_word(value)]);
        };
        if key != usual_key(config) {
            add("--key", &key.display().to_string());
        }
        if let Some(from) = &self.from {
            add("--from", from);
        }
        for word in &self.allow {
            add("--allow", &word.to_string());
        }
        format!("{line} | ssh {} sh", ssh_arguments(server).join(" "))
    }
}

/// What ssh is given to log in there; nothing in it can be taken for an option.
pub(super) fn ssh_arguments(server: &NewServer) -> [String; 3] {
    let NewServer { host, port, user, .. } = server;
    ["-p".into(), port.to_string(), format!("{user}@{host}")]
}

/// The key that is made where none is named.
pub(super) fn usual_key(config: &Path) -> PathBuf {
    config.with_file_name("id_ed25519")
}

/// The one key of the configured servers.
fn configured(path: &Path) -> Result<KeyFile, Failure> {
    let config = context::load(path)?;
    let keys: BTreeMap<_, _> =
        config.servers.iter().map(|server| (&server.ssh_key.path, &server.ssh_key)).collect();
    let mut keys = keys.into_values();
    match (keys.next(), keys.next()) {
        (Some(key), None) => key_file(key),
        _ => Err(Failure::Unusable(
            "the configured servers have keys of their own; name the one to let in with --key".into(),
        )),
    }
}

/// A configured key with its passphrase.
pub(super) fn key_file(key: &SshKey) -> Result<KeyFile, Failure> {
    let passphrase = key.passphrase.as_ref().map(|secret| secret.read()).transpose();
    let passphrase = passphrase.map_err(|error| Failure::Unusable(error.to_string()))?;
    Ok(KeyFile { path: key.path.clone(), passphrase: passphrase.map(Into::into) })
}

/// The public half beside a private key that this user may not read.
fn written(path: &Path) -> Option<String> {
    let mut public = path.as_os_str().to_owned();
    public.push(".pub");
    let text = std::fs::read_to_string(PathBuf::from(public)).ok()?;
    let line = text.trim();
    (line.starts_with("ssh-") || line.starts_with("ecdsa-")).then(|| line.to_owned())
}
