//! Where a message is: its conversation's memory knows the newest, the rows know the others.

use super::Conversations;
use crate::domain::conversation::{Conversation, Remembered, Summary};
use crate::domain::ids::{ConversationId, MessageId};
use crate::domain::message::ProviderMessageId;
use crate::shards::CommandError;

/// The conversation's own thread and those that are read through it.
pub(super) fn threads_of(line: &Summary) -> Vec<ConversationId> {
    std::iter::once(line.id).chain(line.absorbed.iter().copied()).collect()
}

impl Conversations {
    /// Where a message of a conversation is, however old it is.
    pub(super) async fn place_of(
        &self,
        line: &Summary,
        message: MessageId,
    ) -> Result<Option<Remembered>, CommandError> {
        let known = self.shards.view::<Conversation, _>(line.id.0, move |state| state.recall(message)).await?;
        if known.is_some() {
            return Ok(known);
        }
        for thread in threads_of(line) {
            if let Some(receipt) = self.shards.receipts(thread, message).await?.first() {
                return Ok(Some(Remembered { thread, message: receipt.message, sent: None }));
            }
        }
        for thread in threads_of(line) {
            if let Some(message) = self.shards.place_in_thread(thread, message).await? {
                return Ok(Some(Remembered { thread, message, sent: None }));
            }
        }
        Ok(None)
    }

    /// The provider's id of a message, as a reply quotes it.
    pub(super) async fn provider_id_of(&self, place: Remembered) -> Result<Option<ProviderMessageId>, CommandError> {
        let stored = self.shards.message(place.thread, place.message).await?;
        if let Some(provider_id) = stored.and_then(|stored| stored.provider_id) {
            return Ok(Some(provider_id));
        }
        let receipts = self.shards.receipts(place.thread, place.message.id).await?;
        Ok(receipts.into_iter().rev().find_map(|receipt| receipt.provider_id))
    }
}
