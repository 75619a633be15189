//! What may be asked of a conversation.
//!
//! *Facts* (an inbound, a receipt, an outcome, what the contact or another conversation says) are never
//! refused for where they landed: a conversation that was merged answers [`super::Answer::Forward`].
//! *Requests* of people and programs are refused with `Refusal::Moved` there.

use crate::domain::author::Author;
use crate::domain::content::AddressDetails;
use crate::domain::effect::Assignment;
use crate::domain::ids::{
    AccountId, AddressId, BotId, ContactId, ConversationId, MemberId, MessageId, TeamId, WorkspaceId,
};
use crate::domain::inbound::{Pricing, TemplateStatus};
use crate::domain::message::{Channel, MessageContent, MessageContext, MessageRef, MessageStatus, ProviderMessageId};
use crate::domain::outbound::{Failure, SendOutcome};
use crate::domain::recall::{Asked, CommandKey};
use crate::domain::time::Timestamp;
use crate::domain::window::billing::Category;
use crate::domain::window::profiles::{Switches, Tag};

/// Where a conversation belongs: taken from the first command that creates it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The account it is on.
    pub account: AccountId,
    /// The account's channel.
    pub channel: Channel,
    /// The contact that the first address names.
    pub contact: ContactId,
    /// A thread of several people, which cannot be answered; then the first address is the group's.
    pub group: bool,
}

/// A command.
#[derive(Clone, Debug)]
pub enum Command {
    /// Begin a conversation that the business opens. Answers `Changed`, also when it is there already.
    Start(Box<Start>),
    /// Fact: the customer wrote. Answers `Received`.
    ReceiveMessage(Box<ReceiveMessage>),
    /// Fact: the business wrote by the platform's own app. Answers `Received`.
    RecordEcho(Box<RecordEcho>),
    /// Fact: what became of a message of ours. Answers `Status`, `Unmatched` or `NotYet`.
    RecordReceipt(Box<RecordReceipt>),
    /// Fact: the person's addresses changed. Answers `Changed`.
    ChangeIdentity(Box<ChangeIdentity>),
    /// Fact: the person stopped or resumed marketing by the platform's own switch. Answers `Changed`.
    ChangeConsent(Box<ChangeConsent>),
    /// Fact, from the effect `LinkConversation`: `from` is the same person here. Answers `Changed`.
    Link(Link),
    /// Fact, from the effect `AbsorbConversation`: take the loser in. Answers `Changed`.
    Absorb {
        /// The loser.
        from: ConversationId,
        /// Its state as the effect carries it.
        payload: Vec<u8>,
    },
    /// Fact, from the effect `CopyAssignment`: whom the contact belongs to. Answers `Changed`.
    CopyAssignment {
        /// The contact.
        contact: ContactId,
        /// Whose it is.
        assignment: Assignment,
    },
    /// Request: send a message. Answers `Sent`.
    Send(Box<SendMessage>),
    /// Request: try a failed or unconfirmed message again, at most 24 h after it was written. Answers `Sent`.
    Retry {
        /// Which.
        message: MessageId,
        /// Who asks.
        author: Author,
        /// The template as it is now, where the message is one.
        template: Option<TemplateFacts>,
        /// What the account has switched on.
        switches: Switches,
    },
    /// Fact, from the number: may this message leave now? Answers `Leave` or `Stay`. A message that
    /// may not leave fails with the rule.
    Depart {
        /// The conversation that the effect `Deliver` named.
        thread: ConversationId,
        /// Which message.
        message: MessageId,
        /// Which attempt.
        attempt: u16,
        /// What the account has switched on.
        switches: Switches,
        /// The template as it is now, where the message is one; none is as it was when it was queued.
        template: Option<TemplateFacts>,
    },
    /// Fact, from the number: what became of the call, once the number will not repeat it by itself.
    /// Answers `Status`, `Unmatched` or `NotYet`.
    RecordOutcome(Box<RecordOutcome>),
    /// Request: a note among colleagues. Answers `Sent`, always with the status `Read`.
    AddNote {
        /// Who writes.
        author: Author,
        /// The writer's id of it, unique in the conversation.
        client_id: String,
        /// The text.
        body: String,
        /// Who is mentioned, and sees the conversation for 24 h.
        mentions: Vec<MemberId>,
    },
    /// Request: nothing is left to do here. Answers `Changed`.
    Close {
        /// Who asks.
        author: Author,
    },
    /// Request: there is something to do here. Answers `Changed`.
    Open {
        /// Who asks.
        author: Author,
    },
    /// Request: be quiet until a time. Answers `Changed`.
    Snooze {
        /// Who asks.
        author: Author,
        /// Until when; in the future.
        until: Timestamp,
        /// Whether the customer's next message ends it.
        wake_on_reply: bool,
    },
    /// Request: somebody else handles it now. Answers `Changed` with the new epoch.
    HandOver(Box<HandOver>),
    /// Request: the customer's messages up to this one were read. Answers `Changed`.
    MarkRead {
        /// Who read.
        author: Author,
        /// The newest message read; none is all.
        up_to: Option<MessageRef>,
    },
    /// A request on the asker's terms. Answers as the request does.
    OnTerms(Box<OnTerms>),
    /// Request, of an id that is made of a key: from now on it stands for the conversation that the key begins.
    /// Answers `Forward` with the conversation that the key named first.
    NameStart {
        /// The key.
        key: CommandKey,
        /// The tenant.
        workspace: WorkspaceId,
        /// The account.
        account: AccountId,
        /// The conversation.
        to: ConversationId,
    },
    /// From the shard's timer. Answers `Changed`.
    Wake,
}

