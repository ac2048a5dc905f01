#![allow(clippy::unwrap_used, clippy::expect_used)]
//! The OpenWrt package: what its init script tells procd, under the shell that routers have, and what is in an .ipk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openwrt/jetbackup-remote/files");

/// What OpenWrt's own scripts bring, each noting how it was called; what would change this machine is only noted too.
const STUBS: &str = r#"
note() { local word; for word in "$@"; do printf '%s|' "$word"; done; echo; }
for name in procd_open_instance procd_set_param procd_append_param procd_close_instance procd_send_signal \
    procd_add_reload_trigger procd_add_interface_trigger mkdir chown chmod ln logger; do
    eval "$name() { note $name \"\$@\"; }"
done
config_load() { note config_load "$@"; }
config_get() { eval "export -n $1=\"\${UCI_$3:-\$4}\""; }
config_get_bool() { config_get "$@"; }
# As rc.common does it: what procd is told of the triggers, it is told by a start.
start() { start_service "$@"; service_triggers; }
"#;

struct Router {
    root: TempDir,
}

impl Router {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let functions = root.path().join("lib/functions");
        fs::create_dir_all(&functions).unwrap();
        fs::write(functions.join("network.sh"), "network_is_up() { [ \"$1\" = \"$UP\" ]; }\n").unwrap();
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Calls a function of the init script with these UCI options, and answers what it called.
    #[track_caller]
    fn calls(&self, function: &str, options: &[(&str, &str)]) -> Vec<String> {
        let script =
            format!("{STUBS}\n. {FILES}/jetbackup-remote.init\nUSUAL=$IPKG_INSTROOT/usual\n{function}\n");
        let mut shell = Command::new("busybox");
        shell.args(["ash", "-e", "-u", "-c", &script]).stdin(Stdio::null()).env_clear();
        shell
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("IPKG_INSTROOT", self.root.path())
            .env("UP", "");
        for (name, value) in options {
            shell.env(name, value);
        }
        let Output { status, stdout, stderr } = shell.output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(status.success() && stderr.is_empty(), "{function} {options:?}: {status} {stderr}");
        String::from_utf8(stdout).unwrap().lines().map(|line| line.trim_end_matches('|').to_owned()).collect()
    }
}

fn of<'a>(calls: &'a [String], name: &str) -> Vec<&'a str> {
    calls.iter().filter_map(|call| call.strip_prefix(name)?.strip_prefix('|')).collect()
}

#[test]
fn it_is_started_as_its_user_and_again_for_ever() {
    let router = Router::new();
    // A path as people may have it on a stick.
    let config = router.path("a stick's config.json");
    fs::write(&config, "{}").unwrap();
    let config = config.to_str().unwrap();
    let calls = router.calls("start_service", &[("UCI_config", config), ("UCI_verbose", "2")]);
    let set = of(&calls, "procd_set_param");
    assert_eq!(set[0], format!("command|/usr/bin/jetbackup-remote|--config|{config}"));
    for param in [
        "user|jetbackup-remote",
        "group|jetbackup-remote",
        "stdout|1",
        "stderr|1",
        "respawn|3600|30|0",
        "term_timeout|90",
        "no_new_privs|1",
    ] {
        assert!(set.contains(&param), "{param} is missing: {set:?}");
    }
    assert_eq!(of(&calls, "procd_append_param"), ["command|-v", "command|-v", "command|daemon"]);
    assert_eq!(calls.last().unwrap(), "procd_close_instance");
    // Only what is the program's is given to it.
    assert_eq!(
        of(&calls, "chown"),
        [
            "jetbackup-remote:jetbackup-remote|/etc/jetbackup-remote/state",
            "jetbackup-remote:jetbackup-remote|/run/jetbackup-remote"
        ]
    );
    let usual = router.path("usual").display().to_string();
    assert_eq!(of(&calls, "ln"), [format!("-sfn|/etc/jetbackup-remote/state|{usual}")]);
}

