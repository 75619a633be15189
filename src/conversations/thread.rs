//! Threads, newest first: the conversation's own and those that were merged into it, as one.

use futures_util::future::try_join_all;

use super::Conversations;
use super::api::ThreadMessage;
use super::places::threads_of;
use crate::domain::access::Action;
use crate::domain::content::StoredMessage;
use crate::domain::conversation::{Conversation, Remembered};
use crate::domain::ids::{ConversationId, MessageId};
use crate::domain::message::{MessageRef, MessageStatus};
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
        let sent = self.sent(line.id, merged.iter().map(|(at, ..)| at.id).collect()).await?;
        let shown =
            merged.into_iter().zip(sent).map(|((at, thread, stored), sent)| self.shown(thread, at, stored, sent));
        let mut messages = try_join_all(shown).await?;
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
        let Remembered { thread, message: at, sent } = self.place_of(&line, message).await?.ok_or_else(unknown)?;
        let stored = self.shards.message(thread, at).await?.ok_or_else(unknown)?;
        self.shown(thread, at, stored, sent).await
    }

    /// What memory knows of these messages, in the order asked.
    async fn sent(
        &self,
        id: ConversationId,
        messages: Vec<MessageId>,
    ) -> Result<Vec<Option<(u16, MessageStatus)>>, CommandError> {
        self.shards
            .view::<Conversation, _>(id.0, move |state| {
                messages.iter().map(|message| state.recall(*message).and_then(|known| known.sent)).collect()
            })
            .await
    }

    async fn shown(
        &self,
        thread: ConversationId,
        at: MessageRef,
        stored: StoredMessage,
        sent: Option<(u16, MessageStatus)>,
    ) -> Result<ThreadMessage, CommandError> {
        // Customers' messages have no receipts.
        let receipts = match stored.author {
            crate::domain::author::Author::Customer => Vec::new(),
            _ => self.shards.receipts(thread, at.id).await?,
        };
        Ok(ThreadMessage::new(at, stored, &receipts, sent))
    }
}
