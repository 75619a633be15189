//! The form every rule-keeping entity has: state, command and time in; events, effects,
//! content or a refusal out. No I/O, no clock, no randomness.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::broadcast::BroadcastPlace;
use super::content::Content;
use super::effect::Effect;
use super::ids::{AccountId, ConversationId, Keyring, MessageId, WorkspaceId};
use super::message::{MessageRef, MessageStatus, ProviderMessageId};
use super::refusal::Refusal;
use super::rules::Rules;
use super::time::Timestamp;

/// Which kind of entity an id belongs to. The number is stored: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EntityKind {
    /// Members, keys, accounts, templates of one tenant.
    Workspace = 1,
    /// One person.
    Contact = 2,
    /// One contact on one channel account.
    Conversation = 3,
    /// One connected number.
    Number = 4,
    /// The messaging limit of one portfolio.
    LimitScope = 5,
    /// One message to an audience.
    Broadcast = 6,
    /// Up to 1,000 recipients of a broadcast.
    Chunk = 7,
}

impl EntityKind {
    /// The kind with this stored number.
    #[must_use]
    pub fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Workspace,
            2 => Self::Contact,
            3 => Self::Conversation,
            4 => Self::Number,
            5 => Self::LimitScope,
            6 => Self::Broadcast,
            7 => Self::Chunk,
            _ => return None,
        })
    }
}

/// What a decision may know besides the state and the command.
pub struct Context<'a> {
    /// The moment of the decision, from the injected clock.
    pub now: Timestamp,
    /// The entity's own id.
    pub id: u128,
    /// The secret under which natural keys become ids.
    pub keys: &'a Keyring,
    /// The figures that the decision goes by. What `apply` needs of them goes into the event.
    pub rules: &'a Rules,
    /// For a conversation: the broadcasts whose messages were claimed for it in the last 3 days, and when, in no order.
    pub broadcasts: &'a [(Timestamp, BroadcastPlace)],
}

/// What an entity decided. Nothing of it is visible to anyone until it is committed.
#[derive(Debug)]
pub struct Decision<E: Entity> {
    /// What happened, in order; the log keeps these. Empty when the command repeats an earlier one.
    pub events: Vec<E::Event>,
    /// What is to be done after the commit; kept in the log until it is answered.
    pub effects: Vec<Effect>,
    /// Personal content that the events refer to: rows beside the log, never in it.
    pub content: Vec<Content>,
    /// What the asker hears after the commit.
    pub answer: E::Answer,
}

impl<E: Entity> Decision<E> {
    /// A decision that changes nothing and says `answer`.
    pub fn nothing(answer: E::Answer) -> Self {
        Self { events: Vec::new(), effects: Vec::new(), content: Vec::new(), answer }
    }
}

/// A state machine that decides on a shard.
///
/// `decide` judges a command against the state and changes nothing; `apply` is total, for an
/// event that was stored always applies. Replaying the events gives the live state.
pub trait Entity: Clone + Default + Serialize + DeserializeOwned + Send + 'static {
    /// The stored number of this kind.
    const KIND: EntityKind;
    /// What may be asked of it (imperative).
    type Command: Send + 'static;
    /// What it remembers (past tense). Bytes of these are a contract: append variants and fields only.
    type Event: Clone + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What an asker hears.
    type Answer: Send + 'static;

    /// Judges a command against the state as it stands.
    ///
    /// # Errors
    /// A refusal that names the rule; the state is unchanged.
    fn decide(&self, command: Self::Command, context: &Context<'_>) -> Result<Decision<Self>, Refusal>;

    /// Takes one stored event into the state.
    fn apply(&mut self, event: &Self::Event);

    /// The next moment at which this entity wants to be woken, if any. Durable: it survives a restart.
    fn due(&self) -> Option<Timestamp> {
        None
    }

    /// The command that a due timer turns into.
    fn wake() -> Option<Self::Command> {
        None
    }

    /// What must be read before this command can be decided, where memory does not reach back far
    /// enough. The reading sees everything that this entity decided before.
    fn lookup(&self, _command: &Self::Command) -> Option<Lookup> {
        None
    }

    /// The command with what the lookup found; decided next, without another lookup.
    fn found(command: Self::Command, _found: Found) -> Self::Command {
        command
    }

    /// How many events it has taken: each raises it by one. Answers and events carry it.
    fn version(&self) -> u64;

    /// The tenant this entity belongs to, once it has been created.
    fn workspace(&self) -> Option<WorkspaceId>;
}

/// A question to the store that a decision needs answered first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Is this message in its thread already?
    Message {
        /// Whose thread.
        conversation: ConversationId,
        /// Where in it.
        at: MessageRef,
    },
    /// Which statuses of this message are known?
    Receipts {
        /// Whose thread.
        conversation: ConversationId,
        /// The message; its time is unknown where only a token named it.
        message: MessageId,
    },
    /// Which message of ours does a provider's id mean?
    ProviderRef {
        /// The account that sent it.
        account: AccountId,
        /// The provider's id.
        provider_id: ProviderMessageId,
    },
}

/// The answer to a [`Lookup`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Whether the message is there.
    Message(bool),
    /// Where the message stands, if it is known, and each status of each attempt.
    Receipts(Option<MessageRef>, Vec<(u16, MessageStatus)>),
    /// The message and its attempt, if known, and each status of each attempt.
    ProviderRef(Option<(ConversationId, MessageRef, u16)>, Vec<(u16, MessageStatus)>),
}
