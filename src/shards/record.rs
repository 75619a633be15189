//! One record of a shard's log: the events and effects of many actors, committed together.
//!
//! Bytes are a contract. A record is a version byte and entries, one after another:
//! `length u32 | kind u8 | id 16 | workspace 16 | version u64 | first event u16 | first effect u16 |
//! events length u32 | events | effects`, integers big-endian, events and effects in compact MessagePack. An entry of
//! kind 0 holds the ids of effects that have been answered. Nothing personal is in it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::effect::{Effect, EffectId};
use crate::domain::entity::EntityKind;
use crate::domain::ids::WorkspaceId;
use crate::domain::time::Timestamp;
use crate::packed;

/// The version that this code writes.
pub(super) const RECORD_VERSION: u8 = 1;
/// The kind number of an entry that closes effects.
const CLOSES: u8 = 0;
const HEAD_LEN: usize = 1 + 16 + 16 + 8 + 2 + 2 + 4;

/// Whose turn an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryOf {
    /// The stored number of the entity's kind.
    pub(super) kind: u8,
    /// The entity.
    pub(super) id: u128,
    /// The tenant.
    pub(super) workspace: WorkspaceId,
    /// The entity's version before the turn; each event raises it by one.
    pub(super) version: u64,
}

/// Why stored bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a journal record cannot be read: {0}")]
pub(super) struct UnreadableRecord(pub(super) String);

/// A record being formed.
#[derive(Debug)]
pub(super) struct RecordWriter {
    bytes: Vec<u8>,
    events: u16,
    effects: u16,
}

/// Where one entry's events and effects stand in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryPlace {
    /// The index of its first event.
    pub(super) first_event: u16,
    /// The index of its first effect.
    pub(super) first_effect: u16,
}

impl RecordWriter {
    pub(super) fn new() -> Self {
        let mut bytes = Vec::with_capacity(512);
        bytes.push(RECORD_VERSION);
        Self { bytes, events: 0, effects: 0 }
    }

    /// Adds what one actor decided. An event that cannot be written is a mistake in its type.
    pub(super) fn entry<V: Serialize>(
        &mut self,
        of: EntryOf,
        events: &[V],
        effects: &[Effect],
    ) -> Result<EntryPlace, UnreadableRecord> {
        let place = EntryPlace { first_event: self.events, first_effect: self.effects };
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.push(of.kind);
        self.bytes.extend_from_slice(&of.id.to_be_bytes());
        self.bytes.extend_from_slice(&of.workspace.0.to_be_bytes());
        self.bytes.extend_from_slice(&of.version.to_be_bytes());
        self.bytes.extend_from_slice(&place.first_event.to_be_bytes());
        self.bytes.extend_from_slice(&place.first_effect.to_be_bytes());
        let length_at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        let written = write(&mut self.bytes, events).and_then(|()| {
            let events_len = (self.bytes.len() - length_at - 4) as u32;
            self.bytes[length_at..length_at + 4].copy_from_slice(&events_len.to_be_bytes());
            write(&mut self.bytes, effects)
        });
        if let Err(error) = written {
            self.bytes.truncate(start);
            return Err(error);
        }
        self.seal(start);
        self.events += events.len() as u16;
        self.effects += effects.len() as u16;
        Ok(place)
    }

