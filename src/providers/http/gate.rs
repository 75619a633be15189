//! Knows for certain whether a byte of the present request has left.
//!
//! The gate stands at the socket, below TLS. A caller that gives up shuts it: either nothing was
//! written and nothing ever will be, or something may have been and nobody knows. Before the first
//! byte it asks the kernel whether the other side has closed meanwhile: a provider that drops idle
//! connections would otherwise leave calls in doubt.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

const CLEAN: u8 = 0;
const WRITTEN: u8 = 1;
const SHUT: u8 = 2;

/// Whether bytes left since the last [`Gate::open`].
pub(super) struct Gate(AtomicU8);

impl Gate {
    pub(super) fn new() -> Arc<Self> {
        // The TLS handshake writes before the first request.
        Arc::new(Self(AtomicU8::new(WRITTEN)))
    }

    /// A new request begins; only called while the connection is idle. False if the gate is shut for good.
    pub(super) fn open(&self) -> bool {
        self.0.compare_exchange(WRITTEN, CLEAN, Ordering::SeqCst, Ordering::SeqCst) != Err(SHUT)
    }

    /// Shuts the gate if nothing has left. True when certainly no byte left or ever will.
    pub(super) fn shut(&self) -> bool {
        self.0.compare_exchange(CLEAN, SHUT, Ordering::SeqCst, Ordering::SeqCst) != Err(WRITTEN)
    }

    fn pass<S, T>(
        &self,
        stream: &mut S,
        is_closed: impl FnOnce(&S) -> bool,
        write: impl FnOnce(&mut S) -> Poll<Result<T>>,
    ) -> Poll<Result<T>> {
        let first = match self.0.compare_exchange(CLEAN, WRITTEN, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => true,
            Err(SHUT) => return Poll::Ready(Err(Error::from(ErrorKind::BrokenPipe))),
            Err(_) => false,
        };
        if first && is_closed(stream) {
            self.0.store(SHUT, Ordering::SeqCst);
            return Poll::Ready(Err(Error::from(ErrorKind::BrokenPipe)));
        }
        let outcome = write(stream);
        if first {
            match outcome {
                Poll::Ready(Ok(_)) => {}
                // The kernel took nothing.
                Poll::Pending => self.0.store(CLEAN, Ordering::SeqCst),
                Poll::Ready(Err(_)) => self.0.store(SHUT, Ordering::SeqCst),
            }
        }
        outcome
    }
}

/// A socket whose writes pass a gate.
pub(super) struct Gated {
    stream: TcpStream,
    gate: Arc<Gate>,
}

impl Gated {
    pub(super) fn new(stream: TcpStream, gate: Arc<Gate>) -> Self {
        Self { stream, gate }
    }
}

/// Whether the other side has closed `stream`, also where the runtime has not seen it yet.
fn is_closed(stream: &TcpStream) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    match SockRef::from(stream).peek(&mut byte) {
        Ok(count) => count == 0,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
    }
}

impl AsyncRead for Gated {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Gated {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let Self { stream, gate } = self.get_mut();
        gate.pass(stream, is_closed, |stream| Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let Self { stream, gate } = self.get_mut();
        gate.pass(stream, is_closed, |stream| Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open((): &()) -> bool {
        false
    }

    #[test]
    fn tells_clean_from_written() {
        let gate = Gate::new();
        assert!(!gate.shut(), "before the first request nothing is promised");
        assert!(gate.open());
        let pending: Poll<Result<()>> = gate.pass(&mut (), open, |()| Poll::Pending);
        assert!(pending.is_pending());
        assert!(gate.open(), "what the kernel did not take has not left");
        assert!(matches!(gate.pass(&mut (), open, |()| Poll::Ready(Ok(3))), Poll::Ready(Ok(3))));
        assert!(!gate.shut(), "bytes left");
        assert!(gate.open());
        assert!(gate.shut());
        assert!(!gate.open(), "shut for good");
        let refused = gate.pass(&mut (), open, |()| -> Poll<Result<()>> { panic!("a shut gate lets nothing through") });
        assert!(matches!(refused, Poll::Ready(Err(_))));
    }

    #[test]
    fn a_closed_connection_is_noticed_before_the_first_byte() {
        let gate = Gate::new();
        assert!(gate.open());
        let refused = gate.pass(&mut (), |()| true, |()| -> Poll<Result<()>> { panic!("nothing is written any more") });
        assert!(matches!(refused, Poll::Ready(Err(_))));
        assert!(gate.shut());
    }

    #[test]
    fn a_refused_first_write_is_clean_and_a_later_one_is_not() {
        let broken = |(): &mut ()| Poll::Ready(Err::<(), _>(Error::from(ErrorKind::ConnectionReset)));
        let gate = Gate::new();
        assert!(gate.open());
        assert!(matches!(gate.pass(&mut (), open, broken), Poll::Ready(Err(_))));
        assert!(gate.shut());

        let gate = Gate::new();
        assert!(gate.open());
        assert!(matches!(gate.pass(&mut (), open, |()| Poll::Ready(Ok(()))), Poll::Ready(Ok(()))));
        assert!(matches!(gate.pass(&mut (), open, broken), Poll::Ready(Err(_))));
        assert!(!gate.shut());
    }

    #[tokio::test]
    async fn the_kernel_tells_of_a_closing_that_the_runtime_has_not_seen() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (other, _) = listener.accept().await.unwrap();
        assert!(!is_closed(&stream));
        drop(other);
        assert!(is_closed(&stream));
    }
}
