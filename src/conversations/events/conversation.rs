//! What is said of a conversation's events.

use serde_json::{Value, json};

use super::Said;
use crate::conversations::api::{HandlerShown, MessageShown, Moment};
use crate::domain::content::StoredMessage;
use crate::domain::conversation::{ConversationEvent as Event, FailureCode};
use crate::domain::ids::ConversationId;
use crate::domain::message::MessageRef;

/// The message that an event shows, whose row is to be read for it.
pub(super) const fn shows(event: &Event) -> Option<MessageRef> {
    match event {
        Event::MessageReceived { message, .. }
        | Event::EchoRecorded { message }
        | Event::NoticeRecorded { message }
        | Event::MessageQueued { message, .. }
        | Event::NoteAdded { note: message, .. } => Some(*message),
        Event::HandedOver { summary, .. } => *summary,
        _ => None,
    }
}

/// Whether an event of this word may change who sees the conversation.
pub(super) fn changes_access(word: &str) -> bool {
    matches!(word, "conversation.assigned" | "conversation.absorbed" | "conversation.merged" | "note.added")
}

/// An event's word and data. `written` gives the row of a message.
pub(super) fn say(id: ConversationId, event: &Event, written: &dyn Fn(MessageRef) -> Option<StoredMessage>) -> Said {
    let word = event.word()?;
    let message = |at: MessageRef| match written(at) {
        Some(stored) => serde_json::to_value(MessageShown::new(at, stored)).unwrap_or_default(),
        // It was erased: its place is all that is left.
        None => json!({ "id": at.id, "at": Moment(at.at), "content": null }),
    };
    let data = match event {
        Event::MessageReceived { message: at, .. }
        | Event::EchoRecorded { message: at }
        | Event::NoticeRecorded { message: at }
        | Event::MessageQueued { message: at, .. }
        | Event::NoteAdded { note: at, .. } => json!({ "message": message(*at) }),
        Event::AttemptQueued { message, author, attempt, .. } => {
            json!({ "message": message.id, "attempt": attempt, "author": author })
        }
        Event::StatusChanged { message, attempt, status, at, failure, .. } => json!({
            "message": message.id,
            "attempt": attempt,
            "status": status,
            "at": Moment(*at),
            "failure": failure.map(failed),
        }),
        Event::HandedOver { to, epoch, by, summary, team, .. } => json!({
            "conversation": { "id": id, "handler": HandlerShown::from(*to), "epoch": epoch },
            "by": by,
            "team": team,
            "summary": summary.map(message),
        }),
        event => of_line(id, event)?,
    };
    Some((word, data))
}

/// Events that change the conversation's line: the fields that change, under `conversation`.
fn of_line(id: ConversationId, event: &Event) -> Option<Value> {
    Some(match event {
        Event::Began { account, channel, contact, group, at, .. } => json!({ "conversation": {
            "id": id, "contact": contact, "account": account, "channel": channel, "group": group,
            "state": "closed", "created_at": Moment(*at),
        }}),
        Event::AddressesLearned { addresses, .. } => {
            let learned: Vec<_> = addresses.iter().map(|(address, _)| address).collect();
            json!({ "conversation": { "id": id }, "learned": learned, "retired": [] })
        }
        Event::AddressesRetired { addresses, .. } => {
            json!({ "conversation": { "id": id }, "learned": [], "retired": addresses })
        }
        Event::WindowShut { at } => json!({ "conversation": { "id": id, "window_closes_at": Moment(*at) } }),
        Event::ConsentChanged { withdrawn, at } => {
            json!({ "conversation": { "id": id, "marketing_withdrawn": withdrawn }, "said_at": Moment(*at) })
        }
        Event::Closed { by, .. } => stands(id, "closed", by),
        Event::Opened { by, .. } | Event::Woken { by, .. } => stands(id, "open", by),
        Event::Snoozed { by, until, wake_on_reply, .. } => json!({
            "conversation": { "id": id, "state": "snoozed", "snoozed_until": Moment(*until) },
            "wake_on_reply": wake_on_reply,
            "by": by,
        }),
        Event::MarkedRead { by, up_to } => {
            json!({ "conversation": { "id": id }, "up_to": { "id": up_to.id, "at": Moment(up_to.at) }, "by": by })
        }
        Event::Assigned { contact, assignment } => json!({ "conversation": {
            "id": id, "contact": contact, "owner": assignment.owner, "team": assignment.team,
            "collaborators": assignment.collaborators,
        }}),
        Event::MergeStarted { to, .. } => json!({ "conversation": { "id": id }, "moved_to": to }),
        Event::Absorbed { from, .. } => json!({ "conversation": { "id": id }, "absorbed": from }),
        _ => return None,
    })
}

fn stands(id: ConversationId, state: &str, by: &crate::domain::author::Author) -> Value {
    json!({ "conversation": { "id": id, "state": state, "snoozed_until": null }, "by": by })
}

/// Why an attempt failed, in codes; the sentence is with the message.
fn failed(failure: FailureCode) -> Value {
    json!({ "code": failure.code, "class": failure.class, "rule": failure.rule.map(crate::domain::conversation::Rule::word) })
}
