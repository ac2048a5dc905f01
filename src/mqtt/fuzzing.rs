//! Foreign input of this room: see [`crate::fuzzing`].

use super::commands::{Incoming, read, result};
use super::topics::Topics;
use crate::config::{self, Config};
use crate::model::{Answer, Command, JobKey, Selection};

const CONFIG: &str = r#"{
    "ssh_key": "/k",
    "servers": {"web1": {"host": "web1.example.com"}, "web2": {"host": "192.0.2.2"}},
    "jobs": [
        {"server": "web1", "job_id": "000000000000000000000001", "label": "Accounts"},
        {"server": "web1", "job_id": "000000000000000000000002", "label": "Directories"},
        {"server": "web2", "job_id": "000000000000000000000003", "label": "Databases"}
    ],
    "mqtt": {"enabled": true, "host": "broker.example.com"}
}"#;

/// A message: a first line with the topic below the base topic, `!` before it if it is retained, and the payload after
/// it. It means something that is configured, or it is refused in a line.
pub fn command(bytes: &[u8]) {
    let (topic, payload) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[][..]),
    };
    let topic = String::from_utf8_lossy(topic);
    let (tail, retain) = topic.strip_prefix('!').map_or((&*topic, false), |tail| (tail, true));
    let Ok(loaded) = config::parse(CONFIG, "config.json".as_ref()) else { return };
    check(&loaded.config, tail, payload, retain);
}

/// Holds what is made of a message against what may be made of it.
pub(super) fn check(config: &Config, tail: &str, payload: &[u8], retain: bool) {
    let topic = format!("jetbackup-remote/{tail}");
    let incoming = Incoming { topic: &topic, payload, retain };
    let answer = match read(&Topics::new("jetbackup-remote"), config, &incoming) {
        Ok(command) => {
            assert!(!retain && !payload.is_empty(), "an accident is obeyed: {command}");
            assert!(is_configured(config, &command), "nothing like that is configured: {command}");
            Answer::accepted("it is done")
        }
        Err(reason) => {
            assert!(!reason.is_empty() && reason.chars().count() <= 250);
            assert!(!reason.chars().any(char::is_control), "{reason:?}");
            Answer::refused(reason)
        }
    };
    let told = result(tail, &answer, jiff::Timestamp::UNIX_EPOCH);
    assert!(serde_json::from_slice::<serde_json::Value>(&told).is_ok());
}

fn is_configured(config: &Config, command: &Command) -> bool {
    let job = |key: &JobKey| config.job(key).is_some();
    match command {
        Command::Run(Selection { server: None, job: None }) | Command::StopAfterCurrent => true,
        Command::Run(Selection { server: Some(server), job: None }) | Command::Stop { server, .. } => {
            config.server(server).is_some()
        }
        Command::Run(selection) => config.jobs.iter().any(|job| selection.takes(&job.key)),
        Command::StopJob(key) | Command::Release(key) => job(key),
    }
}
