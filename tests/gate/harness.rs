//! Runs the shipped gate script with a stand-in for JetBackup and for syslog, and tells what happened.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where the shipped scripts are.
pub(crate) fn gate_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("gate")
}

/// The address in `SSH_CONNECTION` of every run.
pub(crate) const CLIENT: &str = "192.0.2.7";

/// What the stand-in for `jetbackup5api` exits with, unless a test says otherwise.
pub(crate) const API_STATUS: i32 = 7;

/// What it prints.
pub(crate) const API_ANSWER: &str = "{\"success\":1}\n";

/// A way to start the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    Dash,
    Bash,
    BashPosix,
    /// As `/bin/sh` is started where that is bash.
    BashAsSh,
    BusyboxAsh,
    /// As sshd's login shell starts it: by its `#!` line.
    Itself,
}

impl Shell {
    pub(crate) const ALL: [Self; 6] =
        [Self::Dash, Self::Bash, Self::BashPosix, Self::BashAsSh, Self::BusyboxAsh, Self::Itself];

    /// A command that runs `script` in this shell. A shell that is not installed fails the test when it starts.
    pub(crate) fn command(self, script: &Path) -> Command {
        let (program, words): (&str, &[&str]) = match self {
            Self::Dash => ("/usr/bin/dash", &[]),
            Self::Bash | Self::BashAsSh => ("/bin/bash", &[]),
            Self::BashPosix => ("/bin/bash", &["--posix"]),
            Self::BusyboxAsh => ("/bin/busybox", &["ash"]),
            Self::Itself => return Command::new(script),
        };
        let mut command = Command::new(program);
        if self == Self::BashAsSh {
            command.arg0("sh");
        }
        command.args(words).arg(script);
        command
    }
}

/// What one run of the gate did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// The arguments of each start of `jetbackup5api`.
    pub(crate) calls: Vec<Vec<String>>,
    /// Programs that nothing may ever start, and files that only a shell could have made.
    pub(crate) tripped: Vec<String>,
}

/// A server with a gate: a folder of its own, gone at the end.
pub(crate) struct World {
    dir: tempfile::TempDir,
    shell: Shell,
}

/// Programs of the gate that are really run.
const REAL: [&str; 3] = ["env", "timeout", "tr"];

/// Programs that lie in wait in the client's `PATH` (all) and in the gate's own (those not in `REAL`).
const TRIPWIRES: [&str; 16] = [
    "env",
    "timeout",
    "tr",
    "logger",
    "printf",
    "jetbackup5api",
    "touch",
    "sh",
    "bash",
    "ls",
    "cat",
    "id",
    "rm",
    "reboot",
    "curl",
    "x",
];

