//! What may be asked over MQTT: a closed grammar, and a reason for whatever is not in it.
//!
//! A [`Command`] made here names only what is configured. Everything else, and everything that might be an accident
//! (an empty payload, a retained message, which a broker sends again and again), does nothing but be answered.

mod allowance;
mod payload;
mod text;

use jiff::Timestamp;
use serde_json::json;

pub(crate) use allowance::Allowance;
use payload::Fields;
use text::{one_line, quoted};

use super::topics::{Address, Topics};
use crate::config::{Commands, Config, nearest};
use crate::model::{Answer, Command, GroupId, JobId, JobKey, Selection, ServerName};

/// The most that a command may have, in bytes.
pub(crate) const LARGEST: usize = 4096;

/// What Home Assistant's buttons send.
pub(crate) const PRESS: &str = "PRESS";

const RUN: &str = r#"all, PRESS, {"server": …}, {"job": …} or both"#;
const STOP: &str = r#"after_current, PRESS, {"server": …, "job": …} or {"server": …, "queue_group": …}"#;
const RELEASE: &str = r#"{"server": …, "job": …}"#;

/// A message on one of the subscribed topics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incoming<'a> {
    /// Where it was published.
    pub topic: &'a str,
    /// What was published.
    pub payload: &'a [u8],
    /// The publisher's retain flag, as it is seen with retain-as-published.
    pub retain: bool,
}

/// The command that `incoming` is; or, in a line of at most 250 characters, why it is none and what would be one.
pub(crate) fn read(topics: &Topics, config: &Config, incoming: &Incoming) -> Result<Command, String> {
    command(topics, config, incoming).map_err(|reason| one_line(&reason))
}

/// The message that answers a command: `topic_tail` is its topic without the base topic.
pub(crate) fn result(topic_tail: &str, answer: &Answer, at: Timestamp) -> Vec<u8> {
    let result = json!({
        "command": one_line(topic_tail),
        "accepted": answer.accepted,
        "reason": one_line(&answer.reason),
        "time": at,
    });
    result.to_string().into_bytes()
}

fn command(topics: &Topics, config: &Config, incoming: &Incoming) -> Result<Command, String> {
    let Some(address) = topics.address(incoming.topic) else {
        let shown = quoted(topics.tail(incoming.topic));
        return Err(format!(
            "{shown} is no command topic; there are command/run, command/stop, command/release, \
             servers/<server>/command/run, jobs/<server>/<job id>/command/run and …/stop"
        ));
    };
    let wanted = match &address {
        Address::Run => RUN,
        Address::Stop => STOP,
        Address::Release => RELEASE,
        Address::ServerRun(_) | Address::JobRun(_) | Address::JobStop(_) => PRESS,
    };
    let payload = plain(incoming, wanted)?;
    permitted(config.mqtt.commands, &address)?;
    match address {
        Address::Run if matches!(payload, "all" | PRESS) => Ok(Command::Run(Selection::default())),
        Address::Run => run(config, payload),
        Address::Stop if matches!(payload, "after_current" | PRESS) => Ok(Command::StopAfterCurrent),
        Address::Stop => stop(config, payload),
        Address::Release => {
            let fields = Fields::read(payload, &["server", "job"], RELEASE)?;
            Ok(Command::Release(named(config, &fields)?))
        }
        Address::ServerRun(server) => {
            pressed(payload)?;
            let server = known_server(config, server.as_str())?;
            Ok(Command::Run(Selection { server: Some(server), job: None }))
        }
        Address::JobRun(key) => {
            pressed(payload)?;
            let JobKey { server, job } = known_key(config, &key)?;
            Ok(Command::Run(Selection { server: Some(server), job: Some(job) }))
        }
        Address::JobStop(key) => {
            pressed(payload)?;
            Ok(Command::StopJob(known_key(config, &key)?))
        }
    }
}

/// The payload as text, if it can be a command at all.
fn plain<'a>(incoming: &Incoming<'a>, wanted: &str) -> Result<&'a str, String> {
    if incoming.payload.is_empty() {
        return Err(format!("an empty payload does nothing; send {wanted}"));
    }
    if incoming.retain {
        return Err(
            "retained messages do nothing, for the broker sends them again after every reconnect; \
                    send the command without the retain flag, and clear the topic with an empty retained message"
                .into(),
        );
    }
    if incoming.payload.len() > LARGEST {
        return Err(format!(
            "the payload has {} bytes, but may have {LARGEST}; send {wanted}",
            incoming.payload.len()
        ));
    }
    std::str::from_utf8(incoming.payload).map_err(|_| format!("the payload is not UTF-8; send {wanted}"))
}

