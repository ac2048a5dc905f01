//! A key is changed without a gap, as the security guide does it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use jetbackup_remote::model::JobResult;

use crate::farm::{Farm, brief};
use crate::text::{block, blocks, guide, root, section};

/// A step of the guide as a shell does it in this folder, with the test's places in place of the real ones.
#[track_caller]
fn perform(step: &str, folder: &Path, places: &[(&str, &str)]) -> String {
    let mut step = step.to_owned();
    for (place, instead) in places {
        step = step.replace(place, instead);
    }
    let output = Command::new("sh").args(["-ec", &step]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{step}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_key_is_changed_without_a_gap() {
    let guide = guide("security.md");
    let steps = blocks(section(&guide, "### A new key, without a gap"), "sh");
    let [make, let_in, try_it, put_in_place, take_out] = steps.as_slice() else { panic!("{steps:#?}") };
    let farm = Farm::new([vec![brief()]]);
    let pi = tempfile::tempdir().unwrap();
    let pi = pi.path();
    // The farm's key where the guide has it, and a server's root below a prefix.
    for (from, to) in [("key", "id_ed25519"), ("key.pub", "id_ed25519.pub")] {
        fs::copy(farm.path(from), pi.join(to)).unwrap();
    }
    fs::set_permissions(pi.join("id_ed25519"), fs::Permissions::from_mode(0o640)).unwrap();
    let server = pi.join("server");
    fs::create_dir_all(server.join("root/.ssh")).unwrap();
    let installer = root().join("gate/install.sh").display().to_string() + " --prefix server";
    let keys = server.join("root/.ssh/authorized_keys");
    let before = "# mine\nssh-ed25519 AAAAmine me@home\n";
    fs::write(&keys, before).unwrap();
    let etc = pi.display().to_string();
    let ssh = keys.parent().unwrap().display().to_string();
    let binary = env!("CARGO_BIN_EXE_jetbackup-remote");
    let places = [
        ("cd /etc/jetbackup-remote", ":"),
        ("/etc/jetbackup-remote", etc.as_str()),
        ("/root/.ssh", ssh.as_str()),
        ("install.sh", installer.as_str()),
        ("jetbackup-remote -c", &format!("{binary} -c")),
        ("jetbackup-remote test", &format!("{binary} -c config.json test")),
    ];
    perform("sh install.sh --key-file id_ed25519.pub --from 203.0.113.7 --allow log --add", pi, &places);

    // Beside a run of the daemon's, which the new key does not disturb.
    let mut farm = farm;
    let key = pi.join("id_ed25519");
    farm.change(move |config| config["ssh_key"] = key.display().to_string().into());
    farm.call(&["run"]).ended_with(0);
    fs::copy(farm.path("config.json"), pi.join("config.json")).unwrap();
    let sshd = &farm.stations[0].sshd;
    let restriction = {
        let lines = fs::read_to_string(sshd.path("authorized_keys")).unwrap();
        lines.lines().last().unwrap().split("ssh-ed25519").next().unwrap().to_owned()
    };

    perform(make, pi, &places);
    perform(let_in, pi, &places);
    let lines = fs::read_to_string(&keys).unwrap();
    assert_eq!(lines.matches("jetbackup-ssh-gate.sh --allow log").count(), 2, "{lines}");
    assert!(lines.starts_with(before));
    // The farm's sshd reads a list of its own: the same is done there.
    sshd.authorize(&pi.join("id_ed25519.new.pub"), &restriction);
    let tried = perform(try_it, pi, &places);
    assert!(tried.contains("ok") && !pi.join("try.json").exists(), "{tried}");
    perform(put_in_place, pi, &places);
    assert_eq!(fs::metadata(pi.join("id_ed25519")).unwrap().permissions().mode() & 0o7777, 0o640);
    let left = perform(take_out, pi, &places);
    assert_eq!(left, "1\n", "one line of the gate is left");
    let lines = fs::read_to_string(&keys).unwrap();
    let new = fs::read_to_string(pi.join("id_ed25519.pub")).unwrap();
    assert!(lines.starts_with(before) && lines.contains(new.split(' ').nth(1).unwrap()), "{lines}");
    sshd.forget_keys();
    sshd.authorize(&pi.join("id_ed25519.pub"), &restriction);
    farm.call(&["run"]).ended_with(0);
    let completed = format!("alpha 0, {}, -", JobResult::Completed.word());
    assert_eq!(farm.results(), [completed.clone(), completed]);
}

#[test]
fn a_shell_is_refused_as_the_guide_tries_it() {
    let farm = Farm::new([vec![brief()]]);
    let key = farm.path("key");
    // As the packages and `init` leave it.
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let home = tempfile::tempdir().unwrap();
    let port = farm.stations[0].sshd.port();
    let options = "-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=known_hosts";
    let places = [
        // Typed, not a script: what fails ends nothing. The copy is made where it is seen.
        ("key=$(mktemp)", "set +e; key=$(mktemp -p .)"),
        ("/etc/jetbackup-remote/id_ed25519", key.to_str().unwrap()),
        ("-p 51514 root@web1.example.com", &format!("{options} -p {port} 127.0.0.1 2>&1")),
    ];
    let said = perform(&block(&guide("security.md"), "sh", "'ls /'"), home.path(), &places);
    assert!(said.contains("ERROR: Command not allowed: ls /\n") && said.contains("exit 1\n"), "{said}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "no copy is left: only known_hosts");
}

#[test]
fn host_keys_known_elsewhere_are_brought_along_and_enough_for_strict() {
    let farm = Farm::new([vec![brief()]]).set("known_hosts", "strict");
    let port = farm.stations[0].sshd.port().to_string();
    let scan = block(&guide("security.md"), "sh", "ssh-keyscan");
    let bring = block(&guide("upgrade.md"), "sh", "ssh-keygen -F");
    let state = farm.path("state").display().to_string();
    let known = farm.path("root_known_hosts").display().to_string();
    fs::create_dir(farm.path("state")).unwrap();
    let places = [
        ("[server1.example.com]:51514", &*format!("[127.0.0.1]:{port}")),
        ("-p 51514 web1.example.com", &format!("-p {port} 127.0.0.1")),
        ("/var/lib/jetbackup-remote", &state),
        ("/root/.ssh/known_hosts", &known),
    ];
    farm.call(&["test"]).ended_with(1).says("the host key is unknown");
    // As OpenSSH keeps them: hashed, so that no name can be read.
    let keys =
        perform(&format!("ssh-keyscan -H -t ed25519 -p {port} 127.0.0.1 2>/dev/null"), &farm.path(""), &[]);
    fs::write(&known, keys).unwrap();
    perform(&bring, &farm.path(""), &places);
    farm.call(&["test"]).ended_with(0);

    fs::remove_file(farm.path("state/known_hosts")).unwrap();
    farm.call(&["test"]).ended_with(1);
    let fingerprint = perform(&scan, &farm.path(""), &places);
    assert!(fingerprint.contains("SHA256:"), "{fingerprint}");
    farm.call(&["test"]).ended_with(0);
}
