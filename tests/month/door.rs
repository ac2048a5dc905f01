//! The way to a peer, which may be shut, silent, or broken off in the middle of a word.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::tide::Tide;

/// How the peer is to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As it should be.
    Open,
    /// Whoever comes is sent away at once.
    Shut,
    /// Whoever comes is never answered.
    Silent,
}

/// The address that the program knows. It outlives the program, so that nobody else takes its port meanwhile.
pub struct Door {
    listener: TcpListener,
    tide: Tide,
    inner: Arc<Inner>,
}

struct Inner {
    way: Mutex<Way>,
    cut: Mutex<CancellationToken>,
    /// So many bytes until the connection breaks off; `u64::MAX` for never.
    left: AtomicU64,
}

impl Door {
    pub fn new(tide: &Tide) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let inner =
            Inner { way: Mutex::new(Way::Open), cut: Mutex::default(), left: AtomicU64::new(u64::MAX) };
        Self { listener, tide: tide.clone(), inner: Arc::new(inner) }
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// Changes the way for whoever comes; those who are there are sent away.
    pub fn set(&self, way: Way) {
        *self.inner.way.lock().unwrap() = way;
        self.break_after(u64::MAX);
        self.cut();
    }

    /// Breaks off all connections. They may come again.
    pub fn cut(&self) {
        std::mem::take(&mut *self.inner.cut.lock().unwrap()).cancel();
    }

    /// Connections break off after so many bytes of both sides, once.
    pub fn break_after(&self, bytes: u64) {
        self.inner.left.store(bytes, Ordering::Relaxed);
    }

    /// Opens it, in a runtime, to a peer in the same runtime.
    pub fn open_to(&self, peer: SocketAddr) {
        let listener = tokio::net::TcpListener::from_std(self.listener.try_clone().unwrap()).unwrap();
        let (tide, inner) = (self.tide.clone(), Arc::clone(&self.inner));
        tokio::spawn(async move {
            loop {
                let (visitor, _) = listener.accept().await.unwrap();
                tide.moved();
                let cut = inner.cut.lock().unwrap().clone();
                let (tide, inner) = (tide.clone(), Arc::clone(&inner));
                tokio::spawn(async move {
                    let way = *inner.way.lock().unwrap();
                    let serve = async {
                        match way {
                            Way::Open => pass_on(visitor, peer, &tide, &inner).await,
                            Way::Shut => {}
                            Way::Silent => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        () = serve => {}
                        () = cut.cancelled() => {}
                    }
                    tide.moved();
                });
            }
        });
    }
}

/// Carries bytes both ways until one side ends.
async fn pass_on(mut visitor: TcpStream, peer: SocketAddr, tide: &Tide, inner: &Inner) {
    let Ok(mut peer) = TcpStream::connect(peer).await else { return };
    if visitor.set_nodelay(true).and(peer.set_nodelay(true)).is_err() {
        return;
    }
    let (mut forth, mut back) = ([0; 4096], [0; 4096]);
    loop {
        // The program's next word may wait until its last one is acknowledged, and the clock would not wait for that.
        if visitor.set_quickack(true).is_err() {
            return;
        }
        let (read, target, buffer) = tokio::select! {
            read = visitor.read(&mut forth) => (read, &mut peer, &forth),
            read = peer.read(&mut back) => (read, &mut visitor, &back),
        };
        tide.moved();
        let Ok(read @ 1..) = read else { return };
        let left = inner.left.load(Ordering::Relaxed);
        let passing = read.min(usize::try_from(left).unwrap_or(usize::MAX));
        if target.write_all(&buffer[..passing]).await.is_err() {
            return;
        }
        tide.moved();
        if left != u64::MAX {
            inner.left.store(left - passing as u64, Ordering::Relaxed);
            if left == passing as u64 {
                inner.left.store(u64::MAX, Ordering::Relaxed);
                return;
            }
        }
    }
}
