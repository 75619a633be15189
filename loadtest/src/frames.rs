//! Websocket frames (RFC 6455), as far as one side of a quiet conversation needs them. Written here because
//! reading a frame must cost less than sending it: the driver shares its cores with the server.

use anyhow::{Result, bail};

/// The longest frame that is read, in bytes.
const FRAME_MAX: u64 = 16 * 1024 * 1024;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text message.
    Text,
    /// A message of bytes.
    Binary,
    /// The end of the connection.
    Close,
    /// It wants a pong with the same bytes.
    Ping,
    /// Anything else that may come.
    Other,
}

/// A server's frame of text, unmasked.
#[must_use]
pub fn text(payload: &[u8]) -> Vec<u8> {
    frame(0x1, false, payload)
}

/// A client's frame of text.
#[must_use]
pub fn client_text(payload: &[u8]) -> Vec<u8> {
    frame(0x1, true, payload)
}

/// A client's frame of bytes.
#[must_use]
pub fn client_binary(payload: &[u8]) -> Vec<u8> {
    frame(0x2, true, payload)
}

/// A client's pong.
#[must_use]
pub fn client_pong(payload: &[u8]) -> Vec<u8> {
    frame(0xA, true, payload)
}

/// A client must mask; a mask of zeroes leaves the bytes as they are.
fn frame(opcode: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut bytes = Vec::with_capacity(payload.len() + 14);
    bytes.push(0x80 | opcode);
    match payload.len() {
        short @ 0..=125 => bytes.push(mask | short as u8),
        medium @ 126..=0xFFFF => {
            bytes.push(mask | 126);
            bytes.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            bytes.push(mask | 127);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    if masked {
        bytes.extend_from_slice(&[0; 4]);
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// Cuts a server's bytes into frames; what is not whole waits for the rest.
#[derive(Default)]
pub struct Cutter {
    waiting: Vec<u8>,
}

impl Cutter {
    /// Takes bytes and gives each frame that is whole now.
    ///
    /// # Errors
    /// The bytes are no frames of a server, or of several pieces a message.
    pub fn take(&mut self, bytes: &[u8], mut each: impl FnMut(Kind, &[u8])) -> Result<()> {
        if self.waiting.is_empty() {
            let used = cut(bytes, &mut each)?;
            self.waiting.extend_from_slice(&bytes[used..]);
        } else {
            self.waiting.extend_from_slice(bytes);
            let used = cut(&self.waiting, &mut each)?;
            self.waiting.drain(..used);
            if self.waiting.is_empty() {
                // A thousand sockets need not each keep their longest frame.
                self.waiting = Vec::new();
            }
        }
        Ok(())
    }
}

/// How many bytes were whole frames.
fn cut(bytes: &[u8], each: &mut impl FnMut(Kind, &[u8])) -> Result<usize> {
    let mut used = 0;
    while let Some((kind, head, length)) = head_of(&bytes[used..])? {
        let Some(payload) = bytes.get(used + head..used + head + length) else { break };
        each(kind, payload);
        used += head + length;
    }
    Ok(used)
}

/// The kind, the head's length and the payload's, once the head is whole.
fn head_of(bytes: &[u8]) -> Result<Option<(Kind, usize, usize)>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if second & 0x80 != 0 {
        bail!("a server's frame is masked");
    }
    let kind = match first {
        0x81 => Kind::Text,
        0x88 => Kind::Close,
        0x89 => Kind::Ping,
        0x82 => Kind::Binary,
        0x8A => Kind::Other,
        _ => bail!("a frame that begins with {first:#x}: not a whole message"),
    };
    let (head, length) = match second {
        126 => match rest {
            [a, b, ..] => (4, u64::from(u16::from_be_bytes([*a, *b]))),
            _ => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (10, u64::from_be_bytes(*length)),
            None => return Ok(None),
        },
        short => (2, u64::from(*short)),
    };
    if length > FRAME_MAX {
        bail!("a frame of {length} bytes");
    }
    Ok(Some((kind, head, length as usize)))
}

/// The number of the last event in a frame: events are counted from 1 without a hole, so the last number of a
/// connection is how many events it had.
#[must_use]
pub fn last_seq(frame: &[u8]) -> Option<u64> {
    const WORD: &[u8] = b"{\"seq\":";
    let mut end = frame.len();
    // Few bytes of an event open an object, so this looks at each byte once.
    let at = loop {
        let open = frame[..end].iter().rposition(|byte| *byte == b'{')?;
        if frame[open..].starts_with(WORD) {
            break open;
        }
        end = open;
    };
    let digits = frame[at + WORD.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_in_steps(bytes: &[u8], step: usize) -> Vec<(Kind, usize)> {
        let (mut cutter, mut found) = (Cutter::default(), Vec::new());
        for part in bytes.chunks(step) {
            cutter.take(part, |kind, payload| found.push((kind, payload.len()))).unwrap();
        }
        assert!(cutter.waiting.is_empty());
        found
    }

    #[test]
    fn frames_are_the_same_however_they_come() {
        let mut bytes = vec![0x89, 2, b'h', b'i'];
        for length in [0, 125, 126, 65_535, 65_536] {
            bytes.extend(text(&vec![b'x'; length]));
        }
        bytes.extend([0x88, 2, 0x0F, 0xA0]);
        let whole = cut_in_steps(&bytes, bytes.len());
        let lengths: Vec<usize> = whole.iter().map(|(_, length)| *length).collect();
        assert_eq!(lengths, [2, 0, 125, 126, 65_535, 65_536, 2]);
        assert_eq!((whole[0].0, whole[1].0, whole[6].0), (Kind::Ping, Kind::Text, Kind::Close));
        for step in [1, 2, 3, 1_000] {
            assert_eq!(cut_in_steps(&bytes, step), whole, "{step}");
        }
    }

    #[test]
    fn what_no_server_may_send_is_an_error() {
        for wrong in [client_text(b"x"), vec![0x01, 1, b'x'], vec![0x81, 127, 1, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(Cutter::default().take(&wrong, |_, _| ()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_last_number_counts_the_events() {
        for (frame, expected) in [
            (r#"[{"seq":1,"id":"a"},{"seq":27,"id":"b","data":{}}]"#, Some(27)),
            (r#"{"seq":3}"#, Some(3)),
            (r#"{"type":"heartbeat","cursor":"AQ"}"#, None),
        ] {
            assert_eq!(last_seq(frame.as_bytes()), expected, "{frame}");
        }
    }
}
