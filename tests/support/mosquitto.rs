//! A real Mosquitto on free loopback ports, and what its own command line tools publish and hear there.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything that must happen may take before the test is failed.
const PATIENCE: Duration = Duration::from_secs(120);
/// Topics below this are the test's own marks.
const MARKS: &str = "test-marks";

/// A broker. Beside the listener for the program it has a plain one for the test itself. Dropping it kills it.
pub struct Broker {
    directory: TempDir,
    port: u16,
    back_door: u16,
    child: Option<Child>,
}

/// A message as it was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
    pub retain: bool,
}

impl Message {
    /// The payload, which must be JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Waits until something is true.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "never happened: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

impl Broker {
    /// A broker that lets everyone in.
    pub fn start() -> Self {
        Self::with(&["allow_anonymous true"])
    }

    /// A broker whose listener for the program has these settings.
    pub fn with<S: AsRef<str>>(settings: &[S]) -> Self {
        Self::absent().set(settings).started()
    }

    /// As [`Broker::with`], one that queues as many messages as usual: without a limit to that and with TLS, Mosquitto
    /// 2.0.11 ends the connection when it refuses a message.
    pub fn with_usual_queue<S: AsRef<str>>(settings: &[S]) -> Self {
        let broker = Self::absent().set(settings);
        let path = broker.directory.path().join("mosquitto.conf");
        let config = fs::read_to_string(&path).unwrap().replace("max_queued_messages 0\n", "");
        fs::write(path, config).unwrap();
        broker.started()
    }

    /// A broker that lets everyone in and has not been started yet.
    pub fn absent() -> Self {
        let directory = in_memory();
        let [port, back_door] = free_ports();
        Self { directory, port, back_door, child: None }.set(&["allow_anonymous true"])
    }

    fn started(mut self) -> Self {
        self.resume();
        self
    }

    /// Writes its configuration.
    fn set<S: AsRef<str>>(self, settings: &[S]) -> Self {
        let settings: Vec<&str> = settings.iter().map(AsRef::as_ref).collect();
        let config = format!(
            "per_listener_settings true\nuser root\nset_tcp_nodelay true\nmax_queued_messages 0\n\
             persistence true\npersistence_location {}/\nautosave_on_changes true\nautosave_interval 1\n\
             listener {} 127.0.0.1\n{}\nlistener {} 127.0.0.1\nallow_anonymous true\n",
            self.directory.path().display(),
            self.port,
            settings.join("\n"),
            self.back_door
        );
        fs::write(self.directory.path().join("mosquitto.conf"), config).unwrap();
        self
    }

    /// A broker that lets in this user alone.
    pub fn with_password(user: &str, password: &str) -> Self {
        let broker = Self::absent();
        let file = broker.directory.path().join("passwords");
        let mut make = Command::new("mosquitto_passwd");
        assert!(run(make.args(["-b", "-c"]).arg(&file).args([user, password])).success(), "mosquitto_passwd");
        let broker = broker.set(&["allow_anonymous false", &format!("password_file {}", file.display())]);
        broker.started()
    }

    /// The port for the program.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it has written to its log since it was started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Starts it, unless it runs.
    pub fn resume(&mut self) {
        if self.child.is_some() {
            return;
        }
        let log = fs::File::create(self.directory.path().join("log")).unwrap();
        let mut command = Command::new("mosquitto");
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        command.env("PATH", path).arg("-c").arg(self.directory.path().join("mosquitto.conf"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("start mosquitto"));
        until("the broker listens", || {
            [self.port, self.back_door]
                .iter()
                .all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok())
        });
    }

    /// Ends it at once, as a power cut would. What it retained is kept as far as it was written down.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Ends it at once, and loses what it retained.
    pub fn forget(&mut self) {
        self.kill();
        // It may not have written anything yet.
        let _ = fs::remove_file(self.directory.path().join("mosquitto.db"));
    }

    /// Ends it properly: it says goodbye to its clients and writes down what it retains.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        signal(&child, "TERM");
        child.wait().unwrap();
    }

    /// Lets it hang: it keeps its connections and does nothing.
    pub fn freeze(&self) {
        signal(self.child.as_ref().unwrap(), "STOP");
    }

    /// Lets a hanging one go on.
    pub fn thaw(&self) {
        signal(self.child.as_ref().unwrap(), "CONT");
    }

    /// Publishes a message, with these flags of `mosquitto_pub` too.
    #[track_caller]
    pub fn publish(&self, topic: &str, payload: impl AsRef<[u8]>, flags: &[&str]) {
        // From the standard input, for it may be large; but nothing is not taken from there.
        let source = if payload.as_ref().is_empty() { "-n" } else { "-s" };
        let mut command = self.client("mosquitto_pub");
        self.feed(command.args(["-q", "1", "-t", topic, source]).args(flags), payload.as_ref());
    }

    /// Publishes each line as a message, as quickly as may be.
    #[track_caller]
    pub fn publish_lines(&self, topic: &str, lines: &[&str]) {
        let mut command = self.client("mosquitto_pub");
        self.feed(command.args(["-q", "1", "-t", topic, "-l"]), (lines.join("\n") + "\n").as_bytes());
    }

