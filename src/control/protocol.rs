//! What goes over the socket, and reading it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::view::{BrokerState, JobState, QueueState, ServerState};
use crate::model::{Answer, Command, Event, Snapshot};

/// The version of the protocol spoken here.
pub(super) const VERSION: u32 = 1;

/// The longest request line, in bytes. The longest command is under 200.
pub(super) const MAX_REQUEST: usize = 4 * 1024;

/// The longest reply line, in bytes: a thousand jobs are about 1 MB.
pub(super) const MAX_REPLY: usize = 8 * 1024 * 1024;

/// What kind of process serves the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Runner {
    /// A one-shot `run`, which ends with its queue.
    Run,
    /// The daemon, which stays.
    Daemon,
}

impl Runner {
    /// What a person calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "a one-shot `run`",
            Self::Daemon => "the daemon",
        }
    }
}

/// All that is known of the queue. This is also what `status --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The queue.
    pub queue: QueueState,
    /// Every server, in the order of the configuration.
    pub servers: Vec<ServerState>,
    /// Every job, in the order of the configuration.
    pub jobs: Vec<JobState>,
    /// The connection to the broker, where there is to be one.
    #[serde(default)]
    pub broker: Option<BrokerState>,
}

impl Status {
    /// The status a snapshot shows.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        Self {
            queue: snapshot.queue(),
            servers: snapshot.servers().to_vec(),
            jobs: snapshot.jobs(),
            broker: None,
        }
    }
}

/// What a client may ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ask {
    /// Who is there?
    Hello,
    /// How does the queue stand?
    Status,
    /// What happens? Answered for as long as both sides stay.
    Follow,
    /// Do this.
    Command(Command),
}

/// A request line.
#[derive(Debug, Serialize, Deserialize)]
struct Request<T> {
    version: u32,
    ask: T,
}

/// A reply line. One of the status, the snapshot, the answer and the error is there, except after [`Ask::Hello`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Reply {
    pub version: u32,
    pub pid: u32,
    pub runner: Runner,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// With an answer: how many events the queue had told when it was there. What the command brought about is among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A line to a follower, after the first one. With nothing in it, it only shows that the runner is alive.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct News {
    /// What happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
    /// So many events came too fast for this follower; the snapshot has them taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
    /// How the queue stands after the events that were missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// The runner ends; no more lines come.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}

impl Reply {
    /// A reply that says only who replies.
    pub fn hello(runner: Runner) -> Self {
        Self {
            version: VERSION,
            pid: std::process::id(),
            runner,
            status: None,
            snapshot: None,
            answer: None,
            applied: None,
            error: None,
        }
    }

    pub fn error(runner: Runner, error: impl Into<String>) -> Self {
        Self { error: Some(error.into()), ..Self::hello(runner) }
    }
}

/// The line that asks `ask`, newline included.
pub(super) fn request(ask: &Ask) -> Result<Vec<u8>, serde_json::Error> {
    line(&Request { version: VERSION, ask })
}

