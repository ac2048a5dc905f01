//! A machine without a configuration, and servers that wait for it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::farm::{Farm, Ran};

/// The machine, and the servers of a farm.
pub(crate) struct Site {
    pub(crate) farm: Farm,
    directory: tempfile::TempDir,
}

impl Site {
    pub(crate) fn new(farm: Farm) -> Self {
        Self { farm, directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("etc/config.json")
    }

    /// `NAME=HOST:PORT` of a server of the farm.
    pub(crate) fn server(&self, at: usize) -> String {
        let name = ["alpha", "beta", "gamma"][at];
        format!("{name}=127.0.0.1:{}", self.farm.stations[at].sshd.port())
    }

    /// The program with the configuration that is to be made.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jetbackup-remote"));
        command.arg("-c").arg(self.config()).args(arguments).stdin(Stdio::null());
        command.env_remove("SSH_AUTH_SOCK").env("TZ", "UTC").env("NO_COLOR", "1");
        command
    }

    /// Runs it to its end.
    pub(crate) fn call(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// `init` without questions, with its state in this machine's folder.
    pub(crate) fn init(&self, arguments: &[&str]) -> Ran {
        let state = self.path("state").display().to_string();
        self.call(&[&["init", "--yes", "--state-dir", &state], arguments].concat())
    }

    /// The key of the farm, which its servers let in already.
    pub(crate) fn known_key(&self) -> String {
        self.farm.path("key").display().to_string()
    }

    /// What was written.
    pub(crate) fn written(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.config()).unwrap()).unwrap()
    }

    /// Labels of the configured jobs.
    pub(crate) fn labels(&self) -> Vec<String> {
        let written = self.written();
        let jobs = written["jobs"].as_array().unwrap();
        jobs.iter().map(|job| job["label"].as_str().unwrap().to_owned()).collect()
    }

    /// Everything else takes what was written: the check, the plan and the way to the servers.
    pub(crate) fn assert_usable(&self) {
        let checked = self.call(&["validate"]).ended_with(0);
        assert!(checked.stderr.is_empty(), "{checked:#?}");
        self.call(&["run", "--dry-run"]).ended_with(0);
        self.call(&["test"]).ended_with(0);
    }
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}
