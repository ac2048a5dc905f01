//! The gate brought to a server from here, by nothing but the program and the system's ssh.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use crate::farm::{Farm, brief};
use crate::site::Site;
use crate::support::sshd::keygen;

/// Lets a person log in to a server as its administrator, with nothing but `ssh` and its usual settings. What they run
/// there is kept to a folder of the test by the installer's own `--prefix`; the line that the installer writes then
/// counts for the sshd, with the place of the gate under test.
fn administrator(site: &Site, server: usize) {
    let station = &site.farm.stations[server];
    let admin = site.path("admin");
    keygen(&admin, "ed25519", "");
    fs::create_dir(station.path("root")).unwrap();
    let (root, gate) = (station.path("root"), station.path("gate.sh"));
    let shell = format!(
        "#!/bin/sh\nset -eu\ncase $SSH_ORIGINAL_COMMAND in sh | 'sh -s -- '*) ;; *) exit 9 ;; esac\n\
         $SSH_ORIGINAL_COMMAND --prefix '{root}'\n\
         tail -n 1 '{root}/root/.ssh/authorized_keys' |\n\
         sed 's#/usr/local/bin/jetbackup-ssh-gate.sh#{gate}#' >>'{keys}'\n",
        root = root.display(),
        gate = gate.display(),
        keys = station.sshd.path("authorized_keys").display(),
    );
    // A bare `sh` takes no arguments for its input's sake.
    let shell = shell.replace("$SSH_ORIGINAL_COMMAND --prefix", "case $SSH_ORIGINAL_COMMAND in sh) set -- sh -s -- ;; *) set -- $SSH_ORIGINAL_COMMAND ;; esac\n\"$@\" --prefix");
    program(&station.path("administrator.sh"), &shell);
    let forced = format!("restrict,command=\"{}\" ", station.path("administrator.sh").display());
    station.sshd.forget_keys();
    station.sshd.authorize(&site.path("admin.pub"), &forced);

    fs::create_dir_all(site.path("bin")).unwrap();
    let ssh = format!(
        "#!/bin/sh\nexec /usr/bin/ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -i '{}' -o LogLevel=ERROR \
         -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile='{}' \"$@\"\n",
        admin.display(),
        site.path("persons_known_hosts").display()
    );
    program(&site.path("bin/ssh"), &ssh);
    let _ = symlink(env!("CARGO_BIN_EXE_jetbackup-remote"), site.path("bin/jetbackup-remote"));
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The person's own commands first.
fn with_ssh(site: &Site, mut command: Command) -> Command {
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", site.path("bin").display()));
    command
}

fn installed(site: &Site, server: usize) -> (String, String) {
    let root = site.farm.stations[server].path("root");
    let gate = fs::read_to_string(root.join("usr/local/bin/jetbackup-ssh-gate.sh")).unwrap();
    (gate, fs::read_to_string(root.join("root/.ssh/authorized_keys")).unwrap())
}

#[test]
fn from_nothing_to_backups_with_one_command() {
    let site = Site::new(Farm::new([vec![brief()]]));
    administrator(&site, 0);
    let (state, server) = (site.path("state").display().to_string(), site.server(0));
    let arguments = [
        "init",
        "--yes",
        "--state-dir",
        &state,
        "--server",
        &server,
        "--install-gate",
        "--allow",
        "log",
        "--from",
        "127.0.0.1",
    ];
    let output = with_ssh(&site, site.command(&arguments)).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:#?}");

    let (gate, keys) = installed(&site, 0);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("gate/jetbackup-ssh-gate.sh");
    assert_eq!(gate, fs::read_to_string(shipped).unwrap());
    let public = fs::read_to_string(site.path("etc/id_ed25519.pub")).unwrap();
    let options = "from=\"127.0.0.1\",restrict,command=\"/usr/local/bin/jetbackup-ssh-gate.sh --allow log\"";
    assert_eq!(keys, format!("{options} {public}"));
    site.assert_usable();

    // The whole point of it: a backup runs.
    let mut config = site.written();
    for (key, name) in [("control_socket", "control/socket"), ("log_file", "log"), ("lock_file", "lock")] {
        config["orchestrator"][key] = site.path(name).display().to_string().into();
    }
    fs::write(site.config(), config.to_string()).unwrap();
    site.call(&["run"]).ended_with(0).says("1 of 1 job completed");
    assert_eq!(site.farm.triggers(0, 0), 1);
}

#[test]
fn the_line_that_is_shown_does_it_as_well() {
    let site = Site::new(Farm::new([vec![brief()]]));
    administrator(&site, 0);
    let server = site.server(0);
    let ran = site.init(&["--server", &server]).ended_with(2).says("refused the key");
    let line = ran.stdout.lines().find(|line| line.contains(" gate | ssh ")).unwrap().trim().to_owned();
    // The person logs in as who they are here.
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).env_remove("SSH_AUTH_SOCK");
    let output = with_ssh(&site, shell).output().unwrap();
    assert!(output.status.success(), "{line}: {output:#?}");
    site.call(&["init", "--yes", "--add"]).ended_with(0);
    assert_eq!(site.labels(), ["job 0"]);
    site.assert_usable();

    // Arguments behind it open more, and the key's line is replaced.
    let more = format!("{line} -s -- --allow destination");
    let mut shell = Command::new("sh");
    shell.args(["-c", &more]).env_remove("SSH_AUTH_SOCK");
    let output = with_ssh(&site, shell).output().unwrap();
    assert!(output.status.success(), "{more}: {output:#?}");
    let (_, keys) = installed(&site, 0);
    assert_eq!((keys.lines().count(), keys.contains(".sh --allow destination\"")), (1, true), "{keys}");
}

#[test]
fn the_script_says_what_it_is_told_under_every_shell() {
    let site = Site::new(Farm::new([]));
    let key = site.path("other");
    keygen(&key, "ed25519", "");
    let key = key.display().to_string();
    let script =
        site.call(&["gate", "--key", &key, "--from", "192.0.2.0/24", "--allow", "log"]).ended_with(0).stdout;
    fs::write(site.path("script"), script).unwrap();
    let public = fs::read_to_string(site.path("other.pub")).unwrap();
    for shell in [&["dash"][..], &["bash"], &["busybox", "ash"]] {
        let root = site.path(&shell.concat());
        fs::create_dir(&root).unwrap();
        let temporary = site.path("temporary");
        let _ = fs::create_dir(&temporary);
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).args(["-s", "--", "--prefix"]).arg(&root).env("TMPDIR", &temporary);
        let output = command.stdin(fs::File::open(site.path("script")).unwrap()).output().unwrap();
        assert!(output.status.success(), "{shell:?}: {output:#?}");
        let keys = fs::read_to_string(root.join("root/.ssh/authorized_keys")).unwrap();
        let options =
            "from=\"192.0.2.0/24\",restrict,command=\"/usr/local/bin/jetbackup-ssh-gate.sh --allow log\"";
        assert_eq!(keys, format!("{options} {public}"), "{shell:?}");
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "{shell:?}: something is left behind");
    }
    site.call(&["gate"]).ended_with(1).says("does not exist");
    site.call(&["gate", "--key", &key, "--allow", "all"]).ended_with(1).says("log, destination, switch");
}