    /// Adds the ids of effects that have been answered.
    pub(super) fn closes(&mut self, ids: &[EffectId]) -> Result<(), UnreadableRecord> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.push(CLOSES);
        write(&mut self.bytes, ids)?;
        self.seal(start);
        Ok(())
    }

    /// What the feed keeps of the entry that starts at `start`: see [`feed_entries`].
    pub(super) fn feed_segment(&self, start: usize) -> Option<(WorkspaceId, Vec<u8>)> {
        let entry = self.bytes.get(start + 4..)?;
        let events_len = number(entry.get(HEAD_LEN - 4..HEAD_LEN)?) as usize;
        let of = entry_of(entry);
        let first_event = number(&entry[41..43]) as u16;
        let segment = feed_segment(of, first_event, entry.get(HEAD_LEN..HEAD_LEN + events_len)?)?;
        Some((of.workspace, segment))
    }

    /// Its size so far, in bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How many more events and effects the indexes can name.
    pub(super) fn has_room(&self, events: usize, effects: usize) -> bool {
        usize::from(self.events) + events < usize::from(u16::MAX)
            && usize::from(self.effects) + effects < usize::from(u16::MAX)
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn seal(&mut self, start: usize) {
        let length = (self.bytes.len() - start - 4) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

/// One entry of a stored record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EntryView<'a> {
    /// What one actor decided.
    Decided {
        /// Whose turn.
        of: EntryOf,
        /// Where its events and effects stand.
        place: EntryPlace,
        /// Events in MessagePack.
        events: &'a [u8],
        /// Effects in MessagePack.
        effects: &'a [u8],
    },
    /// Effects that have been answered.
    Closed(Vec<EffectId>),
}

/// The entries of a stored record, in order.
pub(super) fn entries(record: &[u8]) -> Result<Vec<EntryView<'_>>, UnreadableRecord> {
    let Some((&version, mut rest)) = record.split_first() else {
        return Err(UnreadableRecord("it is empty".into()));
    };
    if version != RECORD_VERSION {
        return Err(UnreadableRecord(format!("its version is {version}, and this program reads {RECORD_VERSION}")));
    }
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (entry, tail) = frame(rest)?;
        rest = tail;
        let Some((&kind, body)) = entry.split_first() else {
            return Err(UnreadableRecord("an entry is empty".into()));
        };
        if kind == CLOSES {
            found.push(EntryView::Closed(read(body)?));
            continue;
        }
        if entry.len() < HEAD_LEN {
            return Err(UnreadableRecord("an entry is shorter than its head".into()));
        }
        let events_len = number(&entry[HEAD_LEN - 4..HEAD_LEN]) as usize;
        let payload = &entry[HEAD_LEN..];
        if payload.len() < events_len {
            return Err(UnreadableRecord("an entry is shorter than its events".into()));
        }
        let (events, effects) = payload.split_at(events_len);
        found.push(EntryView::Decided {
            of: entry_of(entry),
            place: EntryPlace {
                first_event: number(&entry[41..43]) as u16,
                first_effect: number(&entry[43..45]) as u16,
            },
            events,
            effects,
        });
    }
    Ok(found)
}

/// The events of one turn, as a feed row keeps them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FeedEntryView<'a> {
    /// The stored number of the entity's kind.
    pub(super) kind: u8,
    /// The entity.
    pub(super) id: u128,
    /// The entity's version before the first event.
    pub(super) version: u64,
    /// The index of the first event in the record.
    pub(super) first_event: u16,
    /// Events in MessagePack.
    pub(super) events: &'a [u8],
}

/// The business time of a record's timestamp.
pub(super) const fn time_of(ts_us: i64) -> Timestamp {
    Timestamp(ts_us.div_euclid(1_000))
}

/// A feed row: a version byte, the record's time, and the turns of a workspace.
pub(super) fn feed_row(at: Timestamp, segments: &[u8]) -> Vec<u8> {
    [&[RECORD_VERSION], at.0.to_be_bytes().as_slice(), segments].concat()
}

/// The record's time and the turns of a feed row:
/// `kind u8 | id 16 | version u64 | first event u16 | events length u32 | events`.
pub(super) fn feed_entries(row: &[u8]) -> Result<(Timestamp, Vec<FeedEntryView<'_>>), UnreadableRecord> {
    const FEED_HEAD_LEN: usize = 1 + 16 + 8 + 2 + 4;
    let Some((&RECORD_VERSION, rest)) = row.split_first() else {
        return Err(UnreadableRecord("a feed row has an unknown version".into()));
    };
    let Some((at, mut rest)) = rest.split_first_chunk() else {
        return Err(UnreadableRecord("a feed row ends within its time".into()));
    };
    let at = Timestamp(i64::from_be_bytes(*at));
    let mut found = Vec::new();
    while !rest.is_empty() {
        if rest.len() < FEED_HEAD_LEN {
            return Err(UnreadableRecord("a feed row ends within a head".into()));
        }
        let (head, tail) = rest.split_at(FEED_HEAD_LEN);
        let events_len = number(&head[27..31]) as usize;
        if tail.len() < events_len {
            return Err(UnreadableRecord("a feed row ends within its events".into()));
        }
        let (events, tail) = tail.split_at(events_len);
        rest = tail;
        found.push(FeedEntryView {
            kind: head[0],
            id: wide(&head[1..17]),
            version: wide(&head[17..25]) as u64,
            first_event: number(&head[25..27]) as u16,
            events,
        });
    }
    Ok((at, found))
}

