//! Messages of broadcasts in a thread: no rows of its own, but references to a broadcast's ledger, shown with what has
//! become of each.

use std::collections::HashSet;

use super::Conversations;
use super::api::{Attempt, Direction, FailureShown, MessageShown, Moment, ThreadMessage};
use crate::domain::author::Author;
use crate::domain::broadcast::chunk::{Chunk, RecipientView};
use crate::domain::broadcast::job::SLOT_MESSAGE;
use crate::domain::broadcast::{BroadcastPlace, CompiledMessage, RecipientState, chunk_id};
use crate::domain::entity::EntityKind;
use crate::domain::ids::{BroadcastId, ConversationId, MessageId};
use crate::domain::message::{MessageContext, MessageRef, MessageStatus};
use crate::domain::time::Timestamp;
use crate::shards::CommandError;

/// References that are looked at, the latest: older broadcasts of a thread are found in their ledgers.
const LOOKED_AT: usize = 200;

/// A broadcast's message in a thread, before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) at: MessageRef,
    place: BroadcastPlace,
}

impl Conversations {
    /// The broadcasts' messages of a thread before a place, latest first, at most `limit`: each recipient's last claim.
    pub(super) async fn references(
        &self,
        thread: ConversationId,
        before: Option<MessageRef>,
        limit: usize,
    ) -> Result<Vec<Reference>, CommandError> {
        if !self.shards.node().may_have_broadcasts() {
            return Ok(Vec::new());
        }
        let found = self.shards.thread_references(thread, Timestamp(i64::MIN), LOOKED_AT).await?;
        let mut seen: HashSet<(BroadcastId, u32, u16)> = HashSet::new();
        let mut references = Vec::new();
        for (at, place) in found {
            // Latest first: an earlier claim of the same recipient was given back, or tried before.
            if !seen.insert((place.broadcast, place.chunk, place.index)) {
                continue;
            }
            let at = MessageRef { at, id: self.message_id(&place) };
            if before.is_none_or(|before| at < before) {
                references.push(Reference { at, place });
            }
        }
        references.truncate(limit);
        Ok(references)
    }

    /// A broadcast's message as the thread shows it; none where nothing has left, or it was erased.
    pub(super) async fn referred(&self, reference: &Reference) -> Result<Option<ThreadMessage>, CommandError> {
        let Reference { at, place } = *reference;
        let chunk = chunk_id(&self.shards.node().keys, place.broadcast, place.chunk);
        let view = self.shards.view::<Chunk, _>(chunk, move |chunk| chunk.recipient(place.index)).await?;
        let Some((view, status)) = view.and_then(|view| Some((view, status_of(&view)?))) else { return Ok(None) };
        let row = self.shards.private(EntityKind::Broadcast, place.broadcast.0, SLOT_MESSAGE).await?;
        let written = row.and_then(|row| serde_json::from_slice(&row).ok());
        // It was checked when it was written: every name is known, or it did not leave.
        let message = written.and_then(|written| CompiledMessage::compile(written, |_| true).ok());
        let recipient = self.shards.recipient(chunk, place.index).await?;
        let (Some(message), Some(recipient)) = (message, recipient) else { return Ok(None) };
        let ids = self.shards.provider_ids(chunk, place.claim).await?;
        let failure = view.refused.map(|refused| FailureShown {
            code: refused.code,
            class: refused.class,
            sentence: "The provider refused it.".to_owned(),
        });
        Ok(Some(ThreadMessage {
            message: MessageShown {
                id: at.id,
                at: Moment(at.at),
                author: Author::Broadcast(place.broadcast),
                direction: Direction::Out,
                content: message.with(&recipient.texts),
                context: MessageContext::default(),
            },
            provider_id: ids.into_iter().find(|(index, _)| *index == place.index).map(|(_, id)| id),
            status: Some(status),
            attempts: vec![Attempt { attempt: place.attempt, status, at: Moment(at.at), failure }],
        }))
    }

    /// The same recipient is the same message, however often it is tried.
    fn message_id(&self, place: &BroadcastPlace) -> MessageId {
        let (broadcast, chunk, index) = (place.broadcast.0.to_be_bytes(), place.chunk.to_be_bytes(), place.index);
        MessageId(self.shards.node().keys.hash(b"broadcast_message", &[&broadcast, &chunk, &index.to_be_bytes()]))
    }
}

/// The status of what has left; none where nothing has.
const fn status_of(view: &RecipientView) -> Option<MessageStatus> {
    Some(match view.state {
        RecipientState::Pending | RecipientState::Skipped | RecipientState::Cancelled | RecipientState::Attempting => {
            return None;
        }
        RecipientState::InDoubt => MessageStatus::InDoubt,
        RecipientState::Unconfirmed => MessageStatus::Unconfirmed,
        RecipientState::Accepted => MessageStatus::Accepted,
        RecipientState::Sent => MessageStatus::Sent,
        RecipientState::Failed => MessageStatus::Failed,
        RecipientState::Delivered => MessageStatus::Delivered,
        RecipientState::Read => MessageStatus::Read,
    })
}
