//! Files that hold secrets: closed to others, and open to the user that needs them.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::finding::{Finding, Section};
use super::people::{User, Wish};
use crate::config::{Config, Secret};

/// Where systemd reads units from.
const UNITS: [&str; 4] =
    ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// Looks at the configuration, the keys and the files named by `FROM_FILE`. Blocks.
pub(super) fn examine(config: &Config) -> Section {
    let mut section = Section::new("Secrets");
    let service = User::of_service();
    let secrets = secrets(config);
    let is_written_there = secrets.iter().any(|secret| secret.is_literal());
    section.findings.extend(of_config(&config.path, is_written_there, service.as_ref()));
    let keys: BTreeSet<&Path> = config.servers.iter().map(|server| server.ssh_key.path.as_path()).collect();
    for key in keys {
        section.findings.extend(of_key(key, service.as_ref()));
    }
    let files: BTreeSet<PathBuf> = secrets.iter().filter_map(|secret| secret.file()).collect();
    for file in &files {
        section.findings.extend(of_file(file, service.as_ref()));
    }
    section
}

/// All that are used.
fn secrets(config: &Config) -> Vec<&Secret> {
    let (mqtt, notification) = (&config.mqtt, &config.notification);
    let mut secrets: Vec<&Secret> =
        config.servers.iter().filter_map(|server| server.ssh_key.passphrase.as_ref()).collect();
    secrets.extend(mqtt.password.as_ref().filter(|_| mqtt.enabled));
    secrets.extend(notification.smtp_password.as_ref().filter(|_| notification.enabled));
    secrets.extend(notification.ping_url.as_ref());
    secrets.extend(notification.webhook_url.as_ref());
    secrets
}

fn of_config(path: &Path, holds_secrets: bool, service: Option<&User>) -> Vec<Finding> {
    const CHECK: &str = "configuration";
    let Ok(file) = path.metadata() else { return Vec::new() };
    let (mode, shown) = (file.mode() & 0o7777, path.display());
    if mode & 0o002 != 0 {
        let text = format!("{shown} can be changed by everyone (mode {mode:04o})");
        return vec![Finding::failure(CHECK, text, format!("run: chmod o-w {shown}"))];
    }
    if holds_secrets && mode & 0o004 != 0 {
        let text = format!("{shown} holds a secret and can be read by everyone (mode {mode:04o})");
        let advice = format!("run: chmod o-r {shown}; or move the secret out (FROM_FILE:…)");
        return vec![Finding::failure(CHECK, text, advice)];
    }
    let what = if holds_secrets { "holds secrets, closed to others" } else { "holds no secret" };
    let mut findings = vec![Finding::ok(CHECK, format!("{shown}: {what} (mode {mode:04o})"))];
    findings.extend(unreadable(CHECK, path, service));
    findings
}

fn of_key(path: &Path, service: Option<&User>) -> Vec<Finding> {
    const CHECK: &str = "ssh key";
    let (file, shown) = match path.metadata() {
        Ok(file) => (file, path.display()),
        Err(error) => return vec![missing(CHECK, path, &error, "ssh-keygen -t ed25519, or correct ssh_key")],
    };
    let mode = file.mode() & 0o7777;
    // The same rule as when it is used: the group may read it, others nothing.
    if mode & 0o026 != 0 {
        let text = format!("{shown} is open to others (mode {mode:04o}) and not used like this");
        return vec![Finding::failure(CHECK, text, format!("run: chmod 600 {shown}"))];
    }
    let mut findings = vec![Finding::ok(CHECK, format!("{shown} (mode {mode:04o})"))];
    // A credential of this name replaces the configured path.
    if !is_passed("ssh_key") {
        findings.extend(unreadable(CHECK, path, service));
    }
    findings
}

fn of_file(path: &Path, service: Option<&User>) -> Vec<Finding> {
    const CHECK: &str = "secret file";
    let (file, shown): (Metadata, _) = match path.metadata() {
        Ok(file) => (file, path.display()),
        Err(error) => return vec![missing(CHECK, path, &error, "write the secret there")],
    };
    let mode = file.mode() & 0o7777;
    if mode & 0o006 != 0 {
        let text = format!("{shown} is open to everyone (mode {mode:04o})");
        return vec![Finding::failure(CHECK, text, format!("run: chmod 640 {shown}"))];
    }
    let mut findings = vec![Finding::ok(CHECK, format!("{shown} (mode {mode:04o})"))];
    findings.extend(unreadable(CHECK, path, service));
    findings
}

