//! What was written, what is missing in it, and what comes next.

use std::path::Path;

use super::Talk;
use super::contact::Reached;
use crate::cli::CONFIG;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::print_warning;
use crate::config::Loaded;
use crate::setup::shell_word;

pub(super) fn report(talk: &mut Talk, loaded: &Loaded, reached: &[Reached]) -> Result<Exit, Failure> {
    let config = &loaded.config;
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let (servers, jobs) = (count(config.servers.len(), "server"), count(config.jobs.len(), "job"));
    talk.tell(&format!("\nWrote {}: {servers}, {jobs}.", config.path.display()))?;
    for warning in &loaded.warnings {
        print_warning(&warning.to_string());
    }
    let program = program(&config.path);
    let mut exit = Exit::Done;
    for server in reached {
        if let Err(error) = &server.jobs {
            exit = Exit::Incomplete;
            let name = &server.name;
            print_warning(&format!(
                "the jobs of {name} are missing: {error}; once it can be asked, add them: {program} init --add"
            ));
        }
    }
    talk.tell("\nNext:")?;
    let mut commands = vec![(format!("{program} doctor"), "checks everything at once")];
    if config.jobs.is_empty() {
        commands.push((format!("{program} init --add"), "reads the jobs, once the servers can be asked"));
    } else {
        commands.push((format!("{program} run --dry-run"), "shows the order of the jobs"));
        commands.push((
            service(&config.path).unwrap_or_else(|| format!("{program} daemon")),
            "starts what runs them",
        ));
    }
    let width = commands.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    for (command, what) in commands {
        talk.tell(&format!("  {command:<width$}  # {what}"))?;
    }
    Ok(exit)
}

/// The program as it is called for this configuration.
fn program(config: &Path) -> String {
    if config == Path::new(CONFIG) {
        return "jetbackup-remote".into();
    }
    format!("jetbackup-remote -c {}", shell_word(&config.display().to_string()))
}

/// How this machine's service is started, which runs the daemon with the usual configuration and no other.
fn service(config: &Path) -> Option<String> {
    const UNIT: &str = "jetbackup-remote-daemon.service";
    if config != Path::new(CONFIG) {
        return None;
    }
    let units = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
    if units.iter().any(|folder| Path::new(folder).join(UNIT).exists()) {
        return Some(format!("systemctl enable --now {UNIT}"));
    }
    let script = Path::new("/etc/init.d/jetbackup-remote");
    script.exists().then(|| format!("{0} enable && {0} start", script.display()))
}
