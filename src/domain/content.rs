//! What is personal: rows beside the log, which erasure can delete. Events only name them.
//!
//! Every row here is a fact: its key is deterministic, and writing it twice is harmless.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::author::Author;
use super::broadcast::BroadcastPlace;
use super::entity::EntityKind;
use super::ids::{AccountId, AddressId, ConversationId, WorkspaceId};
use super::inbound::Address;
use super::message::{Channel, MessageContent, MessageContext, MessageRef, MessageStatus, ProviderMessageId, newer};
use super::outbound::Failure;
use super::time::Timestamp;

/// A message as its thread keeps it. Never changed: edits and reactions are rows of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredMessage {
    /// Who wrote it.
    pub author: Author,
    /// What it says.
    #[serde(deserialize_with = "newer::content")]
    pub content: MessageContent,
    /// What it hangs on.
    pub context: MessageContext,
    /// The provider's id, for what came in or was sent elsewhere.
    pub provider_id: Option<ProviderMessageId>,
    /// Who wrote it, where the thread has several people (groups).
    pub sender: Option<AddressId>,
    /// When it reached us.
    pub arrived_at: Timestamp,
}

/// What an address is and what the platform shows of its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressDetails {
    /// The address.
    pub address: Address,
    /// The profile name.
    pub name: Option<String>,
    /// The user name.
    pub username: Option<String>,
}

/// One row of content.
#[derive(Clone, PartialEq)]
pub enum Content {
    /// A message of a thread.
    Message {
        /// Whose thread.
        conversation: ConversationId,
        /// Where in it.
        at: MessageRef,
        /// The message.
        message: Box<StoredMessage>,
    },
    /// What became of an attempt: one row a status, so repeats and reorderings meet themselves.
    Receipt {
        /// Whose thread.
        conversation: ConversationId,
        /// Which message.
        message: MessageRef,
        /// Which attempt, from 1.
        attempt: u16,
        /// The status.
        status: MessageStatus,
        /// When, by the provider's clock.
        at: Timestamp,
        /// Why it failed.
        failure: Option<Failure>,
        /// The provider's id, where this row teaches it.
        provider_id: Option<ProviderMessageId>,
    },
    /// Which message of ours a provider's id means, for receipts without our token.
    ProviderRef {
        /// The account that sent it.
        account: AccountId,
        /// The provider's id.
        provider_id: ProviderMessageId,
        /// Whose thread.
        conversation: ConversationId,
        /// Which message.
        message: MessageRef,
        /// Which attempt.
        attempt: u16,
    },
    /// What an address is. Last write wins by `at`.
    Address {
        /// The address's id.
        id: AddressId,
        /// What it is.
        details: AddressDetails,
        /// When this was true, by the provider's clock.
        at: Timestamp,
    },
    /// Until when a conversation may be answered: the gate that broadcasts read. Last write wins by `at`.
    WindowGate {
        /// The conversation.
        conversation: ConversationId,
        /// The last inbound that opened the window; none when a provider's error closed it.
        opened_at: Option<Timestamp>,
        /// When this became true.
        at: Timestamp,
    },
    /// Whether an address on a channel wants messages on a topic: the gate that broadcasts read. Last write wins
    /// by `at`, and an opt-out wins a tie.
    ConsentGate {
        /// The tenant.
        workspace: WorkspaceId,
        /// The channel: the same phone may be reached by several.
        channel: Channel,
        /// The address.
        address: AddressId,
        /// The topic; `marketing` is the one everybody has.
        topic: String,
        /// Opted out.
        withdrawn: bool,
        /// When this became true.
        at: Timestamp,
    },
    /// Any private bytes of an entity (a name, an e-mail, a secret): last write wins by `at`.
    Private {
        /// The kind of entity.
        kind: EntityKind,
        /// The entity.
        id: u128,
        /// Which value of it.
        slot: String,
        /// The value; none erases it.
        value: Option<Vec<u8>>,
        /// When this became true.
        at: Timestamp,
    },
    /// That a broadcast's message is in a thread: written with the claim, shown with its outcome.
    ThreadReference {
        /// Whose thread.
        conversation: ConversationId,
        /// When it was claimed.
        at: Timestamp,
        /// Where in which broadcast.
        place: BroadcastPlace,
    },
    /// The provider's ids of messages of one claim.
    BlockOutcome {
        /// The chunk's id.
        chunk: u128,
        /// The claim.
        claim: u128,
        /// The first recipient of the report: a claim may have several.
        first: u16,
        /// Which recipient, which id.
        provider_ids: Vec<(u16, ProviderMessageId)>,
        /// When.
        at: Timestamp,
    },
}

/// The kind of row alone: what is in it is personal, and some of it secret.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Message { .. } => "Message",
            Self::Receipt { .. } => "Receipt",
            Self::ProviderRef { .. } => "ProviderRef",
            Self::Address { .. } => "Address",
            Self::WindowGate { .. } => "WindowGate",
            Self::ConsentGate { .. } => "ConsentGate",
            Self::Private { .. } => "Private",
            Self::ThreadReference { .. } => "ThreadReference",
            Self::BlockOutcome { .. } => "BlockOutcome",
        })
    }
}
