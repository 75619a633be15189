//! The engine of a single machine: a folder, one commit thread, and the epochs that fence its writers.
//!
//! Reads of up to a few hundred rows happen on the caller's thread: cached they take microseconds
//! (175,000 point reads a second: `limits.md` §7), and a hop to another thread would cost more. Longer
//! ones go to tokio's blocking threads. A scan also passes over rows that have expired and are not yet
//! merged away. Writes wait in a bounded queue for the commit thread.
//!
//! An I/O error is final. Once one has happened every call answers `Final` with the same sentence,
//! [`EmbeddedStore::failed`] tells it, and the next process replays what was written.

mod disk;
mod expiry;
mod gather;
mod options;
mod request;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{mpsc, oneshot, watch};

use self::disk::Disk;
pub use self::options::EmbeddedOptions;
use self::request::{Reply, Request};
use self::writer::Writer;
use super::span::SCAN_ROWS_MAX;
use super::{
    Fence, JournalRecord, Lease, Member, Owner, Page, Position, Put, Row, RowKey, ScanRange, Store, StoreError,
    StoreIdentity, Table,
};
use crate::clock::Clock;
use crate::domain::time::Timestamp;

/// Reads of at most so many rows happen on the caller's thread: about 0.2 ms when cached.
const ROWS_ON_CALLER_MAX: usize = 256;

/// A store in a folder of this machine; clones share it.
#[derive(Clone)]
pub struct EmbeddedStore {
    requests: mpsc::Sender<Request>,
    shared: Arc<Shared>,
    options: EmbeddedOptions,
}

/// What callers and the commit thread share.
struct Shared {
    disk: RwLock<Option<Disk>>,
    clock: Arc<dyn Clock>,
    fsyncs: AtomicU64,
    failed: watch::Sender<Option<String>>,
    /// The commit thread ended because it was asked to.
    ended: AtomicBool,
}

impl EmbeddedStore {
    /// Opens the folder, creating it if it is not there, and starts the commit thread. Blocks while the
    /// engine reads its log.
    ///
    /// # Errors
    /// `Final` with a sentence: another process has the folder, or it cannot be read or written.
    pub fn open(path: &Path, options: EmbeddedOptions, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let disk = Disk::open(path, &options, &clock)?;
        let shared = Arc::new(Shared {
            disk: RwLock::new(Some(disk.clone())),
            clock,
            fsyncs: AtomicU64::new(0),
            failed: watch::Sender::new(None),
            ended: AtomicBool::new(false),
        });
        let (requests, waiting) = mpsc::channel(options.queue_max.max(1));
        let writer = Writer::new(disk, Arc::clone(&shared), options.clone())?;
        std::thread::Builder::new()
            .name("commit".into())
            .spawn(move || writer.run(waiting))
            .map_err(|error| StoreError::Final(format!("the commit thread cannot start: {error}")))?;
        Ok(Self { requests, shared, options })
    }

    /// How often the commit thread has waited for the disk.
    #[must_use]
    pub fn fsyncs(&self) -> u64 {
        self.shared.fsyncs.load(Ordering::Relaxed)
    }

    /// Hears why this store has failed for good.
    #[must_use]
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.shared.failed.subscribe()
    }

    /// Hands a request to the commit thread and waits for its answer, unless the store has failed.
    async fn ask<T, E: From<StoreError>>(&self, request: impl FnOnce(Reply<T, E>) -> Request) -> Result<T, E> {
        match self.shared.failure() {
            Some(why) => Err(StoreError::Final(why).into()),
            None => self.hand_over(request).await,
        }
    }

    async fn hand_over<T, E: From<StoreError>>(&self, request: impl FnOnce(Reply<T, E>) -> Request) -> Result<T, E> {
        let (reply, answer) = oneshot::channel();
        match self.requests.send_timeout(request(reply), self.options.queue_deadline).await {
            Ok(()) => {}
            Err(SendTimeoutError::Timeout(_)) => {
                return Err(StoreError::NotApplied("the commit queue stayed full".into()).into());
            }
            Err(SendTimeoutError::Closed(_)) => return Err(self.shared.gone().into()),
        }
        match tokio::time::timeout(self.options.answer_deadline, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(self.shared.gone().into()),
            Err(_) => {
                let waited = self.options.answer_deadline;
                let error = StoreError::Final(format!("the disk has not answered a commit within {waited:?}"));
                self.shared.fail_by(&error);
                Err(error.into())
            }
        }
    }

    /// Reads on one of tokio's blocking threads.
    async fn read_aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Disk, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        match tokio::task::spawn_blocking(move || shared.read(read)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(StoreError::NotApplied("the read was given up".into())),
        }
    }
}

