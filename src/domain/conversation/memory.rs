//! The bounded memories of a conversation: what it lately took in, what it sends, whom it knows.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::domain::ids::{AddressId, ConversationId, MessageId};
use crate::domain::message::{MessageRef, MessageStatus};
use crate::domain::status;
use crate::domain::time::Timestamp;
use crate::domain::window::Form;
use crate::domain::window::profiles::Tag;

/// How many of the newest messages are remembered for deduplication; older ones are looked up.
pub const RECENT_MAX: usize = 8;

/// How long a client id is remembered.
pub const CLIENT_MEMORY: Duration = Duration::from_secs(24 * 3_600);

/// How many client ids are remembered at most, and messages may be under way.
pub const OUTGOING_MAX: usize = 256;

/// How many addresses of one person are kept.
pub const ADDRESSES_MAX: usize = 64;

/// How many mentions are kept.
pub const MENTIONS_MAX: usize = 32;

/// How many conversations one may take in.
pub const ABSORBED_MAX: usize = 64;

/// The newest messages that came in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Recent {
    /// The newest, in thread order.
    refs: Vec<MessageRef>,
    /// The newest that was forgotten: what is older may be in the thread without being here.
    forgotten: Option<MessageRef>,
}

impl Recent {
    /// Whether this message is known to be in the thread.
    pub(super) fn has(&self, message: MessageRef) -> bool {
        self.refs.binary_search(&message).is_ok()
    }

    /// The message with this id.
    pub(super) fn get(&self, message: MessageId) -> Option<MessageRef> {
        self.refs.iter().copied().find(|known| known.id == message)
    }

    /// Whether only the store can tell.
    pub(super) fn is_unsure_of(&self, message: MessageRef) -> bool {
        !self.has(message) && self.forgotten.is_some_and(|forgotten| message <= forgotten)
    }

    /// How many of them are newer than `message`.
    pub(super) fn newer_than(&self, message: MessageRef) -> usize {
        self.refs.iter().filter(|known| **known > message).count()
    }

    pub(super) fn take(&mut self, message: MessageRef) {
        if let Err(place) = self.refs.binary_search(&message) {
            self.refs.insert(place, message);
            if self.refs.len() > RECENT_MAX {
                self.forgotten = self.forgotten.max(Some(self.refs.remove(0)));
            }
        }
    }
}

/// A message of ours, as long as its client id is remembered or its fate is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Outgoing {
    /// Where it stands.
    pub(super) message: MessageRef,
    /// Whose thread has it, where that is not this conversation's.
    pub(super) thread: Option<ConversationId>,
    /// A keyed digest of the body.
    pub(super) digest: u64,
    /// The last attempt, from 1; 0 for a note.
    pub(super) attempt: u16,
    /// What the last attempt has come to.
    pub(super) status: MessageStatus,
    /// What an earlier attempt came to, where the customer has it.
    pub(super) reached: Option<MessageStatus>,
    /// While it is queued: it may not leave after this. While it is in doubt: evidence is waited for until then.
    pub(super) until: Timestamp,
    /// What it is to the window.
    pub(super) form: Form,
    /// The tag it carries.
    pub(super) tag: Option<Tag>,
    /// Whether a person asked for the last attempt.
    pub(super) by_person: bool,
    /// Whether it was counted for billing.
    pub(super) charged: bool,
}

impl Outgoing {
    /// The message's status, all attempts taken together.
    pub(super) fn effective(&self) -> MessageStatus {
        self.reached.map_or(self.status, |reached| reached.max(self.status))
    }

    /// Takes evidence about an attempt.
    pub(super) fn take(&mut self, attempt: u16, evidence: MessageStatus) {
        if attempt == self.attempt {
            self.status = status::raised(self.status, evidence);
        } else if status::reached(evidence) {
            self.reached = self.reached.max(Some(evidence));
        }
    }

    /// What the status would be after this evidence.
    pub(super) fn after(&self, attempt: u16, evidence: MessageStatus) -> MessageStatus {
        let mut next = self.clone();
        next.take(attempt, evidence);
        next.effective()
    }

    /// When its time is over, if it waits for something.
    pub(super) fn due(&self) -> Option<Timestamp> {
        match self.effective() {
            MessageStatus::Queued => Some(self.until + GIVE_UP_GRACE),
            MessageStatus::InDoubt => Some(self.until),
            _ => None,
        }
    }
}

/// A call that began in time may end after it: its outcome is waited for a little.
pub(super) const GIVE_UP_GRACE: Duration = Duration::from_secs(30);

/// The messages of ours that are remembered, in thread order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Outbox(pub(super) Vec<Outgoing>);

impl Outbox {
    pub(super) fn get(&self, message: MessageId) -> Option<&Outgoing> {
        self.0.iter().rev().find(|entry| entry.message.id == message)
    }

    pub(super) fn get_mut(&mut self, message: MessageId) -> Option<&mut Outgoing> {
        self.0.iter_mut().rev().find(|entry| entry.message.id == message)
    }

    /// Whether everything in it is still under way, so that nothing can make room.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= OUTGOING_MAX && self.0.iter().all(|entry| !status::is_settled(entry.effective()))
    }

    pub(super) fn put(&mut self, entry: Outgoing) {
        match self.0.binary_search_by_key(&entry.message, |known| known.message) {
            Ok(place) => self.0[place] = entry,
            Err(place) => self.0.insert(place, entry),
        }
    }

    /// Lets settled messages go that are older than a day or too many.
    pub(super) fn prune(&mut self, now: Timestamp) {
        self.0.retain(|entry| entry.message.at + CLIENT_MEMORY > now || !status::is_settled(entry.effective()));
        while self.0.len() > OUTGOING_MAX {
            let Some(place) = self.0.iter().position(|entry| status::is_settled(entry.effective())) else { return };
            self.0.remove(place);
        }
    }
}

/// One address of the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownAddress {
    pub(super) id: AddressId,
    /// A keyed digest of the names shown beside it; 0 where none were.
    pub(super) shown: u32,
    /// When the person last used it, by the provider's clock.
    pub(super) seen_at: Timestamp,
    /// When the person gave it up.
    pub(super) retired_at: Option<Timestamp>,
}

impl KnownAddress {
    pub(super) fn is_current(&self) -> bool {
        self.retired_at.is_none_or(|retired| self.seen_at > retired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> MessageRef {
        MessageRef { at: Timestamp(ms), id: MessageId(ms as u128) }
    }

    #[test]
    fn recent_memory_knows_what_it_does_not_know() {
        let mut recent = Recent::default();
        assert!(!recent.is_unsure_of(at(1)));
        for ms in 1..=10 {
            recent.take(at(ms));
        }
        assert!(recent.has(at(10)) && recent.has(at(3)) && !recent.has(at(2)));
        assert!(recent.is_unsure_of(at(2)) && recent.is_unsure_of(at(0)));
        assert!(!recent.is_unsure_of(at(11)));
        // One older than all is forgotten at once, and that is remembered.
        recent.take(at(-5));
        assert!(!recent.has(at(-5)) && recent.is_unsure_of(at(-5)));
        assert_eq!(recent.newer_than(at(8)), 2);
    }
}
