//! What a message is made of, on every channel, and the status it may have.

pub mod newer;

use serde::{Deserialize, Serialize};

use super::ids::{MemberId, MessageId};
use super::time::Timestamp;

/// The nine platforms. The number is stored: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// WhatsApp Cloud API.
    WhatsApp,
    /// Instagram messaging.
    Instagram,
    /// Facebook Messenger.
    Messenger,
    /// WeChat service accounts.
    WeChat,
    /// LINE Messaging API.
    Line,
    /// Telegram bots.
    Telegram,
    /// Viber bots.
    Viber,
    /// SMS by Twilio.
    Sms,
    /// Our own widget.
    LiveChat,
}

impl Channel {
    /// Every channel, in the order of the product's table.
    pub const ALL: [Self; 9] = [
        Self::WhatsApp,
        Self::Instagram,
        Self::Messenger,
        Self::WeChat,
        Self::Line,
        Self::Telegram,
        Self::Viber,
        Self::Sms,
        Self::LiveChat,
    ];

    /// The word used in paths, labels and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::WhatsApp => "whatsapp",
            Self::Instagram => "instagram",
            Self::Messenger => "messenger",
            Self::WeChat => "wechat",
            Self::Line => "line",
            Self::Telegram => "telegram",
            Self::Viber => "viber",
            Self::Sms => "sms",
            Self::LiveChat => "livechat",
        }
    }

    /// The channel with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.word() == word)
    }
}

/// The provider's own id of a message (`wamid.…`): opaque, and another type than ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProviderMessageId(pub String);

/// Where a message stands in its thread: threads are ordered by time, then id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageRef {
    /// The provider's time for what came in, the decision's time for what goes out.
    pub at: Timestamp,
    /// The message.
    pub id: MessageId,
}

/// What a picture, recording or file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// A still picture.
    Image,
    /// A film.
    Video,
    /// Sound; `voice` tells a recording from a file.
    Audio,
    /// Any file.
    Document,
    /// A sticker.
    Sticker,
}

/// A piece of media: by the provider's id, by a link, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// The provider's id of the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// A link to the bytes; the provider's own lives minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The type the sender claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The provider's checksum, as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The name of a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// The text beside the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// A recording made in the app, rather than a sound file.
    #[serde(default)]
    pub voice: bool,
    /// A moving sticker.
    #[serde(default)]
    pub animated: bool,
}

/// A parameter of a template's component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum TemplateParameter {
    /// Plain text; named templates need `name`.
    Text {
        /// The parameter's name, for templates with named parameters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// What stands in its place.
        text: String,
    },
    /// A picture, film or file in the header.
    Media {
        /// What it is.
        kind: MediaKind,
        /// Where it is.
        media: Media,
    },
    /// What a quick-reply button sends back.
    Payload {
        /// The payload.
        payload: String,
    },
    /// The code that a copy-code button copies.
    CouponCode {
        /// The code.
        code: String,
    },
}

/// Which part of a template the parameters fill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum TemplateSlot {
    /// The header.
    Header,
    /// The body.
    Body,
    /// A button, by its index from 0.
    Button {
        /// `quick_reply`, `url`, `copy_code` or `flow`.
        sub_type: String,
        /// The index from 0.
        index: u8,
    },
}

/// The parameters of one part of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateFill {
    /// Which part.
    pub slot: TemplateSlot,
    /// Its parameters, in order.
    pub parameters: Vec<TemplateParameter>,
}

/// One reply button.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyButton {
    /// What comes back when it is tapped; at most 256 characters on WhatsApp.
    pub id: String,
    /// What it says; at most 20 characters, no emoji, no variables.
    pub title: String,
}

/// One row of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRow {
    /// What comes back when it is chosen.
    pub id: String,
    /// What it says; at most 24 characters on WhatsApp.
    pub title: String,
    /// The second line; at most 72 characters on WhatsApp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// One section of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListSection {
    /// The section's title; needed when there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its rows.
    pub rows: Vec<ListRow>,
}

