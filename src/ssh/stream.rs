//! A stream with a plug that can be pulled.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Fails every read and write once its token is cancelled. The library's task owns the socket and may be waiting on it
/// for as long as TCP pleases; this ends the task and closes the socket at once.
pub(super) struct Pluggable<S> {
    stream: S,
    // Polled from one task only, so the waker it keeps is always the right one.
    pulled: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<S> Pluggable<S> {
    pub(super) fn new(stream: S, plug: &CancellationToken) -> Self {
        Self { stream, pulled: Box::pin(plug.clone().cancelled_owned()) }
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.pulled.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Pluggable<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Pluggable<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Goes ahead even when the plug is out: it does not wait. A failure says nothing new (the other side was faster),
        // and the library would report it in place of what really ended the connection.
        Pin::new(&mut self.stream).poll_shutdown(cx).map(|_| Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A connection that the other side has reset: it cannot even be shut down.
    struct Reset;

    impl AsyncRead for Reset {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        }
    }

    impl AsyncWrite for Reset {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
        }
    }

    #[tokio::test]
    async fn a_failed_shutdown_hides_nothing() {
        let plug = CancellationToken::new();
        let mut stream = Pluggable::new(Reset, &plug);
        assert_eq!(stream.read_u8().await.map_err(|error| error.kind()), Err(io::ErrorKind::ConnectionReset));
        assert_eq!(stream.shutdown().await.map_err(|error| error.kind()), Ok(()));
        plug.cancel();
        assert_eq!(
            stream.read_u8().await.map_err(|error| error.kind()),
            Err(io::ErrorKind::ConnectionAborted)
        );
        assert_eq!(stream.shutdown().await.map_err(|error| error.kind()), Ok(()));
    }
}
