//! A TCP proxy between a client and a real server that can freeze or cut what passes through it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    ToServer,
    ToClient,
}

/// How far the connections made so far may still get.
struct Budget {
    direction: Direction,
    bytes: usize,
    /// Connections with a higher number are not concerned.
    newest: usize,
}

/// Shared by all threads of one proxy.
#[derive(Default)]
struct Shared {
    /// While set, nothing passes in either direction and the connections stay open.
    held: Mutex<bool>,
    released: Condvar,
    accepted: AtomicUsize,
    budget: Mutex<Option<Budget>>,
    streams: Mutex<Vec<TcpStream>>,
    closing: AtomicBool,
}

impl Shared {
    /// How many of so many bytes may pass. Fewer than all of them, and the connection is to be cut.
    fn allow(&self, direction: Direction, number: usize, length: usize) -> usize {
        let mut budget = self.budget.lock().unwrap();
        let Some(left) = budget.as_mut().filter(|left| left.direction == direction && number <= left.newest)
        else {
            return length;
        };
        let allowed = left.bytes.min(length);
        left.bytes -= allowed;
        if allowed < length {
            *budget = None;
        }
        allowed
    }
}

/// A running proxy. Dropping it cuts everything.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Passes everything to a port on 127.0.0.1.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen for the proxy");
        let address = listener.local_addr().expect("the proxy's address");
        let shared = Arc::new(Shared::default());
        let proxy = Self { address, shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.closing.load(Ordering::SeqCst) {
                    return;
                }
                let number = shared.accepted.fetch_add(1, Ordering::SeqCst) + 1;
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
                for stream in [&client, &server] {
                    stream.set_nodelay(true).expect("set nodelay");
                    shared.streams.lock().unwrap().push(stream.try_clone().expect("clone a stream"));
                }
                pump(&client, &server, Direction::ToServer, number, &shared);
                pump(&server, &client, Direction::ToClient, number, &shared);
            }
        });
        proxy
    }

    /// The port on 127.0.0.1 to connect to.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections were made through it.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Freezes everything, as a network that swallows packets does. New connections are accepted and stay silent.
    pub fn hold(&self) {
        *self.shared.held.lock().unwrap() = true;
    }

    /// Lets everything pass again, what was frozen first.
    pub fn release(&self) {
        *self.shared.held.lock().unwrap() = false;
        self.shared.released.notify_all();
    }

    /// Cuts the first `newest` connections after so many more bytes in one direction, in the middle of a packet or not.
    pub fn cut_after(&self, direction: Direction, bytes: usize, newest: usize) {
        *self.shared.budget.lock().unwrap() = Some(Budget { direction, bytes, newest });
    }

    /// Whether [`Proxy::cut_after`] is still waiting for its bytes. Lets everything pass from now on.
    pub fn spare(&self) -> bool {
        self.shared.budget.lock().unwrap().take().is_some()
    }

    /// Cuts all connections; new ones are possible.
    pub fn cut(&self) {
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            // Already closed is as good.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.cut();
        self.release();
        // Wakes the listener, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

fn pump(from: &TcpStream, to: &TcpStream, direction: Direction, number: usize, shared: &Arc<Shared>) {
    let (mut from, mut to) =
        (from.try_clone().expect("clone a stream"), to.try_clone().expect("clone a stream"));
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let held = shared.held.lock().unwrap();
            drop(shared.released.wait_while(held, |held| *held).unwrap());
            let allowed = shared.allow(direction, number, length);
            if to.write_all(&buffer[..allowed]).is_err() || allowed < length {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}
