//! What is read from and written to one client, in MQTT 3.1.1 or 5, whichever it speaks.

use std::io;

use bytes::BytesMut;
use rumqttc::mqttbytes::{self, v4::Packet as Packet4};
use rumqttc::v5::mqttbytes::{self as mqttbytes5, v5::Packet as Packet5};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::post::Letter;
use super::{Publication, v4, v5};

/// The largest packet taken.
pub const LARGEST: u32 = 1024 * 1024;
/// The byte of a CONNECT packet with the protocol's level, after one to four bytes of length.
const LEVEL_AFTER_LENGTH: usize = 1 + 2 + "MQTT".len();

/// What a client says.
pub enum Heard {
    Connect {
        client_id: String,
        keep_alive: u16,
        will: Option<Publication>,
    },
    /// With a packet id, it wants a word that the message has come.
    Publish {
        publication: Publication,
        confirm: Option<u16>,
    },
    Subscribe {
        id: u16,
        filters: Vec<Filter>,
    },
    Unsubscribe {
        id: u16,
        filters: Vec<String>,
    },
    Ping,
    Goodbye,
    /// It has a message.
    Confirmed,
}

/// What a client listens to.
pub struct Filter {
    pub path: String,
    /// What the client calls this subscription.
    pub subscription: Option<usize>,
    /// It wants to confirm messages.
    pub confirms: bool,
    /// Messages keep the retain flag they were published with.
    pub preserves_retain: bool,
    /// What is retained is wanted at once.
    pub wants_retained: bool,
}

/// What a client is told.
pub enum Said {
    /// To the client that is called so.
    Welcome(String),
    Confirmed(u16),
    /// Whether each filter's messages will ask to be confirmed.
    Subscribed {
        id: u16,
        confirms: Vec<bool>,
    },
    Unsubscribed {
        id: u16,
        filters: usize,
    },
    Pong,
    /// With a packet id, it is to be confirmed.
    Publish {
        letter: Letter,
        id: Option<u16>,
    },
}

/// The connection to a client.
pub struct Wire {
    stream: TcpStream,
    read: BytesMut,
    is_v5: Option<bool>,
}

impl Wire {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, read: BytesMut::new(), is_v5: None }
    }

    /// What the client says next; `None` once it has hung up. To stop waiting loses nothing.
    pub async fn hear(&mut self) -> io::Result<Option<Heard>> {
        loop {
            if let Some(heard) = self.parse()? {
                return Ok(Some(heard));
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Ok(None);
            }
        }
    }

    pub async fn say(&mut self, said: Said) -> io::Result<()> {
        let mut written = BytesMut::new();
        if self.is_v5 == Some(true) {
            v5::said(said).write(&mut written, None).map_err(io::Error::other)?;
        } else {
            v4::said(said).write(&mut written, usize::MAX).map_err(io::Error::other)?;
        }
        self.stream.write_all(&written).await
    }

    fn parse(&mut self) -> io::Result<Option<Heard>> {
        let Some(is_v5) = self.is_v5.or_else(|| level(&self.read).map(|level| level >= 5)) else {
            return Ok(None);
        };
        self.is_v5 = Some(is_v5);
        // The codec for MQTT 5 does not know a goodbye without a reason, the usual one.
        if self.read.starts_with(&[0xe0, 0]) {
            return Ok(Some(Heard::Goodbye));
        }
        if is_v5 {
            match Packet5::read(&mut self.read, Some(LARGEST)) {
                Ok(packet) => v5::heard(packet).map(Some),
                Err(mqttbytes5::Error::InsufficientBytes(_)) => Ok(None),
                Err(error) => Err(io::Error::other(error)),
            }
        } else {
            match Packet4::read(&mut self.read, LARGEST as usize) {
                Ok(packet) => v4::heard(packet).map(Some),
                Err(mqttbytes::Error::InsufficientBytes(_)) => Ok(None),
                Err(error) => Err(io::Error::other(error)),
            }
        }
    }
}

/// The protocol's level in a CONNECT packet, once it has come.
fn level(read: &[u8]) -> Option<u8> {
    let length = read.iter().skip(1).position(|byte| byte & 0x80 == 0)? + 1;
    read.get(length + LEVEL_AFTER_LENGTH).copied()
}

pub fn not_served() -> io::Error {
    io::Error::other("the demo's broker does not serve such packets")
}
