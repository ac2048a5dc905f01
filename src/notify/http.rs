//! Sending a small text to somebody's URL. A URL may hold a token: only its host is ever told.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Error};

use crate::config::place;
use crate::tls::{self, TrustError};

/// How long one try may take.
const BOUND: Duration = Duration::from_secs(10);
/// The pauses before a second and a third try.
const PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];
/// How many bytes of an answer's head are read at most. Nothing else of it is.
const MOST_OF_AN_ANSWER: usize = 16 * 1024;
const USER_AGENT: &str = concat!("jetbackup-remote/", env!("CARGO_PKG_VERSION"));

/// It could not be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// It is no URL.
    #[error("the URL is none as in https://example.com/path")]
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
    /// It is somewhere else now. What is posted would not be posted there, so nobody goes after it.
    #[error("{host} answered {status}, a redirect, which is not followed; configure the URL it leads to")]
    Moved {
        /// The host.
        host: String,
        /// The status, such as 301.
        status: u16,
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
            Self::NoUrl | Self::Trust(_) | Self::Moved { .. } => false,
        }
    }
}

/// What is sent to a URL.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub url: String,
    /// What is posted; where there is nothing, the URL says it all and is asked for by GET.
    pub body: Option<Body>,
}

/// A text of a kind, such as `application/json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Body {
    pub kind: &'static str,
    pub text: String,
}

impl Message {
    /// Sends it, in up to three tries.
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
        let place = place(&self.url).ok_or(HttpError::NoUrl)?;
        let host = place.host;
        let message = self.clone();
        // The authorities are read there as well: many files may be slow to read.
        let exchange = spawn_blocking(move || Ok(exchange(&agent(place.encrypted)?, &message)));
        // The client's own limit covers neither the authorities nor the wait for a thread.
        let answer = match timeout(BOUND + Duration::from_secs(1), exchange).await {
            Err(_) => return Err(HttpError::Silent { host }),
            Ok(Err(_broken)) => {
                let reason = "the HTTP client broke off; please report this".to_owned();
                return Err(HttpError::Unreachable { host, reason });
            }
            Ok(Ok(answer)) => answer.map_err(HttpError::Trust)?,
        };
        match answer {
            Ok(200..300) => Ok(()),
            Ok(status @ 300..400) => Err(HttpError::Moved { host, status }),
            Ok(status) => Err(HttpError::Refused { host, status }),
            Err(error) => Err(told(error, host)),
        }
    }
}

/// Says what went wrong in words of ours where the client's may quote the URL.
fn told(error: Error, host: String) -> HttpError {
    let reason = match error {
        Error::Timeout(_) => return HttpError::Silent { host },
        Error::BadUri(_) | Error::Http(_) => return HttpError::NoUrl,
        Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => return HttpError::Silent { host },
        Error::Io(error) => error.to_string(),
        Error::Rustls(error) => error.to_string(),
        Error::HostNotFound => "no address is known for it".to_owned(),
        Error::ConnectionFailed => "no connection".to_owned(),
        Error::Protocol(_) | Error::LargeResponseHeader(..) => {
            "it does not speak HTTP as it should".to_owned()
        }
        Error::InvalidProxyUrl | Error::ConnectProxyFailed(_) => {
            "the proxy that the environment names cannot be used".to_owned()
        }
        _ => "the exchange failed".to_owned(),
    };
    HttpError::Unreachable { host, reason }
}

/// The status that is answered. The answer's body is not read.
fn exchange(agent: &Agent, message: &Message) -> Result<u16, Error> {
    let answer = match &message.body {
        Some(Body { kind, text }) => agent.post(&message.url).header("Content-Type", *kind).send(text),
        None => agent.get(&message.url).call(),
    };
    Ok(answer?.status().as_u16())
}

/// A client for one message: they are rare, and renewed certificates are taken over.
fn agent(encrypted: bool) -> Result<Agent, TrustError> {
    let authorities = if encrypted { tls::authorities("SSL_CERT_FILE", None)? } else { Vec::new() };
    let authorities = authorities.iter().map(|authority| Certificate::from_der(authority).to_owned());
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(authorities.collect())))
        .build();
    let config = Agent::config_builder()
        .timeout_global(Some(BOUND))
        .http_status_as_error(false)
        .https_only(encrypted)
        // A POST that is redirected would go on as a GET without its body, and perhaps unencrypted.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_response_header_size(MOST_OF_AN_ANSWER)
        .max_idle_connections(0)
        .user_agent(USER_AGENT)
        .tls_config(tls)
        .build();
    Ok(config.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_url_is_not_quoted() {
        let message = Message { url: "nonsense with a secret".into(), body: None };
        assert!(!message.send().await.unwrap_err().to_string().contains("secret"));
    }

    #[test]
    fn no_error_of_the_client_shows_the_url() {
        let secret = || "https://example.com/secret".to_owned();
        for error in [
            Error::BadUri(secret()),
            Error::RequireHttpsOnly(secret()),
            Error::ConnectProxyFailed(secret()),
            Error::Tls("secret"),
            Error::Other(secret().into()),
        ] {
            let said = told(error, "example.com".into()).to_string();
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let refused = |status| HttpError::Refused { host: "example.com".into(), status };
        assert!([500, 503, 429, 408].into_iter().map(refused).all(|error| error.may_pass()));
        assert!(![400, 401, 404, 409].into_iter().map(refused).any(|error| error.may_pass()));
        assert!(!HttpError::Moved { host: "example.com".into(), status: 301 }.may_pass());
    }
}
