//! What clients ask for. Fields that there are not are refused.

use serde::Deserialize;

use super::line::HandlerShown;
use super::moment::Moment;
use super::strict;
use crate::domain::ids::{AccountId, ContactId, MemberId, MessageId, TeamId};
use crate::domain::inbound::AddressSpace;
use crate::domain::message::MessageContent;
use crate::domain::window::profiles::Tag;

/// Send a message.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendRequest {
    /// The sender's id of it, unique in its conversation; over REST the `Idempotency-Key` stands for it.
    #[serde(default)]
    pub client_id: Option<String>,
    /// What it says.
    #[serde(deserialize_with = "strict::content")]
    pub content: MessageContent,
    /// The message it answers.
    #[serde(default)]
    pub reply_to: Option<MessageId>,
    /// The ownership epoch in which it was written.
    #[serde(default)]
    pub epoch: Option<u64>,
    /// The channel's tag.
    #[serde(default)]
    pub tag: Option<Tag>,
}

/// Write a note among colleagues.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoteRequest {
    /// The writer's id of it, unique in its conversation; over REST the `Idempotency-Key` stands for it.
    #[serde(default)]
    pub client_id: Option<String>,
    /// The text.
    pub body: String,
    /// Who is mentioned.
    #[serde(default)]
    pub mentions: Vec<MemberId>,
}

/// Be quiet until a time.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnoozeRequest {
    /// Until when.
    pub until: Moment,
    /// Whether the customer's next message ends it; true where it is left out.
    #[serde(default)]
    pub wake_on_reply: Option<bool>,
}

/// Give a conversation to people or to a bot.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandOverRequest {
    /// Who is to handle it.
    pub to: HandlerShown,
    /// The dialogue in short.
    #[serde(default)]
    pub summary: Option<String>,
    /// The team it is meant for.
    #[serde(default)]
    pub team: Option<TeamId>,
    /// The asker's epoch.
    #[serde(default)]
    pub epoch: Option<u64>,
}

/// Mark the customer's messages as read.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadRequest {
    /// The newest message read; all where it is left out.
    #[serde(default)]
    pub up_to: Option<MessageId>,
}

/// Say whom the contact belongs to.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignRequest {
    /// The owner.
    #[serde(default)]
    pub owner: Option<MemberId>,
    /// The team, where there is no owner.
    #[serde(default)]
    pub team: Option<TeamId>,
}

/// Ask a member to join in, or no longer.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollaborateRequest {
    /// The member.
    pub member: MemberId,
    /// Takes the member out instead.
    #[serde(default)]
    pub remove: bool,
}

/// Begin a conversation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartRequest {
    /// The account to write from.
    pub account: AccountId,
    /// The address to write to.
    #[serde(default)]
    pub to: Option<To>,
    /// The contact to write to.
    #[serde(default)]
    pub contact: Option<ContactId>,
}

/// An address that somebody typed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct To {
    /// What kind of address.
    pub space: AddressSpace,
    /// The address.
    pub address: String,
}

/// A command that needs no fields.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoFields {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::BotId;
    use serde_json::json;

    #[test]
    fn requests_are_read_as_they_are_written() {
        let send: SendRequest = serde_json::from_value(json!({
            "client_id": "c1", "content": {"type": "text", "body": "Hello"}, "tag": "HUMAN_AGENT",
        }))
        .unwrap();
        assert_eq!((send.client_id.as_deref(), send.tag), (Some("c1"), Some(Tag::HumanAgent)));
        let order: HandOverRequest =
            serde_json::from_value(json!({"to": {"kind": "bot", "bot": BotId(3)}, "epoch": 2})).unwrap();
        assert_eq!((order.to, order.epoch), (HandlerShown::Bot { bot: BotId(3) }, Some(2)));
        let human: HandOverRequest = serde_json::from_value(json!({"to": {"kind": "human"}})).unwrap();
        assert_eq!(human.to, HandlerShown::Human {});
        let snooze: SnoozeRequest = serde_json::from_value(json!({"until": "2026-11-20T09:00:00Z"})).unwrap();
        assert_eq!(snooze.wake_on_reply, None);
    }

    #[test]
    fn fields_that_there_are_not_are_refused() {
        assert!(
            serde_json::from_value::<SendRequest>(json!({"content": {"type": "text", "body": "x"}, "to": 1})).is_err()
        );
        assert!(serde_json::from_value::<ReadRequest>(json!({"upto": null})).is_err());
        assert!(serde_json::from_value::<HandOverRequest>(json!({"to": {"kind": "bot"}})).is_err());
        assert!(serde_json::from_value::<StartRequest>(json!({"account": "acc_1"})).is_err());
        assert!(serde_json::from_value::<SnoozeRequest>(json!({"until": 1_795_165_200})).is_err());
    }
}
