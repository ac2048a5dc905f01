//! A real OpenSSH server on a free loopback port, with keys and settings of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything that must happen may take before the test is failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Everything sshd has written to its log.
#[derive(Default)]
struct Log {
    text: Mutex<String>,
    grown: Condvar,
}

/// A running server. Dropping it kills it and everything it has started.
pub struct Sshd {
    directory: TempDir,
    port: u16,
    child: Option<Child>,
    log: Arc<Log>,
}

/// What is to be different from a plain server.
#[derive(Default, Clone)]
pub struct Options {
    /// A forced command for the client's key (`command="…"` in authorized_keys).
    pub forced_command: Option<String>,
    /// Lines for sshd_config, for example `MaxSessions 4`.
    pub config: Vec<String>,
    /// `NAME=value` for the commands' environment. `HOME` is the server's own directory, so that nobody's shell
    /// settings interfere.
    pub environment: Vec<String>,
    /// The host keys' types as `ssh-keygen -t` knows them; only Ed25519 if empty.
    pub host_keys: Vec<&'static str>,
}

impl Sshd {
    /// Starts a plain server that lets in the key at [`Sshd::client_key`].
    pub fn start() -> Self {
        Self::with(&Options::default())
    }

    /// Starts a server with these options.
    pub fn with(options: &Options) -> Self {
        // sshd run as root insists on this directory for its unprivileged half.
        fs::create_dir_all("/run/sshd").expect("create /run/sshd");
        let directory = tempfile::tempdir().expect("create a directory for sshd");
        let path = directory.path();
        let port = free_port();
        keygen(&path.join("client"), "ed25519", "");
        let types = if options.host_keys.is_empty() { vec!["ed25519"] } else { options.host_keys.clone() };
        let mut config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nUsePAM no\nStrictModes no\nPidFile none\nLogLevel VERBOSE\n\
             AuthorizedKeysFile {}\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n",
            path.join("authorized_keys").display()
        );
        for kind in types {
            let key = path.join(format!("host_{kind}"));
            keygen(&key, kind, "");
            config.push_str(&format!("HostKey {}\n", key.display()));
        }
        // sshd obeys only the first such line.
        config.push_str(&format!("SetEnv {}", home(path)));
        for variable in &options.environment {
            config.push_str(&format!(" \"{variable}\""));
        }
        config.push('\n');
        for line in &options.config {
            config.push_str(line);
            config.push('\n');
        }
        fs::write(path.join("sshd_config"), config).expect("write sshd_config");
        let mut sshd = Self { directory, port, child: None, log: Arc::default() };
        fs::write(sshd.path("authorized_keys"), "").expect("write authorized_keys");
        let restriction =
            options.forced_command.as_deref().map(|command| format!("restrict,command=\"{command}\" "));
        sshd.authorize(&sshd.path("client.pub"), restriction.as_deref().unwrap_or_default());
        sshd.resume();
        sshd
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The private key the server lets in.
    pub fn client_key(&self) -> PathBuf {
        self.path("client")
    }

    /// A path in the server's own directory, which is deleted with it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Lets in another key; `options` stands before it and ends with a space if not empty.
    pub fn authorize(&self, public: &Path, options: &str) {
        let file = self.path("authorized_keys");
        let mut text = fs::read_to_string(&file).expect("read authorized_keys");
        text.push_str(options);
        text.push_str(&fs::read_to_string(public).expect("read the public key"));
        fs::write(file, text).expect("write authorized_keys");
    }

    /// Lets nobody in any more, from the next connection on.
    pub fn forget_keys(&self) {
        fs::write(self.path("authorized_keys"), "").expect("write authorized_keys");
    }

    /// The host key of a type, as `type base64`.
    pub fn host_key(&self, kind: &str) -> String {
        let text = fs::read_to_string(self.path(&format!("host_{kind}.pub"))).expect("read the host key");
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// Replaces the host key of a type; takes effect at the next [`Sshd::resume`].
    pub fn replace_host_key(&self, kind: &str) {
        let key = self.path(&format!("host_{kind}"));
        fs::remove_file(&key).expect("remove the host key");
        keygen(&key, kind, "");
    }

    /// Kills the server and everything it has started, commands included.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let below = descendants(child.id());
        // Already gone is as good.
        let _ = child.kill();
        child.wait().expect("wait for sshd");
        below.into_iter().for_each(kill);
        // Commands whose connection was lost belong to nobody any more; their environment gives them away.
        with_variable(&home(self.directory.path())).into_iter().for_each(kill);
    }

    /// Starts the server on the same port again.
    pub fn resume(&mut self) {
        assert!(self.child.is_none(), "sshd is running already");
        let mut child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(self.path("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start /usr/sbin/sshd (install openssh-server)");
        let before = self.count("Server listening");
        let (stderr, log) = (child.stderr.take().expect("sshd's log"), Arc::clone(&self.log));
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                log.text.lock().unwrap().push_str(&format!("{line}\n"));
                log.grown.notify_all();
            }
        });
        self.child = Some(child);
        self.wait_for("Server listening", before + 1);
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        self.log.text.lock().unwrap().clone()
    }

    /// How often a text stands in the log.
    pub fn count(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    /// How many clients have logged in.
    pub fn accepted(&self) -> usize {
        self.count("Accepted publickey")
    }

    /// Waits until a text stands in the log at least `times` times.
    pub fn wait_for(&self, text: &str, times: usize) {
        let log = self.log.text.lock().unwrap();
        let (log, timeout) = self
            .log
            .grown
            .wait_timeout_while(log, PATIENCE, |log| log.matches(text).count() < times)
            .unwrap();
        assert!(!timeout.timed_out(), "sshd never logged {text:?} {times} times:\n{log}");
    }
}

impl Sshd {
    /// Waits until no connection is open and no command is running.
    pub fn wait_until_unused(&self) {
        let child = self.child.as_ref().expect("sshd is running");
        let home = home(self.directory.path());
        eventually("the end of all connections and commands", || {
            descendants(child.id()).is_empty() && with_variable(&home).is_empty()
        });
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Makes a key pair `path` and `path.pub`.
pub fn keygen(path: &Path, kind: &str, passphrase: &str) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", passphrase, "-f"]).arg(path).status();
    assert!(made.expect("start ssh-keygen").success(), "ssh-keygen -t {kind} failed");
}

/// Waits until something is true, and fails the test if it never is.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "never happened: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A port that was free a moment ago. sshd cannot be asked to choose one itself.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("find a free port");
    listener.local_addr().expect("the free port").port()
}

/// What marks the commands of a server in their environment.
fn home(directory: &Path) -> String {
    format!("HOME={}", directory.display())
}

/// All processes with a variable in their environment, from /proc.
fn with_variable(variable: &str) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("list /proc").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers
        .filter(|process| {
            let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|item| item == variable.as_bytes())
        })
        .collect()
}

fn kill(process: u32) {
    // It may have ended by itself meanwhile.
    let _ = Command::new("kill").args(["-9", &process.to_string()]).stderr(Stdio::null()).status();
}

/// All processes below one, from /proc.
fn descendants(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        at += 1;
        let Ok(tasks) = fs::read_dir(format!("/proc/{parent}/task")) else { continue };
        for task in tasks.flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    found.remove(0);
    found
}
