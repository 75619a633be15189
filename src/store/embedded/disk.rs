//! The folder: three keyspaces of one fjall database, their keys, and every read.
//!
//! `journal`: shard, position → epoch, timestamp, record. `hot` and `cold`: whole row key → cell; hot is
//! overwritten, cold is history. The engine's own rows stand in `hot` under the table number 0.

use std::path::Path;
use std::sync::Arc;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable, Slice};
use serde::{Deserialize, Serialize};

use super::expiry::Expiry;
use super::options::EmbeddedOptions;
use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::store::cell::Cell;
use crate::store::encoding::{corrupt, decode};
use crate::store::head::ShardHead;
use crate::store::members::Membership;
use crate::store::{
    JournalRecord, Owner, Page, Position, Row, RowKey, ScanRange, StoreError, StoreIdentity, Table, span,
};

const RECORD_HEAD_LEN: usize = 16;

/// An open folder; clones share it.
#[derive(Clone)]
pub(super) struct Disk {
    database: Database,
    journal: Keyspace,
    hot: Keyspace,
    cold: Keyspace,
}

/// What stands on disk about a shard, besides its records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeaseRow {
    pub(super) epoch: u64,
    pub(super) owner: Option<Owner>,
    pub(super) checkpoint: Position,
    /// The last record's timestamp when this row was written; a floor for the next one's.
    pub(super) last_ts_us: i64,
    /// Records up to here have been deleted.
    pub(super) trimmed: Position,
}

impl Disk {
    /// Opens the folder, replaying the engine's log. Blocks.
    pub(super) fn open(path: &Path, options: &EmbeddedOptions, clock: &Arc<dyn Clock>) -> Result<Self, StoreError> {
        let at = path.display();
        std::fs::create_dir_all(path).map_err(|error| StoreError::Final(format!("cannot create {at}: {error}")))?;
        let broken = |error: fjall::Error| match error {
            fjall::Error::Locked => {
                StoreError::Final(format!("{at} is in use by another process; one folder serves one process"))
            }
            error => StoreError::Final(format!("cannot open the store in {at}: {}", sentence(&error))),
        };
        let expiry: Arc<dyn fjall::compaction::filter::Factory> = Arc::new(Expiry::new(Arc::clone(clock)));
        let database = Database::builder(path)
            .manual_journal_persist(true)
            .cache_size(options.cache_bytes)
            .max_journaling_size(options.log_bytes_max.max(64 * 1024 * 1024))
            .worker_threads(options.worker_threads.max(1))
            .max_cached_files(Some(options.open_files_max.max(10)))
            .with_compaction_filter_factories(Arc::new(move |name| (name != "journal").then(|| Arc::clone(&expiry))))
            .open()
            .map_err(broken)?;
        let keyspace = |name| {
            let bounded = || KeyspaceCreateOptions::default().max_memtable_size(options.write_buffer_bytes);
            database.keyspace(name, bounded).map_err(broken)
        };
        let (journal, hot, cold) = (keyspace("journal")?, keyspace("hot")?, keyspace("cold")?);
        Ok(Self { database, journal, hot, cold })
    }

    /// What is stored under a whole row key, live or not.
    pub(super) fn cell(&self, key: &[u8]) -> Result<Option<Cell>, StoreError> {
        let table = Table::from_u8(key.first().copied().unwrap_or_default());
        let stored = self.keyspace_of(table).get(key).map_err(unreadable)?;
        stored.map(|bytes| Cell::decode(table.map_or("unknown", Table::word), &bytes)).transpose()
    }

    /// One row that readers see.
    pub(super) fn row(&self, key: &RowKey, now: Timestamp) -> Result<Option<Row>, StoreError> {
        Ok(self.cell(key.as_bytes())?.and_then(|cell| live(key.ck().to_vec(), cell, now)))
    }

    /// Rows of one partition.
    pub(super) fn scan(&self, table: Table, pk: &[u8], range: &ScanRange, now: Timestamp) -> Result<Page, StoreError> {
        let Some(span) = span::span_of(table, pk, range) else { return Ok(Page::default()) };
        let limit = span::rows_max(range);
        let mut page = Page::default();
        let mut found = self.keyspace_of(Some(table)).range(span);
        while let Some(guard) = if range.reverse { found.next_back() } else { found.next() } {
            let (key, value) = guard.into_inner().map_err(unreadable)?;
            if let Some(row) = live(span::ck_of(pk, &key), Cell::decode(table.word(), &value)?, now) {
                if page.rows.len() == limit {
                    page.more = true;
                    break;
                }
                page.rows.push(row);
            }
        }
        Ok(page)
    }

