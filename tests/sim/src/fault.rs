//! Faults: calls whose answer is spoiled, by function and by occurrence or time.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::render::{Dialect, Reply};

/// What becomes of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Spoil {
    /// A login banner and a PHP warning before the JSON.
    Banner,
    /// This text before the JSON, for the nastier ones (with braces in it, say).
    Before(String),
    /// Text that is no JSON.
    Garbage,
    /// Nothing at all, exit status 0.
    Empty,
    /// The first half of the JSON.
    Truncated,
    /// The full answer with this exit status.
    Exit(i32),
    /// Nothing but this text on standard output, exit status 0.
    Replace(String),
    /// JetBackup cannot be reached: no answer, a text on standard error, exit status 1.
    ConnectionRefused,
    /// Values are written differently.
    Dialect(Dialect),
    /// The full answer after this many seconds of real time.
    Hang(u64),
    /// A plain success. Together with [`Fault::without_effect`] a lie.
    Nothing,
}

/// A fault. Without further conditions it strikes every call of every function, and the call takes its effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    spoil: Spoil,
    function: Option<String>,
    skip: u32,
    times: Option<u32>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    effect: bool,
    /// How many calls have fitted so far.
    seen: u32,
}

impl Fault {
    /// A fault of this kind.
    pub fn new(spoil: Spoil) -> Self {
        Self { spoil, function: None, skip: 0, times: None, from: None, until: None, effect: true, seen: 0 }
    }

    /// Only calls of this function.
    pub fn on(mut self, function: impl Into<String>) -> Self {
        self.function = Some(function.into());
        self
    }

    /// Only after this many fitting calls have gone through unharmed.
    pub fn skip(mut self, calls: u32) -> Self {
        self.skip = calls;
        self
    }

    /// Only this many calls.
    pub fn times(mut self, calls: u32) -> Self {
        self.times = Some(calls);
        self
    }

    /// Only from `from` until (and without) `until`.
    pub fn between(mut self, from: Timestamp, until: Timestamp) -> Self {
        (self.from, self.until) = (Some(from), Some(until));
        self
    }

    /// The call is not carried out: nothing starts, stops or changes. Without this it is, and only its answer suffers.
    pub fn without_effect(mut self) -> Self {
        self.effect = false;
        self
    }

    /// This fault, if it strikes this call; counts the call.
    pub(crate) fn strikes(&mut self, function: &str, now: Timestamp) -> Option<Self> {
        let fits = self.function.as_deref().is_none_or(|wanted| wanted == function)
            && self.from.is_none_or(|from| from <= now)
            && self.until.is_none_or(|until| now < until);
        if !fits {
            return None;
        }
        self.seen += 1;
        let past = self.seen > self.skip;
        let left = self.times.is_none_or(|times| self.seen <= self.skip.saturating_add(times));
        (past && left).then(|| self.clone())
    }

    pub(crate) fn takes_effect(&self) -> bool {
        self.effect
    }

    pub(crate) fn dialect(&self) -> Option<Dialect> {
        match self.spoil {
            Spoil::Dialect(dialect) => Some(dialect),
            _ => None,
        }
    }

    pub(crate) fn spoil(&self, mut reply: Reply) -> Reply {
        match &self.spoil {
            Spoil::Banner => put_before(&mut reply, BANNER),
            Spoil::Before(text) => put_before(&mut reply, text),
            Spoil::Garbage => reply.stdout = b"\xff\xfe<html>502 Bad Gateway</html>]}{\n".to_vec(),
            Spoil::Empty => reply.stdout.clear(),
            Spoil::Truncated => reply.stdout.truncate(reply.stdout.len() / 2),
            Spoil::Exit(code) => reply.exit = *code,
            Spoil::Replace(text) => reply.stdout = text.clone().into_bytes(),
            Spoil::ConnectionRefused => {
                let stderr = "Could not connect to the JetBackup service: Connection refused\n".to_owned();
                reply = Reply { stderr, exit: 1, ..Reply::default() };
            }
            Spoil::Hang(seconds) => reply.delay = Duration::from_secs(*seconds),
            Spoil::Dialect(_) | Spoil::Nothing => {}
        }
        reply
    }
}

const BANNER: &str =
    "*** Authorised users only ***\n\nPHP Warning:  Undefined array key \"x\" in api.php on line 7\n";

fn put_before(reply: &mut Reply, text: &str) {
    reply.stdout.splice(..0, text.bytes());
}
