//! Whatever surrounds the command: the client's environment, the owner's options, a server with parts missing.

use crate::harness::{API_STATUS, CLIENT, Outcome, Shell, World, gate_dir, refusal};
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::mpsc;
use std::time::Duration;

const HONEST: &[u8] = b"jetbackup5api -F getInfo -O json";
const VECTOR: [&str; 4] = ["-F", "getInfo", "-O", "json"];
const REFUSED: &[u8] = b"jetbackup5api -F clearQueue";

fn assert_called(outcome: &Outcome, context: &str) {
    assert_eq!(outcome.calls, [VECTOR], "{context}: {outcome:?}");
    assert_eq!(outcome.status, Some(API_STATUS), "{context}: {outcome:?}");
    assert!(outcome.tripped.is_empty(), "{context}: {outcome:?}");
}

fn assert_refused(outcome: &Outcome, context: &str) {
    assert!(outcome.calls.is_empty() && outcome.stdout.is_empty(), "{context}: {outcome:?}");
    assert_eq!(outcome.status, Some(1), "{context}: {outcome:?}");
    assert!(outcome.stderr.starts_with(b"ERROR: Command not allowed: "), "{context}: {outcome:?}");
    assert!(outcome.tripped.is_empty(), "{context}: {outcome:?}");
}

#[test]
fn the_clients_environment_changes_nothing() {
    // Bash under its own name reads BASH_ENV before it reads any script. Nothing starts the gate that way: its
    // first line names sh.
    for shell in Shell::ALL.into_iter().filter(|shell| *shell != Shell::Bash) {
        let world = World::new(shell);
        let evil = format!(": >'{}'\n", world.canary().display());
        world.program("evil", &evil);
        let body = format!("() {{ {}; }}", evil.trim_end());
        for sent in [HONEST, REFUSED, b"echo jetbackup-remote-ok"] {
            let mut command = world.command(&[], Some(sent));
            for name in ["ENV", "BASH_ENV"] {
                command.env(name, world.path("evil"));
            }
            // Bash as sh takes functions from the environment, but dies of one named like a special built-in.
            for name in ["logger", "timeout", "printf", "tr", "env", "command", "cd"] {
                command.env(format!("BASH_FUNC_{name}%%"), &body);
            }
            for (name, value) in [
                ("CDPATH", "/tmp:/"),
                ("GLOBIGNORE", "*"),
                ("POSIXLY_CORRECT", "1"),
                ("LC_ALL", "C.UTF-8"),
                ("LANG", "tr_TR.UTF-8"),
                ("IFS", "jetbackup5api -F"),
                ("PS4", "$(touch canary)"),
                ("API", "/bin/false"),
                ("granted", " log destination switch "),
                ("client", "forged"),
                ("rest", "x"),
                ("API_STATUS", "0"),
            ] {
                command.env(name, value);
            }
            let outcome = world.finish(command);
            match sent {
                HONEST => assert_called(&outcome, &format!("{shell:?}")),
                REFUSED => assert_refused(&outcome, &format!("{shell:?}")),
                _ => assert_eq!(outcome.stdout, b"jetbackup-remote-ok\n", "{shell:?}: {outcome:?}"),
            }
            assert!(outcome.tripped.is_empty(), "{shell:?}: {outcome:?}");
            assert!(world.logged()[5].contains(&format!(" from {CLIENT}: ")));
        }
    }
}

#[test]
fn the_api_gets_a_closed_environment_and_no_input() {
    for shell in Shell::ALL {
        let world = World::new(shell);
        let (seen, input) = (world.path("seen"), world.path("input"));
        world.program(
            "api",
            &format!(
                "#!/bin/sh\n/usr/bin/env >'{}'\n/bin/cat >'{}'\n/bin/pwd\n",
                seen.display(),
                input.display()
            ),
        );
        let typed = world.path("typed");
        fs::write(&typed, "typed by the client\n").unwrap();
        let mut command = world.command(&[], Some(HONEST));
        command.env("PHPRC", "/tmp").env("LC_EVIL", "x").stdin(fs::File::open(typed).unwrap());
        let outcome = world.finish(command);
        assert_eq!(outcome.stdout, b"/\n", "{shell:?}: {outcome:?}");
        assert_eq!(fs::read(input).unwrap(), b"", "{shell:?}");

        let text = fs::read_to_string(seen).unwrap();
        let path = format!("PATH={}", world.path("bin").display());
        // The stand-in's own shell adds these.
        let own = ["PWD=", "OLDPWD=", "SHLVL=", "_="];
        let mut lines: Vec<_> =
            text.lines().filter(|line| !own.iter().any(|own| line.starts_with(own))).collect();
        lines.sort_unstable();
        assert_eq!(lines, ["HOME=/root", "LC_ALL=C", "LOGNAME=root", &path, "SHELL=/bin/sh", "USER=root"]);
    }
}

