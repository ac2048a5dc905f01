//! Why there is no connection to the broker, in words that say what to do about it.

use std::io::{self, ErrorKind};
use std::time::Duration;

use rumqttc::TlsError;
use rumqttc::v5::mqttbytes::Error as MqttError;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode as Code, DisconnectReasonCode};
use rumqttc::v5::{ConnectionError, StateError};
use rustls::{CertificateError, Error as RustlsError};

use crate::config::SecretError;
use crate::tls::TrustError;

/// Why there is no connection to the broker.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The password cannot be read.
    #[error("mqtt.password: {0}")]
    Password(#[from] SecretError),
    /// Nobody can be trusted, or this is nobody.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] RustlsError),
    /// The broker refused.
    #[error("the broker refused the connection: {0}")]
    Refused(&'static str),
    /// It was connected, or tried to.
    #[error("{0}")]
    Lost(String),
    /// The other side closed the connection without a word, as Mosquitto 2.0 does when another client comes.
    #[error(
        "the broker closed the connection; if it does so again and again, another client uses the same client id: give \
         each its own mqtt.client_id"
    )]
    Closed,
    /// The other side closed the connection before it said anything.
    #[error(
        "the connection was closed before the broker said a word; {}",
        if *.tls { "is this its port for TLS?" } else { "does this port want TLS? Then set mqtt.tls" }
    )]
    ClosedAtOnce {
        /// TLS was tried.
        tls: bool,
    },
    /// The broker has not said a word for so long.
    #[error("the broker has been silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// Which installation this is cannot be told.
    #[error("the instance id is not to be had: {0}")]
    NoInstance(#[from] crate::history::HistoryError),
}

impl Trouble {
    /// This, if it came before the broker had said anything.
    pub fn at_once(self, tls: bool) -> Self {
        match self {
            Self::Closed => Self::ClosedAtOnce { tls },
            other => other,
        }
    }
}

impl From<ConnectionError> for Trouble {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ConnectionRefused(code) => Self::Refused(refusal(code)),
            ConnectionError::MqttState(StateError::ConnFail { reason }) => Self::Refused(refusal(reason)),
            ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => {
                Self::Lost(goodbye(reason_code))
            }
            ConnectionError::MqttState(StateError::AwaitPingResp | StateError::CollisionTimeout) => {
                Self::Lost("the broker no longer answers".into())
            }
            ConnectionError::MqttState(StateError::ConnectionAborted) => {
                Self::Closed
            }
            // What goes wrong below MQTT comes wrapped in one way or another.
            ConnectionError::MqttState(
                StateError::Io(error) | StateError::Deserialization(MqttError::Io(error)),
            )
            | ConnectionError::Io(error)
            | ConnectionError::Tls(TlsError::Io(error)) => io(&error),
            ConnectionError::Tls(TlsError::TLS(error)) => Self::Lost(tls_words(&error)),
            ConnectionError::Tls(error) => Self::Lost(format!("TLS: {error}")),
            ConnectionError::Timeout(_) => Self::Lost(
                "the broker takes the connection and says nothing; is this its MQTT port, and with TLS where \
                 mqtt.tls is set?"
                    .into(),
            ),
            other => Self::Lost(other.to_string()),
        }
    }
}

/// What a refusal means and what to do about it. MQTT 5.0, section 3.2.2.2.
fn refusal(code: Code) -> &'static str {
    match code {
        Code::BadUserNamePassword => "wrong user name or password; check mqtt.username and mqtt.password",
        Code::NotAuthorized => {
            "not authorized; check mqtt.username and mqtt.password, and what the broker allows this user"
        }
        Code::Banned => "this client is banned there; ask whoever runs the broker",
        Code::BadClientId | Code::ClientIdentifierNotValid => {
            "the client id is not accepted; set mqtt.client_id"
        }
        Code::UnsupportedProtocolVersion | Code::RefusedProtocolVersion => {
            "it does not speak MQTT 5; it needs Mosquitto 1.6 or later, or another broker of version 5"
        }
        Code::ServerBusy | Code::ServerUnavailable | Code::ServiceUnavailable => {
            "it is busy or not available"
        }
        Code::ConnectionRateExceeded | Code::QuotaExceeded => "too many connections at a time",
        Code::RetainNotSupported => "it keeps no retained messages, without which nothing can be shown",
        Code::QoSNotSupported => "it does not support QoS 1",
        Code::UseAnotherServer | Code::ServerMoved => "it points to another broker; change mqtt.host",
        Code::TopicNameInvalid => "it does not accept the topic of the last will; change mqtt.base_topic",
        Code::BadAuthenticationMethod => "it wants another way of authentication",
        _ => "it gave no usable reason; its log knows more",
    }
}

/// What a broker's goodbye means. MQTT 5.0, section 3.14.2.1.
fn goodbye(code: DisconnectReasonCode) -> String {
    match code {
        DisconnectReasonCode::SessionTakenOver => {
            "another client connected with the same client id; give each its own mqtt.client_id".into()
        }
        DisconnectReasonCode::ServerShuttingDown => "the broker is shutting down".into(),
        DisconnectReasonCode::NotAuthorized => "the broker ended the connection: not authorized".into(),
        DisconnectReasonCode::PacketTooLarge => "a message was too large for the broker".into(),
        other => format!("the broker ended the connection: {other:?}"),
    }
}

fn io(error: &io::Error) -> Trouble {
    let mut source = error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
    while let Some(inner) = source {
        if let Some(tls) = inner.downcast_ref::<RustlsError>() {
            return Trouble::Lost(tls_words(tls));
        }
        source = inner.source();
    }
    Trouble::Lost(match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
            return Trouble::Closed;
        }
        ErrorKind::ConnectionRefused => "nothing listens there: connection refused".into(),
        ErrorKind::TimedOut => "it does not answer".into(),
        _ => error.to_string(),
    })
}

fn tls_words(error: &RustlsError) -> String {
    match error {
        RustlsError::InvalidCertificate(fault) => match fault {
            CertificateError::UnknownIssuer => {
                "the authority that signed the broker's certificate is not trusted \
                 here; name its certificate in mqtt.tls.ca_file"
                    .into()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("the broker's certificate is for another name; change mqtt.host ({error})")
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                format!("the broker's certificate has expired, or the clock here is wrong ({error})")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                format!("the broker's certificate is not valid yet, or the clock here is wrong ({error})")
            }
            _ => format!("the broker's certificate is not accepted ({error})"),
        },
        RustlsError::InvalidMessage(_) => {
            format!("what answers does not speak TLS; is this its TLS port? ({error})")
        }
        RustlsError::AlertReceived(_) => {
            format!(
                "the broker does not accept this client; check mqtt.tls.client_cert and client_key ({error})"
            )
        }
        _ => format!("TLS: {error}"),
    }
}
