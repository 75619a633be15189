//! Who asked for something: stored with it, shown with it, judged by the one access function.

use serde::{Deserialize, Serialize};

use super::ids::{ApiKeyId, BotId, BroadcastId, MemberId};

/// The author of a command or a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Author {
    /// The customer, by way of the platform.
    #[serde(rename = "customer")]
    Customer,
    /// A person, member of the workspace.
    #[serde(rename = "member")]
    Member(MemberId),
    /// A program that answers in conversations.
    #[serde(rename = "bot")]
    Bot(BotId),
    /// A program that calls the API with a key.
    #[serde(rename = "key")]
    Key(ApiKeyId),
    /// A broadcast.
    #[serde(rename = "broadcast")]
    Broadcast(BroadcastId),
    /// The business, by the platform's own app (an echo of what was sent elsewhere).
    #[serde(rename = "elsewhere")]
    Elsewhere,
    /// The product itself: timers, automations.
    #[serde(rename = "system")]
    System,
}

impl Author {
    /// Whether a person wrote this: only a person may use a human-agent tag or take over from a bot.
    #[must_use]
    pub const fn is_person(self) -> bool {
        matches!(self, Self::Member(_))
    }
}