/// Any message as a line, newline included.
pub(super) fn line(message: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// Reads a request line. The error is the text for the client.
pub(super) fn read_request(line: &[u8]) -> Result<Ask, String> {
    // The version first: of a later one, nothing else need look familiar.
    let request: Request<Value> = serde_json::from_slice(line)
        .map_err(|error| format!("not a request of the form {{\"version\":1,\"ask\":…}}: {error}"))?;
    if request.version != VERSION {
        return Err(format!("version {} was asked for, only {VERSION} is spoken here", request.version));
    }
    serde_json::from_value(request.ask).map_err(|error| format!("not something that can be asked: {error}"))
}

/// Reads a reply line.
pub(super) fn read_reply(line: &[u8]) -> Result<Reply, serde_json::Error> {
    serde_json::from_slice(line)
}

/// Reads a line to a follower.
pub(super) fn read_news(line: &[u8]) -> Result<News, serde_json::Error> {
    serde_json::from_slice(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{JobKey, Selection, What};
    use proptest::prelude::*;

    fn key() -> JobKey {
        JobKey { server: "web1".parse().unwrap(), job: "64ab00000000000000000001".parse().unwrap() }
    }

    #[test]
    fn requests_are_the_documented_lines() {
        let release = Ask::Command(Command::Release(key()));
        let golden = [
            (Ask::Status, r#"{"version":1,"ask":"status"}"#),
            (Ask::Follow, r#"{"version":1,"ask":"follow"}"#),
            (
                release,
                r#"{"version":1,"ask":{"command":{"release":{"server":"web1","job_id":"64ab00000000000000000001"}}}}"#,
            ),
            (
                Ask::Command(Command::Run(Selection::default())),
                r#"{"version":1,"ask":{"command":{"run":{}}}}"#,
            ),
            (
                Ask::Command(Command::StopAfterCurrent),
                r#"{"version":1,"ask":{"command":"stop_after_current"}}"#,
            ),
        ];
        for (ask, text) in golden {
            let line = request(&ask).unwrap();
            assert_eq!(String::from_utf8(line.clone()).unwrap(), format!("{text}\n"));
            assert_eq!(read_request(&line), Ok(ask));
        }
    }

    #[test]
    fn what_cannot_be_asked_is_told() {
        let error = |text: &str| read_request(text.as_bytes()).unwrap_err();
        assert!(error("status").starts_with("not a request of the form"));
        assert_eq!(
            error(r#"{"version":2,"ask":"status"}"#),
            "version 2 was asked for, only 1 is spoken here"
        );
        assert!(error(r#"{"version":1,"ask":"tea"}"#).starts_with("not something that can be asked"));
        let bad_job = r#"{"version":1,"ask":{"command":{"release":{"server":"web1","job_id":"x"}}}}"#;
        assert!(error(bad_job).contains("24 hexadecimal digits"));
        // A misspelt selection must not become "every job".
        assert!(error(r#"{"version":1,"ask":{"command":{"run":{"sever":"web1"}}}}"#).contains("sever"));
    }

    #[test]
    fn unknown_keys_are_skipped() {
        let more = r#"{"version":1,"ask":"status","colour":"blue"}"#;
        assert_eq!(read_request(more.as_bytes()), Ok(Ask::Status));
        let reply = r#"{"version":1,"pid":7,"runner":"daemon","since":"noon"}"#;
        assert_eq!(read_reply(reply.as_bytes()).unwrap().pid, 7);
        let news = read_news(br#"{"weather":"fair"}"#).unwrap();
        assert!(news.event.is_none() && news.missed.is_none() && news.snapshot.is_none() && !news.ended);
    }

    #[test]
    fn news_are_the_documented_lines() {
        let at = "2026-03-01T02:00:00Z".parse().unwrap();
        let event = Event { at, what: What::JobQueued { job: key() } };
        let golden = [
            (News::default(), "{}"),
            (News { missed: Some(3), ..News::default() }, r#"{"missed":3}"#),
            (News { ended: true, ..News::default() }, r#"{"ended":true}"#),
            (
                News { event: Some(event), ..News::default() },
                concat!(
                    r#"{"event":{"at":"2026-03-01T02:00:00Z","what":{"job_queued":{"job":"#,
                    r#"{"server":"web1","job_id":"64ab00000000000000000001"}}}}}"#
                ),
            ),
        ];
        for (news, text) in golden {
            assert_eq!(String::from_utf8(line(&news).unwrap()).unwrap(), format!("{text}\n"));
            let read = read_news(text.as_bytes()).unwrap();
            assert_eq!((read.event, read.missed, read.ended), (news.event, news.missed, news.ended));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_request_or_an_error(line in prop::collection::vec(any::<u8>(), 0..600)) {
            crate::fuzzing::control(&line);
        }

        #[test]
        fn any_json_like_text_is_a_request_or_an_error(
            text in r#"(\{|\}|\[|\]|"version"|"ask"|"status"|"command"|"run"|:|,|1|-0|1e999|null|true|"x"){0,40}"#
        ) {
            crate::fuzzing::control(text.as_bytes());
        }

        #[test]
        fn any_json_like_text_is_news_or_an_error(
            text in concat!(
                r#"\{("event"|"missed"|"snapshot"|"ended"|"at"|"what"|"stopping"|"2026-03-01T02:00:00Z""#,
                r#"|\{|\}|\[|\]|:|,|1|-0|1e999|null|true){0,40}"#
            )
        ) {
            crate::fuzzing::control(text.as_bytes());
        }
    }
}
