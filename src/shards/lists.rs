//! Lists of what a shard holds, from the lines its entities settle: no entity is woken.

use std::ops::Bound;

use super::error::CommandError;
use super::facts::read;
use super::placement::Shards;
use super::rows;
use crate::domain::conversation::Summary;
use crate::domain::ids::{ContactId, WorkspaceId};
use crate::domain::time::Timestamp;
use crate::store::{Page, Row, ScanRange, Table};

/// A contact's place in the list of its workspace: by creation, then by id.
pub type ContactPlace = (Timestamp, ContactId);

impl Shards {
    /// The workspaces of a shard after one of them; at most `limit`, 1 to 10,000.
    ///
    /// # Errors
    /// The shard or the store did not answer.
    pub async fn workspaces_of(
        &self,
        shard: u16,
        after: Option<WorkspaceId>,
        limit: usize,
    ) -> Result<Vec<WorkspaceId>, CommandError> {
        let mut range = ScanRange::first(limit.clamp(1, 10_000));
        if let Some(after) = after {
            range = range.after(after.0.to_be_bytes().to_vec());
        }
        let page = self.lines(Table::WorkspaceList, shard, range).await?;
        let id = |row: &Row| row.ck.as_slice().try_into().ok().map(|raw| WorkspaceId(u128::from_be_bytes(raw)));
        Ok(page.rows.iter().filter_map(id).collect())
    }

    /// A workspace's contacts of one shard after a place, oldest first; at most `limit`, 1 to 10,000. One that was
    /// merged stays in the list: its state redirects.
    ///
    /// # Errors
    /// The shard or the store did not answer.
    pub async fn contacts_of(
        &self,
        workspace: WorkspaceId,
        shard: u16,
        after: Option<ContactPlace>,
        limit: usize,
    ) -> Result<Vec<ContactPlace>, CommandError> {
        let prefix = workspace.0.to_be_bytes();
        let mut range = rows::with_prefix(&prefix, limit.clamp(1, 10_000));
        if let Some((born, id)) = after {
            let mut ck = prefix.to_vec();
            ck.extend_from_slice(&rows::time_key(born));
            ck.extend_from_slice(&id.0.to_be_bytes());
            range.from = Bound::Excluded(ck);
        }
        let page = self.lines(Table::ContactList, shard, range).await?;
        let place = |row: &Row| {
            let born = rows::time_of_key(row.ck.get(16..)?)?;
            let id = row.ck.get(24..40)?.try_into().ok()?;
            Some((born, ContactId(u128::from_be_bytes(id))))
        };
        Ok(page.rows.iter().filter_map(place).collect())
    }

    pub(super) async fn lines(&self, table: Table, shard: u16, range: ScanRange) -> Result<Page, CommandError> {
        let page = self
            .on_async(shard, move |owner| async move {
                // A line is written when its entity settles; what changed since is written first.
                owner.snapshot_dirty()?;
                owner.scan_state(table, &shard.to_be_bytes(), range).await
            })
            .await?;
        read(page)
    }
}

/// The summary in a line of the inbox.
#[must_use]
pub(super) fn read_summary(row: &Row) -> Option<Summary> {
    match rows::value(Table::Inbox, &row.value) {
        Ok(summary) => Some(summary),
        Err(error) => {
            tracing::error!(%error, "failed to read a conversation's line");
            None
        }
    }
}
