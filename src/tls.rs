//! Whom to trust over TLS: the authorities of a file, or those that are installed on this machine.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Nobody can be trusted as configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A certificate or key file cannot be used.
    #[error("{key} {}: {reason}", path.display())]
    File {
        /// Where it is configured.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No authority is installed.
    #[error(
        "no certificate authorities are installed here ({0}); install ca-certificates, or name one in {1}"
    )]
    NoRoots(String, &'static str),
}

/// The authorities of a file, which is configured under `key`; those of this machine where there is none.
///
/// The environment variables `SSL_CERT_FILE` and `SSL_CERT_DIR` say where those of this machine are.
///
/// # Errors
/// If there are none, or the file cannot be read.
pub fn authorities(
    key: &'static str,
    ca_file: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    if let Some(path) = ca_file {
        return certificates(key, path);
    }
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let reasons: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(TrustError::NoRoots(reasons.join("; "), key));
    }
    Ok(found.certs)
}

/// The same, as rustls wants them.
///
/// # Errors
/// As [`authorities`], and if a file holds what is no certificate.
pub fn roots(key: &'static str, ca_file: Option<&Path>) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    let found = authorities(key, ca_file)?;
    match ca_file {
        Some(path) => {
            for certificate in found {
                roots.add(certificate).map_err(|error| TrustError::File {
                    key,
                    path: path.to_owned(),
                    reason: error.to_string(),
                })?;
            }
        }
        // An old one among many that nobody can read is no reason to trust none of them.
        None => {
            roots.add_parsable_certificates(found);
        }
    }
    Ok(roots)
}

/// The certificates of a file.
///
/// # Errors
/// If it cannot be read, or holds none.
pub fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let failed = |reason: String| TrustError::File { key, path: path.to_owned(), reason };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| failed(error.to_string()))?;
    if found.is_empty() {
        return Err(failed("holds no certificate in PEM form".into()));
    }
    Ok(found)
}
