//! One connection: who may come in, which channels are open, what is carried out.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russh::server::{Auth, ChannelOpenHandle, Handle, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, Disconnect, Sig};
use tokio::task::JoinSet;

use super::fault::SshSpoil;
use super::wire::Wire;
use super::{Shared, SshFault};
use crate::render::Reply;

/// The open channels of a connection. A channel closed from this side has to be taken out by whoever closes it: russh
/// forgets it then and does not tell of the other side's close.
#[derive(Clone, Default)]
struct Channels(Arc<Mutex<HashSet<ChannelId>>>);

impl Channels {
    fn lock(&self) -> MutexGuard<'_, HashSet<ChannelId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Handler {
    shared: Arc<Shared>,
    wire: Wire,
    channels: Channels,
    /// Commands being answered; they end with the connection.
    commands: JoinSet<Option<()>>,
}

impl Handler {
    pub fn new(shared: Arc<Shared>, wire: Wire) -> Self {
        {
            let counts = &mut shared.state().counts;
            counts.connections += 1;
            counts.open += 1;
            counts.most_open = counts.most_open.max(counts.open);
        }
        Self { shared, wire, channels: Channels::default(), commands: JoinSet::new() }
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.shared.state().counts.open -= 1;
    }
}

impl russh::server::Handler for Handler {
    type Error = russh::Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, Self::Error> {
        Ok(self.shared.options.banner.clone())
    }

    async fn auth_publickey(&mut self, _: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let known = self.shared.options.client_key.as_ref().is_none_or(|wanted| wanted.is(key.public_key));
        let mut state = self.shared.state();
        if state.refuse_auth || !known {
            return Ok(Auth::reject());
        }
        state.counts.authenticated += 1;
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        let open = self.channels.lock().len();
        if open >= self.shared.options.max_sessions {
            self.shared.state().counts.channels_refused += 1;
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        }
        self.shared.state().counts.channels += 1;
        self.channels.lock().insert(channel.id());
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.channels.lock().remove(&channel);
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(data).into_owned();
        let spoil = {
            let mut state = self.shared.state();
            state.counts.execs += 1;
            state.faults.iter_mut().find_map(|fault: &mut SshFault| fault.strikes(&command))
        };
        match spoil {
            Some(SshSpoil::CutBefore) => {
                self.wire.cut();
                return Ok(());
            }
            Some(SshSpoil::Refuse) => return session.channel_failure(channel),
            _ => session.channel_success(channel)?,
        }
        let reply = {
            let now = (self.shared.clock)();
            self.shared.world().exec(now, &command)
        };
        while self.commands.try_join_next().is_some() {}
        let (to, wire, channels) = (session.handle(), self.wire.clone(), self.channels.clone());
        self.commands.spawn(async move {
            answer(&to, channel, reply, spoil, wire).await?;
            channels.lock().remove(&channel);
            to.close(channel).await.ok()
        });
        Ok(())
    }
}

/// Sends what a command left behind; `None` means that the channel is not to be closed or the connection has gone.
async fn answer(
    to: &Handle,
    channel: ChannelId,
    reply: Reply,
    spoil: Option<SshSpoil>,
    wire: Wire,
) -> Option<()> {
    match &spoil {
        Some(SshSpoil::CutAfter) => {
            wire.cut();
            return None;
        }
        Some(SshSpoil::Freeze) => {
            wire.freeze();
            return None;
        }
        Some(SshSpoil::Silence) => return None,
        Some(SshSpoil::Delay(delay)) => tokio::time::sleep(*delay).await,
        _ => {}
    }
    tokio::time::sleep(reply.delay).await;
    // The sign of a negative status gets lost on a real system, too.
    let status = reply.exit.unsigned_abs();
    if spoil == Some(SshSpoil::StatusFirst) {
        to.exit_status_request(channel, status).await.ok()?;
    }
    if spoil == Some(SshSpoil::CutHalfway) {
        to.data(channel, reply.stdout[..reply.stdout.len() / 2].to_vec()).await.ok()?;
        // Unlike a cut of the wire, this is sure to come after the data.
        let (reason, language) = ("shutting down".to_owned(), String::new());
        to.disconnect(Disconnect::ByApplication, reason, language).await.ok()?;
        return None;
    }
    if !reply.stdout.is_empty() {
        to.data(channel, reply.stdout).await.ok()?;
    }
    if !reply.stderr.is_empty() {
        to.extended_data(channel, 1, reply.stderr.into_bytes()).await.ok()?;
    }
    match spoil {
        Some(SshSpoil::StatusFirst | SshSpoil::NoExitStatus) => to.eof(channel).await.ok()?,
        Some(SshSpoil::Killed) => {
            let (message, language) = (String::new(), String::new());
            to.exit_signal_request(channel, Sig::TERM, false, message, language).await.ok()?;
        }
        Some(SshSpoil::EofFirst) => {
            to.eof(channel).await.ok()?;
            to.exit_status_request(channel, status).await.ok()?;
        }
        Some(SshSpoil::StaysOpen) => {
            to.exit_status_request(channel, status).await.ok()?;
            return None;
        }
        _ => {
            to.exit_status_request(channel, status).await.ok()?;
            to.eof(channel).await.ok()?;
        }
    }
    Some(())
}
