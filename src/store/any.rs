//! The engine that was configured, behind one type: a match arm each instead of dynamic dispatch.

use std::sync::Arc;

use tokio::sync::watch;

use super::{
    CqlStore, EmbeddedStore, Fence, JournalRecord, Lease, Member, MemoryStore, Owner, Page, Position, Put, Row, RowKey,
    ScanRange, Store, StoreError, StoreIdentity, Table,
};
use crate::clock::Clock;

/// Any engine; clones share it.
#[derive(Clone)]
pub enum AnyStore {
    /// In memory, for tests.
    Memory(MemoryStore),
    /// In a folder of this machine.
    Embedded(EmbeddedStore),
    /// In a database that several nodes share.
    Cql(CqlStore),
}

impl AnyStore {
    /// An empty store in memory, whose times to live go by `clock`.
    #[must_use]
    pub fn memory(clock: Arc<dyn Clock>) -> Self {
        Self::Memory(MemoryStore::new(clock))
    }

    /// Hears why the store has failed for good: the process must end (75) and replay at its next start.
    #[must_use]
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        match self {
            Self::Memory(store) => store.failed(),
            Self::Embedded(store) => store.failed(),
            Self::Cql(store) => store.failed(),
        }
    }
}

impl AnyStore {
    /// Brings figures that only the engine has into the metrics.
    pub fn measure(&self) {
        if let Self::Cql(store) = self {
            store.measure();
        }
    }
}

impl From<MemoryStore> for AnyStore {
    fn from(store: MemoryStore) -> Self {
        Self::Memory(store)
    }
}

impl From<EmbeddedStore> for AnyStore {
    fn from(store: EmbeddedStore) -> Self {
        Self::Embedded(store)
    }
}

impl From<CqlStore> for AnyStore {
    fn from(store: CqlStore) -> Self {
        Self::Cql(store)
    }
}

impl Store for AnyStore {
    async fn identity(&self, proposed: StoreIdentity) -> Result<StoreIdentity, StoreError> {
        match self {
            Self::Memory(store) => store.identity(proposed).await,
            Self::Embedded(store) => store.identity(proposed).await,
            Self::Cql(store) => store.identity(proposed).await,
        }
    }

    async fn put_facts(&self, rows: Vec<Put>) -> Result<(), StoreError> {
        match self {
            Self::Memory(store) => store.put_facts(rows).await,
            Self::Embedded(store) => store.put_facts(rows).await,
            Self::Cql(store) => store.put_facts(rows).await,
        }
    }

    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        match self {
            Self::Memory(store) => store.get(key).await,
            Self::Embedded(store) => store.get(key).await,
            Self::Cql(store) => store.get(key).await,
        }
    }

    async fn get_many(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        match self {
            Self::Memory(store) => store.get_many(keys).await,
            Self::Embedded(store) => store.get_many(keys).await,
            Self::Cql(store) => store.get_many(keys).await,
        }
    }

    async fn scan(&self, table: Table, pk: &[u8], range: ScanRange) -> Result<Page, StoreError> {
        match self {
            Self::Memory(store) => store.scan(table, pk, range).await,
            Self::Embedded(store) => store.scan(table, pk, range).await,
            Self::Cql(store) => store.scan(table, pk, range).await,
        }
    }

    async fn commit(&self, lease: &mut Lease, ts_us: i64, record: Vec<u8>, facts: Vec<Put>) -> Result<Position, Fence> {
        match self {
            Self::Memory(store) => store.commit(lease, ts_us, record, facts).await,
            Self::Embedded(store) => store.commit(lease, ts_us, record, facts).await,
            Self::Cql(store) => store.commit(lease, ts_us, record, facts).await,
        }
    }

    async fn settle(&self, lease: &Lease, upto: Position, rows: Vec<Put>) -> Result<(), Fence> {
        match self {
            Self::Memory(store) => store.settle(lease, upto, rows).await,
            Self::Embedded(store) => store.settle(lease, upto, rows).await,
            Self::Cql(store) => store.settle(lease, upto, rows).await,
        }
    }

    async fn replay(&self, shard: u16, after: Position, limit: usize) -> Result<Vec<JournalRecord>, StoreError> {
        match self {
            Self::Memory(store) => store.replay(shard, after, limit).await,
            Self::Embedded(store) => store.replay(shard, after, limit).await,
            Self::Cql(store) => store.replay(shard, after, limit).await,
        }
    }

    async fn acquire(&self, shard: u16, owner: Owner, expect: Option<u64>) -> Result<Lease, Fence> {
        match self {
            Self::Memory(store) => store.acquire(shard, owner, expect).await,
            Self::Embedded(store) => store.acquire(shard, owner, expect).await,
            Self::Cql(store) => store.acquire(shard, owner, expect).await,
        }
    }

    async fn beat(&self, owner: Owner, number: u64) -> Result<(), StoreError> {
        match self {
            Self::Memory(store) => store.beat(owner, number).await,
            Self::Embedded(store) => store.beat(owner, number).await,
            Self::Cql(store) => store.beat(owner, number).await,
        }
    }

    async fn members(&self) -> Result<(u64, Vec<Member>), StoreError> {
        match self {
            Self::Memory(store) => store.members().await,
            Self::Embedded(store) => store.members().await,
            Self::Cql(store) => store.members().await,
        }
    }

    async fn change_member(&self, expect_version: u64, member: Member) -> Result<bool, StoreError> {
        match self {
            Self::Memory(store) => store.change_member(expect_version, member).await,
            Self::Embedded(store) => store.change_member(expect_version, member).await,
            Self::Cql(store) => store.change_member(expect_version, member).await,
        }
    }

    async fn close(&self) -> Result<(), StoreError> {
        match self {
            Self::Memory(store) => store.close().await,
            Self::Embedded(store) => store.close().await,
            Self::Cql(store) => store.close().await,
        }
    }
}
