//! The installer puts the gate in place and touches nothing in `authorized_keys` but its own line.

use crate::harness::{Shell, gate_dir};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;

const SHELLS: [Shell; 4] = [Shell::Dash, Shell::Bash, Shell::BashAsSh, Shell::BusyboxAsh];

/// A public key of the right form, each letter another one.
fn blob(letter: char) -> String {
    format!("AAAAC3NzaC1lZDI1NTE5AAAAI{}", letter.to_string().repeat(43))
}

fn key(letter: char) -> String {
    format!("ssh-ed25519 {} pi@home", blob(letter))
}

/// The line the installer makes of it.
fn line(letter: char, options: &str) -> String {
    format!("restrict,command=\"/usr/local/bin/jetbackup-ssh-gate.sh{options}\" {}", key(letter))
}

/// The server's root folder.
struct Server {
    dir: tempfile::TempDir,
    shell: Shell,
}

impl Server {
    fn new(shell: Shell) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), shell }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn keys(&self) -> PathBuf {
        self.path("root/.ssh/authorized_keys")
    }

    fn with_keys(self, text: &[u8]) -> Self {
        fs::create_dir_all(self.path("root/.ssh")).unwrap();
        fs::write(self.keys(), text).unwrap();
        fs::set_permissions(self.keys(), fs::Permissions::from_mode(0o644)).unwrap();
        self
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.shell.command(&gate_dir().join("install.sh"));
        command.arg("--prefix").arg(self.dir.path()).args(arguments);
        command.output().unwrap_or_else(|error| panic!("can't start {command:?}: {error}"))
    }

    /// What it printed on standard output.
    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{:?}: {arguments:?}: {output:?}", self.shell);
        self.no_leftovers(self.dir.path());
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it complained of.
    fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{:?}: {arguments:?}: {output:?}", self.shell);
        assert!(output.stdout.is_empty(), "{:?}: {arguments:?}: {output:?}", self.shell);
        self.no_leftovers(self.dir.path());
        String::from_utf8(output.stderr).unwrap()
    }

    fn no_leftovers(&self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            assert!(!name.starts_with('.') || name == ".ssh", "{:?}: {name} was left behind", self.shell);
            if entry.file_type().unwrap().is_dir() {
                self.no_leftovers(&entry.path());
            }
        }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn the_gate_is_put_in_place_whole_and_replaces_an_older_one() {
    for shell in SHELLS {
        let server = Server::new(shell);
        let target = server.path("usr/local/bin/jetbackup-ssh-gate.sh");
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(&target, "the predecessor's\n").unwrap();
        let before = fs::metadata(&target).unwrap().ino();

        assert_eq!(server.succeed(&[]), "", "no key, no line");
        assert_eq!(fs::read(&target).unwrap(), fs::read(gate_dir().join("jetbackup-ssh-gate.sh")).unwrap());
        assert_eq!(mode(&target), 0o755);
        // A rename: who is just running the old one keeps the old one.
        assert_ne!(fs::metadata(&target).unwrap().ino(), before);
        assert!(!server.keys().exists());
    }
}

#[test]
fn the_line_is_printed_and_nothing_else_is_done_without_add() {
    for shell in SHELLS {
        let server = Server::new(shell);
        assert_eq!(server.succeed(&["--key", &key('a')]), line('a', "") + "\n");
        let printed = server.succeed(&[
            "--allow",
            "log",
            "--allow",
            "switch",
            "--allow",
            "log",
            "--from",
            "192.0.2.0/24,2001:db8::1,!192.0.2.9,*.example.net",
            "--key",
            &key('a'),
        ]);
        let wanted = line('a', " --allow log --allow switch");
        let from = "from=\"192.0.2.0/24,2001:db8::1,!192.0.2.9,*.example.net\"";
        assert_eq!(printed, format!("{from},{wanted}\n"));
        assert!(!server.keys().exists());

        let file = server.path("key.pub");
        fs::write(&file, key('b') + "\n").unwrap();
        assert_eq!(server.succeed(&["--key-file", file.to_str().unwrap()]), line('b', "") + "\n");
    }
}

