//! What a conversation tells of itself without deciding: whether a send would be taken, and where a message is.

use super::Conversation;
use crate::domain::author::Author;
use crate::domain::ids::{ConversationId, MessageId};
use crate::domain::message::{MessageRef, MessageStatus};
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::time::Timestamp;
use crate::domain::window::profiles::Switches;
use crate::domain::window::{Form, Sending, Standing};

/// A message as memory has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Whose thread has its row.
    pub thread: ConversationId,
    /// Where in it.
    pub message: MessageRef,
    /// The last attempt and the message's status, for what this conversation sends.
    pub sent: Option<(u16, MessageStatus)>,
}

impl Conversation {
    /// Whether a message of this form would be queued now, by the rules that a send is judged by.
    ///
    /// # Errors
    /// The rule that says no.
    pub fn may_send(
        &self,
        form: Form,
        (author, epoch): (Author, Option<u64>),
        switches: Switches,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Standing, Refusal> {
        self.judge_author(author, epoch, "send")?;
        self.judge_consent(form)?;
        let queued = |status: MessageStatus| status == MessageStatus::Queued;
        let waits = self.outbox.0.iter().filter(|entry| entry.form == Form::Free && queued(entry.effective()));
        let waiting = u8::try_from(waits.count()).unwrap_or(u8::MAX);
        let sending = Sending { form, tag: None, by_person: author.is_person(), waiting };
        self.judge_window(sending, switches, rules, now)
    }

    /// A message that memory has; older ones are in the store alone.
    #[must_use]
    pub fn recall(&self, message: MessageId) -> Option<Remembered> {
        let own = self.place?.id;
        if let Some(entry) = self.outbox.get(message) {
            let sent = (entry.attempt > 0).then(|| (entry.attempt, entry.effective()));
            return Some(Remembered { thread: entry.thread.unwrap_or(own), message: entry.message, sent });
        }
        self.recent.get(message).map(|message| Remembered { thread: own, message, sent: None })
    }
}
