//! What the library asks and tells while a connection lives.

use std::io;
use std::sync::Arc;

use russh::Channel;
use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg, Session};
use russh::keys::ssh_key::PublicKey;
use russh::keys::{PublicKeyBase64 as _, PublicKeyOrCertificate};
use tracing::warn;

use super::Target;
use super::fate::Fate;
use super::hostkeys::{Expectation, HostKeyError, Verdict};
use super::known_hosts::HostKey;

/// The library's callbacks: it asks about the host key and tells when the connection ends.
pub(super) struct Client {
    target: Target,
    expectation: Arc<Expectation>,
    accepted: Option<HostKey>,
    fate: Arc<Fate>,
}

impl Client {
    pub(super) fn new(target: &Target, expectation: &Arc<Expectation>, fate: &Arc<Fate>) -> Self {
        Self {
            target: target.clone(),
            expectation: Arc::clone(expectation),
            accepted: None,
            fate: Arc::clone(fate),
        }
    }

    async fn judge(&mut self, presented: &PublicKeyOrCertificate) -> Result<(), ClientError> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = presented else {
            return Err(HostKeyError::Certificate.into());
        };
        let key = host_key(key);
        // Asked again at each exchange of session keys; only the very same key will do then.
        if let Some(accepted) = &self.accepted {
            return if *accepted == key { Ok(()) } else { Err(HostKeyError::Swapped.into()) };
        }
        let (expectation, judged) = (Arc::clone(&self.expectation), key.clone());
        let verdict = blocking(move || expectation.judge(&judged)).await.map_err(russh::Error::from)??;
        if verdict == Verdict::New {
            warn!(server = %self.target, key = %key.kind, fingerprint = %key.fingerprint(), "trusting a new host key from now on");
        }
        self.accepted = Some(key);
        Ok(())
    }
}

impl Drop for Client {
    /// The library drops its handler whatever ends the connection; its callback for that is sometimes skipped.
    fn drop(&mut self) {
        self.fate.ended();
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error(transparent)]
    Ssh(#[from] russh::Error),
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
}

impl client::Handler for Client {
    type Error = ClientError;

    async fn check_server_key(&mut self, presented: &PublicKeyOrCertificate) -> Result<bool, ClientError> {
        let judged = self.judge(presented).await;
        if let Err(error) = &judged {
            // At once, because whatever else the library says of this end is a consequence of the refusal.
            self.fate.because(error.to_string());
        }
        judged.map(|()| true)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<ClientError>) -> Result<(), ClientError> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                self.fate.because(format!("the server disconnected: {}", one_line(&info.message)));
                Ok(())
            }
            DisconnectReason::Error(error) => {
                self.fate.because(match &error {
                    ClientError::Ssh(error) => plain(error),
                    ClientError::HostKey(error) => error.to_string(),
                });
                Err(error)
            }
        }
    }

    // Channels the server opens towards us (forwarding, agent, X11) were never asked for. Each is refused by dropping
    // its handle; the library's defaults would accept them.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), ClientError> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), ClientError> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), ClientError> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), ClientError> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), ClientError> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), ClientError> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), ClientError> {
        Ok(())
    }
}

/// The library's errors in plain words.
pub(super) fn plain(error: &russh::Error) -> String {
    match error {
        russh::Error::Disconnect | russh::Error::HUP => "the server closed the connection".to_owned(),
        russh::Error::IO(error) if error.kind() == io::ErrorKind::ConnectionAborted => {
            "closed from this side".to_owned()
        }
        russh::Error::IO(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the server closed the connection".to_owned()
        }
        russh::Error::KeepaliveTimeout => "the server stopped answering".to_owned(),
        russh::Error::Version => {
            "that is not an SSH server, or it turns this address away; is the port right?".to_owned()
        }
        other => one_line(&other.to_string()),
    }
}

/// Text from the other side, harmless for a log: one line, no control characters, not endless.
pub(super) fn one_line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

pub(super) fn host_key(key: &PublicKey) -> HostKey {
    // RSA keys carry the same type whatever hash their signatures use.
    let kind =
        if key.algorithm().is_rsa() { "ssh-rsa".to_owned() } else { key.algorithm().as_str().to_owned() };
    HostKey { kind, blob: key.public_key_bytes() }
}

/// Runs file work and slow cryptography beside the event loop.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}
