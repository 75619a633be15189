//! What a memory store holds, and what each call does to it once nothing stands in its way.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::domain::time::Timestamp;
use crate::store::cell::Cell;
use crate::store::head::{Admission, ShardHead};
use crate::store::members::{Membership, beat_rises};
use crate::store::span;
use crate::store::{
    Fence, JournalRecord, Lease, Owner, Page, Position, Put, Row, RowKey, ScanRange, StoreError, StoreIdentity, Table,
};

/// Rows, journals, leases and members.
#[derive(Default)]
pub(super) struct Content {
    pub(super) identity: Option<StoreIdentity>,
    pub(super) membership: Membership,
    /// The last beat of each node: incarnation and number.
    pub(super) beats: BTreeMap<u128, (u64, u64)>,
    rows: BTreeMap<Vec<u8>, Cell>,
    heads: BTreeMap<u16, ShardHead>,
    journal: BTreeMap<(u16, Position), JournalRecord>,
}

impl Content {
    pub(super) fn head(&mut self, shard: u16) -> &mut ShardHead {
        self.heads.entry(shard).or_default()
    }

    pub(super) fn put(&mut self, rows: Vec<Put>, now: Timestamp) -> Result<(), StoreError> {
        span::check(&rows)?;
        for row in rows {
            let in_order = Table::from_u8(row.key.table()).is_some_and(Table::in_order);
            let (key, cell) = Cell::of(row, now);
            // An engine that goes by timestamps alone would keep the old one: a writer in order says later times.
            debug_assert!(
                !in_order || self.rows.get(&key).is_none_or(|old| *old == cell || cell.supersedes(old)),
                "a write of table {} does not supersede the one before it",
                key[0]
            );
            // A deletion stays: it is what a later write has to supersede.
            if in_order || self.rows.get(&key).is_none_or(|old| cell.supersedes(old)) {
                self.rows.insert(key, cell);
            }
        }
        Ok(())
    }

    pub(super) fn get(&self, key: &RowKey, now: Timestamp) -> Option<Row> {
        row(key.ck().to_vec(), self.rows.get(key.as_bytes())?, now)
    }

    pub(super) fn scan(&self, table: Table, pk: &[u8], range: &ScanRange, now: Timestamp) -> Page {
        let Some((from, to)) = span::span_of(table, pk, range) else { return Page::default() };
        let limit = span::rows_max(range);
        let span = (from.as_ref().map(Vec::as_slice), to.as_ref().map(Vec::as_slice));
        let found = self.rows.range::<[u8], _>(span);
        let live = |(key, cell): (&Vec<u8>, &Cell)| row(span::ck_of(pk, key), cell, now);
        let mut rows: Vec<Row> = if range.reverse {
            found.rev().filter_map(live).take(limit + 1).collect()
        } else {
            found.filter_map(live).take(limit + 1).collect()
        };
        let more = rows.len() > limit;
        rows.truncate(limit);
        Page { rows, more }
    }

    pub(super) fn commit(
        &mut self,
        lease: &Lease,
        ts_us: i64,
        record: Vec<u8>,
        facts: Vec<Put>,
        now: Timestamp,
    ) -> Result<Position, Fence> {
        span::check(&facts)?;
        let head = self.head(lease.shard);
        match head.admit(lease, ts_us, &record)? {
            Admission::Again(position) => Ok(position),
            Admission::Next(position) => {
                head.append(position, ts_us, &record);
                self.put(facts, now)?;
                let stored = JournalRecord { position, epoch: lease.epoch, ts_us, payload: record };
                self.journal.insert((lease.shard, position), stored);
                Ok(position)
            }
        }
    }

    pub(super) fn settle(
        &mut self,
        lease: &Lease,
        upto: Position,
        rows: Vec<Put>,
        now: Timestamp,
    ) -> Result<(), Fence> {
        self.head(lease.shard).may_settle(lease, upto)?;
        self.put(rows, now)?;
        self.head(lease.shard).checkpoint = upto;
        Ok(())
    }

    pub(super) fn replay(&self, shard: u16, after: Position, limit: usize) -> Vec<JournalRecord> {
        let checkpoint = self.heads.get(&shard).map_or(0, |head| head.checkpoint);
        self.records_after(shard, after.max(checkpoint), limit)
    }

    pub(super) fn records_after(&self, shard: u16, after: Position, limit: usize) -> Vec<JournalRecord> {
        let span = (Bound::Excluded((shard, after)), Bound::Included((shard, Position::MAX)));
        self.journal.range(span).take(limit).map(|(_, record)| record.clone()).collect()
    }

    pub(super) fn beat(&mut self, owner: Owner, number: u64) {
        if beat_rises(self.beats.get(&owner.node).copied(), owner.incarnation, number) {
            self.beats.insert(owner.node, (owner.incarnation, number));
        }
    }
}

fn row(ck: Vec<u8>, cell: &Cell, now: Timestamp) -> Option<Row> {
    let value = cell.is_live(now).then(|| cell.value.clone())??;
    Some(Row { ck, value, ts_us: cell.ts_us })
}
