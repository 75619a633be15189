//! Threads, newest first: the conversation's own and those that were merged into it, as one.

use futures_util::future::try_join_all;

use super::Conversations;
use super::api::ThreadMessage;
use super::places::threads_of;
use crate::domain::access::Action;
use crate::domain::author::Author;
use crate::domain::content::StoredMessage;
use crate::domain::conversation::{Conversation, Remembered};
use crate::domain::ids::{ConversationId, MessageId};
use crate::domain::message::{MessageContent, MessageRef, MessageStatus};
use crate::domain::refusal::Refusal;
use crate::shards::CommandError;
use crate::workspaces::Caller;

/// A page of a thread.
#[derive(Clone, Debug, PartialEq)]
pub struct Thread {
    /// The messages, newest first.
    pub messages: Vec<ThreadMessage>,
    /// The last of them, where there are older ones.
    pub next: Option<MessageRef>,
}

impl Conversations {
    /// Messages before one of them, or the newest; at most `limit`, 1 to 1,000.
    ///
    /// # Errors
    /// See [`Self::line`].
    pub async fn thread(
        &self,
        caller: &Caller,
        id: ConversationId,
        before: Option<MessageRef>,
        limit: usize,
    ) -> Result<Thread, CommandError> {
        let line = self.line(caller, id, Action::See).await?;
        let threads = threads_of(&line);
        let pages = try_join_all(threads.iter().map(|thread| self.shards.thread(*thread, before, limit))).await?;
        let (mut merged, mut more) = (Vec::new(), false);
        for (thread, page) in threads.iter().zip(pages) {
            more |= page.more;
            merged.extend(page.messages.into_iter().map(|(at, stored)| (at, *thread, stored)));
        }
        let mut referred = Vec::new();
        for thread in &threads {
            referred.extend(self.references(*thread, before, limit).await?);
        }
        more |= merged.len() + referred.len() > limit;
        // The newest of both; what does not fit comes with the next page.
        let mut places: Vec<MessageRef> =
            merged.iter().map(|(at, ..)| *at).chain(referred.iter().map(|reference| reference.at)).collect();
        places.sort_by_key(|at| std::cmp::Reverse(*at));
        places.truncate(limit);
        let next = places.last().copied().filter(|_| more);
        let fits = |at: &MessageRef| places.last().is_some_and(|last| at >= last);
        merged.retain(|(at, ..)| fits(at));
        referred.retain(|reference| fits(&reference.at));
        let sent = self.sent(line.id, merged.iter().map(|(at, ..)| *at).collect()).await?;
        let shown =
            merged.into_iter().zip(sent).map(|((at, thread, stored), sent)| self.shown(thread, at, stored, sent));
        let mut messages: Vec<ThreadMessage> = try_join_all(shown).await?.into_iter().flatten().collect();
        messages.extend(
            try_join_all(referred.iter().map(|reference| self.referred(reference))).await?.into_iter().flatten(),
        );
        messages.sort_by_key(|shown| std::cmp::Reverse(shown.message.place()));
        Ok(Thread { messages, next })
    }

    /// One message.
    ///
    /// # Errors
    /// See [`Self::line`]; there is no such message.
    pub async fn message(
        &self,
        caller: &Caller,
        id: ConversationId,
        message: MessageId,
    ) -> Result<ThreadMessage, CommandError> {
        let line = self.line(caller, id, Action::See).await?;
        let unknown = || CommandError::from(Refusal::NotFound { what: "message" });
        let Remembered { thread, message: at, .. } = self.place_of(&line, message).await?.ok_or_else(unknown)?;
        let stored = self.shards.message(thread, at).await?.ok_or_else(unknown)?;
        let known = self.sent(line.id, vec![at]).await?.into_iter().next().flatten();
        self.shown(thread, at, stored, known).await?.ok_or_else(unknown)
    }

    /// What memory knows of these messages, in the order asked; none where it does not know one.
    async fn sent(
        &self,
        id: ConversationId,
        messages: Vec<MessageRef>,
    ) -> Result<Vec<Option<Option<(u16, MessageStatus)>>>, CommandError> {
        self.shards
            .view::<Conversation, _>(id.0, move |state| {
                let known = |at: &MessageRef| state.recall(at.id).filter(|known| known.message == *at);
                messages.iter().map(|at| known(at).map(|known| known.sent)).collect()
            })
            .await
    }

    /// A message, with what its receipts say. None where it was written and never decided: its commit was refused after
    /// its text was stored, and whoever asked again was given another place. Of what is ours memory has all that is under
    /// way, and all else has a receipt, notes too.
    async fn shown(
        &self,
        thread: ConversationId,
        at: MessageRef,
        stored: StoredMessage,
        known: Option<Option<(u16, MessageStatus)>>,
    ) -> Result<Option<ThreadMessage>, CommandError> {
        // Customers' messages have no receipts, nor has what the business wrote elsewhere.
        let receipts = match stored.author {
            Author::Customer => Vec::new(),
            _ => self.shards.receipts(thread, at.id).await?,
        };
        // What the platform tells is a fact, as what customers write is.
        let ours = !matches!(stored.author, Author::Customer | Author::Elsewhere);
        let decided = ours && !matches!(stored.content, MessageContent::System { .. });
        if decided && known.is_none() && !receipts.iter().any(|receipt| receipt.message == at) {
            return Ok(None);
        }
        Ok(Some(ThreadMessage::new(at, stored, &receipts, known.flatten())))
    }
}
