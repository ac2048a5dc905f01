//! `init`: from nothing to a configuration that runs, by asking a person or by what the command line says.
//!
//! Nothing is written that the program would not take itself, and an existing configuration is never lost.

mod base;
mod contact;
mod jobs;
mod questions;
mod report;

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use self::base::Base;
use super::context;
use super::exit::{Exit, Failure};
use super::gate::{GateOptions, key_file, usual_key};
use crate::config;
use crate::setup::{
    self, Answers, Asker as _, Console, Host, NewServer, ensure_key, ensure_state_dir, layout, service_owner,
};
use crate::ssh::KeyFile;

#[derive(Debug, Args)]
#[command(after_help = "\
At a terminal, whatever is missing is asked for. Without one:

  jetbackup-remote init --yes --server web1=web1.example.com --server web2=web2.example.com:51514

Passwords come from a prompt or from a file, and are kept in files of their own beside the configuration.")]
pub(super) struct InitArgs {
    /// A server: its name, and where its sshd listens (port 22 and user root unless said otherwise); may be repeated.
    #[arg(long = "server", value_name = "NAME=[USER@]HOST[:PORT]")]
    servers: Vec<NewServer>,
    /// The private key to log in with; made if it is not there [default: id_ed25519 beside the configuration].
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Install the gate on every server, or bring it up to date, with `ssh` and your own login there.
    #[arg(long)]
    install_gate: bool,
    #[command(flatten)]
    gate: GateOptions,
    /// Which of the servers' jobs to run [default: those that are enabled there].
    #[arg(long, value_name = "enabled|all|none", value_enum, hide_possible_values = true)]
    jobs: Option<Which>,
    /// When the daemon starts: five cron fields, or `none` [default: "0 2 * * *"].
    #[arg(long, value_name = "CRON")]
    schedule: Option<String>,
    /// MQTT broker, for Home Assistant.
    #[arg(long, value_name = "HOST[:PORT]")]
    broker: Option<Host>,
    /// User of the broker.
    #[arg(long, value_name = "USER", requires = "broker")]
    broker_user: Option<String>,
    /// File to read the broker's password from.
    #[arg(long, value_name = "FILE", requires = "broker_user")]
    broker_password_file: Option<PathBuf>,
    /// Send mail to this address; may be repeated.
    #[arg(long, value_name = "ADDRESS")]
    mail_to: Vec<String>,
    /// Sender of the mail.
    #[arg(long, value_name = "ADDRESS", requires = "mail_to")]
    mail_from: Option<String>,
    /// Mail server; port 587 means STARTTLS, 465 TLS [default: localhost:25].
    #[arg(long, value_name = "HOST[:PORT]", requires = "mail_to")]
    smtp_host: Option<Host>,
    /// User of the mail server.
    #[arg(long, value_name = "USER", requires = "smtp_host")]
    smtp_user: Option<String>,
    /// File to read the mail server's password from.
    #[arg(long, value_name = "FILE", requires = "smtp_user")]
    smtp_password_file: Option<PathBuf>,
    /// Where lock, history and known host keys live [default: /var/lib/jetbackup-remote].
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Add to the configuration that is there: servers, or without any the jobs that are in no queue yet.
    #[arg(long, conflicts_with = "force")]
    add: bool,
    /// Replace the configuration that is there; a copy of it is kept.
    #[arg(long)]
    force: bool,
    /// Ask nothing: take new host keys as they are met, and the defaults for the rest.
    #[arg(short, long)]
    yes: bool,
}

/// Which jobs get a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Those that are enabled on their server, less JetBackup's own configuration.
    Enabled,
    /// All there are.
    All,
    /// None yet.
    None,
}

/// The person at the other side.
struct Talk {
    console: Console<io::StdinLock<'static>, io::Stdout>,
    /// Whether they can and want to be asked.
    asks: bool,
}

impl Talk {
    fn begin(yes: bool) -> Result<Self, Failure> {
        let terminal = io::stdin().is_terminal();
        if !yes && !terminal {
            return Err(Failure::Unusable(
                "standard input is no terminal, so nothing can be asked: give --yes, and --server NAME=HOST[:PORT] \
                 for every server"
                    .into(),
            ));
        }
        Ok(Self { console: Console::standard(), asks: !yes })
    }

    fn tell(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.console.tell(text)?)
    }
}

pub(super) fn init(path: &Path, verbose: u8, args: &InitArgs) -> Result<Exit, Failure> {
    match set_up(path, verbose, args) {
        // Nothing is wrong with the program if nobody answers any more.
        Err(Failure::Start(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(Failure::Unusable(error.to_string()))
        }
        ended => ended,
    }
}

fn set_up(path: &Path, verbose: u8, args: &InitArgs) -> Result<Exit, Failure> {
    let mut talk = Talk::begin(args.yes)?;
    let _log = context::log_to_stderr(verbose);
    let path = std::path::absolute(path)?;
    let owner = service_owner();
    let Some(base) = Base::choose(&mut talk, &path, args)? else { return Ok(Exit::CouldNotStart) };
    let servers = questions::servers(&mut talk, args, &base)?;
    let key = base.key(args.key.as_deref()).map_or_else(|| Ok(usual_key(&path)), std::path::absolute)?;
    let state_dir = args.state_dir.as_deref().map(std::path::absolute).transpose()?;
    let servers =
        servers.into_iter().map(|server| NewServer { ssh_key: Some(key.clone()), ..server }).collect();
    let mut answers = Answers { key, servers, state_dir, no_log_file: is_router(), ..Answers::default() };
    let mut secrets = questions::from_flags(args, &base, &path, &mut answers)?;

    // Whatever can be wrong with the answers so far is told before anything is made or asked of anybody.
    let draft = config::parse(&layout(&base.with(&answers)), &path)?.config;
    if draft.servers.is_empty() {
        return Err(Failure::Unusable("no server is named: give --server NAME=HOST[:PORT]".into()));
    }
    let configured = draft.servers.iter().find(|server| server.ssh_key.path == answers.key);
    let key = match configured {
        Some(server) => key_file(&server.ssh_key)?,
        None => KeyFile { path: answers.key.clone(), passphrase: None },
    };
    let (public, made) = ensure_key(&key, owner)?;
    let what = if made { "Made the key" } else { "Using the key" };
    talk.tell(&format!("{what} {}:\n  {public}", answers.key.display()))?;
    ensure_state_dir(&draft.orchestrator.state_dir, owner)?;

    let asked = base.asked(&answers, &draft);
    let reached = contact::all(&mut talk, &path, &draft, &asked, args)?;
    answers.jobs = jobs::choose(&mut talk, args.jobs, &base, &reached)?;
    secrets.extend(questions::the_rest(&mut talk, args, &base, &path, &mut answers)?);
    for secret in secrets {
        setup::write_secret(&secret.path, &secret.text, owner)?;
    }

    let text = layout(&base.with(&answers));
    let loaded = config::parse(&text, &path)?;
    if path.exists() {
        let copy = setup::back_up(&path, owner)?;
        talk.tell(&format!("\nKept the old configuration as {}.", copy.display()))?;
    }
    setup::write_config(&path, &text, owner)?;
    report::report(&mut talk, &loaded, &reached)
}

/// Whether this is OpenWrt.
fn is_router() -> bool {
    Path::new("/etc/openwrt_release").exists()
}