impl Shared {
    fn read<T>(&self, read: impl FnOnce(&Disk, Timestamp) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if let Some(why) = self.failure() {
            return Err(StoreError::Final(why));
        }
        let disk = self.disk.read().unwrap_or_else(PoisonError::into_inner);
        let outcome = disk.as_ref().map_or_else(|| Err(closed()), |disk| read(disk, self.clock.now()));
        if let Err(error) = &outcome {
            self.fail_by(error);
        }
        outcome
    }

    fn failure(&self) -> Option<String> {
        self.failed.borrow().clone()
    }

    /// Remembers the first final error; any other error changes nothing.
    fn fail_by(&self, error: &StoreError) {
        let StoreError::Final(why) = error else { return };
        self.failed.send_if_modified(|failed| {
            let first = failed.is_none();
            if first {
                tracing::error!(%why, "the store has failed for good");
                *failed = Some(why.clone());
            }
            first
        });
    }

    /// Why the commit thread is not there.
    fn gone(&self) -> StoreError {
        self.failure().map_or_else(closed, StoreError::Final)
    }

    fn forget_disk(&self) {
        let disk = self.disk.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(disk);
    }
}

fn closed() -> StoreError {
    StoreError::NotApplied("the store is closed".into())
}

impl Store for EmbeddedStore {
    async fn identity(&self, proposed: StoreIdentity) -> Result<StoreIdentity, StoreError> {
        self.ask(|reply| Request::Identity { proposed, reply }).await
    }

    async fn put_facts(&self, rows: Vec<Put>) -> Result<(), StoreError> {
        self.ask(|reply| Request::PutFacts { rows, reply }).await
    }

    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        self.shared.read(|disk, now| disk.row(key, now))
    }

    async fn get_many(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        if keys.len() <= ROWS_ON_CALLER_MAX {
            return self.shared.read(|disk, now| keys.iter().map(|key| disk.row(key, now)).collect());
        }
        let keys = keys.to_vec();
        self.read_aside(move |disk, now| keys.iter().map(|key| disk.row(key, now)).collect()).await
    }

    async fn scan(&self, table: Table, pk: &[u8], range: ScanRange) -> Result<Page, StoreError> {
        if range.limit <= ROWS_ON_CALLER_MAX {
            return self.shared.read(|disk, now| disk.scan(table, pk, &range, now));
        }
        let pk = pk.to_vec();
        self.read_aside(move |disk, now| disk.scan(table, &pk, &range, now)).await
    }

    async fn commit(&self, lease: &mut Lease, ts_us: i64, record: Vec<u8>, facts: Vec<Put>) -> Result<Position, Fence> {
        let asked = lease.clone();
        let position = self.ask(|reply| Request::Commit { lease: asked, ts_us, record, facts, reply }).await?;
        lease.position = position;
        lease.last_ts_us = ts_us;
        Ok(position)
    }

    async fn settle(&self, lease: &Lease, upto: Position, rows: Vec<Put>) -> Result<(), Fence> {
        let lease = lease.clone();
        self.ask(|reply| Request::Settle { lease, upto, rows, reply }).await
    }

    async fn replay(&self, shard: u16, after: Position, limit: usize) -> Result<Vec<JournalRecord>, StoreError> {
        let limit = limit.clamp(1, SCAN_ROWS_MAX);
        // Records are large: never on the caller's thread.
        self.read_aside(move |disk, _| disk.replay(shard, after, limit)).await
    }

    async fn acquire(&self, shard: u16, owner: Owner, expect: Option<u64>) -> Result<Lease, Fence> {
        self.ask(|reply| Request::Acquire { shard, owner, expect, reply }).await
    }

    async fn beat(&self, owner: Owner, number: u64) -> Result<(), StoreError> {
        self.ask(|reply| Request::Beat { owner, number, reply }).await
    }

    async fn members(&self) -> Result<(u64, Vec<Member>), StoreError> {
        let membership = self.shared.read(|disk, _| disk.membership())?;
        Ok((membership.version, membership.members))
    }

    async fn change_member(&self, expect_version: u64, member: Member) -> Result<bool, StoreError> {
        self.ask(|reply| Request::ChangeMember { expect_version, member, reply }).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        // Also after a failure: the folder is given up.
        match self.hand_over(|reply| Request::Close { reply }).await {
            Err(StoreError::NotApplied(_)) if self.shared.ended.load(Ordering::SeqCst) => Ok(()),
            outcome => outcome,
        }
    }
}
