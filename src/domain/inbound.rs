//! What a webhook says, in our words: the output of every channel's parser.

use serde::{Deserialize, Serialize};

use super::message::{MessageContent, MessageContext, MessageStatus, ProviderMessageId, newer};
use super::outbound::Failure;
use super::time::Timestamp;

/// One platform address of a person, normalised (digits without `+` for phones).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// What kind of address: `phone`, `bsuid`, `psid`, …
    pub space: AddressSpace,
    /// The normalised text.
    pub text: String,
}

/// A kind of platform address. The order is the order of preference when a person has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressSpace {
    /// A phone number in E.164 digits without `+` (WhatsApp's `wa_id`, SMS).
    Phone,
    /// WhatsApp's business-scoped user id.
    Bsuid,
    /// A user id that a platform gave to a page, bot or account (PSID, IGSID, openid, …).
    Platform,
    /// A WhatsApp group.
    Group,
}

impl AddressSpace {
    /// The word under which addresses of this kind are hashed. Stored: never changes.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Bsuid => "bsuid",
            Self::Platform => "platform",
            Self::Group => "group",
        }
    }
}

/// The person an item speaks of: every address it gives, and the name it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// At least one address, most preferred first, none twice.
    pub addresses: Vec<Address>,
    /// The profile name.
    pub name: Option<String>,
    /// The user name on the platform.
    pub username: Option<String>,
}

/// How an item names the account it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AccountRef {
    /// One number, page or bot (WhatsApp: the phone number id).
    Account(String),
    /// A number by the digits shown to people: some management events give nothing else.
    Display {
        /// The business account the item came under.
        business: String,
        /// Digits without `+`.
        digits: String,
    },
    /// A business account that holds numbers (WhatsApp: the WABA id).
    Business(String),
}

/// One item of a delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InboundItem {
    /// Whose it is.
    pub account: AccountRef,
    /// What `GET /v1/webhooks/{id}` takes: the provider's id of the item, or a hash of it.
    pub item_id: String,
    /// What it says.
    pub kind: InboundKind,
    /// When, by the provider's clock, where the item itself holds no time: account events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// What one item says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum InboundKind {
    /// A customer wrote.
    Message(InboundMessage),
    /// The platform says what became of a message of ours.
    Receipt(InboundReceipt),
    /// The business wrote, by the platform's own app.
    Echo {
        /// To whom.
        to: Person,
        /// The provider's id.
        provider_id: ProviderMessageId,
        /// The provider's time.
        at: Timestamp,
        /// What it says.
        #[serde(deserialize_with = "newer::content")]
        content: MessageContent,
    },
    /// A person's addresses changed.
    IdentityChanged {
        /// What the person was known by.
        previous: Person,
        /// What the person is known by now.
        current: Person,
        /// When, by the provider's clock.
        at: Timestamp,
        /// The system message shown in the thread, where the platform sent one.
        notice: Option<(ProviderMessageId, MessageContent)>,
    },
    /// A person stopped or resumed marketing by the platform's own switch.
    MarketingPreference {
        /// Who.
        person: Person,
        /// True for stop.
        stopped: bool,
        /// When, by the provider's clock.
        at: Timestamp,
    },
    /// Something about the account, its number, limit, quality or templates.
    Account(AccountEvent),
    /// A kind nobody here knows: kept as it came.
    Unknown {
        /// The platform's word for it.
        field: String,
        /// JSON text of it.
        raw: String,
    },
}

/// A customer's message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InboundMessage {
    /// Who wrote.
    pub from: Person,
    /// The group it was written in: such a thread is shown apart and cannot be answered.
    pub group: Option<Address>,
    /// The provider's id: the key of deduplication.
    pub provider_id: ProviderMessageId,
    /// The provider's time: it rules windows and order.
    pub at: Timestamp,
    /// What it says.
    #[serde(deserialize_with = "newer::content")]
    pub content: MessageContent,
    /// What it hangs on.
    pub context: MessageContext,
    /// Whether a message of this kind opens the reply window.
    pub opens_window: bool,
    /// The customer came by an ad or a page button (72 h free entry point).
    pub free_entry: bool,
}

/// What the platform says became of a message of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InboundReceipt {
    /// The provider's id of our message.
    pub provider_id: ProviderMessageId,
    /// How far it came. Never `Queued`, `InDoubt`, `Unconfirmed` or `Accepted`.
    pub status: MessageStatus,
    /// When, by the provider's clock.
    pub at: Timestamp,
    /// The callback token we sent along, as it came back.
    pub token: Option<String>,
    /// To whom; may be empty.
    pub recipient: Person,
    /// The group, where the message went to one.
    pub group: Option<Address>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The pricing category, where the receipt names one: accounting, never windows.
    pub pricing: Option<Pricing>,
}

/// What a receipt says about cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pricing {
    /// Whether it is billed.
    pub billable: bool,
    /// `marketing`, `utility`, `authentication`, `service`, …
    pub category: String,
    /// `regular`, `free_customer_service`, `free_entry_point`, …
    pub kind: Option<String>,
}

/// What a template may be at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateStatus {
    /// May be sent.
    Approved,
    /// Under review.
    Pending,
    /// Refused by the provider.
    Rejected,
    /// Paused by the provider for quality.
    Paused,
    /// Disabled for good, or deleted.
    Disabled,
}

/// The provider's grade of a number or template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Red.
    Low,
    /// Yellow.
    Medium,
    /// Green.
    High,
    /// Not graded.
    Unknown,
}

/// How many unique people a portfolio may reach outside windows in a moving 24 h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitTier {
    /// At most so many.
    Limited(u32),
    /// No limit.
    Unlimited,
}

/// Something about an account rather than a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountEvent {
    /// The portfolio's messaging limit is now this.
    LimitChanged {
        /// The tier.
        tier: LimitTier,
    },
    /// The number's throughput is now this.
    ThroughputChanged {
        /// Messages a second.
        per_second: u32,
    },
    /// The number's quality is now this.
    QualityChanged {
        /// The grade.
        quality: Quality,
    },
    /// Sending is restricted.
    Restricted {
        /// Business-initiated messages are forbidden.
        business_initiated: bool,
        /// Answers to customers are forbidden.
        customer_initiated: bool,
        /// Until when; none is until further notice.
        until: Option<Timestamp>,
    },
    /// The account was disabled, deleted or taken away.
    Disabled {
        /// The platform's word for it.
        reason: String,
    },
    /// The account works again.
    Reinstated,
    /// The platform warns or informs; nothing changes by itself.
    Notice {
        /// The platform's word for it.
        event: String,
    },
    /// A template's status is now this.
    TemplateStatusChanged {
        /// Its name.
        name: String,
        /// Its language, as `pt_PT`.
        language: String,
        /// The status.
        status: TemplateStatus,
        /// The platform's reason.
        reason: Option<String>,
    },
    /// A template's quality is now this.
    TemplateQualityChanged {
        /// Its name.
        name: String,
        /// Its language.
        language: String,
        /// The grade.
        quality: Quality,
    },
    /// A template's category is now this.
    TemplateCategoryChanged {
        /// Its name.
        name: String,
        /// Its language.
        language: String,
        /// `marketing`, `utility` or `authentication`.
        category: String,
    },
    /// An error about the account, outside any message.
    Trouble {
        /// What the provider said, classed.
        failure: Failure,
    },
}