    /// Clears a retained message.
    #[track_caller]
    pub fn clear(&self, topic: &str) {
        self.publish(topic, "", &["-r"]);
    }

    #[track_caller]
    fn feed(&self, command: &mut Command, input: &[u8]) {
        let mut child = command.stdin(Stdio::piped()).spawn().expect("start mosquitto_pub");
        child.stdin.take().unwrap().write_all(input).unwrap();
        assert!(child.wait().unwrap().success(), "cannot publish: {command:?}");
    }

    /// All that is retained: topics and payloads.
    #[track_caller]
    pub fn retained(&self) -> BTreeMap<String, String> {
        let mark = format!("{MARKS}/{}", number());
        self.publish(&mark, "-", &["-r"]);
        // The broker sends what the second filter catches after what the first one does.
        let mut command = self.client("mosquitto_sub");
        command.args(["-V", "5", "-q", "1", "-F", "%r %t %x", "-t", "#", "-t", &mark]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("start mosquitto_sub");
        let mut marks = 0;
        let mut all = BTreeMap::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let message = parse(&line.unwrap());
            marks += usize::from(message.topic == mark);
            if message.retain && !message.topic.starts_with(MARKS) {
                all.insert(message.topic, String::from_utf8(message.payload).unwrap());
            }
            if marks == 2 {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(marks, 2, "the broker did not tell what it retains");
        self.clear(&mark);
        all
    }

    /// What is retained on one topic.
    #[track_caller]
    pub fn holds(&self, topic: &str) -> Option<String> {
        self.retained().remove(topic)
    }

    /// What is retained on one topic, as JSON; null if there is nothing.
    #[track_caller]
    pub fn state(&self, topic: &str) -> Value {
        self.holds(topic).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
    }

    /// Starts to listen to these topics. Retained messages of before are heard first.
    #[track_caller]
    pub fn listen(&self, filters: &[&str]) -> Ear {
        let mark = format!("{MARKS}/{}", number());
        let mut command = self.client("mosquitto_sub");
        command.args(["-V", "5", "-q", "1", "--retain-as-published", "-F", "%r %t %x", "-t", &mark]);
        command.args(filters.iter().flat_map(|filter| ["-t", filter]));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("start mosquitto_sub");
        let heard = Arc::<Mutex<Vec<Message>>>::default();
        let (lines, shared) = (BufReader::new(child.stdout.take().unwrap()).lines(), Arc::clone(&heard));
        thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| shared.lock().unwrap().push(parse(&line)));
        });
        let ear = Ear { child, heard, mark };
        ear.ready(self);
        ear
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let port = self.back_door.to_string();
        command.args(["-h", "127.0.0.1", "-p", &port]).stdin(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Someone who listens, also to a broker that was started again. Dropping it ends it.
pub struct Ear {
    child: Child,
    heard: Arc<Mutex<Vec<Message>>>,
    mark: String,
}

impl Ear {
    /// Waits until whatever is published to the broker from now on will be heard.
    #[track_caller]
    pub fn ready(&self, broker: &Broker) {
        let before = self.marks();
        until("mosquitto_sub listens", || {
            let mut publish = broker.client("mosquitto_pub");
            run(publish.args(["-q", "1", "-t", &self.mark, "-m", "-"])).success() && self.marks() > before
        });
    }

    fn marks(&self) -> usize {
        self.heard.lock().unwrap().iter().filter(|message| message.topic == self.mark).count()
    }

    /// Everything heard so far, oldest first, but for marks.
    pub fn heard(&self) -> Vec<Message> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|message| !message.topic.starts_with(MARKS)).cloned().collect()
    }

    /// What was heard on a topic so far, which must be JSON.
    pub fn on(&self, topic: &str) -> Vec<Value> {
        self.heard().iter().filter(|message| message.topic == topic).map(Message::json).collect()
    }

    /// Waits for so many messages on a topic, which must be JSON.
    #[track_caller]
    pub fn wait(&self, topic: &str, count: usize) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let heard = self.on(topic);
            if heard.len() >= count {
                return heard;
            }
            assert!(begun.elapsed() < PATIENCE, "{count} messages on {topic}? {heard:#?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line of `mosquitto_sub -F "%r %t %x"`.
fn parse(line: &str) -> Message {
    let (retain, rest) = line.split_once(' ').unwrap();
    let (topic, hex) = rest.rsplit_once(' ').unwrap();
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let payload = (0..hex.len()).step_by(2).map(byte).collect();
    Message { topic: topic.to_owned(), payload, retain: retain == "1" }
}

fn run(command: &mut Command) -> std::process::ExitStatus {
    command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.unwrap().success(), "cannot send SIG{name}");
}

/// A number that was not had before.
fn number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::SeqCst)
}

/// A folder that costs no disk, where there is one: the broker writes down all it holds with every change, and waits
/// for the disk before it does anything else.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Ports that were free a moment ago.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