#[test]
fn adding_twice_adds_once_and_new_options_replace_the_line() {
    for shell in SHELLS {
        let server = Server::new(shell);
        for _ in 0..2 {
            assert_eq!(server.succeed(&["--add", "--key", &key('a')]), line('a', "") + "\n");
            assert_eq!(fs::read_to_string(server.keys()).unwrap(), line('a', "") + "\n");
            assert_eq!(mode(&server.keys()), 0o600);
            assert_eq!(mode(&server.path("root/.ssh")), 0o700);
        }
        server.succeed(&["--add", "--allow", "log", "--key", &key('a')]);
        assert_eq!(fs::read_to_string(server.keys()).unwrap(), line('a', " --allow log") + "\n");
        server.succeed(&["--add", "--key", &key('b')]);
        let both = line('a', " --allow log") + "\n" + &line('b', "") + "\n";
        assert_eq!(fs::read_to_string(server.keys()).unwrap(), both);
    }
}

#[test]
fn no_other_line_is_touched() {
    // Another key, a comment with the same key, odd blanks, bytes that are no text, no end of line at the end.
    let before = format!("# {}\n\n  ssh-rsa AAAA\\n\\\\ x\t \n", key('a'));
    let odd = b"# caf\xe9 \xff & \\1 %s\n".to_vec();
    let predecessor = format!(
        "command=\"/usr/local/bin/jetbackup-ssh-gate.sh\",no-port-forwarding,no-pty ssh-ed25519 {} root@pi",
        blob('a')
    );
    let other = line('c', " --allow log");
    for shell in SHELLS {
        let text = [before.as_bytes(), &odd, predecessor.as_bytes(), b"\n", other.as_bytes()].concat();
        let server = Server::new(shell).with_keys(&text);
        server.succeed(&["--add", "--key", &key('a')]);
        let wanted =
            [before.as_bytes(), &odd, line('a', "").as_bytes(), b"\n", other.as_bytes(), b"\n"].concat();
        assert_eq!(fs::read(server.keys()).unwrap(), wanted, "{shell:?}");
        assert_eq!(mode(&server.keys()), 0o600, "{shell:?}");

        // Lines that had been doubled become one, in the place of the first.
        let text = format!("{}\n{other}\n{predecessor}\n", line('a', " --allow switch"));
        let server = Server::new(shell).with_keys(text.as_bytes());
        server.succeed(&["--add", "--key", &key('a')]);
        assert_eq!(fs::read_to_string(server.keys()).unwrap(), format!("{}\n{other}\n", line('a', "")));
    }
}

#[test]
fn the_same_key_outside_of_the_gate_is_an_error() {
    for other in [
        key('a'),
        format!("from=\"192.0.2.1\" {}", key('a')),
        format!("command=\"/usr/local/bin/jetbackup-ssh-gate.sh-old\" {}", key('a')),
        format!("command=\"/bin/sh /usr/local/bin/jetbackup-ssh-gate.sh\" {}", key('a')),
    ] {
        for shell in SHELLS {
            let text = format!("{}\n{other}\n", line('a', ""));
            let server = Server::new(shell).with_keys(text.as_bytes());
            let said = server.fail(&["--add", "--allow", "log", "--key", &key('a')]);
            assert!(said.contains("outside of the gate (line 2)"), "{shell:?}: {said}");
            assert_eq!(fs::read_to_string(server.keys()).unwrap(), text, "{shell:?}");
        }
    }
}

#[test]
fn a_linked_authorized_keys_stays_a_link() {
    for shell in SHELLS {
        let server = Server::new(shell);
        fs::create_dir_all(server.path("root/.ssh")).unwrap();
        fs::create_dir_all(server.path("etc/keys")).unwrap();
        fs::write(server.path("etc/keys/root"), key('b') + "\n").unwrap();
        symlink(server.path("etc/keys/root"), server.keys()).unwrap();
        server.succeed(&["--add", "--key", &key('a')]);
        assert!(server.keys().is_symlink());
        let text = fs::read_to_string(server.path("etc/keys/root")).unwrap();
        assert_eq!(text, format!("{}\n{}\n", key('b'), line('a', "")));
    }
}

