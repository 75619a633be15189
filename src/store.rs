//! What remembers: rows, shard journals and leases, behind one trait drawn for every engine.
//!
//! It promises only what each engine can keep: what a commit wrote is durable, facts no later than the record that names
//! them; rows are last-write-wins by timestamp; nothing is atomic across commits, nothing is ordered across partitions, no
//! scan is unbounded. Above [`crate::shards`] nobody comes here.

mod any;
mod cell;
#[cfg(test)]
pub(crate) mod contract;
pub mod cql;
pub mod embedded;
pub mod encoding;
mod head;
mod members;
pub mod memory;
pub mod row;
mod span;

use std::future::Future;

use serde::{Deserialize, Serialize};

pub use any::AnyStore;
pub use cql::{CqlOptions, CqlStore, SchemaProblem};
pub use embedded::{EmbeddedOptions, EmbeddedStore};
pub use memory::{Fault, Faults, MemoryStore, Operation};
pub use row::{Page, Put, Row, RowKey, ScanRange, Table};

/// A place in a shard's journal: dense, from 1. Zero is before the first record.
pub type Position = u64;

/// Who owns a shard: a node and the number of its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// The node.
    pub node: u128,
    /// Rises with every start of the node.
    pub incarnation: u64,
}

/// The right to append to one shard's journal, until somebody takes a higher epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The shard.
    pub shard: u16,
    /// Rises with every owner; appends of an older epoch are refused by the engine.
    pub epoch: u64,
    /// The last committed record.
    pub position: Position,
    /// The timestamp of the last committed record, in microseconds; the next one is higher.
    pub last_ts_us: i64,
    /// Records up to here need no replay.
    pub checkpoint: Position,
}

/// One record of a journal, as replay gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRecord {
    /// Where it stands.
    pub position: Position,
    /// The epoch of its writer.
    pub epoch: u64,
    /// Its timestamp, in microseconds.
    pub ts_us: i64,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// What a store is, decided when it is created and never changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StoreIdentity {
    /// How many shards there are.
    pub shards: u16,
    /// The secret under which natural keys become ids.
    pub key: [u8; 16],
}

/// A member of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    pub owner: Owner,
    /// Where its links listen.
    pub address: String,
    /// Whether it is taking part; a dead one never comes back under the same incarnation.
    pub alive: bool,
}

/// What went wrong, by the one question callers have: did it happen?
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Certainly not: it may be tried again.
    #[error("the store did not take it: {0}")]
    NotApplied(String),
    /// Perhaps: only the same bytes may be tried again.
    #[error("the store did not say whether it took it: {0}")]
    Unknown(String),
    /// Nothing more by this process: an I/O error of the embedded engine is final. What was under way was
    /// not acknowledged; whether it was written shows when the next process replays.
    #[error("the store has failed for good: {0}")]
    Final(String),
    /// Stored bytes cannot be read.
    #[error("a stored row of {table} cannot be read: {why}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// Why a fenced write was not taken. An unknown outcome is retried inside, with the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fence {
    /// Somebody owns the shard in another epoch: this owner is deposed.
    #[error("the shard belongs to another owner, in epoch {seen_epoch:?}")]
    Fenced {
        /// The epoch seen, where the engine told it.
        seen_epoch: Option<u64>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An engine. Every method is bounded in what it reads; deadlines are the engine's own affair.
pub trait Store: Send + Sync + 'static {
    /// What this store is; `proposed` becomes true if it is new.
    fn identity(&self, proposed: StoreIdentity) -> impl Future<Output = Result<StoreIdentity, StoreError>> + Send;

    /// Writes facts outside any journal; durable when `Ok`.
    fn put_facts(&self, rows: Vec<Put>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// One row, unless it is absent, deleted or expired.
    fn get(&self, key: &RowKey) -> impl Future<Output = Result<Option<Row>, StoreError>> + Send;

    /// Several rows at once, in the order asked.
    fn get_many(&self, keys: &[RowKey]) -> impl Future<Output = Result<Vec<Option<Row>>, StoreError>> + Send;

    /// Rows of one partition in key order; at most `range.limit`, which is at most 10,000.
    fn scan(&self, table: Table, pk: &[u8], range: ScanRange) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// Appends one record and its facts: on success both are durable, and the lease stands at the new position. The
    /// record is there as a whole or not at all; of a refused one's facts some may be there where the engine has no
    /// transactions, as if by `put_facts`. One append of a shard at a time.
    fn commit(
        &self,
        lease: &mut Lease,
        ts_us: i64,
        record: Vec<u8>,
        facts: Vec<Put>,
    ) -> impl Future<Output = Result<Position, Fence>> + Send;

    /// Writes state rows that hold everything up to `upto`, then moves the checkpoint there. Only
    /// forward, only for the present epoch.
    fn settle(&self, lease: &Lease, upto: Position, rows: Vec<Put>) -> impl Future<Output = Result<(), Fence>> + Send;

    /// Committed records after `after`, in order, at most `limit`; dense.
    fn replay(
        &self,
        shard: u16,
        after: Position,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<JournalRecord>, StoreError>> + Send;

    /// Takes the shard in the next epoch. With `expect`, only if the present epoch is that one.
    fn acquire(
        &self,
        shard: u16,
        owner: Owner,
        expect: Option<u64>,
    ) -> impl Future<Output = Result<Lease, Fence>> + Send;

    /// Says that a node is alive; its number only rises.
    fn beat(&self, owner: Owner, number: u64) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The version of the membership and its members.
    fn members(&self) -> impl Future<Output = Result<(u64, Vec<Member>), StoreError>> + Send;

    /// Adds or changes a member if the membership's version is still `expect_version`. A member that
    /// is dead stays dead in its incarnation. Answers whether it was applied.
    fn change_member(
        &self,
        expect_version: u64,
        member: Member,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Writes out what is buffered and ends the engine's threads. Idempotent.
    fn close(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}