#[test]
fn without_a_configuration_or_switched_off_it_is_not_started() {
    let router = Router::new();
    let absent = router.path("config.json");
    let calls = router.calls("start_service", &[("UCI_config", absent.to_str().unwrap())]);
    assert_eq!(of(&calls, "procd_open_instance"), [""; 0]);
    assert!(of(&calls, "logger")[0].contains("jetbackup-remote init writes it"), "{calls:?}");

    let config = router.path("config.json");
    fs::write(&config, "{}").unwrap();
    let off = [("UCI_config", config.to_str().unwrap()), ("UCI_enabled", "0")];
    let calls = router.calls("start_service", &off);
    assert_eq!(of(&calls, "procd_open_instance"), [""; 0]);
    // Root's command line finds its directories all the same.
    assert!(!of(&calls, "mkdir").is_empty());
}

#[test]
fn a_state_directory_in_the_usual_place_is_no_link_to_itself() {
    let router = Router::new();
    let usual = router.path("usual").display().to_string();
    let calls = router.calls("start_service", &[("UCI_state_dir", &usual)]);
    assert_eq!(of(&calls, "ln"), [""; 0]);
}

#[test]
fn at_boot_it_waits_for_the_network() {
    let router = Router::new();
    let config = router.path("config.json");
    fs::write(&config, "{}").unwrap();
    let config = config.to_str().unwrap();
    let none = router.calls("boot", &[("UCI_config", config), ("UCI_interface", "nas wan")]);
    assert_eq!(of(&none, "procd_open_instance"), [""; 0]);
    // Procd knows what to wait for all the same.
    assert_eq!(
        of(&none, "procd_add_interface_trigger"),
        [
            "interface.*.up|nas|/etc/init.d/jetbackup-remote|start",
            "interface.*.up|wan|/etc/init.d/jetbackup-remote|start"
        ]
    );
    for (up, interface) in [("wan", "wan lan"), ("lan", "wan lan"), ("nas", "nas")] {
        let options = [("UCI_config", config), ("UCI_interface", interface), ("UP", up)];
        assert_eq!(of(&router.calls("boot", &options), "procd_open_instance"), ["daemon"]);
    }
    let triggers = router.calls("service_triggers", &[("UCI_interface", "nas wan")]);
    assert_eq!(
        of(&triggers, "procd_add_interface_trigger"),
        [
            "interface.*.up|nas|/etc/init.d/jetbackup-remote|start",
            "interface.*.up|wan|/etc/init.d/jetbackup-remote|start"
        ]
    );
    assert_eq!(of(&triggers, "procd_add_reload_trigger"), ["jetbackup-remote"]);
}

#[test]
fn a_reload_takes_changed_options_and_has_the_configuration_read_again() {
    let router = Router::new();
    let config = router.path("config.json");
    fs::write(&config, "{}").unwrap();
    let calls = router.calls("reload_service", &[("UCI_config", config.to_str().unwrap())]);
    assert_eq!(of(&calls, "procd_open_instance"), ["daemon"]);
    assert_eq!(calls.last().unwrap(), "procd_send_signal|jetbackup-remote|daemon|HUP");
}

/// The package of a stand-in binary.
fn built(target: &str, directory: &Path) -> PathBuf {
    let binary = directory.join("binary");
    fs::write(&binary, "#!/bin/sh\necho stand-in\n").unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/openwrt/build.sh");
    let mut build = Command::new(script);
    build.arg(target).arg(&binary).arg(directory).env("SOURCE_DATE_EPOCH", "1760000000");
    let output = build.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().into()
}