#[test]
fn a_call_ends_before_the_client_gives_up() {
    let shipped = fs::read_to_string(gate_dir().join("jetbackup-ssh-gate.sh")).unwrap();
    assert!(shipped.contains("\nLIMIT_S=25\n"), "the client waits 30 seconds, see ssh_timeout");
    for shell in Shell::ALL {
        let world = World::new(shell);
        world.patch_gate(&[("LIMIT_S=25", "LIMIT_S=1".to_owned())]);
        world.program("api", "#!/bin/sh\nexec /bin/sleep 600\n");
        let outcome = world.run(&[], HONEST);
        // What coreutils' timeout exits with when it had to end a program.
        assert_eq!(outcome.status, Some(124), "{shell:?}: {outcome:?}");
    }
}

#[test]
fn the_exit_status_is_the_apis() {
    for shell in Shell::ALL {
        let world = World::new(shell);
        for status in [0, 1, 2, 255] {
            world.program("api", &format!("#!/bin/sh\necho out; echo err >&2; exit {status}\n"));
            let outcome = world.run(&[], HONEST);
            assert_eq!(outcome.status, Some(status), "{shell:?}");
            assert_eq!(
                (&outcome.stdout[..], &outcome.stderr[..]),
                (&b"out\n"[..], &b"err\n"[..]),
                "{shell:?}"
            );
        }
    }
}

#[test]
fn busyboxs_tools_do_as_well() {
    for shell in Shell::ALL {
        let world = World::new(shell);
        for tool in ["env", "timeout", "tr"] {
            fs::remove_file(world.path("bin").join(tool)).unwrap();
            symlink("/bin/busybox", world.path("bin").join(tool)).unwrap();
        }
        assert_called(&world.run(&[], HONEST), &format!("{shell:?}"));
        world.logged();
        let outcome = world.run(&[], b"x\xff\ny");
        assert_eq!(String::from_utf8_lossy(&outcome.stderr), refusal("x??y", &[]), "{shell:?}");
    }
}

#[test]
fn a_logger_that_fails_or_is_missing_changes_nothing() {
    for shell in Shell::ALL {
        let world = World::new(shell);
        world.program("bin/logger", "#!/bin/sh\necho broken; echo broken >&2; exit 1\n");
        for missing in [false, true] {
            if missing {
                fs::remove_file(world.path("bin/logger")).unwrap();
            }
            let outcome = world.run(&[], HONEST);
            assert!(outcome.stderr.is_empty(), "{shell:?}: {outcome:?}");
            assert_called(&outcome, &format!("{shell:?}, missing: {missing}"));
            let outcome = world.run(&[], REFUSED);
            let said = refusal("jetbackup5api -F clearQueue", &[]);
            assert_eq!(String::from_utf8_lossy(&outcome.stderr), said, "{shell:?}");
            assert_refused(&outcome, &format!("{shell:?}, missing: {missing}"));
        }
    }
}

#[test]
fn a_stuck_logger_holds_nothing_up() {
    for shell in Shell::ALL {
        let world = World::new(shell);
        let release = world.path("release");
        // Without a limit of its own, so that only the test lets it go.
        world.program("unlimited", "#!/bin/sh\nshift 3\nexec \"$@\"\n");
        fs::remove_file(world.path("bin/timeout")).unwrap();
        symlink(world.path("unlimited"), world.path("bin/timeout")).unwrap();
        // It also ends with the test's folder, which may be gone before it looks again.
        let folder = release.parent().unwrap().display().to_string();
        let stuck = format!("[ -e '{folder}' ] && ! [ -e '{}' ]", release.display());
        let wait = format!("while {stuck}; do /bin/sleep 0.01; done\n");
        let recorder = world.recorder("logged");
        world.program("bin/logger", &recorder.replacen('\n', &format!("\n{wait}"), 1));

        std::thread::scope(|scope| {
            let (done, outcome) = mpsc::channel();
            let world = &world;
            scope.spawn(move || {
                // Nobody listens any more only if the test has failed already.
                let _ = done.send((world.run(&[], HONEST), world.run(&[], REFUSED)));
            });
            let outcome = outcome.recv_timeout(Duration::from_secs(60));
            fs::write(&release, "").unwrap();
            let (called, refused) = outcome.expect("the gate waited for its logger");
            assert_called(&called, &format!("{shell:?}"));
            assert_refused(&refused, &format!("{shell:?}"));
        });
    }
}

