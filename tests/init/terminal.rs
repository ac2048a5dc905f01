//! A person at a terminal: reads what is asked, types answers.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Default)]
struct Seen {
    text: Mutex<String>,
    grown: Condvar,
}

/// A terminal with the program at its other end. Dropping it ends the program.
pub(crate) struct Terminal {
    keyboard: File,
    screen: Arc<Seen>,
    /// How much of the screen has been read already.
    at: usize,
    child: Child,
}

impl Terminal {
    pub(crate) fn start(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let place = || -> Stdio { OpenOptions::new().read(true).write(true).open(&name).unwrap().into() };
        let child = command.stdin(place()).stdout(place()).stderr(place()).spawn().unwrap();
        // The command keeps no end of the terminal open.
        drop(command);
        let keyboard = File::from(master);
        let mut source = keyboard.try_clone().unwrap();
        let screen = Arc::<Seen>::default();
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It ends with an error once nobody has the other end open.
            while let Ok(length @ 1..) = source.read(&mut bytes) {
                shown.text.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..length]));
                shown.grown.notify_all();
            }
        });
        Self { keyboard, screen, at: 0, child }
    }

    /// Waits until this is asked, beyond what was seen before, and types a line.
    #[track_caller]
    pub(crate) fn answer(&mut self, question: &str, line: &str) {
        self.see(question);
        writeln!(self.keyboard, "{line}").unwrap();
    }

    /// Presses these keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn shows_what_is_typed(&self) -> bool {
        tcgetattr(&self.keyboard).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// Waits until this is shown, beyond what was seen before.
    #[track_caller]
    pub(crate) fn see(&mut self, text: &str) {
        let at = self.at;
        let screen = self.screen.text.lock().unwrap();
        let missing = |screen: &mut String| !screen[at..].contains(text);
        let (screen, timeout) = self.screen.grown.wait_timeout_while(screen, PATIENCE, missing).unwrap();
        assert!(!timeout.timed_out(), "{text:?} never came:\n{screen}");
        self.at += screen[at..].find(text).unwrap() + text.len();
    }

    /// Waits for the end; answers its exit code and all that was shown.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        (code, self.screen.text.lock().unwrap().clone())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
