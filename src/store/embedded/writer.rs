//! The commit thread: the only writer of the folder.
//!
//! It takes everything that waits into one batch and one fsync, answers, and takes again: commit at
//! once, collect while committing. A batch is written whole or not at all, and in the order of the log,
//! so a settling needs no fsync of its own: it is never there without the commits before it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use super::Shared;
use super::disk::{Disk, IDENTITY_KEY, LeaseRow, MEMBERS_KEY, beat_key, lease_key};
use super::gather::Gather;
use super::options::EmbeddedOptions;
use super::request::{Reply, Request};
use crate::store::encoding::encode;
use crate::store::head::{Admission, ShardHead};
use crate::store::members::{Membership, beat_rises};
use crate::store::{Fence, JournalRecord, Lease, Member, Owner, Position, Put, StoreError, StoreIdentity, span};

/// One batch deletes at most so many old records, so that it stays a matter of milliseconds.
const TRIM_MAX: Position = 512;

struct Shard {
    head: ShardHead,
    trimmed: Position,
}

impl Shard {
    fn row(&self) -> Result<Vec<u8>, StoreError> {
        encode(&LeaseRow {
            epoch: self.head.epoch,
            owner: self.head.owner,
            checkpoint: self.head.checkpoint,
            last_ts_us: self.head.last_ts_us,
            trimmed: self.trimmed,
        })
    }
}

/// The thread's own state.
pub(super) struct Writer {
    disk: Disk,
    shared: Arc<Shared>,
    options: EmbeddedOptions,
    identity: Option<StoreIdentity>,
    membership: Membership,
    shards: HashMap<u16, Shard>,
}

impl Writer {
    pub(super) fn new(disk: Disk, shared: Arc<Shared>, options: EmbeddedOptions) -> Result<Self, StoreError> {
        let (identity, membership) = (disk.identity()?, disk.membership()?);
        Ok(Self { disk, shared, options, identity, membership, shards: HashMap::new() })
    }

