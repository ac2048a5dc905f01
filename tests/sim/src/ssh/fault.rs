//! Faults of the SSH server, by command and occurrence.

use std::time::Duration;

/// What becomes of an exec request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshSpoil {
    /// The connection is cut before the command is carried out.
    CutBefore,
    /// The command is carried out, then the connection is cut without an answer.
    CutAfter,
    /// The command is carried out; after half of its output the server disconnects.
    CutHalfway,
    /// The request is refused; nothing is carried out.
    Refuse,
    /// Output, then the channel is closed without an exit status.
    NoExitStatus,
    /// Output, then the channel is closed with a signal in place of an exit status.
    Killed,
    /// The exit status comes before the output.
    StatusFirst,
    /// End-of-file comes before the exit status, as OpenSSH does it at times.
    EofFirst,
    /// Output and exit status, but the channel is never closed: a background process holds it.
    StaysOpen,
    /// The command is carried out and nothing is ever answered, the connection staying alive.
    Silence,
    /// The command is carried out, then no byte passes any more: a dead peer.
    Freeze,
    /// Everything as it should be, this much later (real time). The command is carried out before the delay.
    Delay(Duration),
}

/// A fault. Without further conditions it strikes every command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshFault {
    spoil: SshSpoil,
    part: String,
    skip: u32,
    times: Option<u32>,
    seen: u32,
}

impl SshFault {
    /// A fault of this kind.
    pub fn new(spoil: SshSpoil) -> Self {
        Self { spoil, part: String::new(), skip: 0, times: None, seen: 0 }
    }

    /// Only commands that contain this text.
    pub fn on(mut self, part: impl Into<String>) -> Self {
        self.part = part.into();
        self
    }

    /// Only after this many fitting commands have gone through unharmed.
    pub fn skip(mut self, commands: u32) -> Self {
        self.skip = commands;
        self
    }

    /// Only this many commands.
    pub fn times(mut self, commands: u32) -> Self {
        self.times = Some(commands);
        self
    }

    /// What it does to this command, if anything; counts the command.
    pub(super) fn strikes(&mut self, command: &str) -> Option<SshSpoil> {
        if !command.contains(&self.part) {
            return None;
        }
        self.seen += 1;
        let past = self.seen > self.skip;
        let left = self.times.is_none_or(|times| self.seen <= self.skip.saturating_add(times));
        (past && left).then(|| self.spoil.clone())
    }
}
