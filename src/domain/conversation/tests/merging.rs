//! Two conversations that turn out to be one person's.

use super::super::*;
use super::world::*;
use crate::domain::effect::Effect;
use crate::domain::ids::{ConversationId, MemberId};
use crate::domain::message::{MessageContent, MessageRef, MessageStatus, ProviderMessageId};
use crate::domain::window::profiles::Switches;

/// `a` wrote first, `b` an hour later; then one message names both.
fn two_that_are_one() -> World {
    let mut world = World::new();
    world.now = after(2 * HOUR);
    world.hear(&["a"], "wamid.1", T0, "Hello");
    world.hear(&["b"], "wamid.2", after(HOUR), "STOP");
    world
}

#[test]
fn the_earlier_first_inbound_stays_whichever_address_comes_first() {
    for names in [["a", "b"], ["b", "a"]] {
        let mut world = two_that_are_one();
        world.hear(&names, "wamid.3", after(2 * HOUR), "It is me");
        world.settle();
        assert_eq!((world.root("a"), world.root("b")), (world.of("a"), world.of("a")));
        let summary = world.summary("b");
        assert_eq!((summary.unread, summary.absorbed.clone()), (3, vec![world.of("b")]));
        assert!(summary.marketing_withdrawn);
        assert_eq!(summary.window_closes_at, Some(after(26 * HOUR)));
        assert_eq!(world.thread("a").len(), 3);
        assert_eq!(world.windows[&world.of("a")], world.windows[&world.of("b")]);
        assert_eq!(world.consents[&world.address("a")], (after(HOUR), true));
        // A repetition of what the loser's thread has is known there.
        let again = world.hear(&["b"], "wamid.2", after(HOUR), "STOP");
        assert!(matches!(again, Answer::Received { repeated: true, .. }));
        let next = world.hear(&["b"], "wamid.4", after(2 * HOUR), "And now?");
        assert!(matches!(next, Answer::Received { repeated: false, .. }));
        assert_eq!(world.summary("a").unread, 4);
        world.assert_replay();
    }
}

#[test]
fn an_address_without_a_conversation_becomes_an_alias_and_is_told_once() {
    let mut world = World::new();
    world.hear(&["a", "b"], "wamid.1", T0, "Hello");
    world.hear(&["a", "b"], "wamid.2", after(SECOND), "Hello");
    let links = world.effects.iter().filter(|effect| matches!(effect, Effect::LinkConversation { .. }));
    assert_eq!(links.count(), 1);
    world.settle();
    assert_eq!(world.live[&world.of("b")].summary(T0), None);
    assert_eq!(world.live[&world.of("b")].workspace(), Some(WORKSPACE));
    world.hear(&["b"], "wamid.3", after(2 * SECOND), "Hello");
    assert_eq!(world.summary("a").unread, 3);
    let send = world.text(AGENT, "c1", "Hi");
    let moved = world.ask_one(world.of("b"), Command::Send(Box::new(send)));
    assert_eq!(moved, Err(Refusal::Moved { to: world.of("a").0 }));
}

#[test]
fn effects_that_come_twice_change_nothing_more() {
    let mut world = two_that_are_one();
    world.hear(&["b", "a"], "wamid.3", after(2 * HOUR), "It is me");
    world.settle();
    let before = (world.summary("a"), world.live.clone());
    world.effects = world.done.clone();
    world.settle();
    assert_eq!((world.summary("a"), world.live.clone()), before);
}

