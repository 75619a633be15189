//! Refuses a websocket frame by its header, before its payload is collected.
//!
//! The codec of actix-http judges a frame's length only once the whole frame is in memory. This
//! stream stands before it and ends at the first header that declares too much.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;

/// A payload stream that ends where a frame declares more than it may hold.
pub(super) struct FrameGuard<S> {
    payload: S,
    lengths: Lengths,
    /// Set when a frame was too big: the codec's error does not tell.
    too_big: Rc<Cell<bool>>,
}

impl<S> FrameGuard<S> {
    pub(super) fn new(payload: S, frame_max_bytes: u64, too_big: Rc<Cell<bool>>) -> Self {
        Self { payload, lengths: Lengths::new(frame_max_bytes), too_big }
    }
}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Stream for FrameGuard<S> {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.too_big.get() {
            return Poll::Ready(Some(Err(PayloadError::Overflow)));
        }
        let polled = Pin::new(&mut self.payload).poll_next(cx);
        if let Poll::Ready(Some(Ok(chunk))) = &polled
            && !self.lengths.pass(chunk)
        {
            self.too_big.set(true);
            return Poll::Ready(Some(Err(PayloadError::Overflow)));
        }
        polled
    }
}

/// Follows the frames of a byte stream by their headers (RFC 6455 §5.2).
struct Lengths {
    max: u64,
    header: [u8; 14],
    have: usize,
    payload_left: u64,
}

impl Lengths {
    fn new(max: u64) -> Self {
        Self { max, header: [0; 14], have: 0, payload_left: 0 }
    }

    /// False at a frame that declares too much.
    fn pass(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let skipped = usize::try_from(self.payload_left).unwrap_or(usize::MAX).min(bytes.len());
                self.payload_left -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.header[self.have] = bytes[0];
            self.have += 1;
            bytes = &bytes[1..];
            if self.have < 2 {
                continue;
            }
            let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
            let (extended, length) = match self.header[1] & 0x7F {
                126 => (2, u64::from(u16::from_be_bytes([self.header[2], self.header[3]]))),
                127 => {
                    let [_, _, a, b, c, d, e, f, g, h, ..] = self.header;
                    (8, u64::from_be_bytes([a, b, c, d, e, f, g, h]))
                }
                length => (0, u64::from(length)),
            };
            if self.have == 2 + extended + mask {
                if length > self.max {
                    return false;
                }
                self.payload_left = length;
                self.have = 0;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(length: u64, masked: bool) -> Vec<u8> {
        let mask_bit = if masked { 0x80 } else { 0 };
        let mut frame = vec![0x82];
        match length {
            0..126 => frame.push(mask_bit | length as u8),
            126..0x1_0000 => {
                frame.push(mask_bit | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            _ => {
                frame.push(mask_bit | 127);
                frame.extend(length.to_be_bytes());
            }
        }
        frame.extend(vec![9; if masked { 4 } else { 0 }]);
        frame
    }

    #[test]
    fn a_header_that_declares_too_much_is_enough() {
        for (length, passes) in [(65_535, true), (65_536, true), (65_537, false), (u64::MAX, false)] {
            assert_eq!(Lengths::new(65_536).pass(&frame(length, true)), passes, "{length}");
        }
    }

    proptest! {
        #[test]
        fn frames_are_followed_however_the_bytes_are_cut(
            lengths in proptest::collection::vec((0_u64..400, any::<bool>()), 1..6),
            cut in 1_usize..40,
            excess in any::<bool>(),
        ) {
            let mut bytes = Vec::new();
            for (length, masked) in lengths {
                bytes.extend(frame(length, masked));
                bytes.extend(vec![0xFF; length as usize]);
            }
            if excess {
                bytes.extend(frame(401, true));
            }
            let mut lengths = Lengths::new(400);
            prop_assert_eq!(bytes.chunks(cut).all(|chunk| lengths.pass(chunk)), !excess);
        }
    }
}
