//! TLS to the broker: whom to trust, and who this is.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::trouble::Trouble;
use crate::config::Tls;

/// The client side as configured. The files are read anew each time, so that renewed ones are taken over.
pub(super) fn client_config(tls: &Tls) -> Result<ClientConfig, Trouble> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(tls.ca_file.as_deref())?);
    match &tls.client {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate, key)) => {
            let chain = certificates("client_cert", certificate)?;
            let failed =
                |reason: String| Trouble::Certificate { key: "client_key", path: key.clone(), reason };
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(error.to_string()))?;
            builder.with_client_auth_cert(chain, private).map_err(|error| failed(error.to_string()))
        }
    }
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, Trouble> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca_file else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let reasons: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
            return Err(Trouble::NoRoots(reasons.join("; ")));
        }
        return Ok(roots);
    };
    for certificate in certificates("ca_file", path)? {
        roots.add(certificate).map_err(|error| Trouble::Certificate {
            key: "ca_file",
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
    }
    Ok(roots)
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let failed = |reason: String| Trouble::Certificate { key, path: path.to_owned(), reason };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| failed(error.to_string()))?;
    if found.is_empty() {
        return Err(failed("holds no certificate in PEM form".into()));
    }
    Ok(found)
}
