//! A Mosquitto of the test's own.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::sshd::eventually;

/// A broker on a port of its own. Dropping it ends it.
pub struct Broker {
    directory: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Broker {
    /// Starts one.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let store = directory.path().display();
        // Started by root it would become another user, who may not write there.
        let config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n\
             persistence true\npersistence_location {store}/\n"
        );
        fs::write(directory.path().join("mosquitto.conf"), config).unwrap();
        let mut broker = Self { directory, port, child: None };
        broker.resume();
        broker
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again, unless it runs.
    pub fn resume(&mut self) {
        if self.child.is_some() {
            return;
        }
        let config = self.directory.path().join("mosquitto.conf");
        let log = fs::File::create(self.directory.path().join("log")).unwrap();
        let mut command = Command::new("mosquitto");
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        command
            .env("PATH", path)
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.child =
            Some(command.spawn().expect("start mosquitto; tests/homeassistant/install.sh installs it"));
        eventually("the broker listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok());
    }

    /// Ends it. It writes down what it retains.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let _ = Command::new("kill").arg(child.id().to_string()).status();
        child.wait().unwrap();
    }

    /// Ends it, and loses what it retained.
    pub fn forget(&mut self) {
        self.stop();
        fs::remove_file(self.directory.path().join("mosquitto.db")).unwrap();
    }

    /// Publishes a message, with these flags of `mosquitto_pub` too.
    pub fn publish(&self, topic: &str, payload: &str, flags: &[&str]) {
        let mut command = self.client("mosquitto_pub");
        command.args(["-q", "1", "-t", topic, "-m", payload]).args(flags);
        assert!(command.status().expect("start mosquitto_pub").success(), "cannot publish to {topic}");
    }

    /// What is retained below a topic: each topic and its payload, which is JSON or text.
    pub fn retained(&self, below: &str) -> Vec<(String, Value)> {
        // It ends itself when nothing more comes.
        let mut command = self.client("mosquitto_sub");
        let filter = format!("{below}/#");
        let output =
            command.args(["-F", "%t %p", "--retained-only", "-W", "1", "-t", &filter]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let message = |line: &str| {
            let (topic, payload) = line.split_once(' ').unwrap();
            (topic.to_owned(), serde_json::from_str(payload).unwrap_or_else(|_| payload.into()))
        };
        text.lines().map(message).collect()
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).stdin(Stdio::null());
        command
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}