fn tar(arguments: &str, package: &Path) -> String {
    let command = format!("tar --to-stdout -xzf \"$0\" ./{arguments}");
    let output = Command::new("sh").args(["-c", &command]).arg(package).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_package_has_what_opkg_wants() {
    let dir = tempfile::tempdir().unwrap();
    let package = built("aarch64-unknown-linux-musl", dir.path());
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(package.file_name().unwrap(), &*format!("jetbackup-remote_{version}-1_aarch64.ipk"));
    assert_eq!(tar("debian-binary", &package), "2.0\n");
    let control = tar("control.tar.gz | tar --to-stdout -xz ./control", &package);
    for line in [
        "Package: jetbackup-remote",
        &format!("Version: {version}-1"),
        "Architecture: all",
        "Depends: ca-bundle",
        "Require-User: jetbackup-remote:jetbackup-remote",
        "License: AGPL-3.0-or-later",
    ] {
        assert!(control.lines().any(|there| there == line), "{line} is missing:\n{control}");
    }
    assert_eq!(
        tar("control.tar.gz | tar --to-stdout -xz ./conffiles", &package),
        "/etc/config/jetbackup-remote\n"
    );
    let listing = tar("data.tar.gz | tar -tvz --numeric-owner", &package);
    let files: Vec<String> = listing
        .lines()
        .filter(|line| line.starts_with('-'))
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            [words[0], words[1], words[words.len() - 1]].join(" ")
        })
        .collect();
    assert_eq!(
        files,
        [
            "-rw------- 0/0 ./etc/config/jetbackup-remote",
            "-rwxr-xr-x 0/0 ./etc/init.d/jetbackup-remote",
            "-rw-r--r-- 0/0 ./lib/upgrade/keep.d/jetbackup-remote",
            "-rwxr-xr-x 0/0 ./usr/bin/jetbackup-remote",
        ]
    );
    let first = fs::read(&package).unwrap();
    assert!(
        fs::read(built("aarch64-unknown-linux-musl", dir.path())).unwrap() == first,
        "made twice, it differs"
    );
}

#[test]
fn it_refuses_a_router_of_another_machine() {
    let dir = tempfile::tempdir().unwrap();
    let other = if cfg!(target_arch = "x86_64") {
        "armv7-unknown-linux-musleabihf"
    } else {
        "x86_64-unknown-linux-musl"
    };
    for (target, fits) in [(other, false), (&*format!("{}-unknown-linux-musl", std::env::consts::ARCH), true)]
    {
        let preinst = tar("control.tar.gz | tar --to-stdout -xz ./preinst", &built(target, dir.path()));
        let mut shell = Command::new("busybox");
        let output = shell.args(["ash", "-c", &preinst]).env_remove("IPKG_INSTROOT").output().unwrap();
        assert_eq!(output.status.success(), fits, "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr).contains("take the one for it"), !fits);
    }
}

/// As far as it can be told without OpenWrt's build system: `make` understands it, and it installs what is there.
#[test]
fn the_feed_package_is_understood_and_names_files_that_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    for include in ["rules.mk", "include/package.mk", "feeds/packages/lang/rust/rust-package.mk"] {
        let path = top.join(include);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let print = "BuildPackage=\nRustBinPackage=\nprint:\n\t@echo $(PKG_NAME) $(PKG_VERSION)\n\t@$(info $(Package/jetbackup-remote/install))\n\t@$(info $(Build/Prepare))\n";
    fs::write(top.join("include/package.mk"), print).unwrap();
    let makefile = concat!(env!("CARGO_MANIFEST_DIR"), "/openwrt/jetbackup-remote/Makefile");
    let mut make = Command::new("make");
    make.arg("-f").arg(makefile).arg("print").arg(format!("TOPDIR={}", top.display()));
    make.arg(format!("INCLUDE_DIR={}/include", top.display())).arg("CP=cp -fpR");
    let output = make.current_dir(FILES).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{said} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains(&format!("jetbackup-remote {}", env!("CARGO_PKG_VERSION"))), "{said}");
    let installed: Vec<&str> =
        said.split_whitespace().filter_map(|word| word.strip_prefix("./files/")).collect();
    assert_eq!(installed.len(), 3, "{said}");
    for file in installed {
        assert!(Path::new(FILES).join(file).is_file(), "{file}");
    }
    // What the program is compiled from goes along.
    let copied = said.split("--parents").nth(1).unwrap();
    for source in copied.split_whitespace().take_while(|word| *word != "/").filter(|word| *word != "\\") {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(source).exists(), "{source}");
    }
}