    /// Committed records after `after` or the checkpoint, whichever is later.
    pub(super) fn replay(&self, shard: u16, after: Position, limit: usize) -> Result<Vec<JournalRecord>, StoreError> {
        // Checkpoint and records of one moment: settling and trimming go on beside this.
        let moment = self.database.snapshot();
        let lease = moment.get(&self.hot, lease_key(shard)).map_err(unreadable)?;
        let checkpoint = lease.map_or(Ok(0), |row| decode::<LeaseRow>("lease", &row).map(|row| row.checkpoint))?;
        let after = after.max(checkpoint);
        let span = journal_key(shard, after.saturating_add(1))..=journal_key(shard, Position::MAX);
        let mut records: Vec<JournalRecord> = Vec::new();
        for guard in moment.range(&self.journal, span).take(limit) {
            let (key, value) = guard.into_inner().map_err(unreadable)?;
            let record = record_of(&key, &value)?;
            let expected = after + 1 + records.len() as Position;
            if record.position != expected {
                let why = format!("record {expected} of shard {shard} is missing before {}", record.position);
                return Err(corrupt("journal", why));
            }
            records.push(record);
        }
        Ok(records)
    }

    /// Where a shard's journal stands, and up to where it was deleted.
    pub(super) fn head(&self, shard: u16) -> Result<(ShardHead, Position), StoreError> {
        let mut head = ShardHead::default();
        let mut trimmed = 0;
        if let Some(bytes) = self.hot.get(lease_key(shard)).map_err(unreadable)? {
            let row: LeaseRow = decode("lease", &bytes)?;
            trimmed = row.trimmed;
            head.epoch = row.epoch;
            head.owner = row.owner;
            head.checkpoint = row.checkpoint;
            head.position = row.checkpoint;
            head.last_ts_us = row.last_ts_us;
        }
        let all = journal_key(shard, 0)..=journal_key(shard, Position::MAX);
        if let Some(guard) = self.journal.range(all).next_back() {
            let (key, value) = guard.into_inner().map_err(unreadable)?;
            let last = record_of(&key, &value)?;
            head.position = head.position.max(last.position);
            head.last_ts_us = head.last_ts_us.max(last.ts_us);
        }
        Ok((head, trimmed))
    }

    /// The positions of a shard's records that are on disk.
    #[cfg(test)]
    pub(super) fn records_kept(&self, shard: u16) -> Vec<Position> {
        let all = journal_key(shard, 0)..=journal_key(shard, Position::MAX);
        let keys = self.journal.range(all).map(|guard| guard.key().expect("reads"));
        keys.map(|key| Position::from_be_bytes(key[2..10].try_into().expect("is a key"))).collect()
    }

    pub(super) fn identity(&self) -> Result<Option<StoreIdentity>, StoreError> {
        let stored = self.hot.get(IDENTITY_KEY).map_err(unreadable)?;
        stored
            .map(|bytes| decode::<(u16, [u8; 16])>("identity", &bytes))
            .transpose()
            .map(|found| found.map(|(shards, key)| StoreIdentity { shards, key }))
    }

    pub(super) fn membership(&self) -> Result<Membership, StoreError> {
        let stored = self.hot.get(MEMBERS_KEY).map_err(unreadable)?;
        stored.map_or_else(|| Ok(Membership::default()), |bytes| decode("members", &bytes))
    }

    pub(super) fn beat(&self, node: u128) -> Result<Option<(u64, u64)>, StoreError> {
        let stored = self.hot.get(beat_key(node)).map_err(unreadable)?;
        stored.map(|bytes| decode("beat", &bytes)).transpose()
    }

    /// An empty batch.
    pub(super) fn batch(&self, rows: usize) -> Batch<'_> {
        Batch { disk: self, writes: OwnedWriteBatch::with_capacity(self.database.clone(), rows) }
    }

    /// Makes everything durable that was written.
    pub(super) fn persist(&self) -> Result<(), String> {
        self.database.persist(PersistMode::SyncAll).map_err(|error| sentence(&error))
    }

    fn keyspace_of(&self, table: Option<Table>) -> &Keyspace {
        use Table::{Delivery, DeliveryList, Feed, Message, ProviderRef, Receipt};
        match table {
            Some(Message | Receipt | ProviderRef | Feed | Delivery | DeliveryList) => &self.cold,
            _ => &self.hot,
        }
    }
}

/// Writes that become durable together.
pub(super) struct Batch<'a> {
    disk: &'a Disk,
    writes: OwnedWriteBatch,
}