    /// Serves requests until the store is closed or nobody holds it any more.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        // A panic here must end the process, not leave it waiting.
        let orderly = Orderly(Arc::clone(&self.shared));
        loop {
            let first = if self.has_old_records() {
                match requests.try_recv() {
                    Ok(request) => Some(request),
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => break,
                }
            } else {
                match requests.blocking_recv() {
                    Some(request) => Some(request),
                    None => break,
                }
            };
            if let Some(reply) = self.serve(first, &mut requests) {
                // First of all, so that whoever finds the queue closed knows why.
                orderly.end();
                requests.close();
                return self.close(reply);
            }
        }
        orderly.end();
        self.shared.forget_disk();
    }

    /// Gathers, writes and answers one batch. Gives back the reply of a request to close.
    fn serve(&mut self, first: Option<Request>, requests: &mut mpsc::Receiver<Request>) -> Option<Reply<()>> {
        let mut gather = Gather::new(self.shared.clock.now());
        let mut closing = None;
        if self.shared.failure().is_none() {
            self.trim(&mut gather);
        }
        let mut next = first;
        while let Some(request) = next {
            if let Request::Close { reply } = request {
                closing = Some(reply);
                break;
            }
            self.take(request, &mut gather);
            let (rows, bytes) = gather.size();
            let full = rows >= self.options.batch_rows_max || bytes >= self.options.batch_bytes_max;
            next = if full { None } else { requests.try_recv().ok() };
        }
        let written = self.write(&mut gather);
        gather.tell(&written);
        closing
    }

    fn write(&self, gather: &mut Gather) -> Result<(), StoreError> {
        if let Some(why) = self.shared.failure() {
            return Err(StoreError::Final(why));
        }
        match gather.write(&self.disk) {
            Ok(true) => {
                self.shared.fsyncs.fetch_add(1, Ordering::Relaxed);
                metrics::counter!("tidegate_store_fsyncs_total").increment(1);
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(error) => {
                self.shared.fail_by(&error);
                Err(error)
            }
        }
    }

    fn take(&mut self, request: Request, gather: &mut Gather) {
        match request {
            Request::Identity { proposed, reply } => {
                let outcome = self.identity(proposed, gather);
                respond(gather, reply, outcome);
            }
            Request::PutFacts { rows, reply } => {
                let outcome = self.put_facts(rows, gather);
                respond(gather, reply, outcome);
            }
            Request::Commit { lease, ts_us, record, facts, reply } => {
                let outcome = self.commit(&lease, ts_us, record, facts, gather);
                respond_fenced(gather, reply, outcome);
            }
            Request::Settle { lease, upto, rows, reply } => {
                let outcome = self.settle(&lease, upto, rows, gather);
                respond_fenced(gather, reply, outcome);
            }
            Request::Acquire { shard, owner, expect, reply } => {
                let outcome = self.acquire(shard, owner, expect, gather);
                respond_fenced(gather, reply, outcome);
            }
            Request::Beat { owner, number, reply } => {
                let outcome = self.beat(owner, number, gather);
                respond(gather, reply, outcome);
            }
            Request::ChangeMember { expect_version, member, reply } => {
                let outcome = self.change_member(expect_version, member, gather);
                respond(gather, reply, outcome);
            }
            // Taken out before; the answer is that of a closed store.
            Request::Close { .. } => {}
            #[cfg(test)]
            Request::Hold { until, reply } => {
                // Ends when the other end is dropped.
                let _ = until.recv();
                respond(gather, reply, Ok(()));
            }
        }
    }

    fn identity(&mut self, proposed: StoreIdentity, gather: &mut Gather) -> Result<StoreIdentity, StoreError> {
        if let Some(identity) = self.identity {
            return Ok(identity);
        }
        gather.own(IDENTITY_KEY, encode(&(proposed.shards, proposed.key))?);
        gather.must_sync();
        Ok(*self.identity.insert(proposed))
    }

    fn put_facts(&self, rows: Vec<Put>, gather: &mut Gather) -> Result<(), StoreError> {
        span::check(&rows)?;
        // Also when each of them is there already: that one may be of this very batch.
        gather.must_sync();
        gather.put(&self.disk, rows)
    }

    fn commit(
        &mut self,
        lease: &Lease,
        ts_us: i64,
        record: Vec<u8>,
        facts: Vec<Put>,
        gather: &mut Gather,
    ) -> Result<Position, Fence> {
        span::check(&facts)?;
        let head = &mut shard(&mut self.shards, &self.disk, lease.shard)?.head;
        match head.admit(lease, ts_us, &record)? {
            Admission::Again(position) => Ok(position),
            Admission::Next(position) => {
                head.append(position, ts_us, &record);
                gather.put(&self.disk, facts)?;
                gather.append(lease.shard, JournalRecord { position, epoch: lease.epoch, ts_us, payload: record });
                Ok(position)
            }
        }
    }

    fn settle(&mut self, lease: &Lease, upto: Position, rows: Vec<Put>, gather: &mut Gather) -> Result<(), Fence> {
        span::check(&rows)?;
        let shard = shard(&mut self.shards, &self.disk, lease.shard)?;
        shard.head.may_settle(lease, upto)?;
        gather.put(&self.disk, rows)?;
        shard.head.checkpoint = upto;
        gather.own(&lease_key(lease.shard), shard.row()?);
        Ok(())
    }

    fn acquire(&mut self, number: u16, owner: Owner, expect: Option<u64>, gather: &mut Gather) -> Result<Lease, Fence> {
        let shard = shard(&mut self.shards, &self.disk, number)?;
        let lease = shard.head.take(number, owner, expect)?;
        gather.own(&lease_key(number), shard.row()?);
        gather.must_sync();
        Ok(lease)
    }

    fn beat(&self, owner: Owner, number: u64, gather: &mut Gather) -> Result<(), StoreError> {
        if beat_rises(self.disk.beat(owner.node)?, owner.incarnation, number) {
            gather.own(&beat_key(owner.node), encode(&(owner.incarnation, number))?);
        }
        Ok(())
    }

    fn change_member(&mut self, expect_version: u64, member: Member, gather: &mut Gather) -> Result<bool, StoreError> {
        let changed = self.membership.change(expect_version, member);
        if changed {
            gather.own(MEMBERS_KEY, encode(&self.membership)?);
            gather.must_sync();
        }
        Ok(changed)
    }

    fn has_old_records(&self) -> bool {
        self.shared.failure().is_none() && self.shards.values().any(|shard| shard.trimmed < shard.head.checkpoint)
    }

    /// Deletes some of the records that a settling written before made needless.
    fn trim(&mut self, gather: &mut Gather) {
        let Some((number, shard)) = self.shards.iter_mut().find(|(_, shard)| shard.trimmed < shard.head.checkpoint)
        else {
            return;
        };
        let upto = shard.head.checkpoint.min(shard.trimmed + TRIM_MAX);
        for position in shard.trimmed + 1..=upto {
            gather.trim(*number, position);
        }
        shard.trimmed = upto;
        if let Ok(row) = shard.row() {
            gather.own(&lease_key(*number), row);
        }
    }

    fn close(self, reply: Reply<()>) {
        let outcome = match self.shared.failure() {
            Some(why) => Err(StoreError::Final(why)),
            None => self.disk.persist().map_err(|why| {
                let error = StoreError::Final(format!("the store could not be written out at its end: {why}"));
                self.shared.fail_by(&error);
                error
            }),
        };
        let Self { disk, shared, .. } = self;
        drop(disk);
        // The last holder of the folder ends the engine's threads and gives up the lock.
        shared.forget_disk();
        let _ = reply.send(outcome);
    }
}

/// A shard as this thread knows it, read from disk the first time.
fn shard<'a>(shards: &'a mut HashMap<u16, Shard>, disk: &Disk, number: u16) -> Result<&'a mut Shard, StoreError> {
    use std::collections::hash_map::Entry;
    match shards.entry(number) {
        Entry::Occupied(known) => Ok(known.into_mut()),
        Entry::Vacant(place) => {
            let (head, trimmed) = disk.head(number)?;
            Ok(place.insert(Shard { head, trimmed }))
        }
    }
}

fn respond<T: 'static>(gather: &mut Gather, reply: Reply<T>, outcome: Result<T, StoreError>) {
    let broken = outcome.as_ref().err().filter(|error| matches!(error, StoreError::Final(_))).cloned();
    gather.answer(reply, outcome, broken);
}

fn respond_fenced<T: 'static>(gather: &mut Gather, reply: Reply<T, Fence>, outcome: Result<T, Fence>) {
    let broken = match &outcome {
        Err(Fence::Store(error @ StoreError::Final(_))) => Some(error.clone()),
        _ => None,
    };
    gather.answer(reply, outcome, broken);
}

/// Sees to it that the end of the thread is noticed when nobody asked for it.
struct Orderly(Arc<Shared>);

impl Orderly {
    fn end(self) {
        self.0.ended.store(true, Ordering::SeqCst);
    }
}

impl Drop for Orderly {
    fn drop(&mut self) {
        if !self.0.ended.load(Ordering::SeqCst) {
            self.0.fail_by(&StoreError::Final("the commit thread panicked".into()));
        }
    }
}
