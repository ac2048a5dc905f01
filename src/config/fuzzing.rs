//! Foreign input of this room: see [`crate::fuzzing`].

use super::url::place;
use super::{ConfigError, parse};

/// A configuration file. What is taken makes sense as a whole; what is not is refused with at least one reason.
pub fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match parse(&text, "config.json".as_ref()) {
        Ok(loaded) => {
            let config = loaded.config;
            for job in &config.jobs {
                assert!(config.server(&job.key.server).is_some(), "{} is on no server", job.key);
                assert!(!job.timeout.is_zero() && config.job(&job.key).is_some(), "{}", job.key);
            }
            assert!(loaded.warnings.iter().all(|warning| !warning.to_string().is_empty()));
        }
        Err(error) => {
            let told = error.to_string();
            assert!(!told.is_empty());
            if let ConfigError::Invalid { problems, .. } = &error {
                assert!(!problems.is_empty(), "{told}");
            }
        }
    }
}

/// A URL that something is to be posted to. What is told of it is its host, never what stands around it.
pub fn url(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(place) = place(&text) {
        let host = &place.host;
        assert!(!host.is_empty() && !host.contains(['@', '/', '?', '#', ' ']), "{host:?}");
        assert!(text.to_ascii_lowercase().starts_with("http"), "{text:?}");
    }
}
