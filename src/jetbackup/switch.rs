//! Enabling and disabling a destination: asked for by the documented function, else by the older one, and believed
//! only when it is read back.

use std::sync::atomic::Ordering;

use super::client::Client;
use super::error::{ApiError, Cause, refusal};
use super::objects::Destination;
use super::request::Request;
use crate::model::{DestinationId, ServerName};

/// A destination is not known to be as it was asked to be.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SwitchError {
    /// The gate lets none of the functions through. Nothing was changed.
    #[error(
        "{server}: the SSH gate there does not allow destinations to be switched; whoever owns the server can allow it \
         by adding `--allow destination --allow switch` to the `command=` of this program's key in authorized_keys"
    )]
    Forbidden {
        /// The server.
        server: ServerName,
    },
    /// JetBackup says no, and it is as it was.
    #[error("{server}: JetBackup refused to {} destination {destination}: {message}", word(*enabled))]
    Refused {
        /// The server.
        server: ServerName,
        /// The destination.
        destination: DestinationId,
        /// Whether it was to be enabled; disabled otherwise.
        enabled: bool,
        /// JetBackup's words, for people only.
        message: String,
    },
    /// JetBackup says yes, and it is as it was.
    #[error(
        "{server}: JetBackup acknowledged to {0} destination {destination}, and it is still {1}; {0} it in JetBackup",
        word(*enabled),
        state(!*enabled)
    )]
    NoEffect {
        /// The server.
        server: ServerName,
        /// The destination.
        destination: DestinationId,
        /// Whether it was to be enabled; disabled otherwise.
        enabled: bool,
    },
    /// The server has no such destination.
    #[error("{server} does not know destination {destination}; `destinations` shows those it has")]
    NotFound {
        /// The server.
        server: ServerName,
        /// The destination.
        destination: DestinationId,
    },
    /// It could not be read back, so it may be either.
    #[error("whether destination {destination} was {} is not known: {cause}", state(*enabled))]
    Unclear {
        /// The destination.
        destination: DestinationId,
        /// Whether it was to be enabled; disabled otherwise.
        enabled: bool,
        /// Why it is not known.
        cause: ApiError,
    },
}

impl SwitchError {
    /// Whether it is sure that nothing was changed.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        !matches!(self, Self::Unclear { .. })
    }

    /// Whether the server could not be asked at all, so that asking again soon may help.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unclear { cause, .. } if cause.is_unreachable())
    }
}

fn word(enabled: bool) -> &'static str {
    if enabled { "enable" } else { "disable" }
}

fn state(enabled: bool) -> &'static str {
    if enabled { "enabled" } else { "disabled" }
}

impl Client {
    /// All destinations of the server.
    ///
    /// # Errors
    /// As for any request, or the list cannot be had completely; the gate lets this one through with
    /// `--allow destination` only ([`ApiError::is_gate_refusal`]).
    pub async fn destinations(&self) -> Result<Vec<Destination>, ApiError> {
        self.list(Request::Destinations).await
    }

    /// Asks for destinations again although the gate has refused to: its owner may have allowed it meanwhile.
    pub fn hope_for_destinations(&self) {
        self.no_destination.store(false, Ordering::Relaxed);
    }

    /// Enables or disables a destination. It may be asked for again: doing it twice does no harm.
    ///
    /// `manageDestination` is documented; a JetBackup or a gate that does not have it is asked by
    /// `manageDestinationState`. As an unknown function may answer "success" too, only `getDestination` is believed.
    ///
    /// # Errors
    /// If it is not known to be so. The gate lets this through with `--allow destination --allow switch` only.
    pub async fn switch_destination(&self, id: DestinationId, enabled: bool) -> Result<(), SwitchError> {
        self.hope_for_destinations();
        let mut answer = None;
        for request in [Request::SwitchDestination(id, enabled), Request::SwitchDestinationState(id, enabled)]
        {
            let asked = self.ask(request).await.map(drop);
            if asked.as_ref().is_err_and(ApiError::is_gate_refusal) {
                continue;
            }
            if self.is_switched(id, enabled).await? {
                return Ok(());
            }
            match asked {
                // It may be under way, and take effect after this look.
                Err(cause) if cause.is_unreachable() => {
                    return Err(SwitchError::Unclear { destination: id, enabled, cause });
                }
                asked => answer = answer.or(Some(asked)),
            }
        }
        let (server, destination) = (self.server().clone(), id);
        Err(match answer {
            None => SwitchError::Forbidden { server },
            Some(Ok(())) => SwitchError::NoEffect { server, destination, enabled },
            Some(Err(error)) => {
                let message = match &error.cause {
                    Cause::Refused { message, troubles } => refusal(message, troubles),
                    cause => cause.to_string(),
                };
                SwitchError::Refused { server, destination, enabled, message }
            }
        })
    }

    /// Reads back whether a destination is as it was asked to be.
    async fn is_switched(&self, id: DestinationId, enabled: bool) -> Result<bool, SwitchError> {
        let unclear = |cause| SwitchError::Unclear { destination: id, enabled, cause };
        match self.destination(id).await.map_err(unclear)? {
            Some(Destination { disabled: Some(disabled), .. }) => Ok(disabled != enabled),
            Some(_) => {
                let what = "the answer does not say whether the destination is disabled".to_owned();
                Err(unclear(self.failed(Request::Destination(id), Cause::Shape { what })))
            }
            None => Err(SwitchError::NotFound { server: self.server().clone(), destination: id }),
        }
    }
}
