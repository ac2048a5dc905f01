//! Certificates, made by `openssl`.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

const CONFIG: &str = "[req]\ndistinguished_name = name\n[name]\n\
    [authority]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign\n\
    [here]\nsubjectAltName = DNS:localhost, IP:127.0.0.1\n\
    [elsewhere]\nsubjectAltName = DNS:broker.example.com\n\
    [client]\nextendedKeyUsage = clientAuth\n";

/// An authority and all that it signed.
pub struct Authority {
    directory: TempDir,
}

impl Authority {
    /// An authority of this name. It has signed `here` for this machine's broker, `elsewhere` for one of another name,
    /// and `client`.
    pub fn new(name: &str) -> Self {
        let authority = Self { directory: tempfile::tempdir().unwrap() };
        fs::write(authority.directory.path().join("config"), CONFIG).unwrap();
        let subject = format!("/CN={name}");
        authority.openssl(&format!("req -x509 {NEW_KEY} authority.key -out authority.pem"), &subject);
        for leaf in ["here", "elsewhere", "client"] {
            let subject = format!("/CN={leaf} of {name}");
            authority.openssl(&format!("req -new {NEW_KEY} {leaf}.key -out {leaf}.csr"), &subject);
            authority.openssl(
                &format!(
                    "x509 -req -in {leaf}.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 \
                     -extfile config -extensions {leaf} -out {leaf}.pem"
                ),
                "",
            );
        }
        authority
    }

    /// A file of it, such as `authority.pem` or `client.key`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The settings of a Mosquitto listener with this certificate of its own that wants one of its clients.
    pub fn listener(&self, leaf: &str) -> Vec<String> {
        let path = |name: String| self.file(&name).display().to_string();
        vec![
            "allow_anonymous true".into(),
            format!("cafile {}", path("authority.pem".into())),
            format!("certfile {}", path(format!("{leaf}.pem"))),
            format!("keyfile {}", path(format!("{leaf}.key"))),
            "require_certificate true".into(),
        ]
    }

    fn openssl(&self, arguments: &str, subject: &str) {
        let mut command = Command::new("openssl");
        command.args(arguments.split_whitespace()).current_dir(self.directory.path());
        if !subject.is_empty() {
            command.args(["-subj", subject]);
        }
        let output = command.stdin(Stdio::null()).output().expect("openssl is needed for this test");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

const NEW_KEY: &str = "-config config -extensions authority -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
    -nodes -days 2 -keyout";
