//! How far somebody has read: one place per shard, opaque text to clients.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::entry::EventId;

/// The longest text that can be a cursor, in bytes.
pub const CURSOR_TEXT_MAX_BYTES: usize = 8_192;

/// The first byte of the encoded form.
const VERSION: u8 = 1;

/// For each shard the last event read; a shard that is absent was not read at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// (shard, position, index), ascending by shard, each shard once.
    places: Vec<(u16, u64, u16)>,
}

/// The text is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this server")]
pub struct InvalidCursor;

impl Cursor {
    /// The cursor of somebody who read nothing.
    #[must_use]
    pub const fn start() -> Self {
        Self { places: Vec::new() }
    }

    /// The place in one shard: (position, index).
    #[must_use]
    pub fn place(&self, shard: u16) -> Option<(u64, u16)> {
        self.places
            .binary_search_by_key(&shard, |place| place.0)
            .ok()
            .map(|found| (self.places[found].1, self.places[found].2))
    }

    /// Every (shard, position, index), ascending by shard.
    pub fn places(&self) -> impl Iterator<Item = (u16, u64, u16)> + '_ {
        self.places.iter().copied()
    }

    /// Whether this event was read.
    #[must_use]
    pub fn includes(&self, id: EventId) -> bool {
        self.place(id.shard).is_some_and(|place| (id.position, id.index) <= place)
    }

    /// Moves forward to this event, never back.
    pub fn advance(&mut self, id: EventId) {
        match self.places.binary_search_by_key(&id.shard, |place| place.0) {
            Ok(found) => {
                let place = &mut self.places[found];
                if (place.1, place.2) < (id.position, id.index) {
                    (place.1, place.2) = (id.position, id.index);
                }
            }
            Err(gap) => self.places.insert(gap, (id.shard, id.position, id.index)),
        }
    }

    /// Moves forward to whatever `other` has read, never back.
    pub fn merge(&mut self, other: &Self) {
        for (shard, position, index) in other.places() {
            self.advance(EventId { shard, position, index });
        }
    }

    /// Whether everything that `other` has read was read here too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.places().all(|(shard, position, index)| self.includes(EventId { shard, position, index }))
    }

    /// The places that both have read.
    #[must_use]
    pub fn earlier_of(&self, other: &Self) -> Self {
        let places = self
            .places()
            .filter_map(|(shard, position, index)| {
                let (position, index) = other.place(shard)?.min((position, index));
                Some((shard, position, index))
            })
            .collect();
        Self { places }
    }

    /// Reads what [`fmt::Display`] wrote.
    ///
    /// # Errors
    /// When the text is longer than [`CURSOR_TEXT_MAX_BYTES`] or was not written by this server.
    pub fn parse(text: &str) -> Result<Self, InvalidCursor> {
        if text.len() > CURSOR_TEXT_MAX_BYTES {
            return Err(InvalidCursor);
        }
        let raw = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let (&VERSION, mut rest) = raw.split_first().ok_or(InvalidCursor)? else { return Err(InvalidCursor) };
        let mut places: Vec<(u16, u64, u16)> = Vec::new();
        while !rest.is_empty() {
            let shard = u16::try_from(take_varint(&mut rest)?).map_err(|_| InvalidCursor)?;
            let position = take_varint(&mut rest)?;
            let index = u16::try_from(take_varint(&mut rest)?).map_err(|_| InvalidCursor)?;
            if places.last().is_some_and(|last| last.0 >= shard) {
                return Err(InvalidCursor);
            }
            places.push((shard, position, index));
        }
        Ok(Self { places })
    }
}

impl FromIterator<EventId> for Cursor {
    fn from_iter<I: IntoIterator<Item = EventId>>(ids: I) -> Self {
        let mut cursor = Self::start();
        ids.into_iter().for_each(|id| cursor.advance(id));
        cursor
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut raw = vec![VERSION];
        for (shard, position, index) in self.places() {
            put_varint(&mut raw, u64::from(shard));
            put_varint(&mut raw, position);
            put_varint(&mut raw, u64::from(index));
        }
        f.write_str(&URL_SAFE_NO_PAD.encode(raw))
    }
}

/// Seven bits a byte, least first, the highest bit says that more follows.
fn put_varint(raw: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        raw.push(number as u8 | 0x80);
        number >>= 7;
    }
    raw.push(number as u8);
}

fn take_varint(rest: &mut &[u8]) -> Result<u64, InvalidCursor> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first().ok_or(InvalidCursor)?;
        *rest = tail;
        let bits = u64::from(byte & 0x7F);
        // The tenth byte holds one bit; a last byte of zero would be a second way to write a number.
        if (shift == 63 && bits > 1) || (shift > 0 && byte == 0) {
            return Err(InvalidCursor);
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(InvalidCursor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(shard: u16, position: u64, index: u16) -> EventId {
        EventId { shard, position, index }
    }

    #[test]
    fn moves_forward_only() {
        let mut cursor: Cursor = [at(2, 5, 1), at(0, 9, 0)].into_iter().collect();
        cursor.advance(at(2, 4, 7));
        assert_eq!(cursor.place(2), Some((5, 1)));
        assert!(cursor.includes(at(2, 5, 0)) && !cursor.includes(at(2, 5, 2)) && !cursor.includes(at(1, 0, 0)));
    }

    #[test]
    fn covers_and_earlier_agree() {
        let ahead: Cursor = [at(0, 9, 0), at(1, 3, 0)].into_iter().collect();
        let behind: Cursor = [at(0, 9, 0), at(1, 2, 4)].into_iter().collect();
        assert!(ahead.covers(&behind) && !behind.covers(&ahead));
        assert_eq!(ahead.earlier_of(&behind), behind);
        assert!(ahead.covers(&Cursor::start()) && !Cursor::start().covers(&behind));
    }

    #[test]
    fn longer_than_allowed_is_refused() {
        assert_eq!(Cursor::parse(&"A".repeat(CURSOR_TEXT_MAX_BYTES + 4)), Err(InvalidCursor));
    }

    proptest! {
        #[test]
        fn survives_its_text(ids in proptest::collection::vec((any::<u16>(), any::<u64>(), any::<u16>()), 0..40)) {
            let cursor: Cursor = ids.into_iter().map(|(shard, position, index)| at(shard, position, index)).collect();
            prop_assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor));
        }

        #[test]
        fn arbitrary_text_is_refused_or_canonical(text in "\\PC{0,64}|[A-Za-z0-9_-]{0,64}|AQ[A-Za-z0-9_-]{0,64}") {
            if let Ok(cursor) = Cursor::parse(&text) {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }
}
