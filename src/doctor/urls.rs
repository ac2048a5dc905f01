//! The outside watcher and the webhook: whether their hosts can be reached. Nothing is sent to a URL.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::finding::{Finding, Level, Section};
use crate::config::{Config, Secret, place};
use crate::tls::{TrustError, roots};

/// How long each step on the way may take.
const STEP: Duration = Duration::from_secs(10);
/// How long all of them may take.
const BOUND: Duration = Duration::from_secs(30);
const PROXIES: [&str; 6] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// Looks at both.
pub(super) async fn examine(config: &Config) -> Section {
    let wanted = &config.notification;
    let mut section = Section::new("Outside watchers");
    let (ping, webhook) = tokio::join!(
        of_url("ping_url", wanted.ping_url.as_ref()),
        of_url("webhook_url", wanted.webhook_url.as_ref()),
    );
    section.findings.extend([ping, webhook]);
    section
}

/// A host that cannot be had.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("its name has no address ({0}); is the URL right and DNS working?")]
    Name(io::Error),
    #[error("no connection ({0}); is the URL right and the network up?")]
    Connection(io::Error),
    #[error("TLS: {0}; is its certificate valid, and this clock right?")]
    Tls(String),
}

async fn of_url(key: &'static str, secret: Option<&Secret>) -> Finding {
    let Some(secret) = secret else { return Finding::ok(key, "not set") };
    let setting = format!("notification.{key}");
    let url = match secret.read() {
        Ok(url) => url,
        Err(error) => {
            return Finding::from_error(Level::Failure, key, &error, &format!("correct {setting}"));
        }
    };
    let Some(place) = place(&url) else {
        let text = "it is no URL as in https://example.com/path";
        return Finding::failure(key, text, format!("correct {setting}"));
    };
    if PROXIES.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
        return Finding::ok(key, format!("{}: asked through a proxy, so it is not tried", place.host));
    }
    let (host, port, encrypted) = (place.host.clone(), place.port, place.encrypted);
    let reached = timeout(BOUND, spawn_blocking(move || reach(&host, port, encrypted))).await;
    match reached {
        Ok(Ok(Ok(()))) => {
            let over = if encrypted { "over TLS" } else { "not encrypted" };
            Finding::ok(key, format!("{} can be reached ({over}); nothing was sent", place.host))
        }
        Ok(Ok(Err(error))) => {
            let error = format!("{}: {error}", place.host);
            Finding::from_error(Level::Failure, key, &error, &format!("correct {setting}"))
        }
        Ok(Err(_)) | Err(_) => Finding::failure(
            key,
            format!("{} has not answered within {} s", place.host, BOUND.as_secs()),
            "is the network up, and the URL right?",
        ),
    }
}

/// Connects, shakes hands and hangs up. Blocks.
fn reach(host: &str, port: u16, encrypted: bool) -> Result<(), Trouble> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let addresses = (bare, port).to_socket_addrs().map_err(Trouble::Name)?;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    let stream = addresses
        .into_iter()
        .find_map(|address| TcpStream::connect_timeout(&address, STEP).map_err(|error| last = error).ok());
    let mut stream = stream.ok_or(Trouble::Connection(last))?;
    if !encrypted {
        return Ok(());
    }
    let limits = stream.set_read_timeout(Some(STEP)).and_then(|()| stream.set_write_timeout(Some(STEP)));
    limits.map_err(Trouble::Connection)?;
    let broken = |error: &dyn ToString| Trouble::Tls(error.to_string());
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| broken(&error))?
        .with_root_certificates(roots("SSL_CERT_FILE", None)?)
        .with_no_client_auth();
    let name = ServerName::try_from(bare.to_owned()).map_err(|error| broken(&error))?;
    let mut session = ClientConnection::new(Arc::new(config), name).map_err(|error| broken(&error))?;
    while session.is_handshaking() {
        session.complete_io(&mut stream).map_err(|error| broken(&error))?;
    }
    session.send_close_notify();
    // Whether goodbye is heard matters to nobody.
    let _ = session.complete_io(&mut stream);
    Ok(())
}
