//! Settling: what waits on its way becomes rows, then the checkpoint moves, so that replay stays short.

use std::rc::Rc;

use super::super::resident::Resident;
use super::lag::ALARM_AFTER;
use super::{EntityKey, Owner, Phase};
use crate::store::{Fence, Store, StoreError};

/// Snapshots taken before others on the arbiter have their turn.
const AT_ONCE: usize = 64;

impl Owner {
    /// Settles now and then, until the shard ends.
    pub(in super::super) async fn settle_loop(self: Rc<Self>) {
        let mut pause = self.first_after(self.node.options.settle_interval);
        loop {
            tokio::select! {
                () = tokio::time::sleep(std::mem::replace(&mut pause, self.node.options.settle_interval)) => {}
                () = self.settle_wanted.notified() => {}
            }
            self.flush_answered();
            if self.phase() != Phase::Open {
                continue;
            }
            let epoch = self.epoch.get();
            let outcome = self.settle().await;
            self.judge_strain();
            if let Err(fence) = outcome {
                let behind = self.lag.at(tokio::time::Instant::now());
                if behind >= ALARM_AFTER {
                    tracing::error!(shard = self.number, ?behind, error = %fence, "the log is not settled: past a day nothing is decided");
                } else {
                    tracing::warn!(shard = self.number, error = %fence, "failed to settle; its rows wait for the next time");
                }
                // A settling that was under way while this very owner took the next epoch says nothing.
                let still = self.phase() == Phase::Open && self.epoch.get() == epoch;
                if still && matches!(fence, Fence::Fenced { .. }) {
                    self.fail(self.deposed());
                }
            }
        }
    }

    /// Makes every committed state a row and moves the checkpoint to the last committed record.
    pub(in super::super) async fn settle(&self) -> Result<(), Fence> {
        self.no_settling().await;
        self.snapshot_in_steps().await;
        if !self.is_whole() {
            // Half replayed, the states may be older than the position.
            return Err(Fence::Store(StoreError::NotApplied("the shard is opening or closed".into())));
        }
        self.settle_now().await
    }

    /// Takes snapshots of most dirty entities, a few at a time: settling itself lets nothing else run on the arbiter, and
    /// little is left to it after this. One that changes meanwhile is dirty again.
    async fn snapshot_in_steps(&self) {
        let dirty: Vec<_> = self.dirty.borrow().iter().copied().collect();
        let most = dirty.len().saturating_sub(AT_ONCE);
        for some in dirty.get(..most).unwrap_or_default().chunks(AT_ONCE) {
            if !self.is_whole() || self.snapshot_these(some).is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Writes every dirty entity's snapshot and line to the rows on their way. One that cannot be encoded
    /// stays dirty: the checkpoint must not pass it.
    pub(in super::super) fn snapshot_dirty(&self) -> Result<(), StoreError> {
        let dirty: Vec<_> = self.dirty.borrow().iter().copied().collect();
        self.snapshot_these(&dirty)
    }

    /// The same for those of them that are dirty still.
    fn snapshot_these(&self, keys: &[EntityKey]) -> Result<(), StoreError> {
        let directory = self.directory.borrow();
        let mut outcome = Ok(());
        for key in keys.iter().filter(|key| self.dirty.borrow_mut().remove(*key)) {
            let Some(slot) = directory.get(key).and_then(Resident::awake) else { continue };
            if let Err(error) = self.keep_snapshot(*key, slot) {
                self.dirty.borrow_mut().insert(*key);
                outcome = Err(error);
            }
        }
        outcome
    }

    /// Whether every state is that of the last committed record.
    fn is_whole(&self) -> bool {
        matches!(self.phase(), Phase::Open | Phase::Draining)
    }

    /// Waits until nothing is being settled.
    pub(super) async fn no_settling(&self) {
        while self.overlay.borrow().is_settling() {
            self.settled.notified().await;
        }
    }

    /// Settles, whatever the phase: every committed event must be in its entity's state.
    pub(super) async fn settle_now(&self) -> Result<(), Fence> {
        // One at a time: a second one waits for the first and then does its own.
        self.no_settling().await;
        // From here to the store's call nothing else runs on this arbiter, so the states are those of
        // exactly this position.
        self.snapshot_dirty()?;
        let upto = self.position.get();
        // A record may leave no row, and yet be in the log no longer than a week: the checkpoint passes it.
        if self.overlay.borrow().is_empty() && self.lag.is_settled(upto) {
            return Ok(());
        }
        let Some(lease) = self.settling_lease() else { return Ok(()) };
        let began = tokio::time::Instant::now();
        let rows = self.overlay.borrow_mut().begin_settle(self.last_ts_us.get());
        metrics::counter!("tidegate_settled_rows_total").increment(rows.len() as u64);
        let mut settling = Settling { owner: self, done: false };
        let outcome = self.node.store.settle(&lease, upto, rows).await;
        settling.done = outcome.is_ok();
        if outcome.is_ok() {
            self.lag.settled(began, upto, self.position.get());
        }
        outcome
    }

    /// The lease as the engine checks it. While an append is under way it is not in its cell, but its
    /// epoch cannot change meanwhile.
    fn settling_lease(&self) -> Option<crate::store::Lease> {
        self.lease.borrow().clone().or_else(|| self.epoch_lease())
    }
}

/// A settling under way; one that fails or is given up leaves its rows waiting.
struct Settling<'a> {
    owner: &'a Owner,
    done: bool,
}

impl Drop for Settling<'_> {
    fn drop(&mut self) {
        let mut overlay = self.owner.overlay.borrow_mut();
        if self.done {
            overlay.settled();
        } else {
            overlay.settle_failed();
        }
        self.owner.settled.notify_waiters();
    }
}
