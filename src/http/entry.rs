//! A public event as the entry that sockets and the pull feed show.

use std::sync::Arc;

use crate::conversations::events::{self, PublicEvent};
use crate::push::body::BodyError;
use crate::push::{Audience, EventId, EventParts, FeedEntry};

/// The entry of an event.
///
/// # Errors
/// Its body cannot be written, which is a mistake in its type.
pub fn entry_of(event: &PublicEvent) -> Result<FeedEntry, BodyError> {
    let parts = EventParts {
        id: EventId { shard: event.shard, position: event.position, index: event.index },
        kind: event.word,
        at: event.at,
        workspace: event.workspace,
        conversation: event.conversation,
        version: event.version,
        audience: Arc::new(audience(&event.audience)),
        previous_audience: event.previous_audience.as_deref().map(|before| Arc::new(audience(before))),
    };
    FeedEntry::new(parts, &event.data)
}

/// An audience as the sockets ask for it.
pub(super) fn audience(of: &events::Audience) -> Audience {
    Audience {
        account: of.account,
        owner: of.owner,
        team: of.team,
        collaborators: of.collaborators.clone(),
        mentions: of.mentions.clone(),
    }
}