#[test]
fn without_timeout_everything_is_refused() {
    for shell in Shell::ALL {
        let world = World::new(shell);
        fs::remove_file(world.path("bin/timeout")).unwrap();
        let outcome = world.run(&[], HONEST);
        assert_refused(&outcome, &format!("{shell:?}"));
        let said = "ERROR: Command not allowed: this server has no \"timeout\" program; install coreutils\n";
        assert_eq!(String::from_utf8_lossy(&outcome.stderr), said, "{shell:?}");
        let line = world.logged();
        assert!(
            line[5].starts_with(&format!("DENIED from {CLIENT}: no \"timeout\" in ")),
            "{shell:?}: {line:?}"
        );
    }
}

#[test]
fn without_tr_the_decision_stands() {
    for shell in Shell::ALL {
        let world = World::new(shell);
        fs::remove_file(world.path("bin/tr")).unwrap();
        assert_called(&world.run(&[], HONEST), &format!("{shell:?}"));
        let outcome = world.run(&[], REFUSED);
        assert_eq!((outcome.status, outcome.calls.len()), (Some(1), 0), "{shell:?}: {outcome:?}");
    }
}

#[test]
fn a_misconfigured_gate_refuses_everything_and_says_why() {
    let unknown = |word: &str| {
        format!("unknown option '{word}' (known: --allow log, --allow destination, --allow switch)")
    };
    let none = |word: &str| format!("'--allow {word}' is none of log, destination, switch");
    let cases: [(&[&str], String); 11] = [
        (&["--allow"], none("")),
        (&["--allow", "logs"], none("logs")),
        (&["--allow", "log,destination"], none("log,destination")),
        (&["--allow", ""], none("")),
        (&["--allow", "--allow", "log"], none("--allow")),
        (&["--allow", "log", "--allow", "LOG"], none("LOG")),
        (&["--allow=log"], unknown("--allow=log")),
        (&["log"], unknown("log")),
        (&["--allow", "log", "--version"], unknown("--version")),
        (&["--version", "x"], unknown("--version")),
        (&["-x\n\u{1b}"], unknown("-x??")),
    ];
    for shell in Shell::ALL {
        let world = World::new(shell);
        for (options, why) in &cases {
            for sent in [HONEST, b"echo jetbackup-remote-ok", REFUSED] {
                let mut command = world.command(&[], Some(sent));
                command.args(*options);
                let outcome = world.finish(command);
                assert_refused(&outcome, &format!("{shell:?}: {options:?}"));
                let why =
                    format!("the gate is misconfigured in authorized_keys, everything is refused: {why}");
                let said = refusal(&why, &[]);
                assert_eq!(String::from_utf8_lossy(&outcome.stderr), said, "{shell:?}: {options:?}");
                assert_eq!(world.logged()[5], format!("DENIED from {CLIENT}: {why}"), "{shell:?}");
            }
        }
    }
}

#[test]
fn the_clients_address_is_logged_if_it_is_one() {
    let long = "1".repeat(70);
    let cases = [
        (Some("2001:db8::7 1 ::1 22"), None, "2001:db8::7"),
        (Some("fe80::1%eth0 1 fe80::2 22"), Some("192.0.2.9 1 22"), "fe80::1%eth0"),
        (None, Some("192.0.2.9 1 22"), "192.0.2.9"),
        (Some(""), Some("192.0.2.9 1 22"), "192.0.2.9"),
        (None, None, "unknown"),
        (Some("192.0.2.7\nALLOWED"), None, "unknown"),
        (Some("$(x) 1"), None, "unknown"),
        (Some("* 1"), None, "unknown"),
        (Some(" 192.0.2.7"), None, "unknown"),
        (Some("\u{e9} 1"), None, "unknown"),
        (Some(long.as_str()), None, "unknown"),
    ];
    for shell in Shell::ALL {
        let world = World::new(shell);
        for (connection, client, shown) in cases {
            let mut command = world.command(&[], Some(b"echo jetbackup-remote-ok"));
            command.env_remove("SSH_CONNECTION");
            for (name, value) in [("SSH_CONNECTION", connection), ("SSH_CLIENT", client)] {
                if let Some(value) = value {
                    command.env(name, value);
                }
            }
            assert_eq!(world.finish(command).status, Some(0));
            let line = format!("ALLOWED from {shown}: echo jetbackup-remote-ok");
            assert_eq!(world.logged()[5], line, "{shell:?}");
        }
    }
}

#[test]
fn the_version_is_its_own() {
    for shell in Shell::ALL {
        let world = World::new(shell);
        let mut command = world.command(&[], None);
        command.arg("--version");
        let outcome = world.finish(command);
        assert_eq!(outcome.status, Some(0), "{shell:?}: {outcome:?}");
        let said = format!("jetbackup-ssh-gate {}\n", crate::harness::version());
        assert_eq!(String::from_utf8_lossy(&outcome.stdout), said, "{shell:?}");
    }
}
