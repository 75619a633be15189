//! What a decision asks of others, as data. Run after the commit, kept open in the log until
//! answered, and run again by the next owner: receivers are idempotent.

use serde::{Deserialize, Serialize};

use super::broadcast::BroadcastPlace;
use super::ids::{AccountId, AddressId, ContactId, ConversationId, LimitScopeId, MemberId, TeamId, WorkspaceId};
use super::message::{Channel, MessageRef};
use super::outbound::ErrorClass;
use super::time::Timestamp;

/// The name of one effect: where in which shard's log it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectId {
    /// The shard that decided.
    pub shard: u16,
    /// The record's position in its log.
    pub position: u64,
    /// The index within the record.
    pub index: u16,
}

/// Who a contact belongs to: copied, with its version, to the contact's conversations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Rises with every change at the contact; a conversation takes only a newer one.
    pub version: u64,
    /// The one owner, with full access.
    pub owner: Option<MemberId>,
    /// The team, when there is no owner.
    pub team: Option<TeamId>,
    /// Who else is notified and may reply.
    pub collaborators: Vec<MemberId>,
}

/// Something to be done elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// To the number: send this message. Closed by its outcome.
    #[serde(rename = "dl")]
    Deliver {
        /// The number.
        account: AccountId,
        /// Whose thread.
        conversation: ConversationId,
        /// Which message.
        message: MessageRef,
        /// Which attempt, from 1.
        attempt: u16,
        /// When the decision was made: a send that waited too long does not leave.
        queued_at: Timestamp,
    },
    /// To the number: tell the provider that the customer's message was read.
    #[serde(rename = "mr")]
    MarkRead {
        /// The number.
        account: AccountId,
        /// Whose thread.
        conversation: ConversationId,
        /// The newest message read.
        message: MessageRef,
    },
    /// To the contact: this conversation is yours, and you are known by these addresses.
    #[serde(rename = "oc")]
    ObserveContact {
        /// The tenant.
        workspace: WorkspaceId,
        /// The contact.
        contact: ContactId,
        /// The conversation.
        conversation: ConversationId,
        /// The account it is on.
        account: AccountId,
        /// Every address the person is known by there.
        addresses: Vec<AddressId>,
        /// The provider's time of what taught us.
        at: Timestamp,
    },
    /// To another address's conversation on the same account: we are one person.
    #[serde(rename = "lc")]
    LinkConversation {
        /// Who is told.
        to: ConversationId,
        /// Who tells.
        from: ConversationId,
        /// The teller's first inbound, which decides who stays.
        first_inbound: Option<Timestamp>,
        /// The tenant.
        workspace: WorkspaceId,
        /// The account both are on.
        account: AccountId,
        /// When, by the provider's clock.
        at: Timestamp,
    },
    /// From the losing conversation to the winning one: take me in. `payload` is the loser's
    /// state in stored form (no bodies: those stay in its thread, which is read through the winner).
    #[serde(rename = "ac")]
    AbsorbConversation {
        /// The winner.
        to: ConversationId,
        /// The loser.
        from: ConversationId,
        /// The loser's windows, statuses, epochs as the winner needs them.
        #[serde(with = "serde_bytes_vec")]
        payload: Vec<u8>,
    },
    /// To another address's contact: we are one person.
    #[serde(rename = "lk")]
    LinkContact {
        /// Who is told.
        to: ContactId,
        /// Who tells.
        from: ContactId,
        /// The teller's creation, which decides who stays.
        created_at: Timestamp,
        /// When, by the provider's clock.
        at: Timestamp,
    },
    /// From the losing contact to the winning one: take me in.
    #[serde(rename = "ak")]
    AbsorbContact {
        /// The winner.
        to: ContactId,
        /// The loser.
        from: ContactId,
        /// The loser's state in stored form.
        #[serde(with = "serde_bytes_vec")]
        payload: Vec<u8>,
    },
    /// From the contact to one of its conversations: you belong to these now.
    #[serde(rename = "ca")]
    CopyAssignment {
        /// The conversation.
        conversation: ConversationId,
        /// The contact it belongs to.
        contact: ContactId,
        /// Who it belongs to.
        assignment: Assignment,
    },
    /// To the contact: the customer withdrew or gave consent on an address.
    #[serde(rename = "cw")]
    RecordConsent {
        /// The tenant.
        workspace: WorkspaceId,
        /// The contact.
        contact: ContactId,
        /// The channel on which it was said.
        channel: Channel,
        /// The address.
        address: AddressId,
        /// The topic.
        topic: String,
        /// Opted out.
        withdrawn: bool,
        /// When.
        at: Timestamp,
    },
    /// To the number: the provider refused in a way that concerns it (rate, token, account).
    #[serde(rename = "nt")]
    NumberTrouble {
        /// The number.
        account: AccountId,
        /// The provider's code.
        code: i64,
        /// When.
        at: Timestamp,
        /// What we do about it.
        class: ErrorClass,
    },
    /// To a broadcast: a customer who has it wrote. Which of several they reply to, what they quote tells.
    #[serde(rename = "ar")]
    AttributeReply {
        /// Whose thread.
        conversation: ConversationId,
        /// The customer's message.
        message: MessageRef,
        /// The broadcasts they had in the last 3 days, latest first.
        places: Vec<BroadcastPlace>,
        /// With the same message they withdrew their consent.
        stopped: bool,
    },
    /// To the messaging limit: the provider says the tier is now this.
    #[serde(rename = "lt")]
    SetLimitTier {
        /// The scope.
        scope: LimitScopeId,
        /// The tier.
        tier: super::inbound::LimitTier,
        /// When.
        at: Timestamp,
    },
}

/// Byte strings as MessagePack `bin`, not as arrays of numbers.
mod serde_bytes_vec {
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a byte string")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}
