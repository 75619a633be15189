//! Knows for certain whether a byte of the present request has left.
//!
//! The gate stands at the socket, below TLS. A caller that gives up shuts it: either nothing was
//! written and nothing ever will be, or something may have been and nobody knows.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

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

    fn pass<T>(&self, write: impl FnOnce() -> Poll<Result<T>>) -> Poll<Result<T>> {
        let first = match self.0.compare_exchange(CLEAN, WRITTEN, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => true,
            Err(SHUT) => return Poll::Ready(Err(Error::from(ErrorKind::BrokenPipe))),
            Err(_) => false,
        };
        let outcome = write();
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

/// A stream whose writes pass a gate.
pub(super) struct Gated<S> {
    stream: S,
    gate: Arc<Gate>,
}

impl<S> Gated<S> {
    pub(super) fn new(stream: S, gate: Arc<Gate>) -> Self {
        Self { stream, gate }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gated<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gated<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let Self { stream, gate } = self.get_mut();
        gate.pass(|| Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let Self { stream, gate } = self.get_mut();
        gate.pass(|| Pin::new(stream).poll_write_vectored(cx, slices))
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

    #[test]
    fn tells_clean_from_written() {
        let gate = Gate::new();
        assert!(!gate.shut(), "before the first request nothing is promised");
        assert!(gate.open());
        let pending: Poll<Result<()>> = gate.pass(|| Poll::Pending);
        assert!(pending.is_pending());
        assert!(gate.open(), "what the kernel did not take has not left");
        assert!(matches!(gate.pass(|| Poll::Ready(Ok(3))), Poll::Ready(Ok(3))));
        assert!(!gate.shut(), "bytes left");
        assert!(gate.open());
        assert!(gate.shut());
        assert!(!gate.open(), "shut for good");
        let refused = gate.pass(|| -> Poll<Result<()>> { panic!("a shut gate lets nothing through") });
        assert!(matches!(refused, Poll::Ready(Err(_))));
    }

    #[test]
    fn a_refused_first_write_is_clean_and_a_later_one_is_not() {
        let broken = || Poll::Ready(Err::<(), _>(Error::from(ErrorKind::ConnectionReset)));
        let gate = Gate::new();
        assert!(gate.open());
        assert!(matches!(gate.pass(broken), Poll::Ready(Err(_))));
        assert!(gate.shut());

        let gate = Gate::new();
        assert!(gate.open());
        assert!(matches!(gate.pass(|| Poll::Ready(Ok(()))), Poll::Ready(Ok(()))));
        assert!(matches!(gate.pass(broken), Poll::Ready(Err(_))));
        assert!(!gate.shut());
    }
}
