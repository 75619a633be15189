//! Lists of what a shard holds, from the lines its entities settle: no entity is woken.

use super::error::CommandError;
use super::facts::read;
use super::placement::Shards;
use crate::store::{Page, ScanRange, Table};

impl Shards {
    /// Lines of one of a shard's lists, after a clustering key; at most `limit`, 1 to 10,000.
    ///
    /// # Errors
    /// The shard or the store did not answer.
    pub async fn lines(
        &self,
        table: Table,
        shard: u16,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Page, CommandError> {
        let mut range = ScanRange::first(limit.clamp(1, 10_000));
        if let Some(after) = after {
            range = range.after(after);
        }
        let page = self
            .on_async(shard, move |owner| async move {
                // A line is written when its entity settles; what changed since is written first.
                owner.snapshot_dirty();
                owner.scan_state(table, &shard.to_be_bytes(), range).await
            })
            .await?;
        read(page)
    }
}