fn missing(check: &str, path: &Path, error: &io::Error, create: &str) -> Finding {
    match error.kind() {
        io::ErrorKind::NotFound => Finding::failure(
            check,
            format!("{} does not exist", path.display()),
            format!("create it: {create}"),
        ),
        _ => Finding::failure(
            check,
            format!("{} cannot be looked at: {error}", path.display()),
            "run this as root or as the user of the service",
        ),
    }
}

fn unreadable(check: &str, path: &Path, service: Option<&User>) -> Option<Finding> {
    let user = service.filter(|user| !user.can(Wish::Read, path))?;
    let (name, shown) = (&user.name, path.display());
    Some(Finding::warning(
        check,
        format!("{shown} cannot be read by the service's user {name}"),
        format!(
            "run: chgrp {name} {shown} && chmod 640 {shown}, and see that {name} may enter the folders above"
        ),
    ))
}

/// Whether a unit of this program is passed a credential of this name.
fn is_passed(name: &str) -> bool {
    let texts = UNITS.iter().flat_map(|folder| ours(Path::new(folder))).flat_map(|path| {
        let files = if path.is_dir() { entries(&path) } else { vec![path] };
        files.into_iter().filter_map(|file| std::fs::read_to_string(file).ok())
    });
    texts.into_iter().any(|text| passes(&text, name))
}

fn ours(folder: &Path) -> Vec<PathBuf> {
    let is_ours = |path: &PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with("jetbackup-remote") && name.contains(".service"))
    };
    entries(folder).into_iter().filter(is_ours).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn passes(unit: &str, name: &str) -> bool {
    let given = |line: &str| {
        let value =
            line.strip_prefix("LoadCredential=").or_else(|| line.strip_prefix("LoadCredentialEncrypted="))?;
        value.split(':').next().map(|given| given.trim() == name)
    };
    unit.lines().any(|line| given(line.trim()) == Some(true))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::doctor::finding::Level;

    fn file(mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    fn levels(findings: &[Finding]) -> Vec<Level> {
        findings.iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn what_others_can_read_is_a_failure() {
        for (mode, key, secret, config) in [
            (0o600, Level::Ok, Level::Ok, Level::Ok),
            (0o640, Level::Ok, Level::Ok, Level::Ok),
            (0o644, Level::Failure, Level::Failure, Level::Failure),
            (0o660, Level::Failure, Level::Ok, Level::Ok),
            (0o602, Level::Failure, Level::Failure, Level::Failure),
        ] {
            let file = file(mode);
            assert_eq!(levels(&of_key(file.path(), None)), [key], "{mode:o}");
            assert_eq!(levels(&of_file(file.path(), None)), [secret], "{mode:o}");
            assert_eq!(levels(&of_config(file.path(), true, None)), [config], "{mode:o}");
        }
        assert_eq!(levels(&of_config(file(0o644).path(), false, None)), [Level::Ok]);
        assert_eq!(levels(&of_key(Path::new("/nonexistent/key"), None)), [Level::Failure]);
    }

    #[test]
    fn what_the_service_cannot_read_is_a_warning() {
        let user = User { name: "jetbackup-remote".into(), id: 4_000_000, groups: [4_000_000].into() };
        let found = of_file(file(0o600).path(), Some(&user));
        assert_eq!(levels(&found), [Level::Ok, Level::Warning]);
        assert!(found[1].advice.as_ref().unwrap().contains("chgrp jetbackup-remote"), "{found:?}");
    }

    #[test]
    fn a_credential_is_found_in_a_unit() {
        let unit = "[Service]\n LoadCredential=ssh_key:/etc/jetbackup-remote/ssh_key\n";
        assert!(passes(unit, "ssh_key") && !passes(unit, "ssh"));
        assert!(passes("LoadCredentialEncrypted=smtp:/x", "smtp"));
        assert!(!passes("#LoadCredential=ssh_key:/x", "ssh_key"));
    }
}
