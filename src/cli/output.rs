//! Lines to standard output, which is the answer, and to standard error, which is about it.

use std::io::{self, Write};

use super::paint::Paint;
use crate::words::Tone;

/// Prints lines of the answer. A reader that went away is no failure of the command.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Says what went wrong.
pub(super) fn print_error(text: &str) {
    say(Tone::Bad, "error", text);
}

/// Says what is odd.
pub(super) fn print_warning(text: &str) {
    say(Tone::Warn, "warning", text);
}

fn say(tone: Tone, what: &str, text: &str) {
    // There is no one left to tell that standard error is closed.
    let _ = writeln!(io::stderr(), "{}: {text}", Paint::stderr().tone(tone, what));
}
