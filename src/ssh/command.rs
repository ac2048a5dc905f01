//! One command on one session: a channel, the exec request, the answer, and what an abandoned one entails.

use std::time::Duration;

use russh::client::Msg;
use russh::{Channel, Error};
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::reader::{self, ReadError};
use super::session::{Lease, Session};
use super::{ExecError, Output, Sent};

/// How long queueing a close may take on a connection that is stuck.
const CLOSING: Duration = Duration::from_secs(1);

/// How long to wait before asking again for a channel that was refused, time after time. sshd frees the slot of a
/// finished command a moment after it has told us of the end, and a request that overtakes this is refused.
const REFUSED_MS: [u64; 5] = [20, 40, 80, 160, 320];

/// What a command came to.
pub(super) enum Outcome {
    Done(Output),
    /// The connection turned out to be dead before anything was asked of it.
    Stale(ExecError),
    Failed(ExecError),
}

/// Whose command it is and how long it may take, for messages too.
pub(super) struct Bounds<'a> {
    pub(super) server: &'a str,
    pub(super) limit: Duration,
    pub(super) deadline: Instant,
}

/// Retires the session unless the command came to an orderly end: also when its future is dropped.
struct Unfinished<'a>(Option<&'a Session>);

impl Unfinished<'_> {
    fn finished(&mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.0 {
            session.retire("a command was abandoned");
        }
    }
}

/// Runs the command. May be dropped at any time.
pub(super) async fn run(session: &Lease, command: &str, bounds: &Bounds<'_>) -> Outcome {
    let (server, limit) = (bounds.server, bounds.limit.as_secs_f32());
    let (channel, _slot, mut unfinished) = match open(session, bounds).await {
        Ok(opened) => opened,
        Err(outcome) => return outcome,
    };
    let (mut incoming, outgoing) = channel.split();
    // From here on the request may be on its way, whatever the errors say.
    let work = async {
        if outgoing.exec(true, command).await.is_err() {
            return Err(ReadError::Lost);
        }
        // Commands that read standard input find it empty. Should this fail, reading will tell.
        let _ = outgoing.eof().await;
        reader::read(&mut incoming, &session.handle).await
    };
    let failed = |transient, text: String| {
        Outcome::Failed(ExecError {
            sent: Sent::Maybe,
            transient,
            message: format!("running a command on {server}: {text}"),
        })
    };
    match timeout_at(bounds.deadline, work).await {
        Ok(Ok(answer)) => {
            if !answer.held || matches!(timeout(CLOSING, outgoing.close()).await, Ok(Ok(()))) {
                unfinished.finished();
            }
            Outcome::Done(answer.output)
        }
        Ok(Err(error)) => {
            let transient = !matches!(error, ReadError::TooLarge);
            match error {
                // The channel ended in order, so the session is as good as before.
                ReadError::NoStatus | ReadError::Signal(_) | ReadError::Refused => unfinished.finished(),
                ReadError::Lost | ReadError::TooLarge => {}
            }
            if matches!(error, ReadError::Lost) {
                return failed(
                    transient,
                    format!("{error} ({}); it may still be running there", session.fate.reason()),
                );
            }
            failed(transient, error.to_string())
        }
        Err(_) => failed(true, format!("no answer within {limit} s; it may still be running there")),
    }
}

/// A channel, the permit for it, and the guard that watches over its end.
type Opened<'a> = (Channel<Msg>, SemaphorePermit<'a>, Unfinished<'a>);

async fn open<'a>(session: &'a Lease, bounds: &Bounds<'_>) -> Result<Opened<'a>, Outcome> {
    let (server, limit) = (bounds.server, bounds.limit.as_secs_f32());
    let unsent = |text: String| ExecError {
        sent: Sent::No,
        transient: true,
        message: format!("opening a channel on {server}: {text}; the command was not sent"),
    };
    let busy = || Outcome::Failed(unsent(format!("other commands kept all channels busy for {limit} s")));
    let mut pauses = REFUSED_MS.iter();
    let mut slot = timeout_at(bounds.deadline, session.slots.acquire()).await.ok().and_then(Result::ok);
    loop {
        let Some(held) = slot.take() else { return Err(busy()) };
        let mut unfinished = Unfinished(Some(session));
        match timeout_at(bounds.deadline, session.handle.channel_open_session()).await {
            Ok(Ok(channel)) => return Ok((channel, held, unfinished)),
            Ok(Err(Error::ChannelOpenFailure(reason))) => {
                if let Some(pause) = pauses.next() {
                    unfinished.finished();
                    slot = timeout_at(bounds.deadline, sleep(Duration::from_millis(*pause)))
                        .await
                        .ok()
                        .map(|()| held);
                } else if session.allow_fewer() {
                    // The server allows fewer than we thought: wait for one of ours to end.
                    unfinished.finished();
                    held.forget();
                    pauses = REFUSED_MS.iter();
                    slot =
                        timeout_at(bounds.deadline, session.slots.acquire()).await.ok().and_then(Result::ok);
                } else {
                    let hint = "all its sessions may be taken (MaxSessions in sshd_config)";
                    return Err(Outcome::Failed(unsent(format!("the server refused ({reason:?}); {hint}"))));
                }
            }
            Ok(Err(_)) => {
                let reason = session.fate.reason();
                return Err(Outcome::Stale(unsent(format!("the connection was lost ({reason})"))));
            }
            Err(_) => return Err(Outcome::Failed(unsent(format!("no answer within {limit} s")))),
        }
    }
}
