//! What an engine keeps of a row, and which of two writes of one key stays.
//!
//! Stored as `timestamp i64 | expires u32 | bytes`, big-endian; an expiry of `u32::MAX` marks a
//! deletion that still holds its timestamp.

use super::encoding::corrupt;
use super::{Put, StoreError};
use crate::domain::time::Timestamp;

const HEAD_LEN: usize = 12;
const DELETED: u32 = u32::MAX;

/// One write of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// The writer's timestamp, in microseconds.
    pub(super) ts_us: i64,
    /// The second since the epoch at which it is over; 0 is never.
    expires_s: u32,
    /// Its bytes; none is a deletion.
    pub(super) value: Option<Vec<u8>>,
}

impl Cell {
    /// A write that arrives at `now`: its time to live counts from there.
    pub(super) fn new(value: Option<Vec<u8>>, ts_us: i64, ttl_s: u32, now: Timestamp) -> Self {
        let expires_s = if value.is_none() { 0 } else { expiry(ttl_s, now) };
        Self { ts_us, expires_s, value }
    }

    /// The write that a put asks for.
    pub(super) fn of(put: Put, now: Timestamp) -> (Vec<u8>, Self) {
        let cell = Self::new(put.value, put.ts_us, put.ttl_s, now);
        (put.key.into_bytes(), cell)
    }

    /// Whether readers see it.
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        self.value.is_some() && !self.is_over(now)
    }

    /// Whether its time to live is over.
    fn is_over(&self, now: Timestamp) -> bool {
        self.expires_s != 0 && now.0 >= i64::from(self.expires_s) * 1_000
    }

    /// Whether this write stays when it meets `old`: the later timestamp; on a tie the deletion, then the
    /// one that expires (the later of two), then the larger bytes. So every order of arrival ends the same.
    pub(super) fn supersedes(&self, old: &Self) -> bool {
        let rank = |cell: &Self| (cell.ts_us, cell.value.is_none(), cell.expires_s);
        (rank(self), &self.value) > (rank(old), &old.value)
    }

    /// The bytes an ordered engine keeps.
    pub(super) fn encode(&self) -> Vec<u8> {
        let value = self.value.as_deref().unwrap_or_default();
        let mut bytes = Vec::with_capacity(HEAD_LEN + value.len());
        bytes.extend_from_slice(&self.ts_us.to_be_bytes());
        bytes.extend_from_slice(&if self.value.is_none() { DELETED } else { self.expires_s }.to_be_bytes());
        bytes.extend_from_slice(value);
        bytes
    }

    /// The write in such bytes.
    pub(super) fn decode(table: &'static str, bytes: &[u8]) -> Result<Self, StoreError> {
        let (Some((ts, rest)), true) = (bytes.split_first_chunk::<8>(), bytes.len() >= HEAD_LEN) else {
            return Err(corrupt(table, format!("{} bytes are fewer than its head has", bytes.len())));
        };
        let (expires, value) = rest.split_at(HEAD_LEN - 8);
        let expires_s = expires.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte));
        let deleted = expires_s == DELETED;
        Ok(Self {
            ts_us: i64::from_be_bytes(*ts),
            expires_s: if deleted { 0 } else { expires_s },
            value: (!deleted).then(|| value.to_vec()),
        })
    }

    /// The bytes of a value in an engine that has a place of its own for timestamps: its expiry and itself.
    pub(super) fn encode_timed(value: &[u8], ttl_s: u32, now: Timestamp) -> Vec<u8> {
        [&expiry(ttl_s, now).to_be_bytes(), value].concat()
    }

    /// The write in such bytes.
    pub(super) fn decode_timed(table: &'static str, ts_us: i64, bytes: &[u8]) -> Result<Self, StoreError> {
        let Some((expires, value)) = bytes.split_first_chunk::<4>() else {
            return Err(corrupt(table, format!("{} bytes are fewer than its head has", bytes.len())));
        };
        Ok(Self { ts_us, expires_s: u32::from_be_bytes(*expires), value: Some(value.to_vec()) })
    }

    /// Whether the engine may drop it: it expired, or it is a deletion, more than `grace_s` seconds ago.
    /// A deletion's age counts from its timestamp.
    pub(super) fn may_go(&self, grace_s: i64, now: Timestamp) -> bool {
        let over_since_s = match self.value {
            None => self.ts_us.div_euclid(1_000_000),
            Some(_) if self.is_over(now) => i64::from(self.expires_s),
            Some(_) => return false,
        };
        over_since_s.saturating_add(grace_s).saturating_mul(1_000) <= now.0
    }
}

/// The second at which a row is over that is to live so long from now; 0 is never.
fn expiry(ttl_s: u32, now: Timestamp) -> u32 {
    if ttl_s == 0 {
        return 0;
    }
    let now_s = u32::try_from(now.0.max(0).saturating_add(999) / 1_000).unwrap_or(DELETED);
    now_s.saturating_add(ttl_s).min(DELETED - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::golden;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000)
    }

    fn cells() -> Vec<Cell> {
        vec![
            Cell::new(Some(b"row".to_vec()), 1_795_165_200_000_000, 0, at(1)),
            Cell::new(Some(vec![]), -1, 60, at(1_795_165_200)),
            Cell::new(None, 5, 0, at(1)),
        ]
    }

    #[test]
    fn the_stored_bytes_are_the_golden_ones() {
        golden("store_cell.hex", &cells().iter().map(Cell::encode).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_written_is_read_and_what_is_cut_is_refused() {
        for cell in cells() {
            let bytes = cell.encode();
            assert_eq!(Cell::decode("row", &bytes).expect("reads"), cell);
            for length in 0..HEAD_LEN {
                assert!(matches!(Cell::decode("row", &bytes[..length]), Err(StoreError::Corrupt { .. })));
            }
        }
    }

    #[test]
    fn each_of_these_gives_way_to_the_next() {
        let value = |bytes: &[u8], ts, ttl| Cell::new(Some(bytes.to_vec()), ts, ttl, at(100));
        let rising = [
            value(b"z", 1, 0),
            value(b"a", 2, 0),
            value(b"b", 2, 0),
            value(b"a", 2, 5),
            value(b"b", 2, 5),
            value(b"a", 2, 9),
            Cell::new(None, 2, 0, at(100)),
            value(b"a", 3, 0),
        ];
        for (lower, older) in rising.iter().enumerate() {
            for (higher, newer) in rising.iter().enumerate() {
                assert_eq!(newer.supersedes(older), higher > lower, "{newer:?} over {older:?}");
            }
        }
    }

    #[test]
    fn a_row_lives_as_long_as_it_was_told() {
        let cell = Cell::new(Some(vec![1]), 1, 10, at(100));
        assert!(cell.is_live(Timestamp(109_999)) && !cell.is_live(at(110)));
        assert!(!cell.may_go(5, at(114)) && cell.may_go(5, at(115)));
        assert!(Cell::new(Some(vec![1]), 1, 0, at(100)).is_live(Timestamp(i64::MAX)));
        assert!(!Cell::new(None, 9_000_000, 0, at(9)).may_go(2, at(10)));
        assert!(Cell::new(None, 9_000_000, 0, at(9)).may_go(2, at(11)));
    }
}
