use std::io;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn key(kind: &str, tail: &[u8]) -> HostKey {
    let mut blob = u32::try_from(kind.len()).unwrap_or(0).to_be_bytes().to_vec();
    blob.extend_from_slice(kind.as_bytes());
    blob.extend_from_slice(tail);
    HostKey { kind: kind.to_owned(), blob }
}

fn line(key: &HostKey) -> String {
    format!("{} {}", key.kind, STANDARD.encode(&key.blob))
}

fn expect(file: &Path, accept_new: bool) -> Expectation {
    let policy = HostKeyPolicy::KnownHosts { file: file.to_owned(), accept_new };
    Expectation::prepare(&policy, "web1", 2222).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_new_key_is_recorded_once_and_known_from_then_on() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("known_hosts");
    let (first, second) = (key("ssh-ed25519", b"a"), key("ssh-ed25519", b"b"));

    let before = expect(&file, true);
    assert_eq!(before.judge(&first).ok(), Some(Verdict::New));
    // The old expectation knows nothing of it, the file does.
    assert_eq!(before.judge(&first).ok(), Some(Verdict::Known));
    assert!(matches!(before.judge(&second), Err(HostKeyError::Changed { line: 1, .. })));
    assert_eq!(std::fs::read_to_string(&file)?, format!("[web1]:2222 {}\n", line(&first)));
    assert_eq!(std::fs::metadata(&file)?.permissions().mode() & 0o777, 0o644);
    assert_eq!(expect(&file, false).judge(&first).ok(), Some(Verdict::Known));
    Ok(())
}

#[test]
fn an_unfinished_last_line_is_left_alone() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("known_hosts");
    let (other, new) = (key("ssh-ed25519", b"a"), key("ssh-ed25519", b"b"));
    std::fs::write(&file, format!("other {}", line(&other)))?;
    assert_eq!(expect(&file, true).judge(&new).ok(), Some(Verdict::New));
    assert_eq!(
        std::fs::read_to_string(&file)?,
        format!("other {}\n[web1]:2222 {}\n", line(&other), line(&new))
    );
    Ok(())
}

#[test]
fn a_key_that_cannot_be_recorded_is_refused() {
    let nowhere = Path::new("/nonexistent/known_hosts");
    assert!(matches!(
        expect(nowhere, true).judge(&key("ssh-ed25519", b"a")),
        Err(HostKeyError::NotRecorded { .. })
    ));
}

#[test]
fn only_types_on_file_are_asked_for() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("known_hosts");
    assert_eq!(expect(&file, false).algorithms().map(|list| list.len()).ok(), Some(6));
    std::fs::write(&file, format!("[web1]:2222 {}\n", line(&key("ecdsa-sha2-nistp256", b"a"))))?;
    assert_eq!(
        expect(&file, false).algorithms().ok(),
        Some(vec![Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }])
    );
    std::fs::write(&file, format!("[web1]:2222 {}\n", line(&key("ssh-dss", b"a"))))?;
    assert!(matches!(expect(&file, false).algorithms(), Err(HostKeyError::Unsupported { .. })));
    Ok(())
}

#[test]
fn pins_are_keys_or_fingerprints() {
    let (right, wrong) = (key("ssh-ed25519", b"a"), key("ssh-ed25519", b"b"));
    for text in [format!("{} comment", line(&right)), right.fingerprint()] {
        let pinned: PinnedKey = text.parse().unwrap_or_else(|error| panic!("{error}"));
        let expectation = Expectation::prepare(&HostKeyPolicy::Pinned(pinned), "web1", 22);
        let expectation = expectation.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(expectation.judge(&right).ok(), Some(Verdict::Known));
        let refusal = expectation.judge(&wrong).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(
            refusal.contains(&right.fingerprint()) && refusal.contains(&wrong.fingerprint()),
            "{refusal}"
        );
    }
    for text in ["", "SHA256:abc", "ssh-ed25519", "ssh-ed25519 AAAA", &line(&key("ssh-dss", b"a"))] {
        assert!(text.parse::<PinnedKey>().is_err(), "{text}");
    }
}
