//! The engine for tests: everything in memory, nothing durable, faults on order.
//!
//! Its content outlives a handle: [`MemoryStore::reopened`] is what a process finds that starts after
//! another one died. Rows of a settling are visible only once it is settled, those of a commit at once.

mod content;
mod faults;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use self::content::Content;
pub use self::faults::{Fault, Faults, Operation};
use self::faults::{Verdict, failed, unknown};
use super::{
    Fence, JournalRecord, Lease, Member, Owner, Page, Position, Put, Row, RowKey, ScanRange, Store, StoreError,
    StoreIdentity, Table,
};
use crate::clock::Clock;

/// A store in memory; clones share content and faults.
#[derive(Clone)]
pub struct MemoryStore {
    content: Arc<Mutex<Content>>,
    faults: Faults,
    clock: Arc<dyn Clock>,
}

impl MemoryStore {
    /// An empty store; times to live go by `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { content: Arc::default(), faults: Faults::default(), clock }
    }

    /// The same content as a new process finds it: without faults, and not failed.
    #[must_use]
    pub fn reopened(&self) -> Self {
        Self { content: Arc::clone(&self.content), faults: Faults::default(), clock: Arc::clone(&self.clock) }
    }

    /// Orders faults.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Every record a shard ever committed, also those before the checkpoint.
    #[must_use]
    pub fn journal(&self, shard: u16) -> Vec<JournalRecord> {
        self.content().records_after(shard, 0, usize::MAX)
    }

    /// The last beat of a node: incarnation and number.
    #[must_use]
    pub fn last_beat(&self, node: u128) -> Option<(u64, u64)> {
        self.content().beats.get(&node).copied()
    }

    /// Hears why this store has failed for good.
    #[must_use]
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.faults.failed()
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        // A test that panicked in another thread says so itself.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn meet<T, E: From<StoreError>>(
        &self,
        operation: Operation,
        apply: impl FnOnce(&mut Content) -> Result<T, E>,
    ) -> Result<T, E> {
        let verdict = self.faults.meet(operation).await?;
        self.judged(verdict, operation, apply)
    }

    fn judged<T, E: From<StoreError>>(
        &self,
        verdict: Verdict,
        operation: Operation,
        apply: impl FnOnce(&mut Content) -> Result<T, E>,
    ) -> Result<T, E> {
        let outcome = apply(&mut self.content())?;
        match verdict {
            Verdict::Apply => Ok(outcome),
            Verdict::ApplyUnknown => Err(unknown(operation).into()),
            Verdict::InPart => Err(failed(operation).into()),
        }
    }
}

impl Store for MemoryStore {
    async fn identity(&self, proposed: StoreIdentity) -> Result<StoreIdentity, StoreError> {
        self.meet(Operation::Identity, |content| Ok(*content.identity.get_or_insert(proposed))).await
    }

    async fn put_facts(&self, rows: Vec<Put>) -> Result<(), StoreError> {
        self.meet(Operation::PutFacts, |content| content.put(rows, self.clock.now())).await
    }

    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        let state = key.table() == Table::Entity as u8;
        let operation = if state { self.faults.operation_of_state() } else { Operation::Read };
        self.meet(operation, |content| Ok(content.get(key, self.clock.now()))).await
    }

    async fn get_many(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        let now = self.clock.now();
        self.meet(Operation::Read, |content| Ok(keys.iter().map(|key| content.get(key, now)).collect())).await
    }

    async fn scan(&self, table: Table, pk: &[u8], range: ScanRange) -> Result<Page, StoreError> {
        self.meet(Operation::Read, |content| Ok(content.scan(table, pk, &range, self.clock.now()))).await
    }

    async fn commit(&self, lease: &mut Lease, ts_us: i64, record: Vec<u8>, facts: Vec<Put>) -> Result<Position, Fence> {
        let asked = lease.clone();
        let now = self.clock.now();
        let verdict = self.faults.meet(Operation::Commit).await?;
        let position = self.judged(verdict, Operation::Commit, |content| match verdict {
            Verdict::InPart => content.put(facts, now).map(|()| asked.position).map_err(Fence::from),
            _ => content.commit(&asked, ts_us, record, facts, now),
        })?;
        lease.position = position;
        lease.last_ts_us = ts_us;
        Ok(position)
    }

    async fn settle(&self, lease: &Lease, upto: Position, rows: Vec<Put>) -> Result<(), Fence> {
        let (verdict, now) = (self.faults.meet(Operation::Settle).await?, self.clock.now());
        self.judged(verdict, Operation::Settle, |content| match verdict {
            Verdict::InPart => {
                let states = rows.into_iter().filter(|put| put.key.table() == Table::Entity as u8);
                content.put(states.collect(), now).map_err(Fence::from)
            }
            _ => content.settle(lease, upto, rows, now),
        })
    }

    async fn replay(&self, shard: u16, after: Position, limit: usize) -> Result<Vec<JournalRecord>, StoreError> {
        self.meet(Operation::Replay, |content| Ok(content.replay(shard, after, limit))).await
    }

    async fn acquire(&self, shard: u16, owner: Owner, expect: Option<u64>) -> Result<Lease, Fence> {
        self.meet(Operation::Acquire, |content| content.head(shard).take(shard, owner, expect)).await
    }

    async fn beat(&self, owner: Owner, number: u64) -> Result<(), StoreError> {
        self.meet(Operation::Membership, |content| {
            content.beat(owner, number);
            Ok(())
        })
        .await
    }

    async fn members(&self) -> Result<(u64, Vec<Member>), StoreError> {
        self.meet(Operation::Membership, |content| Ok((content.membership.version, content.membership.members.clone())))
            .await
    }

    async fn change_member(&self, expect_version: u64, member: Member) -> Result<bool, StoreError> {
        self.meet(Operation::Membership, |content| Ok(content.membership.change(expect_version, member))).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
