//! Facts for broadcasts and their chunks, told until they are taken.

use std::sync::Arc;
use std::time::Duration;

use super::Broadcasts;
use crate::domain::broadcast::job::{Broadcast, BroadcastCommand, HaltReason};
use crate::domain::ids::BroadcastId;
use crate::shards::CommandError;

/// The first pause before something is told again; it doubles.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Something stands in a broadcast's way. One that does not hear it meets it again with its next block.
pub(super) async fn halt(broadcasts: &Broadcasts, id: BroadcastId, reason: HaltReason) {
    if let Err(error) = broadcasts.shards.ask::<Broadcast>(id.0, BroadcastCommand::Halt { reason }).await {
        tracing::warn!(broadcast = %id, %error, ?reason, "failed to halt a broadcast");
    }
}

/// Tells a broadcast something until it takes it, or the process ends.
pub(super) async fn until_taken(broadcasts: &Broadcasts, id: BroadcastId, fact: impl Fn() -> BroadcastCommand) {
    let mut pause = PAUSE_FIRST;
    loop {
        match broadcasts.shards.ask::<Broadcast>(id.0, fact()).await {
            Ok(_) | Err(CommandError::Refused(_)) => return,
            Err(error) => {
                tracing::debug!(broadcast = %id, %error, "a broadcast does not hear; telling it again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
                if broadcasts.shards.node().failed().borrow().is_some() {
                    return;
                }
            }
        }
    }
}

/// A chunk says whether recipients of it have no outcome.
pub(super) fn chunk_changed(broadcasts: &Arc<Broadcasts>, id: BroadcastId, chunk: u32, open: bool) {
    let broadcasts = Arc::clone(broadcasts);
    tokio::task::spawn_local(async move {
        until_taken(&broadcasts, id, || BroadcastCommand::RecordChunk { chunk, open }).await;
    });
}
