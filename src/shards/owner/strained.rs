//! What a shard's strain is judged by, and who is told of it.

use tokio::time::Instant;

use super::super::strain::{Figures, Strain};
use super::Owner;

impl Owner {
    /// Judges how far the store is behind: after each append and each attempt to settle.
    pub(super) fn judge_strain(&self) {
        let (now, options) = (Instant::now(), &self.node.options);
        let figures = Figures {
            records_waiting: self.committer.records_waiting(),
            rows_waiting: self.overlay.borrow().waiting_bytes() / options.settle_bytes.max(1),
            lag: self.lag.at(now).saturating_sub(options.settle_interval),
            append_p99: self.appends.borrow().p99(now),
        };
        let strain = figures.judge();
        let before = self.node.strains().set(self.number, strain);
        if before != strain {
            tracing::warn!(shard = self.number, waits = ?strain, ?figures, "how far the store is behind has changed");
        }
    }

    /// Who waits for this shard's store.
    pub(super) fn strain(&self) -> Strain {
        self.node.strains().get(self.number)
    }
}
