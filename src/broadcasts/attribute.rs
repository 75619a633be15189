//! Whose reply it is: of several broadcasts that a customer had, the one that they quote, else the latest.

use super::Broadcasts;
use super::run::once_more;
use crate::domain::broadcast::chunk::{Chunk, ChunkCommand};
use crate::domain::broadcast::{BroadcastPlace, RecipientState};
use crate::domain::ids::ConversationId;
use crate::domain::message::MessageRef;
use crate::shards::CommandError;

impl Broadcasts {
    /// Counts a customer's message as a reply to one of these broadcasts, latest first; once a recipient.
    ///
    /// # Errors
    /// Somebody did not answer: ask again.
    pub async fn attribute(
        &self,
        conversation: ConversationId,
        message: MessageRef,
        places: &[BroadcastPlace],
        stopped: bool,
    ) -> Result<(), CommandError> {
        let Some(place) = self.replied_to(conversation, message, places).await? else { return Ok(()) };
        let command = ChunkCommand::RecordReplies { recipients: vec![place.index] };
        self.shards.ask::<Chunk>(self.chunk(place.broadcast, place.chunk), command).await?;
        if stopped && let Some(run) = self.runs.get(&place.broadcast) {
            once_more(&run.opted_out);
        }
        Ok(())
    }

    async fn replied_to(
        &self,
        conversation: ConversationId,
        message: MessageRef,
        places: &[BroadcastPlace],
    ) -> Result<Option<BroadcastPlace>, CommandError> {
        let quoted = self.shards.message(conversation, message).await?.and_then(|stored| stored.context.quoted);
        if let Some(quoted) = quoted {
            for place in places {
                let ids = self.shards.provider_ids(self.chunk(place.broadcast, place.chunk), place.claim).await?;
                if ids.iter().any(|(index, id)| *index == place.index && *id == quoted) {
                    return Ok(Some(*place));
                }
            }
        }
        // What certainly did not arrive is not answered.
        for place in places {
            let index = place.index;
            let view = move |chunk: &Chunk| chunk.recipient(index).map(|view| view.state);
            let state = self.shards.view::<Chunk, _>(self.chunk(place.broadcast, place.chunk), view).await?;
            let left = |state: RecipientState| state >= RecipientState::InDoubt && state != RecipientState::Failed;
            if state.is_some_and(left) {
                return Ok(Some(*place));
            }
        }
        Ok(None)
    }
}
