//! Settling: what waits on its way becomes rows, then the checkpoint moves, so that replay stays short.

use std::rc::Rc;

use super::{Owner, Phase};
use crate::store::{Fence, Store, StoreError};

impl Owner {
    /// Settles now and then, until the shard ends.
    pub(in super::super) async fn settle_loop(self: Rc<Self>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.node.options.settle_interval) => {}
                () = self.settle_wanted.notified() => {}
            }
            self.flush_answered();
            if self.phase() != Phase::Open {
                continue;
            }
            let epoch = self.epoch.get();
            if let Err(fence) = self.settle().await {
                tracing::warn!(shard = self.number, error = %fence, "failed to settle; its rows wait for the next time");
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
        if !matches!(self.phase(), Phase::Open | Phase::Draining) {
            // Half replayed, the states may be older than the position.
            return Err(Fence::Store(StoreError::NotApplied("the shard is opening or closed".into())));
        }
        self.settle_now().await
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
        let Some(lease) = self.settling_lease() else { return Ok(()) };
        let rows = self.overlay.borrow_mut().begin_settle(self.last_ts_us.get());
        if rows.is_empty() {
            return Ok(());
        }
        metrics::counter!("tidegate_settled_rows_total").increment(rows.len() as u64);
        let mut settling = Settling { owner: self, done: false };
        let outcome = self.node.store.settle(&lease, upto, rows).await;
        settling.done = outcome.is_ok();
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
