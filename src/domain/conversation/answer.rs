//! What an asker hears.

use crate::domain::ids::{AddressId, ConversationId};
use crate::domain::message::{MessageRef, MessageStatus};
use crate::domain::refusal::Refusal;
use crate::domain::window::Standing;
use crate::domain::window::billing::Category;

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Where the inbound or echo stands.
    Received {
        /// Its place in the thread.
        message: MessageRef,
        /// It was there before: nothing changed.
        repeated: bool,
        /// The conversation's version.
        version: u64,
    },
    /// This conversation was merged: ask `to` with the same command.
    Forward {
        /// Who stayed.
        to: ConversationId,
    },
    /// The thread that the command names is still on its way into this conversation: ask again in a moment.
    NotYet,
    /// No such message is known here: keep the fact and try again after the next outcome.
    Unmatched,
    /// What a receipt or outcome made of its message.
    Status {
        /// Its place in the thread.
        message: MessageRef,
        /// The attempt spoken of.
        attempt: u16,
        /// The message's status now.
        status: MessageStatus,
        /// Whether that changed.
        changed: bool,
        /// The conversation's version.
        version: u64,
    },
    /// A message or note that was taken.
    Sent {
        /// Its place in the thread.
        message: MessageRef,
        /// Its status now: `Queued` when it is new.
        status: MessageStatus,
        /// The client id was known: this is the message that it made then.
        repeated: bool,
        /// The conversation's version.
        version: u64,
        /// The ownership epoch.
        epoch: u64,
    },
    /// The message may leave now.
    Leave(Departure),
    /// The message does not leave.
    Stay {
        /// Its status: not `Queued`.
        status: MessageStatus,
        /// The rule that failed it now; none where it had left or ended before.
        refusal: Option<Refusal>,
    },
    /// Anything else: where the conversation stands now.
    Changed {
        /// Whether anything changed.
        changed: bool,
        /// The version.
        version: u64,
        /// The ownership epoch.
        epoch: u64,
    },
}

/// What the number needs of a message that may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Its place in the thread.
    pub message: MessageRef,
    /// The conversation whose thread has its row.
    pub thread: ConversationId,
    /// Which attempt.
    pub attempt: u16,
    /// Inside the window, or outside and counted against the messaging limit.
    pub standing: Standing,
    /// What it will be charged as.
    pub category: Category,
    /// The person's present addresses, in the order in which they were learned.
    pub to: Vec<AddressId>,
}
