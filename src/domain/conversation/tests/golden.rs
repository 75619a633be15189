//! The bytes of events, which stored logs hold us to.

use super::super::*;
use crate::domain::author::Author;
use crate::domain::ids::{AddressId, BotId, MemberId, MessageId, TeamId};
use crate::domain::message::{MessageRef, MessageStatus};
use crate::domain::outbound::ErrorClass;
use crate::domain::recall::CommandKey;
use crate::domain::window::Form;
use crate::domain::window::billing::Category;
use crate::domain::window::profiles::Tag;
use ConversationEvent as Event;

fn samples() -> Vec<Event> {
    let at = Timestamp(1_795_165_200_123);
    let message = MessageRef { at, id: MessageId(0x0a) };
    let (id, workspace, account) = (ConversationId(1), WorkspaceId(2), AccountId(3));
    let agent = Author::Member(MemberId(4));
    let failure = FailureCode { code: 131_047, class: ErrorClass::Window, rule: Some(Rule::WindowClosed) };
    let assignment =
        Assignment { version: 9, owner: Some(MemberId(4)), team: Some(TeamId(5)), collaborators: vec![MemberId(6)] };
    vec![
        Event::Began { id, workspace, account, channel: Channel::WhatsApp, contact: ContactId(7), group: false, at },
        Event::AddressesLearned { addresses: vec![(AddressId(8), 99)], at },
        Event::AddressesRetired { addresses: vec![AddressId(8)], at },
        Event::MessageReceived { message, named: 3, opened_at: Some(at), free_entry: true, unread: true },
        Event::EchoRecorded { message },
        Event::NoticeRecorded { message },
        Event::WindowShut { at },
        Event::ConsentChanged { withdrawn: true, at },
        Event::MessageQueued {
            message,
            author: agent,
            digest: 77,
            form: Form::Template(Category::Utility),
            tag: Some(Tag::HumanAgent),
            until: None,
        },
        Event::AttemptQueued { message, author: agent, attempt: 2, at, until: None },
        Event::StatusChanged {
            message,
            attempt: 1,
            status: MessageStatus::Failed,
            at,
            failure: Some(failure),
            until: None,
        },
        Event::MessageCharged { message, category: Category::Service, at, opens: true },
        Event::NoteAdded { note: message, author: agent, mentions: vec![MemberId(6)], digest: 78 },
        Event::Closed { by: agent, at },
        Event::Opened { by: Author::Customer, at },
        Event::Snoozed { by: agent, until: at, wake_on_reply: true, at },
        Event::Woken { by: Author::System, at },
        Event::HandedOver {
            to: Handler::Bot(BotId(11)),
            epoch: 2,
            by: agent,
            summary: Some(message),
            team: Some(TeamId(5)),
            at,
        },
        Event::MarkedRead { by: agent, up_to: message },
        Event::Assigned { contact: ContactId(7), assignment },
        Event::MergeStarted { to: ConversationId(12), at },
        Event::Absorbed { from: ConversationId(13), state: Box::default(), at },
        Event::Aliased { id, workspace, account, to: ConversationId(12) },
        Event::KeyUsed { key: CommandKey { key: 12, body: 13 }, at },
        Event::MessageQueued { message, author: agent, digest: 77, form: Form::Free, tag: None, until: Some(at) },
        Event::AttemptQueued { message, author: agent, attempt: 2, at, until: Some(at) },
        Event::StatusChanged {
            message,
            attempt: 1,
            status: MessageStatus::InDoubt,
            at,
            failure: None,
            until: Some(at),
        },
        Event::StatusChanged {
            message,
            attempt: 1,
            status: MessageStatus::Failed,
            at,
            failure: Some(FailureCode { rule: Some(Rule::TemplateNotSendable), ..failure }),
            until: None,
        },
    ]
}

#[test]
fn events_have_the_bytes_they_always_had() {
    let stored = include_str!("../../../../tests/golden/conversation_events.txt");
    crate::domain::golden::check(stored, &samples());
}

#[test]
fn public_names_are_stable_words() {
    for event in samples() {
        let known = event
            .word()
            .is_none_or(|word| word.split_once('.').is_some_and(|(noun, verb)| !noun.is_empty() && !verb.is_empty()));
        assert!(known, "{event:?}");
    }
}
