//! A reply that leaves too late, on order: its conversation is not asked whether it still may.

use std::time::Duration;

use super::account::Account;
use super::dispatch::Dispatch;
use super::queue::Reply;
use crate::broken::{self, Fault};
use crate::domain::conversation::{Conversation, Departure};
use crate::domain::message::{MessageContent, MessageStatus};
use crate::domain::outbound::OutboundMessage;
use crate::domain::window::{Form, Standing};
use crate::shards::CommandError;

impl Dispatch {
    /// What a free reply needs to leave that still waits and whose window is closed; none where it is to be judged as
    /// any other.
    pub(super) async fn too_late(
        &self,
        account: &Account,
        reply: &Reply,
    ) -> Result<Option<(Departure, OutboundMessage)>, CommandError> {
        let (now, channel, id) = (self.now(), account.channel, reply.message.id);
        let closed = move |state: &Conversation| {
            let waits = state.status_of(id) == Some(MessageStatus::Queued);
            let closed = waits && !state.window().is_open(channel, Duration::ZERO, now);
            closed.then(|| state.summary(now)).flatten()
        };
        let Some(seen) = self.numbers.shards.view(reply.conversation.0, closed).await? else { return Ok(None) };
        let departure = Departure {
            message: reply.message,
            thread: reply.conversation,
            attempt: reply.attempt,
            standing: Standing::Inside,
            category: Form::Free.category(),
            to: seen.addresses.into_iter().filter_map(|(address, in_use)| in_use.then_some(address)).collect(),
        };
        let Some(message) = self.outbound(account, reply, &departure).await? else { return Ok(None) };
        // A template may leave at any time.
        let free = !matches!(message.content, MessageContent::Template { .. });
        Ok((free && broken::happens(Fault::SendLate)).then_some((departure, message)))
    }
}