impl World {
    pub(crate) fn new(shell: Shell) -> Self {
        let world = Self { dir: tempfile::tempdir().unwrap(), shell };
        for folder in ["bin", "trap", "cwd"] {
            fs::create_dir(world.path(folder)).unwrap();
        }
        let trap = format!("#!/bin/sh\nprintf '%s\\n' \"$0\" >>'{}'\n", world.path("tripped").display());
        for name in TRIPWIRES {
            world.program(&format!("trap/{name}"), &trap);
            if REAL.contains(&name) {
                let real = Path::new("/usr/bin").join(name);
                assert!(real.exists(), "{} is needed for this test", real.display());
                symlink(real, world.path("bin").join(name)).unwrap();
            } else {
                world.program(&format!("bin/{name}"), &trap);
            }
        }
        // Bait for a gate that would let a shell expand patterns.
        for bait in ["_id=64abcdef0123456789abcdef", "json", "getInfo", "x"] {
            fs::write(world.path("cwd").join(bait), "").unwrap();
        }
        world.program("bin/logger", &world.recorder("logged"));
        world.program(
            "api",
            &format!("{}printf '{API_ANSWER}'\nexit {API_STATUS}\n", world.recorder("calls")),
        );
        world.patch_gate(&[]);
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Shell text that records its arguments, each call whole or not at all.
    pub(crate) fn recorder(&self, file: &str) -> String {
        let path = self.path(file);
        format!(
            "#!/bin/sh\nprintf '%s\\0' \"$#\" \"$@\" >'{0}'.$$\n/bin/mv '{0}'.$$ '{0}'.$$.done\n",
            path.display()
        )
    }

    pub(crate) fn program(&self, name: &str, text: &str) {
        let path = self.path(name);
        // Written by a child: a descriptor open for writing that a test beside this one hands to its own child
        // would make starting the program fail ("text file busy").
        let mut tee = Command::new("/usr/bin/tee")
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("tee is needed for this test");
        tee.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(tee.wait().unwrap().success());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Writes the copy under test: the shipped text with the API, the search path and `more` lines replaced,
    /// each of them found exactly once.
    pub(crate) fn patch_gate(&self, more: &[(&str, String)]) {
        let mut lines: Vec<String> = fs::read_to_string(gate_dir().join("jetbackup-ssh-gate.sh"))
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        let mut replace = |from: &str, to: String| {
            let found: Vec<_> = lines.iter_mut().filter(|line| *line == from).collect();
            assert_eq!(found.len(), 1, "the line {from:?} must stand in the gate exactly once");
            for line in found {
                line.clone_from(&to);
            }
        };
        replace("API=/usr/bin/jetbackup5api", format!("API={}", self.path("api").display()));
        replace("PATH=/usr/sbin:/usr/bin:/sbin:/bin", format!("PATH={}", self.path("bin").display()));
        for (from, to) in more {
            replace(from, to.clone());
        }
        self.program("gate.sh", &(lines.join("\n") + "\n"));
    }

    /// The gate as sshd starts it, its environment already hostile in what costs a client nothing.
    pub(crate) fn command(&self, allow: &[&str], sent: Option<&[u8]>) -> Command {
        let mut command = self.shell.command(&self.path("gate.sh"));
        for word in allow {
            command.args(["--allow", word]);
        }
        command
            .env_clear()
            .env("PATH", self.path("trap"))
            .env("IFS", "_=0123456789")
            .env("SSH_CONNECTION", format!("{CLIENT} 50000 198.51.100.1 22"))
            .current_dir(self.path("cwd"))
            .stdin(Stdio::null());
        if let Some(sent) = sent {
            command.env("SSH_ORIGINAL_COMMAND", OsStr::from_bytes(sent));
        }
        command
    }

    pub(crate) fn run(&self, allow: &[&str], sent: &[u8]) -> Outcome {
        self.finish(self.command(allow, Some(sent)))
    }

    /// Runs to the end of its output and takes what was recorded.
    pub(crate) fn finish(&self, mut command: Command) -> Outcome {
        let output = command.output().unwrap_or_else(|error| panic!("can't start {command:?}: {error}"));
        Outcome {
            status: output.status.code(),
            stdout: output.stdout,
            stderr: output.stderr,
            calls: self.take_records("calls"),
            tripped: self.tripped(),
        }
    }

    /// A file that hostile commands try to make.
    pub(crate) fn canary(&self) -> PathBuf {
        self.path("cwd").join("canary")
    }

    fn tripped(&self) -> Vec<String> {
        let mut tripped: Vec<String> =
            fs::read_to_string(self.path("tripped")).unwrap_or_default().lines().map(str::to_owned).collect();
        if self.canary().exists() {
            tripped.push("the canary file".to_owned());
        }
        tripped
    }

    /// The complete records of `file`, removed.
    fn take_records(&self, file: &str) -> Vec<Vec<String>> {
        let mut records = Vec::new();
        for entry in fs::read_dir(self.dir.path()).unwrap() {
            let path = entry.unwrap().path();
            let name: OsString = path.file_name().unwrap().to_owned();
            let name = name.to_str().unwrap();
            if !(name.starts_with(file) && name.ends_with(".done")) {
                continue;
            }
            let text = String::from_utf8(fs::read(&path).unwrap()).unwrap();
            let mut words = text.split_terminator('\0').map(str::to_owned);
            let count: usize = words.next().unwrap().parse().unwrap();
            let words: Vec<_> = words.collect();
            assert_eq!(words.len(), count);
            records.push(words);
            fs::remove_file(path).unwrap();
        }
        records
    }

    /// The one line that went to syslog, waited for: the gate does not wait for it.
    pub(crate) fn logged(&self) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let mut records = self.take_records("logged");
            if let Some(record) = records.pop() {
                assert!(records.is_empty(), "more than one line in syslog: {records:?}");
                return record;
            }
            assert!(Instant::now() < deadline, "nothing arrived in syslog");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The gate's own version, as it stands in the gate.
pub(crate) fn version() -> &'static str {
    let gate = include_str!("../../gate/jetbackup-ssh-gate.sh");
    gate.lines().find_map(|line| line.strip_prefix("VERSION=")).unwrap()
}

/// What the gate says to one whom it refuses, with what its own line in authorized_keys opens.
pub(crate) fn refusal(text: &str, allow: &[&str]) -> String {
    let opened: String = allow.iter().map(|word| format!(" --allow {word}")).collect();
    format!("ERROR: Command not allowed: {text}\njetbackup-ssh-gate {}{opened}\n", version())
}

/// The text as the gate shows it: printable ASCII, 300 bytes at most.
pub(crate) fn shown(sent: &[u8]) -> String {
    sent.iter()
        .take(300)
        .map(|&byte| if (b' '..=b'~').contains(&byte) { char::from(byte) } else { '?' })
        .collect()
}
