//! `stop`: asks JetBackup to stop a run, through the runner if there is one, and waits for the effect.

use std::path::Path;
use std::time::Duration;

use super::StopArgs;
use super::context::{self, block_on};
use super::exit::{Exit, Failure};
use super::output::{print, print_error};
use crate::control::{self, Found};
use crate::jetbackup::{ApiError, Client, Group};
use crate::model::{Command, GroupId};

/// JetBackup stops asynchronously; a run that goes on for this long was not impressed.
const EFFECT: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_secs(2);

pub(super) fn stop(path: &Path, verbose: u8, args: &StopArgs) -> Result<Exit, Failure> {
    let config = context::load(path)?;
    let server = context::server(&config, &args.server)?;
    let _log = context::log_to_stderr(verbose);
    let lines = context::lines(&config, &[server])?;
    block_on(async {
        let Some(line) = lines.first() else { return Ok(Exit::CouldNotStart) };
        let exit = stop_on(&line.client, &config, args).await;
        line.close().await;
        exit
    })
}

async fn stop_on(client: &Client, config: &crate::config::Config, args: &StopArgs) -> Result<Exit, Failure> {
    match find(client, args.group).await {
        Ok(Some(group)) if group.status.is_finished() => {
            print_error(&format!("queue group {} on {} has ended already", args.group, args.server));
            return Ok(Exit::CouldNotStart);
        }
        Ok(Some(_)) => {}
        Ok(None) => {
            print_error(&format!(
                "{} lists no backup with queue group {}; `status --server {}` shows those under way",
                args.server, args.group, args.server
            ));
            return Ok(Exit::CouldNotStart);
        }
        Err(error) => return Ok(failed(&error)),
    }
    if !through_runner(config, args).await?
        && let Err(error) = client.stop(args.group).await
    {
        return Ok(failed(&error));
    }
    print(&format!("{} was asked to stop queue group {}; waiting for it to end", args.server, args.group))?;
    let asked = tokio::time::Instant::now();
    while asked.elapsed() < EFFECT {
        tokio::time::sleep(PAUSE).await;
        match find(client, args.group).await {
            Ok(Some(group)) if !group.status.is_finished() => {}
            Ok(Some(_)) => {
                print("it has ended")?;
                return Ok(Exit::Done);
            }
            Ok(None) => {
                print(
                    "it is listed no longer: somebody has cleared the queue; `status` shows whether it still runs",
                )?;
                return Ok(Exit::Done);
            }
            Err(error) => tracing::warn!("{error}"),
        }
    }
    print_error(&format!("it still runs after {} s; look at the queue on the server", EFFECT.as_secs()));
    Ok(Exit::CouldNotStart)
}

/// The group as the server lists it: only backups are listed, so nothing else can be stopped.
async fn find(client: &Client, group: GroupId) -> Result<Option<Group>, ApiError> {
    let groups = client.groups().await?;
    Ok(groups.into_iter().find(|listed| listed.id == group))
}

/// Lets the runner send the stop, so that it knows of it. Answers whether it did.
async fn through_runner(config: &crate::config::Config, args: &StopArgs) -> Result<bool, Failure> {
    let Found::Runner(mut runner) = control::connect(&config.orchestrator.control_socket).await? else {
        return Ok(false);
    };
    let server = context::server(config, &args.server)?.name.clone();
    let answer = runner.command(Command::Stop { server, group: args.group }).await?;
    if !answer.accepted {
        tracing::info!("the runner did not send the stop: {}", answer.reason);
    }
    Ok(answer.accepted)
}

fn failed(error: &ApiError) -> Exit {
    print_error(&error.to_string());
    Exit::CouldNotStart
}
