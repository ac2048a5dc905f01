//! A mail server with its own mind, in Python: see `server.py` beside this file.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::certificates::Authority;

/// How long anything that must happen may take before the test is failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the server has said.
type Heard = Arc<(Mutex<Vec<Value>>, Condvar)>;

/// A mail server. Dropping it ends it.
pub struct MailServer {
    options: Value,
    port: u16,
    running: Option<(Child, ChildStdin)>,
    heard: Heard,
}

impl MailServer {
    /// One that takes everything from everybody.
    pub fn start() -> Self {
        let mut server = Self::absent();
        server.resume();
        server
    }

    /// One that is down.
    pub fn absent() -> Self {
        Self::with(json!({"security": "none"}))
    }

    /// One with a certificate that wants a password.
    pub fn secure(security: &str, authority: &Authority, leaf: &str) -> Self {
        let file = |end: &str| authority.file(&format!("{leaf}.{end}"));
        let mut server = Self::with(json!({
            "security": security, "certificate": file("pem"), "key": file("key"),
            "user": "pi", "password": "gehëim",
        }));
        server.resume();
        server
    }

    fn with(options: Value) -> Self {
        // Free now; and whoever takes it meanwhile makes the start fail loudly.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { options, port, running: None, heard: Heard::default() }
    }

    /// `notification` of a configuration that sends mail there.
    pub fn notification(&self) -> Value {
        json!({
            "enabled": true, "smtp_host": "localhost", "smtp_port": self.port,
            "from_address": "Copias <pi@example.com>", "to_addresses": ["admin@example.com"],
            "on_daemon_lifecycle": false,
        })
    }

    /// Starts it, on the same port as before.
    pub fn resume(&mut self) {
        self.options["port"] = self.port.into();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail/server.py");
        // Debian's own Python, for which its aiosmtpd is.
        let mut command = Command::new("/usr/bin/python3");
        command.arg("-B").arg(script).arg(self.options.to_string());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("start /usr/bin/python3");
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let heard = Arc::clone(&self.heard);
        let before = self.count("port");
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                heard.0.lock().unwrap().push(serde_json::from_str(&line).unwrap());
                heard.1.notify_all();
            }
        });
        self.running = Some((child, input));
        self.until("it listens (is python3-aiosmtpd installed?)", |heard| count(heard, "port") > before);
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some((mut child, _)) = self.running.take() {
            // Already gone is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Has it behave otherwise from now on.
    pub fn set(&mut self, settings: Value) {
        let before = self.count("set");
        let (_, input) = self.running.as_mut().unwrap();
        writeln!(input, "{settings}").unwrap();
        self.until("it obeys", |heard| count(heard, "set") > before);
    }

    /// The letters it has taken.
    pub fn letters(&self) -> Vec<Value> {
        let heard = self.heard.0.lock().unwrap();
        heard.iter().filter(|said| said.get("headers").is_some()).cloned().collect()
    }

    /// The subjects of the letters it has taken, without the program's name.
    pub fn subjects(&self) -> Vec<String> {
        self.letters().iter().map(subject).collect()
    }

    /// Waits until it has taken so many letters.
    #[track_caller]
    pub fn wait(&self, letters: usize) -> Vec<Value> {
        self.until(&format!("{letters} letters arrive"), |heard| count(heard, "headers") >= letters);
        let found = self.letters();
        assert_eq!(found.len(), letters, "{:#?}", self.subjects());
        found
    }

    /// Waits until it has taken a letter of this subject.
    #[track_caller]
    pub fn wait_for(&self, wanted: &str) {
        self.until(wanted, |heard| {
            heard.iter().any(|said| said.get("headers").is_some() && subject(said) == wanted)
        });
    }

    fn count(&self, key: &str) -> usize {
        count(&self.heard.0.lock().unwrap(), key)
    }

    #[track_caller]
    fn until(&self, what: &str, condition: impl Fn(&[Value]) -> bool) {
        let begun = Instant::now();
        let mut heard = self.heard.0.lock().unwrap();
        while !condition(&heard) {
            let left = PATIENCE.checked_sub(begun.elapsed());
            let left = left.unwrap_or_else(|| panic!("never happened: {what}\n{heard:#?}"));
            heard = self.heard.1.wait_timeout(heard, left).unwrap().0;
        }
    }
}

fn count(heard: &[Value], key: &str) -> usize {
    heard.iter().filter(|said| said.get(key).is_some()).count()
}

/// A letter's subject, without the program's name.
pub fn subject(letter: &Value) -> String {
    let subject = letter["headers"]["Subject"].as_str().unwrap();
    subject.strip_prefix("[jetbackup-remote] ").unwrap_or_else(|| panic!("{subject}")).to_owned()
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.kill();
    }
}
