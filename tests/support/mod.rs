//! What several tests share: real peers, and the comparison with golden files. Each test file uses its part of it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

pub mod program;
pub mod proxy;
pub mod sshd;

use std::path::Path;

/// Compares `text` with the file `tests/<name>`; with `UPDATE_GOLDEN=1` writes it instead.
pub fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == text, "{name} differs; UPDATE_GOLDEN=1 accepts what is now:\n{text}");
}