fn permitted(commands: Commands, address: &Address) -> Result<(), String> {
    let runs = matches!(address, Address::Run | Address::ServerRun(_) | Address::JobRun(_));
    match commands {
        Commands::All(true) => Ok(()),
        Commands::Only(_) if runs => Ok(()),
        Commands::Only(_) => {
            Err(r#"the configuration takes only commands to run: mqtt.commands is "run""#.into())
        }
        Commands::All(false) => Err("the configuration takes no commands: mqtt.commands is false".into()),
    }
}

fn pressed(payload: &str) -> Result<(), String> {
    if payload == PRESS {
        return Ok(());
    }
    Err(format!("{} is not understood here; send {PRESS}", quoted(payload)))
}

fn run(config: &Config, payload: &str) -> Result<Command, String> {
    let fields = Fields::read(payload, &["server", "job"], RUN)?;
    let server = fields.text("server").map(|name| known_server(config, name)).transpose()?;
    // A job alone means every job with that id, as on the command line: on two servers it is there twice at most
    // because one is a copy of the other, and both then run, one after the other.
    let job = fields.text("job").map(|id| known_job(config, server.as_ref(), id)).transpose()?;
    if server.is_none() && job.is_none() {
        return Err(format!("an object without server and job names nothing; send {RUN}"));
    }
    Ok(Command::Run(Selection { server, job }))
}

fn stop(config: &Config, payload: &str) -> Result<Command, String> {
    let fields = Fields::read(payload, &["server", "job", "queue_group"], STOP)?;
    match (fields.text("job"), fields.text("queue_group")) {
        (Some(_), None) => Ok(Command::StopJob(named(config, &fields)?)),
        (None, Some(group)) => {
            let server = known_server(config, fields.required("server")?)?;
            let group: GroupId = group.parse().map_err(|_| {
                format!("{} is not a queue group's id of 24 hexadecimal digits", quoted(group))
            })?;
            Ok(Command::Stop { server, group })
        }
        (Some(_), Some(_)) => Err(format!(
            "job and queue_group stand beside each other, but one of them is enough; send {STOP}"
        )),
        (None, None) => Err(format!("job or queue_group is missing; send {STOP}")),
    }
}

/// The job that `server` and `job` name together.
fn named(config: &Config, fields: &Fields) -> Result<JobKey, String> {
    let server = known_server(config, fields.required("server")?)?;
    let job = known_job(config, Some(&server), fields.required("job")?)?;
    Ok(JobKey { server, job })
}

fn known_key(config: &Config, key: &JobKey) -> Result<JobKey, String> {
    let server = known_server(config, key.server.as_str())?;
    let job = known_job(config, Some(&server), &key.job.to_string())?;
    Ok(JobKey { server, job })
}

fn known_server(config: &Config, name: &str) -> Result<ServerName, String> {
    let mut names = config.servers.iter().map(|server| &server.name);
    if let Some(known) = names.clone().find(|known| known.as_str() == name) {
        return Ok(known.clone());
    }
    let hint = match nearest(name, names.clone().map(ServerName::as_str)) {
        Some(nearest) => format!("; did you mean {nearest}?"),
        None => {
            let known = names.by_ref().map(ServerName::as_str).collect::<Vec<_>>().join(", ");
            format!("; configured: {known}")
        }
    };
    Err(format!("no server {} is configured{hint}", quoted(name)))
}

/// The job of `server` (or of any) with this id.
fn known_job(config: &Config, server: Option<&ServerName>, id: &str) -> Result<JobId, String> {
    let of_server = |key: &&JobKey| server.is_none_or(|server| key.server == *server);
    let keys = || config.jobs.iter().map(|job| &job.key);
    let wanted: Option<JobId> = id.parse().ok();
    if let Some(known) = keys().filter(of_server).find(|key| Some(key.job) == wanted) {
        return Ok(known.job);
    }
    let place = server.map(|server| format!(" of {server}")).unwrap_or_default();
    let hint = if let Some(other) = keys().find(|key| Some(key.job) == wanted) {
        format!("; it is one of {}", other.server)
    } else if let Some(job) = config.jobs.iter().find(|job| of_server(&&job.key) && job.label == id) {
        format!("; the job of {} with this label is {}", job.key.server, job.key.job)
    } else {
        let ids: Vec<String> = keys().filter(of_server).map(|key| key.job.to_string()).collect();
        match nearest(id, ids.iter().map(String::as_str)) {
            Some(nearest) => format!("; did you mean {nearest}?"),
            None => format!("; configured: {}", ids.join(", ")),
        }
    };
    Err(format!("no job {}{place} is configured{hint}", quoted(id)))
}

#[cfg(test)]
mod tests;
