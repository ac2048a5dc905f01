//! The gate behind a real sshd, with the line that the installer writes.

use crate::harness::{API_ANSWER, API_STATUS, Shell, World, gate_dir};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A server with its keys. Each login starts an sshd of its own on a pair of pipes: no port, nothing to stop.
struct Server {
    world: World,
}

fn succeed(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("can't start {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    output.stdout
}

impl Server {
    fn new(allow: &[&str]) -> Self {
        let world = World::new(Shell::Itself);
        for key in ["host_key", "client_key"] {
            succeed(
                Command::new("ssh-keygen")
                    .args(["-q", "-t", "ed25519", "-N", "", "-C", "pi@home", "-f"])
                    .arg(world.path(key)),
            );
        }
        let server_root = world.path("server");
        fs::create_dir(&server_root).unwrap();
        let mut install = Shell::Dash.command(&gate_dir().join("install.sh"));
        install
            .arg("--prefix")
            .arg(&server_root)
            .args(["--add", "--key-file"])
            .arg(world.path("client_key.pub"));
        for word in allow {
            install.args(["--allow", word]);
        }
        succeed(&mut install);

        // The line as it stands, but for the place of the copy under test.
        let line = fs::read_to_string(server_root.join("root/.ssh/authorized_keys")).unwrap();
        let installed = "command=\"/usr/local/bin/jetbackup-ssh-gate.sh";
        assert_eq!(line.matches(installed).count(), 1, "{line}");
        let copy = format!("command=\"{}", world.path("gate.sh").display());
        fs::write(world.path("authorized_keys"), line.replace(installed, &copy)).unwrap();

        let settings = format!(
            "HostKey {0}/host_key\nAuthorizedKeysFile {0}/authorized_keys\nStrictModes no\nUsePAM no\n\
             PermitRootLogin yes\nPasswordAuthentication no\nSubsystem sftp internal-sftp\nAcceptEnv *\nLogLevel ERROR\n",
            world.path("").display().to_string().trim_end_matches('/')
        );
        fs::write(world.path("sshd_config"), settings).unwrap();
        Self { world }
    }

    fn ssh(&self, arguments: &[&str]) -> Output {
        let user = String::from_utf8(succeed(Command::new("id").arg("-un"))).unwrap();
        let path = |name: &str| self.world.path(name).display().to_string();
        let mut command = Command::new("ssh");
        command
            .args(["-F", "none", "-T", "-i", &path("client_key"), "-l", user.trim()])
            .args(["-o", &format!("ProxyCommand=/usr/sbin/sshd -i -f {}", path("sshd_config"))])
            .args(["-o", &format!("UserKnownHostsFile={}", path("known_hosts"))])
            .args([
                "-o",
                "StrictHostKeyChecking=accept-new",
                "-o",
                "BatchMode=yes",
                "-o",
                "IdentitiesOnly=yes",
            ])
            .args(["-o", "SendEnv=granted ENV BASH_ENV", "-o", "LogLevel=ERROR"])
            .env("granted", " log destination switch ")
            .env_remove("SSH_AUTH_SOCK")
            // Options may follow the host's name, which stands for nothing here.
            .arg("gate.invalid")
            .args(arguments)
            .stdin(Stdio::null());
        command.output().unwrap_or_else(|error| panic!("can't start {command:?}: {error}"))
    }

    /// What a refused login gave, with the text that it must show.
    fn refused(&self, arguments: &[&str], shown: &str) {
        let output = self.ssh(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        // Sshd passes on no error text of a subsystem.
        if !arguments.contains(&"-s") {
            assert!(
                said.contains(&format!("ERROR: Command not allowed: {shown}")),
                "{arguments:?}: {output:?}"
            );
        }
        assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
        assert!(!calls(&self.world), "{arguments:?}: the API was called");
        let line = &self.world.logged()[5];
        assert!(line.starts_with("DENIED from ") && line.contains(&format!(": {shown}")), "{line}");
    }
}

/// Was the API called?
fn calls(world: &World) -> bool {
    let begins = |path: &Path| path.file_name().unwrap().to_string_lossy().starts_with("calls");
    fs::read_dir(world.path("")).unwrap().any(|entry| begins(&entry.unwrap().path()))
}

#[test]
fn a_real_sshd_lets_only_the_grammar_through() {
    let server = Server::new(&["log"]);
    let id = "64abcdef0123456789abcdef";

    let output = server.ssh(&["echo \"jetbackup-remote-ok\""]);
    assert_eq!(output.stdout, b"jetbackup-remote-ok\n", "{output:?}");
    assert_eq!(server.world.logged()[3], "auth.info");

    // Before the honest ones: none of these may have called the API.
    server.refused(&[], "(no command");
    server.refused(&["sh"], "sh");
    server.refused(&["-s", "sftp"], "internal-sftp");
    server.refused(&[&format!("jetbackup5api -F getDestination -D '_id={id}'")], "jetbackup5api");
    server.refused(&[&format!("jetbackup5api -F getBackupJob -D '_id={id}'; id")], "jetbackup5api");
    server.refused(&["jetbackup5api -F getInfo\nid"], "jetbackup5api -F getInfo?id");
    server.refused(&["jetbackup5api -F clearQueue -O json"], "jetbackup5api -F clearQueue");

    let output = server.ssh(&["-W", "127.0.0.1:22"]);
    assert!(!output.status.success() && output.stdout.is_empty(), "a port was forwarded: {output:?}");

    for command in [
        "jetbackup5api -F getInfo -O json".to_owned(),
        format!("jetbackup5api -F getLog -D '_id={id}&content=1' -O json"),
    ] {
        let output = server.ssh(&[&command]);
        assert_eq!(output.status.code(), Some(API_STATUS), "{output:?}");
        assert_eq!(output.stdout, API_ANSWER.as_bytes(), "{output:?}");
        assert!(server.world.logged()[5].ends_with(&format!(": {command}")));
    }
    assert!(calls(&server.world));
}
