//! The feed as sockets and programs read it: pages of entries, and a cursor over all shards.

use super::{Edge, entry_of};
use crate::domain::ids::WorkspaceId;
use crate::push::{Cursor, EventId, FeedEntry};
use crate::shards::CommandError;

/// The index that stands for a whole record.
const WHOLE: u16 = u16::MAX;
/// Records that are read at once.
const RECORDS_AT_ONCE: usize = 500;
/// Records of one shard that are looked through for one page, so that one reading ends in good time.
const RECORDS_MAX: usize = 50_000;

/// The present end of the feed, with a place for every shard.
pub(super) async fn head(edge: &Edge) -> Result<Cursor, CommandError> {
    let heads = edge.shards.feed_heads().await?;
    let place = |(shard, position): (usize, &u64)| EventId { shard: shard as u16, position: *position, index: WHOLE };
    Ok(heads.iter().enumerate().map(place).collect())
}

/// What follows a cursor, at most `limit` entries, and where the reading stands.
///
/// Every shard has an equal share of the page, and the later ones what the earlier do not use.
pub(super) async fn read(
    edge: &Edge,
    workspace: WorkspaceId,
    after: &Cursor,
    limit: usize,
) -> Result<(Vec<FeedEntry>, Cursor), CommandError> {
    let (mut entries, mut next) = (Vec::new(), after.clone());
    let shards = edge.shards.count();
    for shard in 0..shards {
        let share = (limit - entries.len()).div_ceil(usize::from(shards - shard));
        if share == 0 {
            break;
        }
        let (read, place) = read_shard(edge, workspace, shard, after.place(shard), share).await?;
        entries.extend(read);
        next.advance(EventId { shard, position: place.0, index: place.1 });
    }
    Ok((entries, next))
}

async fn read_shard(
    edge: &Edge,
    workspace: WorkspaceId,
    shard: u16,
    place: Option<(u64, u16)>,
    share: usize,
) -> Result<(Vec<FeedEntry>, (u64, u16)), CommandError> {
    let read = place.unwrap_or((0, WHOLE));
    // A record that was read in part is read again, and what was given of it is left out.
    let mut after = if read.1 == WHOLE { read.0 } else { read.0.saturating_sub(1) };
    let (mut entries, mut looked_through) = (Vec::new(), 0);
    while looked_through < RECORDS_MAX {
        let page = edge.shards.feed(workspace, shard, after, RECORDS_AT_ONCE.min(share.max(16))).await?;
        looked_through += page.turns.len();
        for turn in &page.turns {
            for event in edge.conversations.replayed(workspace, shard, turn).await? {
                let id = (event.position, event.index);
                if id <= read {
                    continue;
                }
                if entries.len() == share {
                    let last: Option<EventId> = entries.last().map(FeedEntry::id);
                    return Ok((entries, last.map_or(read, |last| (last.position, last.index))));
                }
                match entry_of(&event) {
                    Ok(entry) => entries.push(entry),
                    Err(error) => tracing::error!(%error, "an event cannot be written"),
                }
            }
        }
        after = page.upto;
        if !page.more || entries.len() == share {
            break;
        }
    }
    Ok((entries, (after, WHOLE)))
}
