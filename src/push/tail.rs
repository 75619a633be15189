//! The last entries of one workspace's feed, in memory, read by all its sessions on an arbiter.
//!
//! Nothing is queued per session: each knows the number of the entry it reads next, and whoever
//! falls out of the tail is cut. Entries stand in the order of their arrival, which keeps the
//! order of each shard.

use std::collections::VecDeque;

use super::cursor::Cursor;
use super::entry::FeedEntry;

/// Entries from some cursor on, without a hole. Closed until that cursor is known.
pub(super) struct Tail {
    entries: VecDeque<FeedEntry>,
    /// The number of the first entry.
    first: u64,
    cost_bytes: usize,
    /// What was read by whoever reads on from the first entry.
    start: Cursor,
    /// What was read by whoever read the last entry.
    end: Cursor,
    open: bool,
    entries_max: usize,
    bytes_max: usize,
}

impl Tail {
    /// A closed one, which already collects.
    pub(super) fn new(entries_max: usize, bytes_max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            cost_bytes: 0,
            start: Cursor::start(),
            end: Cursor::start(),
            open: false,
            entries_max,
            bytes_max,
        }
    }

    /// Opens it: `head` covers everything that was published before it began to collect.
    pub(super) fn open(&mut self, head: &Cursor) {
        self.entries.retain(|entry| !head.includes(entry.id()));
        self.cost_bytes = self.entries.iter().map(FeedEntry::cost_bytes).sum();
        // What was evicted while it was closed is before its start, like all that is before the head.
        self.start.merge(head);
        self.end = self.start.clone();
        self.entries.iter().for_each(|entry| self.end.advance(entry.id()));
        self.open = true;
    }

    /// Whether its cursor is known.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Forgets everything and closes it: something was missed.
    pub(super) fn restart(&mut self) {
        self.first += self.entries.len() as u64;
        self.entries = VecDeque::new();
        self.cost_bytes = 0;
        (self.start, self.end) = (Cursor::start(), Cursor::start());
        self.open = false;
    }

    /// Takes an entry, once; false if it was here before.
    pub(super) fn push(&mut self, entry: FeedEntry) -> bool {
        if self.end.includes(entry.id()) {
            return false;
        }
        self.end.advance(entry.id());
        self.cost_bytes += entry.cost_bytes();
        self.entries.push_back(entry);
        while self.entries.len() > self.entries_max || self.cost_bytes > self.bytes_max {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.cost_bytes -= oldest.cost_bytes();
            self.start.advance(oldest.id());
            self.first += 1;
        }
        true
    }

    /// The number of the first entry that is still here.
    pub(super) fn first_index(&self) -> u64 {
        self.first
    }

    /// The number that the next entry will have.
    pub(super) fn end_index(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// The entry with this number.
    pub(super) fn get(&self, index: u64) -> Option<&FeedEntry> {
        self.entries.get(usize::try_from(index.checked_sub(self.first)?).ok()?)
    }

    /// Whether everything after `cursor` is here.
    pub(super) fn covers(&self, cursor: &Cursor) -> bool {
        self.open && cursor.covers(&self.start)
    }

    /// What was read by whoever reads this entry next.
    pub(super) fn cursor_at(&self, index: u64) -> Cursor {
        if index >= self.end_index() {
            return self.end.clone();
        }
        let mut cursor = self.start.clone();
        let read = usize::try_from(index.saturating_sub(self.first)).unwrap_or(0);
        self.entries.iter().take(read).for_each(|entry| cursor.advance(entry.id()));
        cursor
    }

    /// What was read by whoever read everything here.
    pub(super) fn end_cursor(&self) -> &Cursor {
        &self.end
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Audience, EventId, EventParts};
    use super::*;
    use crate::domain::ids::WorkspaceId;
    use crate::domain::time::Timestamp;
    use std::sync::Arc;

    fn id(shard: u16, position: u64) -> EventId {
        EventId { shard, position, index: 0 }
    }

    fn entry(id: EventId) -> FeedEntry {
        let parts = EventParts {
            id,
            kind: "message.received",
            at: Timestamp(0),
            workspace: WorkspaceId(1),
            conversation: None,
            version: 1,
            audience: Arc::new(Audience::default()),
            previous_audience: None,
        };
        FeedEntry::new(parts, &serde_json::json!({})).unwrap()
    }

    fn ids(tail: &Tail) -> Vec<EventId> {
        (tail.first_index()..tail.end_index()).map(|index| tail.get(index).unwrap().id()).collect()
    }

    #[test]
    fn opening_drops_what_the_head_covers() {
        let mut tail = Tail::new(10, usize::MAX);
        for arrived in [id(0, 5), id(1, 2), id(0, 6)] {
            assert!(tail.push(entry(arrived)));
        }
        assert!(!tail.covers(&Cursor::start()), "a closed tail covers nothing");
        tail.open(&[id(0, 5), id(2, 8)].into_iter().collect());
        assert_eq!(ids(&tail), [id(1, 2), id(0, 6)]);
        assert_eq!(*tail.end_cursor(), [id(0, 6), id(1, 2), id(2, 8)].into_iter().collect());
        assert!(tail.covers(&[id(0, 5), id(2, 8)].into_iter().collect()));
        assert!(!tail.covers(&[id(0, 5), id(2, 7)].into_iter().collect()));
    }

    #[test]
    fn an_entry_comes_once() {
        let mut tail = Tail::new(10, usize::MAX);
        tail.open(&[id(0, 5)].into_iter().collect());
        assert!(!tail.push(entry(id(0, 5))));
        assert!(tail.push(entry(id(0, 7))));
        assert!(!tail.push(entry(id(0, 7))));
        assert_eq!(ids(&tail), [id(0, 7)]);
    }

    #[test]
    fn eviction_moves_the_start_and_keeps_the_numbers() {
        let mut tail = Tail::new(2, usize::MAX);
        tail.open(&Cursor::start());
        let first: Vec<EventId> = (1..=5).map(|position| id(0, position)).collect();
        first.iter().for_each(|id| assert!(tail.push(entry(*id))));
        assert_eq!((tail.first_index(), tail.end_index()), (3, 5));
        assert_eq!(tail.cursor_at(4), [id(0, 4)].into_iter().collect());
        assert!(tail.covers(&[id(0, 3)].into_iter().collect()));
        assert!(!tail.covers(&[id(0, 2)].into_iter().collect()));
        tail.restart();
        assert_eq!((tail.first_index(), tail.end_index(), tail.is_open()), (5, 5, false));
    }

    #[test]
    fn what_overflows_while_closed_is_not_covered_later() {
        let mut tail = Tail::new(1, usize::MAX);
        (1..=3).for_each(|position| assert!(tail.push(entry(id(0, position)))));
        tail.open(&Cursor::start());
        assert!(!tail.covers(&[id(0, 1)].into_iter().collect()), "2 was evicted");
        assert!(tail.covers(&[id(0, 2)].into_iter().collect()));
    }
}
