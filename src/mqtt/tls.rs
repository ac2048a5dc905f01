//! TLS to the broker: whom to trust, and who this is.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use super::trouble::Trouble;
use crate::config::Tls;
use crate::tls::{TrustError, certificates, roots};

/// The client side as configured. The files are read anew each time, so that renewed ones are taken over.
pub(super) fn client_config(tls: &Tls) -> Result<ClientConfig, Trouble> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots("mqtt.tls.ca_file", tls.ca_file.as_deref())?);
    match &tls.client {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate, key)) => {
            let chain = certificates("mqtt.tls.client_cert", certificate)?;
            let failed =
                |reason: String| TrustError::File { key: "mqtt.tls.client_key", path: key.clone(), reason };
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(error.to_string()))?;
            Ok(builder.with_client_auth_cert(chain, private).map_err(|error| failed(error.to_string()))?)
        }
    }
}
