//! Settling: what waits on its way becomes rows, then the checkpoint moves, so that replay stays short.

use std::rc::Rc;

use super::{Owner, Phase};
use crate::store::{Fence, Store};

impl Owner {
    /// Settles now and then, until the shard ends.
    pub(in super::super) async fn settle_loop(self: Rc<Self>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.node.options.settle_interval) => {}
                () = self.settle_wanted.notified() => {}
            }
            self.flush_answered();
            if self.phase() == Phase::Open
                && let Err(fence) = self.settle().await
            {
                tracing::warn!(shard = self.number, error = %fence, "failed to settle; its rows wait for the next time");
                if matches!(fence, Fence::Fenced { .. }) {
                    self.node.fail(format!("shard {} belongs to another owner now", self.number));
                }
            }
        }
    }

    /// Makes every committed state a row and moves the checkpoint to the last committed record.
    pub(in super::super) async fn settle(&self) -> Result<(), Fence> {
        // One at a time: a second one waits for the first and then does its own.
        while self.overlay.borrow().is_settling() {
            self.settled.notified().await;
        }
        // From here to the store's call nothing else runs on this arbiter, so the states are those of
        // exactly this position.
        self.snapshot_dirty();
        let upto = self.position.get();
        let Some(lease) = self.settling_lease() else { return Ok(()) };
        let rows = self.overlay.borrow_mut().begin_settle(self.last_ts_us.get());
        if rows.is_empty() {
            return Ok(());
        }
        metrics::counter!("tidegate_settled_rows_total").increment(rows.len() as u64);
        let outcome = self.node.store.settle(&lease, upto, rows).await;
        match &outcome {
            Ok(()) => self.overlay.borrow_mut().settled(),
            Err(_) => self.overlay.borrow_mut().settle_failed(),
        }
        self.settled.notify_waiters();
        outcome
    }

    /// The lease as the engine checks it. While an append is under way it is not in its cell, but its
    /// epoch cannot change meanwhile.
    fn settling_lease(&self) -> Option<crate::store::Lease> {
        self.lease.borrow().clone().or_else(|| self.epoch_lease())
    }
}
