//! The way to each server: host key, gate, jobs.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{InitArgs, Talk};
use crate::cli::context::{Line, block_on, lines};
use crate::cli::exit::Failure;
use crate::cli::gate::{key_file, ssh_arguments};
use crate::config::{self, Config, KnownHostsPolicy};
use crate::jetbackup::Job;
use crate::model::ServerName;
use crate::setup::{Asker as _, NewServer};
use crate::ssh::{HostKeyStanding, public_line};

/// A server that was asked.
pub(super) struct Reached {
    pub(super) name: ServerName,
    /// Its jobs, or why they are not known.
    pub(super) jobs: Result<Vec<Job>, String>,
}

/// Asks the servers one after the other.
pub(super) fn all(
    talk: &mut Talk,
    path: &Path,
    draft: &Config,
    servers: &[NewServer],
    args: &InitArgs,
) -> Result<Vec<Reached>, Failure> {
    let mut reached = Vec::new();
    for server in servers {
        talk.tell(&format!("\n{server}"))?;
        let way = Way { path, draft, server, args };
        let jobs = way.go(talk)?;
        match &jobs {
            Ok(jobs) => talk.tell(&format!("  jobs      {}", jobs.len()))?,
            Err(_) => talk.tell("  left out for now")?,
        }
        reached.push(Reached { name: server.name.clone(), jobs });
    }
    Ok(reached)
}

struct Way<'a> {
    path: &'a Path,
    draft: &'a Config,
    server: &'a NewServer,
    args: &'a InitArgs,
}

impl Way<'_> {
    /// The whole way; the inner error is the server's, the outer one ends the program.
    fn go(&self, talk: &mut Talk) -> Result<Result<Vec<Job>, String>, Failure> {
        while let Err(error) = self.meet(talk)? {
            talk.tell(&format!("  host key  none: {error}"))?;
            if !talk.asks || !talk.console.confirm("  Try again (no: go on without this server)?", false)? {
                self.show_command(talk)?;
                return Ok(Err(error));
            }
        }
        let mut answered =
            if self.args.install_gate { self.install(talk).and_then(|()| self.ask())? } else { self.ask()? };
        while let Err(error) = &answered {
            talk.tell(&format!("  gate      no answer: {error}"))?;
            if !self.go_on(talk)? {
                break;
            }
            answered = self.ask()?;
        }
        Ok(answered)
    }

    /// Has the host key accepted.
    fn meet(&self, talk: &mut Talk) -> Result<Result<(), String>, Failure> {
        let line = self.line()?;
        let meeting = match block_on(async { Ok(line.meet().await) })? {
            Ok(meeting) => meeting,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let known = meeting.standing != HostKeyStanding::New;
        let news = if known { "known" } else { "new" };
        talk.tell(&format!("  host key  {meeting} ({news})"))?;
        if known {
            return Ok(Ok(()));
        }
        let wanted = if talk.asks {
            talk.console.confirm("  Is that the server's key (compare with ssh-keygen -lf there)?", true)?
        } else {
            // Nobody says yes where only keys on file are to be accepted.
            self.draft.orchestrator.known_hosts == KnownHostsPolicy::AcceptNew
        };
        if !wanted {
            return Ok(Err("its host key was not accepted".into()));
        }
        Ok(block_on(async { Ok(meeting.trust().await) })?.map_err(|error| error.to_string()))
    }

    /// Asks the gate, and JetBackup behind it.
    fn ask(&self) -> Result<Result<Vec<Job>, String>, Failure> {
        // A line of its own each time: one that was refused waits before it tries again.
        let line = self.line()?;
        block_on(async {
            let answer = match line.client.hello().await {
                Ok(()) => line.client.jobs().await,
                Err(error) => Err(error),
            };
            line.close().await;
            Ok(answer.map_err(|error| error.to_string()))
        })
    }

    /// What to do about a gate that does not answer; `false`: nothing.
    fn go_on(&self, talk: &mut Talk) -> Result<bool, Failure> {
        self.show_command(talk)?;
        if !talk.asks {
            return Ok(false);
        }
        let question =
            "  Install the gate now with your own login there (yes), skip this server, or try again?";
        let word = talk.console.ask_for(question, Some("yes"), |answer| match answer {
            "yes" | "y" | "skip" | "again" => Ok(answer.to_owned()),
            _ => Err("please answer yes, skip or again".into()),
        })?;
        match word.as_str() {
            "skip" => return Ok(false),
            "again" => {}
            _ => self.install(talk)?,
        }
        Ok(true)
    }

    fn show_command(&self, talk: &mut Talk) -> Result<(), Failure> {
        let command = self.args.gate.command(self.path, &self.configured()?.ssh_key.path, self.server);
        talk.tell(&format!("  To install the gate there:\n    {command}"))
    }

    /// Runs the installation with the system's ssh, at the terminal: it asks for what it needs.
    fn install(&self, talk: &mut Talk) -> Result<(), Failure> {
        let script = self.args.gate.script(public_line(&key_file(&self.configured()?.ssh_key)?)?);
        let arguments = ssh_arguments(self.server);
        talk.tell(&format!("  Running   ssh {} sh", arguments.join(" ")))?;
        let started = Command::new("ssh").args(arguments).arg("sh").stdin(Stdio::piped()).spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => {
                return talk.tell(&format!("  ssh cannot be started ({error}); run the line yourself"));
            }
        };
        if let Some(mut stdin) = child.stdin.take() {
            // An ssh that could not log in has told why, and its end is what counts.
            let _ = stdin.write_all(script.as_bytes());
        }
        let status = child.wait()?;
        if !status.success() {
            talk.tell(&format!("  ssh ended with {status}"))?;
        }
        Ok(())
    }

    fn line(&self) -> Result<Line, Failure> {
        let line = lines(self.draft, &[self.configured()?])?.pop();
        line.ok_or_else(|| self.unknown())
    }

    fn configured(&self) -> Result<&config::Server, Failure> {
        self.draft.server(&self.server.name).ok_or_else(|| self.unknown())
    }

    /// Every server that is asked stands in the draft.
    fn unknown(&self) -> Failure {
        Failure::Unknown(format!("no server {} is configured", self.server.name))
    }
}
