//! What the commands share: the configuration, names checked against it, and the way to the servers.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::exit::Failure;
use super::output::print_warning;
use crate::config::{self, Config, Server};
use crate::jetbackup::Client;
use crate::logging::{self, LogFile, Logging};
use crate::model::{JobId, JobKey, Selection};
pub(super) use crate::runner::{Line, lines};

/// Reads the configuration; its warnings go to standard error.
pub(super) fn load(path: &Path) -> Result<Arc<Config>, Failure> {
    let loaded = config::load(path)?;
    for warning in &loaded.warnings {
        print_warning(&warning.to_string());
    }
    Ok(Arc::new(loaded.config))
}

/// Runs `work` on this thread, timers and sockets included.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    // A disk that hangs must not keep the program from ending.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

/// Logs what goes wrong, or with `-v` the steps, to standard error. To be kept while the command works.
pub(super) fn log_to_stderr(verbose: u8) -> Logging {
    logging::init(logging::Options {
        verbose,
        quiet: true,
        file: None,
        logs_directory: None,
        stderr: logging::stderr(),
    })
}

/// The configured server of this name.
pub(super) fn server<'a>(config: &'a Config, name: &str) -> Result<&'a Server, Failure> {
    config.servers.iter().find(|server| server.name.as_str() == name).ok_or_else(|| {
        let known = config.servers.iter().map(|server| server.name.as_str());
        Failure::Unknown(unknown("server", name, known))
    })
}

/// The servers a command is about.
pub(super) fn servers<'a>(config: &'a Config, name: Option<&str>) -> Result<Vec<&'a Server>, Failure> {
    match name {
        Some(name) => Ok(vec![server(config, name)?]),
        None => Ok(config.servers.iter().collect()),
    }
}

/// The selection of these names, if it takes any configured job.
pub(super) fn selection(
    config: &Config,
    server_name: Option<&str>,
    job: Option<&str>,
) -> Result<Selection, Failure> {
    let server = server_name.map(|name| server(config, name)).transpose()?.map(|server| server.name.clone());
    let on_server = Selection { server, job: None };
    let job = job.map(|id| job_id(config, &on_server, id)).transpose()?;
    let selection = Selection { job, ..on_server };
    if config.jobs.iter().any(|job| selection.takes(&job.key)) {
        return Ok(selection);
    }
    Err(Failure::Unknown(match selection.server {
        Some(server) => format!("no job of server {server} is configured"),
        None => "no job is configured".into(),
    }))
}

/// The configured job with this id on this server.
pub(super) fn job(config: &Config, server_name: &str, job: &str) -> Result<JobKey, Failure> {
    let server = server(config, server_name)?.name.clone();
    let on_server = Selection { server: Some(server.clone()), job: None };
    let job = job_id(config, &on_server, job)?;
    Ok(JobKey { server, job })
}

fn job_id(config: &Config, among: &Selection, id: &str) -> Result<JobId, Failure> {
    let known = || config.jobs.iter().filter(|job| among.takes(&job.key));
    let found = known().find(|job| job.key.job.to_string() == id.to_ascii_lowercase());
    found.map(|job| job.key.job).ok_or_else(|| {
        // People remember labels; the message leads from there to the id.
        let labelled = known().find(|job| job.label.eq_ignore_ascii_case(id));
        Failure::Unknown(match labelled {
            Some(job) => format!("a job is named by its id: {} is {}", job.label, job.key.job),
            None => unknown("job", id, known().map(|job| job.key.job.to_string())),
        })
    })
}

/// Says that a name is unknown, which is nearest, and which there are.
fn unknown<S: AsRef<str>>(what: &str, name: &str, known: impl Iterator<Item = S>) -> String {
    let known: Vec<String> = known.map(|known| known.as_ref().to_owned()).collect();
    let nearest = known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let hint = nearest.map(|(_, nearest)| format!("; did you mean {nearest}?")).unwrap_or_default();
    format!("no {what} {name:?} is configured{hint} (known: {})", known.join(", "))
}

/// The log file as configured, if there is to be one.
pub(super) fn log_file(orchestrator: &config::Orchestrator) -> Option<LogFile> {
    let path = orchestrator.log_file.clone()?;
    Some(LogFile { path, max_bytes: orchestrator.log_max_bytes, backups: orchestrator.log_backup_count })
}

/// Asks all servers at once; the answers come in the order of the servers.
pub(super) async fn ask_all<T, F>(lines: &[Line], question: impl Fn(Arc<Client>) -> F) -> Vec<(&Line, T)>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let asked: Vec<_> = lines.iter().map(|line| tokio::spawn(question(Arc::clone(&line.client)))).collect();
    let mut answers = Vec::new();
    for (line, answer) in lines.iter().zip(asked) {
        match answer.await {
            Ok(answer) => answers.push((line, answer)),
            // A bug in one question must not hide the other answers.
            Err(error) => tracing::error!("asking {} failed: {error}", line.name),
        }
    }
    for line in lines {
        line.close().await;
    }
    answers
}
