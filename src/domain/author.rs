//! Who asked for something: stored with it, shown with it, judged by the one access function.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ids::{ApiKeyId, BotId, BroadcastId, MemberId};

/// The author of a command or a message.
///
/// People read it as `{"kind": …, "id": …}`; the log and rows keep it as a short tag with the id, for
/// MessagePack has no form for a tag whose content is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Author {
    /// The customer, by way of the platform.
    Customer,
    /// A person, member of the workspace.
    Member(MemberId),
    /// A program that answers in conversations.
    Bot(BotId),
    /// A program that calls the API with a key.
    Key(ApiKeyId),
    /// A broadcast.
    Broadcast(BroadcastId),
    /// The business, by the platform's own app (an echo of what was sent elsewhere).
    Elsewhere,
    /// The product itself: timers, automations.
    System,
}

/// The form for people.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Author", rename_all = "snake_case", tag = "kind", content = "id")]
enum Shown {
    Customer,
    Member(MemberId),
    Bot(BotId),
    Key(ApiKeyId),
    Broadcast(BroadcastId),
    Elsewhere,
    System,
}

/// The form in the log and in rows: append only.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Author")]
enum Stored {
    #[serde(rename = "cu")]
    Customer,
    #[serde(rename = "me")]
    Member(MemberId),
    #[serde(rename = "bo")]
    Bot(BotId),
    #[serde(rename = "ke")]
    Key(ApiKeyId),
    #[serde(rename = "br")]
    Broadcast(BroadcastId),
    #[serde(rename = "el")]
    Elsewhere,
    #[serde(rename = "sy")]
    System,
}

impl Serialize for Author {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            Shown::serialize(self, serializer)
        } else {
            Stored::serialize(self, serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Author {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Shown::deserialize(deserializer)
        } else {
            Stored::deserialize(deserializer)
        }
    }
}

impl Author {
    /// Whether a person wrote this: only a person may use a human-agent tag or take over from a bot.
    #[must_use]
    pub const fn is_person(self) -> bool {
        matches!(self, Self::Member(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_author_comes_back_from_rows_and_from_json() {
        let authors = [
            Author::Customer,
            Author::Member(MemberId(1)),
            Author::Bot(BotId(2)),
            Author::Key(ApiKeyId(3)),
            Author::Broadcast(BroadcastId(4)),
            Author::Elsewhere,
            Author::System,
        ];
        for author in authors {
            let stored = rmp_serde::to_vec(&author).unwrap();
            assert_eq!(crate::packed::read::<Author>(&stored).unwrap(), author);
            let shown = serde_json::to_string(&author).unwrap();
            assert_eq!(serde_json::from_str::<Author>(&shown).unwrap(), author);
        }
        assert_eq!(serde_json::to_string(&Author::Customer).unwrap(), r#"{"kind":"customer"}"#);
    }
}
