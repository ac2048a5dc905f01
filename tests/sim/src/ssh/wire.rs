//! The wire between a client's socket and the SSH library, so that it can be cut or frozen at will.

use std::future::Future;

use tokio::io::{DuplexStream, copy_bidirectional, duplex};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// The library's end.
pub(super) type Near = DuplexStream;

/// How a wire is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Whole,
    Cut,
    Frozen,
}

/// One connection's wire.
#[derive(Debug, Clone)]
pub(super) struct Wire(watch::Sender<Condition>);

impl Wire {
    pub fn cut(&self) {
        self.0.send_replace(Condition::Cut);
    }

    pub fn freeze(&self) {
        self.0.send_replace(Condition::Frozen);
    }
}

/// All wires of a server.
#[derive(Debug, Default)]
pub(super) struct Wires(Vec<Wire>);

impl Wires {
    pub fn add(&mut self, wire: &Wire) {
        self.0.retain(|wire| wire.0.receiver_count() > 0);
        self.0.push(wire.clone());
    }

    pub fn cut_all(&self) {
        self.0.iter().for_each(Wire::cut);
    }

    pub fn freeze_all(&self) {
        self.0.iter().for_each(Wire::freeze);
    }
}

/// Plugs a socket in: the library's end, the future that carries the bytes, and the handle to disturb it.
pub(super) fn plug(mut socket: TcpStream) -> (Near, impl Future<Output = ()> + Send, Wire) {
    let (near, mut far) = duplex(64 * 1024);
    let (sender, mut condition) = watch::channel(Condition::Whole);
    let carry = async move {
        tokio::select! {
            biased;
            _ = condition.wait_for(|condition| *condition != Condition::Whole) => {}
            // Either side's error is the end of the connection and nothing else.
            _ = copy_bidirectional(&mut socket, &mut far) => return,
        }
        // A frozen wire can still be cut; while frozen, both ends stay open.
        let _ = condition.wait_for(|condition| *condition == Condition::Cut).await;
    };
    (near, carry, Wire(sender))
}