/// The events of one turn as a feed row keeps them; none where nothing happened, and none of a chunk: a broadcast's
/// recipients are in its ledger, and a row of the feed for each block would be most of what the feed holds.
pub(super) fn feed_segment(of: EntryOf, first_event: u16, events: &[u8]) -> Option<Vec<u8>> {
    // One byte is an empty array.
    if events.len() <= 1 || of.kind == EntityKind::Chunk as u8 {
        return None;
    }
    let mut segment = Vec::with_capacity(31 + events.len());
    segment.push(of.kind);
    segment.extend_from_slice(&of.id.to_be_bytes());
    segment.extend_from_slice(&of.version.to_be_bytes());
    segment.extend_from_slice(&first_event.to_be_bytes());
    segment.extend_from_slice(&(events.len() as u32).to_be_bytes());
    segment.extend_from_slice(events);
    Some(segment)
}

/// Writes a value in compact MessagePack.
pub(super) fn write<T: Serialize + ?Sized>(into: &mut Vec<u8>, value: &T) -> Result<(), UnreadableRecord> {
    rmp_serde::encode::write(into, value).map_err(|error| UnreadableRecord(error.to_string()))
}

/// Reads a value in compact MessagePack.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, UnreadableRecord> {
    packed::read(bytes).map_err(|error| UnreadableRecord(error.to_string()))
}

/// Whose turn the entry is; its head is whole.
fn entry_of(entry: &[u8]) -> EntryOf {
    EntryOf {
        kind: entry[0],
        id: wide(&entry[1..17]),
        workspace: WorkspaceId(wide(&entry[17..33])),
        version: wide(&entry[33..41]) as u64,
    }
}

fn frame(bytes: &[u8]) -> Result<(&[u8], &[u8]), UnreadableRecord> {
    if bytes.len() < 4 {
        return Err(UnreadableRecord("it ends within a length".into()));
    }
    let (head, rest) = bytes.split_at(4);
    let length = number(head) as usize;
    if rest.len() < length {
        return Err(UnreadableRecord("it ends within an entry".into()));
    }
    Ok(rest.split_at(length))
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |value, byte| (value << 8) | u32::from(*byte))
}

fn wide(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |value, byte| (value << 8) | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: u8, id: u128) -> EntryOf {
        EntryOf { kind, id, workspace: WorkspaceId(4), version: 11 }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut writer = RecordWriter::new();
        writer.entry(of(3, 7), &[1_u32, 2], &[]).expect("encodes");
        let closed = vec![EffectId { shard: 1, position: 2, index: 3 }];
        writer.closes(&closed).expect("encodes");
        let place = writer.entry(of(2, 8), &["x"], &[]).expect("encodes");
        assert_eq!(place, EntryPlace { first_event: 2, first_effect: 0 });
        let bytes = writer.into_bytes();
        let entries = entries(&bytes).expect("reads");
        assert_eq!(entries.len(), 3);
        assert_eq!(entries[1], EntryView::Closed(closed));
        match &entries[0] {
            EntryView::Decided { of: EntryOf { kind: 3, id: 7, version: 11, .. }, events, .. } => {
                assert_eq!(read::<Vec<u32>>(events).expect("reads"), vec![1, 2]);
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    #[test]
    fn the_feed_keeps_what_happened() {
        let mut writer = RecordWriter::new();
        let start = writer.len();
        writer.entry(of(3, 7), &[5_u32], &[]).expect("encodes");
        let (workspace, segment) = writer.feed_segment(start).expect("something happened");
        assert_eq!(workspace, WorkspaceId(4));
        let row = feed_row(time_of(1_795_165_200_000_999), &[segment.as_slice(), segment.as_slice()].concat());
        let (at, entries) = feed_entries(&row).expect("reads");
        assert_eq!(at, Timestamp(1_795_165_200_000));
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].kind, entries[0].id, entries[0].version, entries[0].first_event), (3, 7, 11, 0));
        assert_eq!(read::<Vec<u32>>(entries[1].events).expect("reads"), vec![5]);
        assert!(feed_entries(&row[..row.len() - 1]).is_err());
        let empty = writer.len();
        writer.entry::<u32>(of(3, 7), &[], &[]).expect("encodes");
        assert_eq!(writer.feed_segment(empty), None);
    }

    #[test]
    fn cut_records_are_refused_and_never_panic() {
        let mut writer = RecordWriter::new();
        writer.entry(of(3, 7), &[1_u32], &[]).expect("encodes");
        let bytes = writer.into_bytes();
        for length in 0..bytes.len() {
            let cut = entries(&bytes[..length]);
            assert!(length == 1 || cut.is_err(), "{length} bytes were read as a record");
        }
        assert!(entries(&[99]).is_err());
    }
}
