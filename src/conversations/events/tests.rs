//! What is said, to whom, and that it rests on nothing but the event and its rows.

use serde_json::json;

use super::*;
use crate::domain::author::Author;
use crate::domain::content::AddressDetails;
use crate::domain::conversation::{Answer, Command, ConversationEvent as Event, Origin, ReceiveMessage};
use crate::domain::entity::Context;
use crate::domain::ids::{AddressId, Keyring, MessageId};
use crate::domain::inbound::{Address, AddressSpace};
use crate::domain::message::{Channel, MessageContent, MessageContext, ProviderMessageId};
use crate::domain::rules::Rules;

const NOW: Timestamp = Timestamp(1_795_165_200_000);
const ID: u128 = 77;

/// A conversation on which things happen, as its shard would tell them.
struct Stage {
    state: Conversation,
    keys: Keyring,
    position: u64,
}

impl Stage {
    fn new() -> Self {
        Self { state: Conversation::default(), keys: Keyring::new([7; 16]), position: 0 }
    }

    /// Carries out a command: what is said live, and what is said of the same turn from its stored bytes.
    fn tell(&mut self, command: Command) -> (Vec<PublicEvent>, Vec<PublicEvent>, Answer) {
        let before = self.state.summary(NOW);
        let context = Context { now: NOW, id: ID, keys: &self.keys, rules: &Rules::default(), broadcasts: &[] };
        let decision = self.state.decide(command, &context).expect("it is allowed");
        let version = self.state.version();
        for event in &decision.events {
            self.state.apply(event);
        }
        self.position += 1;
        let committed = Committed {
            shard: 3,
            position: self.position,
            first_event: 2,
            at: NOW,
            id: ID,
            workspace: WorkspaceId(1),
            version,
            state: &self.state,
            events: &decision.events,
            content: &decision.content,
        };
        let live = public_events(&News::Conversation(&committed), before.as_ref());
        let stored = rmp_serde::to_vec(&decision.events).expect("events are written");
        let events: Vec<Event> = rmp_serde::from_slice(&stored).expect("events are read");
        let written = |at: MessageRef| {
            decision.content.iter().find_map(|row| match row {
                Content::Message { at: place, message, .. } if *place == at => {
                    let row = rmp_serde::to_vec_named(message).expect("a row is written");
                    Some(rmp_serde::from_slice::<StoredMessage>(&row).expect("a row is read"))
                }
                _ => None,
            })
        };
        let turn = Turn::live(&committed);
        let audience = Arc::new(Audience::everybody());
        let say = |event| conversation::say(ConversationId(ID), event, &written);
        let again = turn.say(&events, Some(ConversationId(ID)), say, |_| Arc::clone(&audience));
        (live, again, decision.answer)
    }

    fn receive(&mut self, body: &str, at: Timestamp) -> (Vec<PublicEvent>, Vec<PublicEvent>) {
        let origin = Origin {
            workspace: WorkspaceId(1),
            account: AccountId(2),
            channel: Channel::WhatsApp,
            contact: ContactId(4),
            group: false,
        };
        let address = Address { space: AddressSpace::Phone, text: "15551230001".into() };
        let details = AddressDetails { address, name: Some("Ada".into()), username: None };
        let (live, again, _) = self.tell(Command::ReceiveMessage(Box::new(ReceiveMessage {
            origin,
            addresses: vec![(AddressId(5), details)],
            provider_id: ProviderMessageId(format!("wamid.{body}")),
            message: MessageRef { at, id: MessageId(at.0 as u128) },
            content: MessageContent::Text { body: body.into() },
            context: MessageContext::default(),
            opens_window: true,
            free_entry: false,
            arrived_at: NOW,
            seen: None,
        })));
        (live, again)
    }
}

fn bodies(events: &[PublicEvent]) -> Vec<(u16, &str, u64, &Value)> {
    events.iter().map(|event| (event.index, event.word, event.version, &event.data)).collect()
}

