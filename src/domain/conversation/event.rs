//! What a conversation remembers. The bytes are a contract: append variants and fields only.
//!
//! Nothing personal is in here: ids, times, codes. What people wrote and are called is content.

use serde::{Deserialize, Serialize};

use super::Conversation;
use super::command::Handler;
use crate::domain::author::Author;
use crate::domain::effect::Assignment;
use crate::domain::ids::{AccountId, AddressId, ContactId, ConversationId, MemberId, TeamId, WorkspaceId};
use crate::domain::message::{Channel, MessageRef, MessageStatus};
use crate::domain::outbound::ErrorClass;
use crate::domain::recall::CommandKey;
use crate::domain::time::Timestamp;
use crate::domain::window::Form;
use crate::domain::window::billing::Category;
use crate::domain::window::profiles::Tag;

/// An event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ConversationEvent {
    /// The conversation began. It is Closed until somebody opens it.
    #[serde(rename = "op")]
    Began {
        /// Its own id.
        id: ConversationId,
        /// The tenant.
        workspace: WorkspaceId,
        /// The account.
        account: AccountId,
        /// The channel.
        channel: Channel,
        /// The contact that the first address names.
        contact: ContactId,
        /// A thread of several people.
        group: bool,
        /// When.
        at: Timestamp,
    },
    /// The person is known by these addresses.
    #[serde(rename = "ad")]
    AddressesLearned {
        /// The addresses, each with a keyed digest of the names shown beside it.
        addresses: Vec<(AddressId, u32)>,
        /// The provider's time of what taught us.
        at: Timestamp,
    },
    /// The person gave these addresses up.
    #[serde(rename = "ar")]
    AddressesRetired {
        /// The addresses.
        addresses: Vec<AddressId>,
        /// The provider's time.
        at: Timestamp,
    },
    /// The customer wrote.
    #[serde(rename = "in")]
    MessageReceived {
        /// Where it stands.
        message: MessageRef,
        /// Which known addresses it named: bit n is the nth learned.
        named: u64,
        /// The opening of the window by it, clamped; none where it opens none.
        opened_at: Option<Timestamp>,
        /// The customer came by an ad or a page button.
        free_entry: bool,
        /// It waits to be read.
        unread: bool,
    },
    /// The business wrote by the platform's own app.
    #[serde(rename = "ec")]
    EchoRecorded {
        /// Where it stands.
        message: MessageRef,
    },
    /// The platform said something in the thread.
    #[serde(rename = "nt")]
    NoticeRecorded {
        /// Where it stands.
        message: MessageRef,
    },
    /// The provider says that the window was closed then.
    #[serde(rename = "wc")]
    WindowShut {
        /// When.
        at: Timestamp,
    },
    /// The customer withdrew or gave consent to marketing.
    #[serde(rename = "co")]
    ConsentChanged {
        /// Withdrew.
        withdrawn: bool,
        /// When, by the provider's clock.
        at: Timestamp,
    },
    /// A message waits to leave.
    #[serde(rename = "mq")]
    MessageQueued {
        /// Where it stands.
        message: MessageRef,
        /// Who sends.
        author: Author,
        /// A keyed digest of the body, by which a repeated client id is judged.
        digest: u64,
        /// What it is to the window.
        form: Form,
        /// The tag it carries.
        tag: Option<Tag>,
        /// It may not leave after this; none is 10 minutes from when it was queued.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A failed or unconfirmed message waits to leave again.
    #[serde(rename = "rt")]
    AttemptQueued {
        /// Where it stands.
        message: MessageRef,
        /// Who asked.
        author: Author,
        /// Which attempt this is.
        attempt: u16,
        /// When.
        at: Timestamp,
        /// It may not leave after this; none is 10 minutes from `at`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A message's status is now this.
    #[serde(rename = "sc")]
    StatusChanged {
        /// Where it stands.
        message: MessageRef,
        /// Which attempt showed it.
        attempt: u16,
        /// The message's status.
        status: MessageStatus,
        /// When that happened: the provider's clock for receipts.
        at: Timestamp,
        /// Why, where it failed.
        failure: Option<FailureCode>,
        /// Where it is in doubt: until when evidence is waited for; none is 15 minutes from `at`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// The provider took a message of ours: it counts for billing and for replies.
    #[serde(rename = "ch")]
    MessageCharged {
        /// Where it stands.
        message: MessageRef,
        /// What it is charged as.
        category: Category,
        /// When.
        at: Timestamp,
        /// It opened a billing conversation of its category.
        opens: bool,
    },
    /// A note among colleagues.
    #[serde(rename = "no")]
    NoteAdded {
        /// Where it stands.
        note: MessageRef,
        /// Who wrote.
        author: Author,
        /// Who was mentioned.
        mentions: Vec<MemberId>,
        /// A keyed digest of the body.
        digest: u64,
    },
    /// Nothing is left to do.
    #[serde(rename = "cl")]
    Closed {
        /// Who closed it.
        by: Author,
        /// When.
        at: Timestamp,
    },
    /// There is something to do.
    #[serde(rename = "ro")]
    Opened {
        /// Who opened it: the customer, by writing.
        by: Author,
        /// When.
        at: Timestamp,
    },
    /// It is quiet until a time.
    #[serde(rename = "sn")]
    Snoozed {
        /// Who asked.
        by: Author,
        /// Until when.
        until: Timestamp,
        /// Whether the customer's next message ends it.
        wake_on_reply: bool,
        /// When.
        at: Timestamp,
    },
    /// A snooze is over.
    #[serde(rename = "wk")]
    Woken {
        /// The customer, by writing, or the product, because the time is over.
        by: Author,
        /// When.
        at: Timestamp,
    },
    /// Somebody else handles it.
    #[serde(rename = "ho")]
    HandedOver {
        /// Who.
        to: Handler,
        /// The epoch that begins.
        epoch: u64,
        /// Who asked.
        by: Author,
        /// The note in the thread that sums the dialogue up.
        summary: Option<MessageRef>,
        /// The team it is meant for.
        team: Option<TeamId>,
        /// When.
        at: Timestamp,
    },
    /// The customer's messages up to this one were read.
    #[serde(rename = "rd")]
    MarkedRead {
        /// Who read.
        by: Author,
        /// The newest message read.
        up_to: MessageRef,
    },
    /// The contact belongs to these.
    #[serde(rename = "as")]
    Assigned {
        /// The contact.
        contact: ContactId,
        /// Whose it is.
        assignment: Assignment,
    },
    /// This conversation goes into another one, which has the person's earlier first message.
    #[serde(rename = "ms")]
    MergeStarted {
        /// Who stays.
        to: ConversationId,
        /// When.
        at: Timestamp,
    },
    /// Another conversation with the same person came into this one.
    #[serde(rename = "ab")]
    Absorbed {
        /// Which.
        from: ConversationId,
        /// What it knew.
        state: Box<Conversation>,
        /// When.
        at: Timestamp,
    },
    /// This id never had a conversation of its own: the person's is there.
    #[serde(rename = "al")]
    Aliased {
        /// Its own id.
        id: ConversationId,
        /// The tenant.
        workspace: WorkspaceId,
        /// The account.
        account: AccountId,
        /// Where the person's conversation is.
        to: ConversationId,
    },
    /// A request with this key changed something.
    #[serde(rename = "ku")]
    KeyUsed {
        /// The key.
        key: CommandKey,
        /// When.
        at: Timestamp,
    },
}

/// Why an attempt ended, in codes; the sentence is in the receipt's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureCode {
    /// The provider's code; 0 where a rule of ours failed it.
    pub code: i64,
    /// What we do about it.
    pub class: ErrorClass,
    /// The rule of ours that failed it.
    pub rule: Option<Rule>,
}

/// A rule of ours that fails a message which was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rule {
    /// It waited longer than it may: 10 minutes, unless an operator says otherwise.
    #[serde(rename = "wt")]
    WaitedTooLong,
    /// The window had closed.
    #[serde(rename = "wd")]
    WindowClosed,
    /// The customer had withdrawn consent.
    #[serde(rename = "cw")]
    ConsentWithdrawn,
    /// The call never began, and the number gave up.
    #[serde(rename = "ns")]
    NotSent,
    /// The provider no longer approved its template.
    #[serde(rename = "tn")]
    TemplateNotSendable,
}

