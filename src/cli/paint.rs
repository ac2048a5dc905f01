//! Colours, where they are wanted.

use std::ffi::OsStr;
use std::io::IsTerminal;

use crate::words::Tone;

/// Whether a place takes colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    colours: bool,
}

impl Paint {
    /// No colours.
    #[cfg(test)]
    pub const PLAIN: Self = Self { colours: false };

    /// Colours.
    #[cfg(test)]
    pub const COLOURS: Self = Self { colours: true };

    /// What standard output takes: colours on a terminal, unless `NO_COLOR` is set or the terminal is dumb.
    #[must_use]
    pub fn stdout() -> Self {
        Self::of(std::io::stdout().is_terminal())
    }

    /// What standard error takes.
    #[must_use]
    pub fn stderr() -> Self {
        Self::of(std::io::stderr().is_terminal())
    }

    fn of(terminal: bool) -> Self {
        let (no_color, term) = (std::env::var_os("NO_COLOR"), std::env::var_os("TERM"));
        Self { colours: wanted(terminal, no_color.as_deref(), term.as_deref()) }
    }

    /// The text in its colour.
    #[must_use]
    pub fn tone(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            _ if !self.colours || text.is_empty() => return text.to_owned(),
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "31",
            Tone::Quiet => "2",
            Tone::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// <https://no-color.org>: set to anything but nothing, it means no.
fn wanted(terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty) && term.is_some_and(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let xterm = Some(OsStr::new("xterm"));
        assert!(wanted(true, None, xterm));
        assert!(wanted(true, Some(OsStr::new("")), xterm));
        assert!(!wanted(false, None, xterm));
        assert!(!wanted(true, Some(OsStr::new("0")), xterm));
        assert!(!wanted(true, None, Some(OsStr::new("dumb"))));
        assert!(!wanted(true, None, None));
    }

    #[test]
    fn a_tone_is_one_escape_and_its_end() {
        assert_eq!(Paint::COLOURS.tone(Tone::Bad, "failed"), "\x1b[31mfailed\x1b[0m");
        assert_eq!(Paint::COLOURS.tone(Tone::Plain, "idle"), "idle");
        assert_eq!(Paint::COLOURS.tone(Tone::Bad, ""), "");
        assert_eq!(Paint::PLAIN.tone(Tone::Bad, "failed"), "failed");
    }
}