#[test]
fn what_the_loser_sent_goes_on_at_the_winner() {
    let mut world = two_that_are_one();
    let (a, b) = (world.of("a"), world.of("b"));
    let message = world.send("b", "c1", "Hi");
    world.hear(&["a", "b"], "wamid.3", after(2 * HOUR), "It is me");
    // The link has arrived, the loser's memory has not.
    let link = world.effects.iter().position(|effect| matches!(effect, Effect::LinkConversation { .. })).unwrap();
    world.carry_out(link);
    let depart =
        Command::Depart { thread: b, message: message.id, attempt: 1, switches: Switches::default(), template: None };
    assert_eq!(world.ask(b, depart.clone()), Ok(Answer::NotYet));
    let receipt = |status| {
        let receipt = World::new().receipt(b, status, after(2 * HOUR));
        Command::RecordReceipt(Box::new(RecordReceipt { message: Some((message.id, 1)), ..receipt }))
    };
    assert_eq!(world.ask(b, receipt(MessageStatus::Sent)), Ok(Answer::NotYet));
    let outcome = world.outcome(b, message.id, World::accepted("wamid.o"));
    assert_eq!(world.ask(b, outcome.clone()), Ok(Answer::NotYet));
    world.settle();
    assert!(matches!(world.ask(b, depart), Ok(Answer::Leave(left)) if left.thread == b));
    world.ask(b, outcome).unwrap();
    world.ask(b, receipt(MessageStatus::Delivered)).unwrap();
    assert_eq!(world.live[&a].status_of(message.id), Some(MessageStatus::Delivered));
    assert!(world.receipts.contains_key(&(b, message.id, 1, MessageStatus::Delivered)));
    // The client id is remembered where the conversation is now.
    let again = world.text(AGENT, "c1", "Hi");
    let answer = world.ask(a, Command::Send(Box::new(again))).unwrap();
    assert!(matches!(answer, Answer::Sent { message: same, repeated: true, .. } if same == message));
}

fn change(world: &World, previous: &[&str], current: &[&str], at: Timestamp) -> Command {
    let message = MessageRef { at, id: world.keys.inbound_message(ACCOUNT, "wamid.changed") };
    let content = MessageContent::System { event: "user_changed_number".into(), body: None };
    Command::ChangeIdentity(Box::new(ChangeIdentity {
        origin: world.origin(previous[0]),
        previous: world.named(previous),
        current: world.named(current),
        at,
        notice: Some((message, ProviderMessageId("wamid.changed".into()), content)),
        arrived_at: world.now,
        seen: None,
    }))
}

#[test]
fn a_changed_number_keeps_the_history_and_is_written_to_at_the_new_one() {
    let mut world = World::new();
    world.hear(&["a"], "wamid.1", T0, "Hello");
    world.now = after(HOUR);
    for repeated in [false, true] {
        let command = change(&world, &["a"], &["c"], after(MINUTE));
        let answer = world.ask(world.of("a"), command).unwrap();
        assert!(matches!(answer, Answer::Changed { changed, .. } if changed != repeated));
        world.settle();
    }
    world.hear(&["c"], "wamid.2", after(2 * MINUTE), "New number");
    assert_eq!((world.root("c"), world.summary("c").unread), (world.of("a"), 2));
    let uses: Vec<_> = world.summary("c").addresses;
    assert!(uses.contains(&(world.address("a"), false)) && uses.contains(&(world.address("c"), true)));
    let message = world.send("a", "c1", "Hi");
    let depart = Command::Depart {
        thread: world.of("a"),
        message: message.id,
        attempt: 1,
        switches: Switches::default(),
        template: None,
    };
    let Answer::Leave(left) = world.ask(world.of("a"), depart).unwrap() else { panic!() };
    assert_eq!(left.to, vec![world.address("c")]);
    // Who has the old number again is seen by writing from it.
    world.hear(&["a"], "wamid.3", after(3 * MINUTE), "Back");
    assert!(world.summary("c").addresses.contains(&(world.address("a"), true)));
}

#[test]
fn the_later_assignment_and_the_mentions_come_along() {
    let mut world = two_that_are_one();
    let b = world.of("b");
    let contact = world.summary("b").contact;
    let assignment = Assignment { version: 4, owner: Some(MemberId(11)), ..Assignment::default() };
    world.ask(b, Command::CopyAssignment { contact, assignment }).unwrap();
    let mentions = vec![MemberId(12)];
    world.ask(b, Command::AddNote { author: AGENT, client_id: "n".into(), body: "x".into(), mentions }).unwrap();
    world.hear(&["a", "b"], "wamid.3", after(2 * HOUR), "It is me");
    world.settle();
    let summary = world.summary("a");
    assert_eq!((summary.contact, summary.assignment.owner), (contact, Some(MemberId(11))));
    assert_eq!(summary.mentions.len(), 1);
    let known: Vec<ConversationId> = world.live.keys().copied().collect();
    assert_eq!(known.len(), 2);
}