impl Rule {
    /// The stable code that answers and frames carry.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::WaitedTooLong => "waited_too_long",
            Self::WindowClosed => "window_closed",
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::NotSent => "not_sent",
            Self::TemplateNotSendable => "template_not_sendable",
        }
    }
}

impl ConversationEvent {
    /// The stable public name of the event; none for what only the machinery cares about.
    #[must_use]
    pub const fn word(&self) -> Option<&'static str> {
        Some(match self {
            Self::Began { .. } => "conversation.created",
            Self::AddressesLearned { .. } | Self::AddressesRetired { .. } => "conversation.identity_changed",
            Self::MessageReceived { .. } => "message.received",
            Self::EchoRecorded { .. } => "message.echoed",
            Self::NoticeRecorded { .. } => "message.notice",
            Self::WindowShut { .. } => "conversation.window_closed",
            Self::ConsentChanged { .. } => "conversation.consent_changed",
            Self::MessageQueued { .. } => "message.queued",
            Self::AttemptQueued { .. } => "message.retried",
            Self::StatusChanged { .. } => "message.status",
            Self::NoteAdded { .. } => "note.added",
            Self::Closed { .. } => "conversation.closed",
            Self::Opened { .. } => "conversation.opened",
            Self::Snoozed { .. } => "conversation.snoozed",
            Self::Woken { .. } => "conversation.woken",
            Self::HandedOver { .. } => "conversation.handed_over",
            Self::MarkedRead { .. } => "conversation.read",
            Self::Assigned { .. } => "conversation.assigned",
            Self::MergeStarted { .. } => "conversation.merged",
            Self::Absorbed { .. } => "conversation.absorbed",
            Self::MessageCharged { .. } | Self::Aliased { .. } | Self::KeyUsed { .. } => return None,
        })
    }
}
