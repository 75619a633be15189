//! Putting shared bodies into frames: one object, or an array of objects, in either encoding.

use bytes::Bytes;
use bytestring::ByteString;

use super::body::Body;

/// What an arbiter's room for building frames keeps at most, in bytes.
const SCRATCH_BYTES_MAX: usize = 64 * 1024;

/// How values are written on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Text frames of JSON.
    Json,
    /// Binary frames of MessagePack with the same field names.
    Msgpack,
}

impl Encoding {
    /// The subprotocol's name.
    #[must_use]
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "tidegate.v1.json",
            Self::Msgpack => "tidegate.v1.msgpack",
        }
    }

    /// The first of the offered subprotocols (a comma-separated header) that this server speaks;
    /// JSON when the client offers none.
    #[must_use]
    pub fn negotiate(offered: Option<&str>) -> Option<Self> {
        let Some(offered) = offered else { return Some(Self::Json) };
        offered.split(',').find_map(|name| match name.trim() {
            "tidegate.v1.json" => Some(Self::Json),
            "tidegate.v1.msgpack" => Some(Self::Msgpack),
            _ => None,
        })
    }
}

/// A websocket message ready to go.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// JSON.
    Text(ByteString),
    /// MessagePack.
    Binary(Bytes),
}

impl Frame {
    /// Its payload's size in bytes.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

/// Room that one arbiter's sessions share for building frames, so that none keeps its own.
#[derive(Default)]
pub(super) struct Scratch {
    text: String,
    bytes: Vec<u8>,
}

/// A frame in the making.
pub(super) struct FrameWriter<'a> {
    scratch: &'a mut Scratch,
    encoding: Encoding,
    objects: u16,
    aim_bytes: usize,
}

/// An array header of MessagePack takes up to three bytes, kept free in front.
const ARRAY_HEADER_BYTES: usize = 3;

impl<'a> FrameWriter<'a> {
    /// An empty frame that takes objects until it holds about `aim_bytes`.
    pub(super) fn new(scratch: &'a mut Scratch, encoding: Encoding, aim_bytes: usize) -> Self {
        scratch.text.clear();
        scratch.text.push('[');
        scratch.bytes.clear();
        scratch.bytes.resize(ARRAY_HEADER_BYTES, 0);
        Self { scratch, encoding, objects: 0, aim_bytes }
    }

    /// How many objects it holds.
    pub(super) fn objects(&self) -> u16 {
        self.objects
    }

    /// Whether `body` fits; the first one always does.
    pub(super) fn has_room_for(&self, body: &Body) -> bool {
        const PREFIX_MAX_BYTES: usize = 32;
        let (held, more) = match self.encoding {
            Encoding::Json => (self.scratch.text.len(), body.len_bytes()),
            Encoding::Msgpack => (self.scratch.bytes.len(), body.fields().bytes.len()),
        };
        self.objects == 0 || (held + more + PREFIX_MAX_BYTES <= self.aim_bytes && self.objects < u16::MAX)
    }

    /// Adds an object, with `seq` as its first field where there is one.
    pub(super) fn push(&mut self, seq: Option<u64>, body: &Body) {
        match self.encoding {
            Encoding::Json => self.push_json(seq, body),
            Encoding::Msgpack => self.push_msgpack(seq, body),
        }
        self.objects += 1;
    }

    fn push_json(&mut self, seq: Option<u64>, body: &Body) {
        let text = &mut self.scratch.text;
        if self.objects > 0 {
            text.push(',');
        }
        match seq {
            Some(seq) => {
                text.push_str("{\"seq\":");
                push_decimal(text, seq);
                text.push(',');
                text.push_str(&body.json()[1..]);
            }
            None => text.push_str(body.json()),
        }
    }

    fn push_msgpack(&mut self, seq: Option<u64>, body: &Body) {
        let bytes = &mut self.scratch.bytes;
        let fields = body.fields();
        let count = fields.count.saturating_add(u16::from(seq.is_some()));
        if count < 16 {
            bytes.push(0x80 | count as u8);
        } else {
            bytes.push(0xDE);
            bytes.extend_from_slice(&count.to_be_bytes());
        }
        if let Some(seq) = seq {
            bytes.extend_from_slice(b"\xA3seq");
            push_uint(bytes, seq);
        }
        bytes.extend_from_slice(&fields.bytes);
    }