impl Batch<'_> {
    /// Writes a row; without a cell it is removed for good.
    pub(super) fn row(&mut self, key: Vec<u8>, cell: Option<&Cell>) {
        let table = Table::from_u8(key.first().copied().unwrap_or_default());
        let keyspace = self.disk.keyspace_of(table);
        match cell {
            Some(cell) => self.writes.insert(keyspace, key, cell.encode()),
            None => self.writes.remove(keyspace, key),
        }
    }

    /// Writes a row of the engine's own.
    pub(super) fn own(&mut self, key: &[u8], value: Vec<u8>) {
        self.writes.insert(&self.disk.hot, key, value);
    }

    pub(super) fn append(&mut self, shard: u16, record: &JournalRecord) {
        self.writes.insert(&self.disk.journal, journal_key(shard, record.position), record_bytes(record));
    }

    pub(super) fn trim(&mut self, shard: u16, position: Position) {
        self.writes.remove(&self.disk.journal, journal_key(shard, position));
    }

    pub(super) fn len(&self) -> usize {
        self.writes.len()
    }

    /// Writes it, and with `sync` waits for the disk. Otherwise the operating system has it: it survives
    /// this process, not the machine, and never without what was written before it.
    pub(super) fn write(self, sync: bool) -> Result<(), String> {
        let mode = if sync { PersistMode::SyncData } else { PersistMode::Buffer };
        self.writes.durability(Some(mode)).commit().map_err(|error| sentence(&error))
    }
}

pub(super) const IDENTITY_KEY: &[u8] = &[0, b'i'];
pub(super) const MEMBERS_KEY: &[u8] = &[0, b'm'];

pub(super) fn lease_key(shard: u16) -> [u8; 4] {
    let [high, low] = shard.to_be_bytes();
    [0, b'l', high, low]
}

pub(super) fn beat_key(node: u128) -> [u8; 18] {
    let mut key = [0; 18];
    key[1] = b'b';
    key[2..].copy_from_slice(&node.to_be_bytes());
    key
}

fn journal_key(shard: u16, position: Position) -> [u8; 10] {
    let mut key = [0; 10];
    key[..2].copy_from_slice(&shard.to_be_bytes());
    key[2..].copy_from_slice(&position.to_be_bytes());
    key
}

/// `epoch u64 | timestamp i64 | record`, big-endian.
fn record_bytes(record: &JournalRecord) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(RECORD_HEAD_LEN + record.payload.len());
    bytes.extend_from_slice(&record.epoch.to_be_bytes());
    bytes.extend_from_slice(&record.ts_us.to_be_bytes());
    bytes.extend_from_slice(&record.payload);
    bytes
}

fn record_of(key: &Slice, value: &[u8]) -> Result<JournalRecord, StoreError> {
    let cut = || corrupt("journal", "a record is shorter than its head".into());
    let position = key.get(2..10).and_then(|raw| raw.try_into().ok()).ok_or_else(cut)?;
    let (epoch, rest) = value.split_first_chunk::<8>().ok_or_else(cut)?;
    let (ts_us, payload) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
    Ok(JournalRecord {
        position: Position::from_be_bytes(position),
        epoch: u64::from_be_bytes(*epoch),
        ts_us: i64::from_be_bytes(*ts_us),
        payload: payload.to_vec(),
    })
}

fn live(ck: Vec<u8>, cell: Cell, now: Timestamp) -> Option<Row> {
    let ts_us = cell.ts_us;
    if !cell.is_live(now) {
        return None;
    }
    cell.value.map(|value| Row { ck, value, ts_us })
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn unreadable(error: fjall::Error) -> StoreError {
    StoreError::Final(format!("the store's folder cannot be read: {}", sentence(&error)))
}

/// What an operator needs of an engine's error.
fn sentence(error: &fjall::Error) -> String {
    match error {
        fjall::Error::Io(error) => error.to_string(),
        fjall::Error::Poisoned => "the engine could not write out a table; the disk may be full or broken".into(),
        fjall::Error::InvalidVersion(_) => "it was written by an incompatible version".into(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::golden;
    use crate::store::encoding::encode;

    #[test]
    fn the_stored_bytes_are_the_golden_ones() {
        let record = JournalRecord { position: 7, epoch: 3, ts_us: -2, payload: b"record".to_vec() };
        let owner = Owner { node: 1 << 100, incarnation: 5 };
        let lease =
            LeaseRow { epoch: 3, owner: Some(owner), checkpoint: 6, last_ts_us: 1_795_165_200_000_000, trimmed: 4 };
        golden(
            "store_embedded.hex",
            &[
                journal_key(258, 7).to_vec(),
                record_bytes(&record),
                lease_key(258).to_vec(),
                encode(&lease).expect("encodes"),
                beat_key(1).to_vec(),
                encode(&(16_u16, [9_u8; 16])).expect("encodes"),
            ],
        );
        let key = Slice::from(journal_key(258, 7));
        assert_eq!(record_of(&key, &record_bytes(&record)).expect("reads"), record);
        assert!(record_of(&key, &record_bytes(&record)[..15]).is_err());
    }
}