#[test]
fn a_bad_key_is_refused_before_anything_is_done() {
    let good = key('a');
    let cut = &good[..60];
    let cases = [
        ("ssh-ed25519".to_owned(), "begin with its type|is cut"),
        ("ssh-ed25519 ".to_owned(), "not base64"),
        (cut.to_owned(), "is cut|has 68 characters|groups of four"),
        (format!("command=\"sh\" {good}"), "without options"),
        (format!("restrict {good}"), "without options"),
        (format!(" {good}"), "begin with its type"),
        (format!("{good}\n{}", key('b')), "single line"),
        (format!("{good}\n"), "single line"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(), "private key"),
        (format!("ssh-rsa {}", blob('a')), "cut or mixed up"),
        (format!("ssh-dss {}", blob('a')), "begin with its type"),
        (format!("ssh-ed25519 {}", blob('"')), "not base64"),
        (format!("ssh-ed25519 {}", blob('=')), "'=' stands in the middle"),
        (format!("ssh-ed25519 {}AAAA", blob('a')), "has 68 characters"),
        (format!("ssh-ed25519  {}", blob('a')), "not base64"),
        (format!("ssh-ed25519\t{}", blob('a')), "begin with its type"),
        (format!("ssh-ed25519 {}\r", blob('a')), "not base64"),
    ];
    for shell in SHELLS {
        let server = Server::new(shell);
        for (bad, why) in &cases {
            let said = server.fail(&["--add", "--key", bad]);
            assert!(why.split('|').any(|why| said.contains(why)), "{shell:?}: {bad:?}: {said}");
        }
        assert_eq!(fs::read_dir(server.dir.path()).unwrap().count(), 0, "{shell:?}: something was written");
    }
}

#[test]
fn a_comment_that_could_disturb_a_reader_is_left_out() {
    for shell in SHELLS {
        let server = Server::new(shell);
        for comment in ["x\"y", "caf\u{e9}", "a\tb", "$(x)", "x\r"] {
            let printed = server.succeed(&["--key", &format!("ssh-ed25519 {} {comment}", blob('a'))]);
            assert_eq!(printed, line('a', "").replace(" pi@home", "\n"), "{shell:?}: {comment:?}");
        }
    }
}

#[test]
fn bad_arguments_are_refused_before_anything_is_done() {
    let good = key('a');
    let cases: [(&[&str], &str); 16] = [
        (&["--from", "192.0.2.1\",command=\"sh", "--key", &good], "is not an address"),
        (&["--from", "192.0.2.1 192.0.2.2", "--key", &good], "is not an address"),
        (&["--from", "192.0.2.1,", "--key", &good], "is not an address"),
        (&["--from", ",192.0.2.1", "--key", &good], "is not an address"),
        (&["--from", "!", "--key", &good], "is not an address"),
        (&["--from", "$(id)", "--key", &good], "is not an address"),
        (&["--from", "192.0.2.1\n", "--key", &good], "is not an address"),
        (&["--from", "!192.0.2.1", "--key", &good], "only exceptions"),
        (&["--from", "", "--key", &good], "--from needs a value"),
        (&["--allow", "all", "--key", &good], "none of log, destination, switch"),
        (&["--allow", "log switch", "--key", &good], "none of log, destination, switch"),
        (&["--allow"], "--allow needs a value"),
        (&["--add"], "--add needs a key"),
        (&["--key-file", "/nonexistent"], "can't read the key file '/nonexistent'"),
        (&["--key-file", "/nonexistent", "--key", &good], "not both"),
        (&["--install"], "unknown argument '--install'"),
    ];
    for shell in SHELLS {
        let server = Server::new(shell);
        for (arguments, why) in &cases {
            let said = server.fail(arguments);
            assert!(said.contains(why), "{shell:?}: {arguments:?}: {said}");
            assert!(said.starts_with("install.sh: error: "), "{shell:?}: {arguments:?}: {said}");
        }
        assert_eq!(fs::read_dir(server.dir.path()).unwrap().count(), 0, "{shell:?}: something was written");
    }
}

#[test]
fn help_is_given_and_does_nothing() {
    for shell in SHELLS {
        let server = Server::new(shell);
        let said = server.succeed(&["--help"]);
        for option in ["--key", "--key-file", "--from", "--allow", "--add", "--prefix"] {
            assert!(said.contains(option), "{said}");
        }
        assert_eq!(fs::read_dir(server.dir.path()).unwrap().count(), 0);
    }
}
