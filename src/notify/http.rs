//! Posting a small text to somebody's URL. A URL may hold a token: only its host is ever told.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body, Error, http};

use crate::tls::{self, TrustError};

/// How long one try may take.
const BOUND: Duration = Duration::from_secs(10);
/// The pauses before a second and a third try.
const PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];
const USER_AGENT: &str = concat!("jetbackup-remote/", env!("CARGO_PKG_VERSION"));

/// It could not be posted.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// It is no URL.
    #[error("is no URL as in https://example.com/path")]
    NoUrl,
    /// Nobody can be trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// It was not reached.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// The host.
        host: String,
        /// Why.
        reason: String,
    },
    /// It took too long.
    #[error("{host} has not answered within {} s", BOUND.as_secs())]
    Silent {
        /// The host.
        host: String,
    },
    /// It does not want it.
    #[error("{host} answered {status}")]
    Refused {
        /// The host.
        host: String,
        /// The status, such as 404.
        status: u16,
    },
}

impl HttpError {
    /// Whether another try may help.
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429 || *status == 408,
            Self::NoUrl | Self::Trust(_) => false,
        }
    }
}

/// A text to post.
#[derive(Debug, Clone)]
pub(super) struct Post {
    pub url: String,
    pub kind: &'static str,
    pub body: String,
}

impl Post {
    /// Posts it, up to three times.
    ///
    /// # Errors
    /// How the last try failed.
    pub async fn send(&self) -> Result<(), HttpError> {
        for pause in PAUSES {
            match self.once().await {
                Err(error) if error.may_pass() => {
                    tracing::debug!("another try in {} s: {error}", pause.as_secs());
                    sleep(pause).await;
                }
                done => return done,
            }
        }
        self.once().await
    }

    async fn once(&self) -> Result<(), HttpError> {
        let host = host(&self.url).ok_or(HttpError::NoUrl)?;
        let agent = agent(self.url.starts_with("https:"))?;
        let (url, kind, body) = (self.url.clone(), self.kind, self.body.clone());
        let posting =
            spawn_blocking(move || agent.post(&url).header("Content-Type", kind).send(body).map(status));
        // Its own limit does not cover everything, such as a resolver that hangs.
        let unreachable = |reason: String| HttpError::Unreachable { host: host.clone(), reason };
        let answer = match timeout(BOUND + Duration::from_secs(1), posting).await {
            Err(_) => return Err(HttpError::Silent { host }),
            Ok(Err(broken)) => return Err(unreachable(broken.to_string())),
            Ok(Ok(answer)) => answer,
        };
        match answer {
            Ok(status) if (200..300).contains(&status) => Ok(()),
            Ok(status) => Err(HttpError::Refused { host, status }),
            Err(Error::Timeout(_)) => Err(HttpError::Silent { host }),
            // These quote the URL.
            Err(Error::BadUri(_) | Error::Http(_)) => Err(HttpError::NoUrl),
            Err(error) => Err(unreachable(error.to_string())),
        }
    }
}

fn status(answer: http::Response<Body>) -> u16 {
    answer.status().as_u16()
}

/// A client for one post: they are rare, and renewed certificates are taken over.
fn agent(encrypted: bool) -> Result<Agent, TrustError> {
    let mut tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
    if encrypted {
        let authorities = tls::authorities("SSL_CERT_FILE", None)?;
        let authorities = authorities.iter().map(|authority| Certificate::from_der(authority).to_owned());
        tls = tls.root_certs(RootCerts::Specific(Arc::new(authorities.collect())));
    }
    let config = Agent::config_builder()
        .timeout_global(Some(BOUND))
        .http_status_as_error(false)
        .https_only(encrypted)
        .max_redirects(3)
        .max_idle_connections(0)
        .user_agent(USER_AGENT)
        .tls_config(tls.build())
        .build();
    Ok(config.into())
}

/// The host of a URL that can be posted to.
pub(super) fn host(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    uri.host().filter(|host| is_http && !host.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_host_of_a_url_is_told() {
        assert_eq!(host("https://hc.example.com/ping/secret").as_deref(), Some("hc.example.com"));
        assert_eq!(host("http://user:secret@kuma:3001/api/push/x?y").as_deref(), Some("kuma"));
        for none in
            ["", "hc.example.com/x", "ftp://example.com", "https://", "https://a b", "file:///etc/passwd"]
        {
            assert_eq!(host(none), None, "{none}");
        }
    }

    #[tokio::test]
    async fn what_is_no_url_is_not_quoted() {
        let post = Post { url: "nonsense with a secret".into(), kind: "text/plain", body: String::new() };
        assert!(!post.send().await.unwrap_err().to_string().contains("secret"));
    }

    proptest! {
        #[test]
        fn any_text_may_be_asked_for_its_host(text in any::<String>()) {
            let _ = host(&text);
        }
    }
}