    /// The frame: an object if it is one, an array if they are more, nothing if there is none.
    pub(super) fn finish(self) -> Option<Frame> {
        let Scratch { text, bytes } = self.scratch;
        let frame = match (self.encoding, self.objects) {
            (_, 0) => return None,
            (Encoding::Json, 1) => Frame::Text(ByteString::from(&text[1..])),
            (Encoding::Json, _) => {
                text.push(']');
                Frame::Text(ByteString::from(text.as_str()))
            }
            (Encoding::Msgpack, 1) => Frame::Binary(Bytes::copy_from_slice(&bytes[ARRAY_HEADER_BYTES..])),
            (Encoding::Msgpack, count @ 2..16) => {
                bytes[ARRAY_HEADER_BYTES - 1] = 0x90 | count as u8;
                Frame::Binary(Bytes::copy_from_slice(&bytes[ARRAY_HEADER_BYTES - 1..]))
            }
            (Encoding::Msgpack, count) => {
                bytes[0] = 0xDC;
                bytes[1..ARRAY_HEADER_BYTES].copy_from_slice(&count.to_be_bytes());
                Frame::Binary(Bytes::copy_from_slice(bytes))
            }
        };
        // One large entry must not leave its size behind.
        text.shrink_to(SCRATCH_BYTES_MAX);
        bytes.shrink_to(SCRATCH_BYTES_MAX);
        Some(frame)
    }
}

fn push_decimal(text: &mut String, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.extend(digits[start..].iter().map(|digit| char::from(*digit)));
}

fn push_uint(bytes: &mut Vec<u8>, number: u64) {
    if number < 0x80 {
        bytes.push(number as u8);
    } else if let Ok(number) = u32::try_from(number) {
        bytes.push(0xCE);
        bytes.extend_from_slice(&number.to_be_bytes());
    } else {
        bytes.push(0xCF);
        bytes.extend_from_slice(&number.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn written(encoding: Encoding, objects: &[(Option<u64>, Value)]) -> Option<Value> {
        let mut scratch = Scratch::default();
        let mut writer = FrameWriter::new(&mut scratch, encoding, SCRATCH_BYTES_MAX);
        for (seq, value) in objects {
            writer.push(*seq, &Body::new(value).unwrap());
        }
        writer.finish().map(|frame| match frame {
            Frame::Text(text) => serde_json::from_str(&text).unwrap(),
            Frame::Binary(bytes) => rmp_serde::from_slice(&bytes).unwrap(),
        })
    }

    #[test]
    fn both_encodings_say_the_same() {
        for encoding in [Encoding::Json, Encoding::Msgpack] {
            assert_eq!(written(encoding, &[]), None);
            assert_eq!(written(encoding, &[(Some(7), json!({"a": [1, "x"]}))]), Some(json!({"seq": 7, "a": [1, "x"]})));
            for count in [2_u64, 15, 16, 300] {
                let objects: Vec<_> = (0..count)
                    .map(|number| ((number % 3 > 0).then_some(number << (number % 40)), json!({"n": number})))
                    .collect();
                let expected: Vec<Value> = objects
                    .iter()
                    .map(|(seq, value)| match seq {
                        Some(seq) => json!({"seq": seq, "n": value["n"]}),
                        None => value.clone(),
                    })
                    .collect();
                assert_eq!(written(encoding, &objects), Some(json!(expected)));
            }
        }
    }

    #[test]
    fn the_first_object_always_fits_and_the_aim_bounds_the_rest() {
        let mut scratch = Scratch::default();
        let body = Body::new(&json!({"text": "x".repeat(400)})).unwrap();
        let mut writer = FrameWriter::new(&mut scratch, Encoding::Json, 1_000);
        let mut taken = 0;
        while writer.has_room_for(&body) {
            writer.push(Some(taken), &body);
            taken += 1;
        }
        assert_eq!(taken, 2);
        let mut writer = FrameWriter::new(&mut scratch, Encoding::Json, 10);
        assert!(writer.has_room_for(&body));
        writer.push(None, &body);
        assert!(!writer.has_room_for(&body));
    }

    #[test]
    fn subprotocols() {
        for (offered, expected) in [
            (None, Some(Encoding::Json)),
            (Some("tidegate.v1.msgpack, tidegate.v1.json"), Some(Encoding::Msgpack)),
            (Some("chat,tidegate.v1.json"), Some(Encoding::Json)),
            (Some("chat"), None),
        ] {
            assert_eq!(Encoding::negotiate(offered), expected);
        }
    }
}