#[test]
fn an_inbound_is_said_once_and_the_same_again() {
    let mut stage = Stage::new();
    let (live, again) = stage.receive("Hello", Timestamp(NOW.0 - 1_000));
    let words: Vec<_> = live.iter().map(|event| event.word).collect();
    assert_eq!(
        words,
        ["conversation.created", "conversation.identity_changed", "message.received", "conversation.opened"]
    );
    assert_eq!(bodies(&live), bodies(&again));
    assert_eq!(live.iter().map(|event| event.version).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(live[0].index, 2);
    let message = &live[2].data["message"];
    assert_eq!((&message["content"]["body"], &message["direction"]), (&json!("Hello"), &json!("in")));
    assert_eq!(message["at"], "2026-11-20T08:59:59.000Z");
    let everything = serde_json::to_string(&live.iter().map(|event| &event.data).collect::<Vec<_>>()).unwrap();
    assert!(!everything.contains("Ada") && !everything.contains("15551230001"), "names and numbers are read elsewhere");
}

#[test]
fn what_was_erased_leaves_its_place() {
    let at = MessageRef { at: NOW, id: MessageId(9) };
    let (word, data) = conversation::say(ConversationId(1), &Event::EchoRecorded { message: at }, &|_| None).unwrap();
    assert_eq!((word, &data["message"]["id"]), ("message.echoed", &json!(at.id)));
    assert!(data["message"]["content"].is_null());
}

#[test]
fn who_lost_sight_is_told_with_the_event_that_took_it() {
    let mut stage = Stage::new();
    stage.receive("Hello", NOW);
    let to = |version, owner: u128| Command::CopyAssignment {
        contact: ContactId(4),
        assignment: Assignment { version, owner: Some(MemberId(owner)), ..Assignment::default() },
    };
    let (live, ..) = stage.tell(to(1, 8));
    assert_eq!(live.len(), 1);
    let previous = live[0].previous_audience.as_deref().expect("everybody saw it before");
    assert_eq!((previous.owner, live[0].audience.owner), (None, Some(MemberId(8))));
    let (live, again, _) = stage.tell(to(2, 9));
    assert_eq!(live[0].previous_audience.as_deref().and_then(|before| before.owner), Some(MemberId(8)));
    assert_eq!(live[0].data["conversation"]["owner"], json!(MemberId(9)));
    assert_eq!(bodies(&live), bodies(&again));
    // What changes nothing about that tells nobody.
    let (live, _) = stage.receive("Still there?", Timestamp(NOW.0 + 1));
    assert!(!live.is_empty() && live.iter().all(|event| event.previous_audience.is_none()));
}

#[test]
fn the_small_commands_say_the_fields_they_change() {
    let mut stage = Stage::new();
    stage.receive("Hello", NOW);
    let author = Author::Member(MemberId(8));
    let (live, again, _) = stage.tell(Command::Close { author });
    assert_eq!(bodies(&live), bodies(&again));
    assert_eq!(
        live[0].data,
        json!({
            "conversation": {"id": ConversationId(ID), "state": "closed", "snoozed_until": null},
            "by": {"kind": "member", "id": MemberId(8)},
        })
    );
    let (live, again, _) = stage.tell(Command::AddNote {
        author,
        client_id: "n1".into(),
        body: "Please look".into(),
        mentions: vec![MemberId(9)],
    });
    assert_eq!(bodies(&live), bodies(&again));
    assert_eq!((live[0].word, &live[0].data["message"]["direction"]), ("note.added", &json!("note")));
    assert_eq!(live[0].audience.mentions, [MemberId(9)]);
}

#[test]
fn every_public_event_of_a_conversation_is_said() {
    let at = NOW;
    let by = Author::System;
    for event in [
        Event::WindowShut { at },
        Event::ConsentChanged { withdrawn: true, at },
        Event::Woken { by, at },
        Event::Snoozed { by, until: at, wake_on_reply: true, at },
        Event::MarkedRead { by, up_to: MessageRef { at, id: MessageId(1) } },
        Event::MergeStarted { to: ConversationId(2), at },
        Event::Absorbed { from: ConversationId(2), state: Box::default(), at },
        Event::AddressesRetired { addresses: vec![AddressId(1)], at },
    ] {
        let said = conversation::say(ConversationId(ID), &event, &|_| None);
        let (word, data) = said.unwrap_or_else(|| panic!("nothing is said of {event:?}"));
        assert_eq!(Some(word), event.word());
        assert_eq!(data["conversation"]["id"], json!(ConversationId(ID)), "{word}");
    }
}