/// The fields of [`Command::OnTerms`].
#[derive(Clone, Debug)]
pub struct OnTerms {
    /// The terms.
    pub asked: Asked,
    /// The request.
    pub command: Command,
}

/// The fields of [`Command::Start`].
#[derive(Clone, Debug)]
pub struct Start {
    /// Who begins it.
    pub author: Author,
    /// Where it belongs.
    pub origin: Origin,
    /// The addresses of the person, most preferred first.
    pub addresses: Vec<(AddressId, AddressDetails)>,
    /// Whether it is Open at once; a broadcast to somebody never spoken to leaves it Closed.
    pub open: bool,
}

/// The fields of [`Command::ReceiveMessage`].
#[derive(Clone, Debug)]
pub struct ReceiveMessage {
    /// Where it belongs.
    pub origin: Origin,
    /// The addresses the message names, most preferred first (in a group: the group's, then the writer's).
    pub addresses: Vec<(AddressId, AddressDetails)>,
    /// The provider's id.
    pub provider_id: ProviderMessageId,
    /// The provider's time, and the id from `Keyring::inbound_message`.
    pub message: MessageRef,
    /// What it says.
    pub content: MessageContent,
    /// What it hangs on.
    pub context: MessageContext,
    /// Whether a message of this kind opens the window.
    pub opens_window: bool,
    /// The customer came by an ad or a page button.
    pub free_entry: bool,
    /// When it reached us.
    pub arrived_at: Timestamp,
    /// Filled by the lookup: the thread has it already. Askers leave it `None`.
    pub seen: Option<bool>,
}

/// The fields of [`Command::RecordEcho`].
#[derive(Clone, Debug)]
pub struct RecordEcho {
    /// Where it belongs.
    pub origin: Origin,
    /// The addresses it was written to, most preferred first.
    pub addresses: Vec<(AddressId, AddressDetails)>,
    /// The provider's id.
    pub provider_id: ProviderMessageId,
    /// The provider's time, and the id from `Keyring::inbound_message`.
    pub message: MessageRef,
    /// What it says.
    pub content: MessageContent,
    /// When it reached us.
    pub arrived_at: Timestamp,
    /// Filled by the lookup: a message with this provider's id is known. Askers leave it `None`.
    pub seen: Option<bool>,
}

/// The fields of [`Command::RecordReceipt`].
#[derive(Clone, Debug)]
pub struct RecordReceipt {
    /// The account that sent the message.
    pub account: AccountId,
    /// The conversation that the token names, else the one that was asked first: where the rows are.
    pub thread: ConversationId,
    /// The message and attempt that our token names, if one came back.
    pub message: Option<(MessageId, u16)>,
    /// The provider's id.
    pub provider_id: ProviderMessageId,
    /// How far it came: `Sent`, `Failed`, `Delivered` or `Read`.
    pub status: MessageStatus,
    /// When, by the provider's clock.
    pub at: Timestamp,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// What it says about cost.
    pub pricing: Option<Pricing>,
    /// Filled by the lookup. Askers leave it `None`.
    pub known: Option<KnownMessage>,
}

