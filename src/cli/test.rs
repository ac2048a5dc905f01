//! `test`: the way to every server, step by step, all servers at once.

use std::path::Path;

use super::context::{self, Line, block_on};
use super::exit::{Exit, Failure};
use super::output::print;
use crate::jetbackup::{ApiError, Info};
use crate::model::JobId;

/// What a server answered to each step; a step after a failed one is not tried.
struct Checked {
    hello: Result<(), ApiError>,
    info: Option<Result<Info, ApiError>>,
    jobs: Option<Result<Vec<JobId>, ApiError>>,
}

pub(super) fn test(path: &Path, verbose: u8, server: Option<&str>) -> Result<Exit, Failure> {
    let config = context::load(path)?;
    let servers = context::servers(&config, server)?;
    let _log = context::log_to_stderr(verbose);
    let lines = context::lines(&config, &servers)?;
    let managed = |line: &Line| -> Vec<JobId> {
        let on_it = config.jobs.iter().filter(|job| job.key.server == line.name);
        on_it.map(|job| job.key.job).collect()
    };
    block_on(async {
        let mut good = true;
        for (line, checked) in context::ask_all(&lines, check).await {
            good &= report(line, &checked, &managed(line))?;
        }
        Ok(if good { Exit::Done } else { Exit::CouldNotStart })
    })
}

async fn check(client: std::sync::Arc<crate::jetbackup::Client>) -> Checked {
    let hello = client.hello().await;
    if hello.is_err() {
        return Checked { hello, info: None, jobs: None };
    }
    let info = client.info().await;
    let jobs = client.jobs().await.map(|jobs| jobs.into_iter().map(|job| job.id).collect());
    Checked { hello, info: Some(info), jobs: Some(jobs) }
}

fn report(line: &Line, checked: &Checked, managed: &[JobId]) -> Result<bool, Failure> {
    let mut good = true;
    let mut step = |what: &str, said: Result<String, String>| -> Result<(), Failure> {
        good &= said.is_ok();
        let (mark, text) = match said {
            Ok(text) => ("ok", text),
            Err(text) => ("FAILED", text),
        };
        print(format!("{:<16} {what:<10} {mark:<6} {text}", line.name).trim_end())?;
        Ok(())
    };
    match &checked.hello {
        Ok(()) => step("ssh, gate", Ok(String::new()))?,
        Err(error) => step("ssh, gate", Err(error.to_string()))?,
    }
    match &checked.info {
        Some(Ok(info)) if info.process == Some(false) => {
            step(
                "jetbackup",
                Err("its daemon is not running; start it: systemctl start jetbackup5d".into()),
            )?;
        }
        Some(Ok(info)) => {
            let version = info.version.as_deref().unwrap_or("unknown");
            step("jetbackup", Ok(format!("version {version}")))?;
        }
        // The predecessor's gate does not allow the question; the list of jobs answers it as well.
        Some(Err(_)) | None => {}
    }
    match &checked.jobs {
        Some(Ok(jobs)) => {
            let missing: Vec<String> =
                managed.iter().filter(|id| !jobs.contains(id)).map(ToString::to_string).collect();
            step(
                "jobs",
                match missing.as_slice() {
                    [] => Ok(format!("{} there, {} configured", jobs.len(), managed.len())),
                    _ => Err(format!("configured, but not there: {}", missing.join(", "))),
                },
            )?;
        }
        Some(Err(error)) => step("jobs", Err(error.to_string()))?,
        None => {}
    }
    Ok(good)
}
