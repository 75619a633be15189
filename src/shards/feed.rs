//! The durable feed: what each record did to a workspace, read by shard and position.

use super::error::CommandError;
use super::facts::read;
use super::placement::Shards;
use super::record;
use crate::domain::entity::EntityKind;
use crate::domain::ids::WorkspaceId;
use crate::domain::time::Timestamp;
use crate::store::{Position, RowKey, ScanRange, StoreError, Table};

/// The events of one turn, as the feed keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedTurn {
    /// The record's position in its shard's log.
    pub position: Position,
    /// When the record was committed, in business time.
    pub at: Timestamp,
    /// The entity's kind.
    pub kind: EntityKind,
    /// The entity.
    pub id: u128,
    /// The entity's version before the first event.
    pub version: u64,
    /// The index of the first event in the record.
    pub first_event: u16,
    /// The events in MessagePack: read with [`FeedTurn::events`].
    events: Vec<u8>,
}

impl FeedTurn {
    /// The events; `E` is the kind's own.
    ///
    /// # Errors
    /// They are of another kind, or of a newer version.
    pub fn events<E: super::kind::Kind>(&self) -> Result<Vec<E::Event>, CommandError> {
        read(record::read(&self.events).map_err(|error| unreadable(&error)))
    }
}

/// Turns of one shard's feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedPage {
    /// The turns, in order.
    pub turns: Vec<FeedTurn>,
    /// Everything up to this record was given.
    pub upto: Position,
    /// Whether records after it may hold more.
    pub more: bool,
}

impl Shards {
    /// What a workspace did in a shard after a record; at most `limit` records, 1 to 1,000.
    ///
    /// # Errors
    /// The shard or the store did not answer.
    pub async fn feed(
        &self,
        workspace: WorkspaceId,
        shard: u16,
        after: Position,
        limit: usize,
    ) -> Result<FeedPage, CommandError> {
        let range = ScanRange::first(limit.clamp(1, 1_000)).after(after.to_be_bytes().to_vec());
        let (head, page) = self
            .on_async(shard, move |owner| async move {
                let head = owner.told();
                (head, owner.scan_state(Table::Feed, &feed_pk(workspace, shard), range).await)
            })
            .await?;
        let page = read(page)?;
        let mut turns = Vec::new();
        let mut upto = if page.more { after } else { head.max(after) };
        for row in &page.rows {
            let position = row.ck.as_slice().try_into().map_or(0, u64::from_be_bytes);
            let (at, entries) = read(record::feed_entries(&row.value).map_err(|error| unreadable(&error)))?;
            for entry in entries {
                let Some(kind) = EntityKind::from_u8(entry.kind) else { continue };
                turns.push(FeedTurn {
                    position,
                    at,
                    kind,
                    id: entry.id,
                    version: entry.version,
                    first_event: entry.first_event,
                    events: entry.events.to_vec(),
                });
            }
            upto = upto.max(position);
        }
        Ok(FeedPage { turns, upto, more: page.more })
    }

    /// The last record of each shard of which everything was told to the subscriber.
    ///
    /// # Errors
    /// A shard did not answer.
    pub async fn feed_heads(&self) -> Result<Vec<Position>, CommandError> {
        let mut heads = Vec::with_capacity(usize::from(self.count()));
        for shard in 0..self.count() {
            heads.push(self.on_async(shard, |owner| async move { owner.told() }).await?);
        }
        Ok(heads)
    }
}

fn unreadable(error: &record::UnreadableRecord) -> StoreError {
    StoreError::Corrupt { table: Table::Feed.word(), why: error.to_string() }
}

/// The row of a record's events in a workspace's feed.
pub(super) fn feed_key(workspace: WorkspaceId, shard: u16, position: Position) -> RowKey {
    RowKey::new(Table::Feed, &feed_pk(workspace, shard), &position.to_be_bytes())
}

/// The partition of a workspace's feed in one shard.
pub(super) fn feed_pk(workspace: WorkspaceId, shard: u16) -> [u8; 18] {
    let mut pk = [0; 18];
    pk[..16].copy_from_slice(&workspace.0.to_be_bytes());
    pk[16..].copy_from_slice(&shard.to_be_bytes());
    pk
}