/// What an interactive message lets the customer do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum InteractiveAction {
    /// Up to three reply buttons.
    Buttons {
        /// The buttons.
        buttons: Vec<ReplyButton>,
    },
    /// A list of at most ten rows in all.
    List {
        /// The text that opens the list.
        button: String,
        /// The sections.
        sections: Vec<ListSection>,
    },
    /// A link with a label.
    CallToAction {
        /// The label.
        display_text: String,
        /// The link.
        url: String,
    },
    /// A WhatsApp Flow.
    Flow {
        /// The flow's id at the provider.
        flow_id: String,
        /// Handed back with the answer.
        flow_token: String,
        /// The label of the button that opens it.
        button: String,
        /// The first screen, where the flow wants one named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        screen: Option<String>,
    },
}

/// A message with buttons, a list, a link or a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interactive {
    /// The header's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The body's text.
    pub body: String,
    /// The footer's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    /// What the customer may do.
    pub action: InteractiveAction,
}

/// What a message says. JSON of this is what the API and the socket carry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum MessageContent {
    /// Plain text.
    Text {
        /// The text.
        body: String,
    },
    /// A picture, film, sound, document or sticker.
    Media {
        /// What it is.
        kind: MediaKind,
        /// Where it is.
        media: Media,
    },
    /// A place.
    Location {
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
        /// What it is called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Its address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    /// Contact cards, as the platform gave them (JSON text).
    ContactCards {
        /// JSON text of the cards.
        cards: String,
    },
    /// A template with its parameters.
    Template {
        /// The template's name.
        name: String,
        /// The language, as `pt_PT`.
        language: String,
        /// The parameters of each part.
        #[serde(default)]
        fills: Vec<TemplateFill>,
    },
    /// Buttons, a list, a link or a flow.
    Interactive {
        /// What it shows and offers.
        interactive: Interactive,
    },
    /// The customer tapped a button or chose a row.
    Choice {
        /// The id or payload of what was tapped.
        id: String,
        /// What it said.
        title: String,
        /// A row's second line, or the JSON text that a flow sent back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// A reaction to another message; none takes it back.
    Reaction {
        /// The provider's id of the message reacted to.
        target: ProviderMessageId,
        /// The emoji; none means withdrawn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        emoji: Option<String>,
    },
    /// The sender changed an earlier message.
    Edit {
        /// The provider's id of the message changed.
        target: ProviderMessageId,
        /// What it says now.
        replacement: Box<MessageContent>,
    },
    /// The sender took an earlier message back.
    Revoke {
        /// The provider's id of the message taken back.
        target: ProviderMessageId,
    },
    /// A note among colleagues: never leaves the workspace.
    Note {
        /// The text.
        body: String,
        /// Who is mentioned.
        #[serde(default)]
        mentions: Vec<MemberId>,
    },
    /// Something the platform says about the conversation (a number changed).
    System {
        /// The platform's word for it.
        event: String,
        /// The platform's sentence, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
    },
    /// A kind we do not know, kept as it came.
    Unsupported {
        /// The platform's word for it.
        kind: String,
        /// JSON text of the item.
        raw: String,
    },
}

/// What a customer's message hangs on: a quoted message, a product, an ad.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageContext {
    /// The provider's id of the quoted message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted: Option<ProviderMessageId>,
    /// The message was forwarded.
    #[serde(default)]
    pub forwarded: bool,
    /// JSON text of the product asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// JSON text of the ad or button the customer came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<String>,
}

/// How far a message of ours has come. The order is the lattice: status only rises.
///
/// `Failed` ends an attempt; a late `Delivered` or `Read` still raises it. The number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum MessageStatus {
    /// Decided, not yet handed to the provider.
    Queued = 1,
    /// Handed over; no answer came.
    InDoubt = 2,
    /// No evidence came within the time of doubt.
    Unconfirmed = 3,
    /// The provider took it.
    Accepted = 4,
    /// The platform sent it.
    Sent = 5,
    /// The attempt ended without reaching anyone.
    Failed = 6,
    /// It reached the customer's device.
    Delivered = 7,
    /// The customer saw or played it.
    Read = 8,
}