/// What the store knows of a message that memory has let go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownMessage {
    /// Whose thread it is in.
    pub thread: ConversationId,
    /// Where in it.
    pub message: MessageRef,
    /// Which attempt the receipt speaks of.
    pub attempt: u16,
    /// Each status of each attempt.
    pub statuses: Vec<(u16, MessageStatus)>,
}

/// The fields of [`Command::ChangeIdentity`].
#[derive(Clone, Debug)]
pub struct ChangeIdentity {
    /// Where it belongs.
    pub origin: Origin,
    /// What the person was known by.
    pub previous: Vec<(AddressId, AddressDetails)>,
    /// What the person is known by now.
    pub current: Vec<(AddressId, AddressDetails)>,
    /// When, by the provider's clock.
    pub at: Timestamp,
    /// The system message shown in the thread: its place (id from `Keyring::inbound_message`), the
    /// provider's id and what it says.
    pub notice: Option<(MessageRef, ProviderMessageId, MessageContent)>,
    /// When it reached us.
    pub arrived_at: Timestamp,
    /// Filled by the lookup: the thread has the notice already. Askers leave it `None`.
    pub seen: Option<bool>,
}

/// The fields of [`Command::ChangeConsent`].
#[derive(Clone, Debug)]
pub struct ChangeConsent {
    /// Where it belongs.
    pub origin: Origin,
    /// The addresses it names, most preferred first.
    pub addresses: Vec<(AddressId, AddressDetails)>,
    /// True for stop.
    pub withdrawn: bool,
    /// When, by the provider's clock.
    pub at: Timestamp,
}

/// The fields of [`Command::Link`], as the effect carries them.
#[derive(Clone, Debug)]
pub struct Link {
    /// Who tells.
    pub from: ConversationId,
    /// The teller's first inbound, which decides who stays.
    pub first_inbound: Option<Timestamp>,
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The account both are on.
    pub account: AccountId,
    /// When, by the provider's clock.
    pub at: Timestamp,
}

/// The template that a message uses, as the workspace knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplateFacts {
    /// Its category.
    pub category: Category,
    /// Its status.
    pub status: TemplateStatus,
}

/// The fields of [`Command::Send`].
#[derive(Clone, Debug)]
pub struct SendMessage {
    /// Who sends: a person, a bot, a key or the product itself.
    pub author: Author,
    /// The sender's id of it, unique in the conversation.
    pub client_id: String,
    /// What it says.
    pub content: MessageContent,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// The provider's id of the message it answers, as the asker found it.
    pub quoted: Option<ProviderMessageId>,
    /// The ownership epoch in which it was written: a bot must give it, others may.
    pub epoch: Option<u64>,
    /// The channel's tag.
    pub tag: Option<Tag>,
    /// The template, where the content is one.
    pub template: Option<TemplateFacts>,
    /// What the account has switched on.
    pub switches: Switches,
}

/// The fields of [`Command::RecordOutcome`].
#[derive(Clone, Debug)]
pub struct RecordOutcome {
    /// The conversation that the effect `Deliver` named: where the rows are.
    pub thread: ConversationId,
    /// Which message.
    pub message: MessageId,
    /// Which attempt.
    pub attempt: u16,
    /// What became of the call.
    pub outcome: SendOutcome,
    /// When.
    pub at: Timestamp,
    /// Filled by the lookup. Askers leave it `None`.
    pub known: Option<KnownMessage>,
}

/// Who is to handle a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Handler {
    /// People.
    #[serde(rename = "h")]
    Human,
    /// A program.
    #[serde(rename = "b")]
    Bot(BotId),
}

impl Handler {
    /// The word used in answers: `human` or `bot`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Bot(_) => "bot",
        }
    }
}

/// The fields of [`Command::HandOver`].
#[derive(Clone, Debug)]
pub struct HandOver {
    /// Who asks.
    pub author: Author,
    /// Who is to handle it.
    pub to: Handler,
    /// The asker's epoch; a bot must give it.
    pub epoch: Option<u64>,
    /// The bot's summary of the dialogue: shown in the thread, kept as content.
    pub summary: Option<String>,
    /// The team it is meant for.
    pub team: Option<TeamId>,
}
