//! Inbounds, states, notes, handover: the rules one by one.

use super::super::*;
use super::world::*;
use crate::domain::author::Author;
use crate::domain::effect::Effect;
use crate::domain::ids::{BotId, MemberId, TeamId};
use crate::domain::message::{MessageContent, MessageRef, MessageStatus, ProviderMessageId};
use crate::domain::window::MARGIN;
use crate::domain::window::profiles::Switches;

fn changed(answer: &Answer) -> bool {
    matches!(answer, Answer::Changed { changed: true, .. })
}

#[test]
fn an_inbound_begins_opens_and_is_taken_once() {
    let mut world = World::new();
    let first = world.hear(&["a"], "wamid.1", T0, "Hello");
    assert!(matches!(first, Answer::Received { repeated: false, .. }));
    let again = world.hear(&["a"], "wamid.1", T0, "Hello");
    assert!(matches!(again, Answer::Received { repeated: true, .. }));
    let summary = world.summary("a");
    assert_eq!((summary.state, summary.unread), (State::Open, 1));
    assert_eq!(summary.window_closes_at, Some(after(24 * HOUR)));
    assert_eq!(world.windows[&world.of("a")], (T0, Some(T0)));
    assert!(matches!(&world.effects[..], [Effect::ObserveContact { .. }]));
    let words: Vec<_> = world.events.iter().filter_map(|(_, event)| event.word()).collect();
    let expected = ["conversation.created", "conversation.identity_changed", "message.received", "conversation.opened"];
    assert_eq!(words, expected);
    world.assert_replay();
}

#[test]
fn a_repetition_older_than_memory_is_looked_up() {
    let mut world = World::new();
    for n in 0..30_i64 {
        world.hear(&["a"], &format!("wamid.{n}"), after(n * SECOND), "Hello");
    }
    for n in 0..30_i64 {
        let again = world.hear(&["a"], &format!("wamid.{n}"), after(n * SECOND), "Hello");
        assert!(matches!(again, Answer::Received { repeated: true, .. }), "{n}");
    }
    assert_eq!(world.summary("a").unread, 30);
}

#[test]
fn a_late_message_neither_opens_a_closed_window_nor_moves_the_end_back() {
    let mut world = World::new();
    world.now = after(30 * HOUR);
    world.hear(&["a"], "wamid.1", T0, "from the backlog");
    assert!(!world.state("a").window().is_open(Channel::WhatsApp, MARGIN, world.now));
    world.hear(&["a"], "wamid.2", after(29 * HOUR), "now");
    world.hear(&["a"], "wamid.3", after(10 * HOUR), "late");
    assert_eq!(world.summary("a").window_closes_at, Some(after(53 * HOUR)));
    assert_eq!(world.summary("a").first_inbound_at, Some(T0));
}

#[test]
fn what_opens_no_window_opens_none() {
    let mut world = World::new();
    let mut reaction = world.inbound(&["a"], "wamid.1", T0, "");
    reaction.content = MessageContent::Reaction { target: ProviderMessageId("x".into()), emoji: Some("👍".into()) };
    reaction.opens_window = false;
    world.ask(world.of("a"), Command::ReceiveMessage(Box::new(reaction))).unwrap();
    let mut notice = world.inbound(&["a"], "wamid.2", T0, "");
    notice.content = MessageContent::System { event: "customer_identity_changed".into(), body: None };
    world.ask(world.of("a"), Command::ReceiveMessage(Box::new(notice))).unwrap();
    let echo = RecordEcho {
        origin: world.origin("a"),
        addresses: world.named(&["a"]),
        provider_id: ProviderMessageId("wamid.echo".into()),
        message: MessageRef { at: T0, id: world.keys.inbound_message(ACCOUNT, "wamid.echo") },
        content: MessageContent::Text { body: "from the phone".into() },
        arrived_at: T0,
        seen: None,
    };
    for repeated in [false, true] {
        let answer = world.ask(world.of("a"), Command::RecordEcho(Box::new(echo.clone()))).unwrap();
        assert!(matches!(answer, Answer::Received { repeated: was, .. } if was == repeated));
    }
    assert_eq!((world.summary("a").window_closes_at, world.summary("a").unread), (None, 0));
    assert_eq!(world.thread("a").len(), 3);
}

#[test]
fn groups_are_shown_and_not_answered() {
    let mut world = World::new();
    let mut inbound = world.inbound(&["group", "a"], "wamid.1", T0, "STOP");
    inbound.origin.group = true;
    world.ask(world.of("group"), Command::ReceiveMessage(Box::new(inbound))).unwrap();
    let send = world.text(AGENT, "c1", "Hi");
    let refused = world.ask(world.of("group"), Command::Send(Box::new(send)));
    assert!(matches!(refused, Err(Refusal::CannotAnswer { .. })));
    let summary = world.summary("group");
    assert!(summary.group && !summary.marketing_withdrawn && summary.window_closes_at.is_none());
    assert!(!world.effects.iter().any(|effect| matches!(effect, Effect::LinkConversation { .. })));
    assert_eq!(world.messages.values().next().unwrap().sender, Some(world.address("a")));
}

#[test]
fn stop_withdraws_marketing_on_every_address_and_a_late_start_does_not_give_it_back() {
    let mut world = World::new();
    world.now = after(HOUR);
    world.hear(&["a"], "wamid.1", after(10 * SECOND), "Stop!");
    world.hear(&["a"], "wamid.2", after(5 * SECOND), "START");
    world.hear(&["a"], "wamid.3", after(20 * SECOND), "please stop it");
    assert!(world.summary("a").marketing_withdrawn);
    world.hear(&["a", "b"], "wamid.4", after(30 * SECOND), "my other name");
    let gate = (after(10 * SECOND), true);
    assert_eq!((world.consents[&world.address("a")], world.consents[&world.address("b")]), (gate, gate));
    world.hear(&["a"], "wamid.5", after(40 * SECOND), "start");
    assert_eq!(world.consents[&world.address("b")], (after(40 * SECOND), false));
}

#[test]
fn a_snooze_ends_by_time_or_by_the_customer() {
    let mut world = World::new();
    let id = world.of("a");
    world.hear(&["a"], "wamid.1", T0, "Hello");
    let snooze = |wake_on_reply| Command::Snooze { author: AGENT, until: after(HOUR), wake_on_reply };
    world.ask(id, snooze(true)).unwrap();
    assert_eq!(world.state("a").due(), Some(after(HOUR)));
    world.hear(&["a"], "wamid.2", after(SECOND), "Hello?");
    assert_eq!(world.summary("a").state, State::Open);
    world.ask(id, snooze(false)).unwrap();
    world.hear(&["a"], "wamid.3", after(2 * SECOND), "Hello??");
    assert!(matches!(world.summary("a").state, State::Snoozed { .. }));
    assert!(!changed(&world.ask(id, Command::Wake).unwrap()));
    world.now = after(HOUR);
    assert!(changed(&world.ask(id, Command::Wake).unwrap()));
    assert_eq!((world.summary("a").state, world.state("a").due()), (State::Open, None));
    assert!(matches!(world.ask(id, snooze(true)), Err(Refusal::Invalid { .. })));
    world.ask(id, Command::Close { author: AGENT }).unwrap();
    world.assert_replay();
}

#[test]
fn closing_and_opening_happen_once_and_an_inbound_opens() {
    let mut world = World::new();
    let id = world.of("a");
    assert!(matches!(world.ask(id, Command::Close { author: AGENT }), Err(Refusal::NotFound { .. })));
    world.hear(&["a"], "wamid.1", T0, "Hello");
    assert!(changed(&world.ask(id, Command::Close { author: AGENT }).unwrap()));
    assert!(!changed(&world.ask(id, Command::Close { author: AGENT }).unwrap()));
    world.hear(&["a"], "wamid.1", T0, "Hello");
    assert_eq!(world.summary("a").state, State::Closed);
    world.hear(&["a"], "wamid.2", after(SECOND), "Hello");
    assert_eq!(world.summary("a").state, State::Open);
    assert!(matches!(world.ask(id, Command::Close { author: Author::Customer }), Err(Refusal::WrongAuthor { .. })));
}

#[test]
fn reading_up_to_a_message_leaves_what_is_newer_unread() {
    let mut world = World::new();
    let id = world.of("a");
    for n in 1..=4_i64 {
        world.hear(&["a"], &format!("wamid.{n}"), after(n * SECOND), "Hello");
    }
    world.effects.clear();
    let second = MessageRef { at: after(2 * SECOND), id: world.keys.inbound_message(ACCOUNT, "wamid.2") };
    world.ask(id, Command::MarkRead { author: AGENT, up_to: Some(second) }).unwrap();
    assert_eq!(world.summary("a").unread, 2);
    world.ask(id, Command::MarkRead { author: AGENT, up_to: None }).unwrap();
    assert_eq!(world.summary("a").unread, 0);
    assert_eq!(world.effects.len(), 2);
    assert!(!changed(&world.ask(id, Command::MarkRead { author: AGENT, up_to: None }).unwrap()));
}

#[test]
fn a_note_mentions_and_is_written_once() {
    let mut world = World::new();
    let id = world.of("a");
    world.hear(&["a"], "wamid.1", T0, "Hello");
    let note = |client_id: &str, body: &str| Command::AddNote {
        author: AGENT,
        client_id: client_id.into(),
        body: body.into(),
        mentions: vec![MemberId(8)],
    };
    let Answer::Sent { message, repeated: false, .. } = world.ask(id, note("n1", "look")).unwrap() else { panic!() };
    let again = world.ask(id, note("n1", "look")).unwrap();
    assert!(matches!(again, Answer::Sent { message: same, repeated: true, .. } if same == message));
    assert_eq!(world.ask(id, note("n1", "other")), Err(Refusal::ClientIdReused));
    assert!(matches!(world.ask(id, note("n2", "  ")), Err(Refusal::Invalid { .. })));
    assert_eq!(world.summary("a").mentions, vec![(MemberId(8), after(24 * HOUR))]);
    assert_eq!(world.state("a").due(), None);
}

#[test]
fn a_note_that_memory_lets_go_leaves_a_receipt() {
    let mut world = World::new();
    let id = world.of("a");
    world.hear(&["a"], "wamid.1", T0, "Hello");
    for index in 0..300 {
        world.now = after(index * SECOND);
        let (client_id, mentions) = (format!("n{index}"), Vec::new());
        world.ask(id, Command::AddNote { author: AGENT, client_id, body: "look".into(), mentions }).unwrap();
    }
    let order =
        HandOver { author: AGENT, to: Handler::Human, epoch: None, summary: Some("All of it".into()), team: None };
    world.ask(id, Command::HandOver(Box::new(order))).unwrap();
    // What a merge brings along is let go by the winner, and is in the loser's thread.
    let (earlier, other) = (world.of("b"), after(-HOUR));
    world.hear(&["b"], "wamid.2", other, "Hello");
    world.hear(&["a", "b"], "wamid.3", after(HOUR), "It is me");
    world.settle();
    world.now = after(26 * HOUR);
    world.hear(&["b"], "wamid.4", world.now, "Still there?");
    world.send("b", "s1", "We are");
    let notes = world.messages.iter().filter(|(_, row)| matches!(row.content, MessageContent::Note { .. }));
    let places: Vec<_> = notes.map(|((thread, at), _)| (*thread, at.id)).collect();
    assert_eq!(places.len(), 301);
    for (thread, note) in places {
        let proved = world.receipts.contains_key(&(thread, note, 0, MessageStatus::Read));
        let known = world.live[&earlier].recall(note).is_some();
        assert!(proved ^ known, "it is known from memory until its receipt takes over");
    }
    world.assert_replay();
}

#[test]
fn a_handover_begins_an_epoch_and_stale_bots_are_refused() {
    let mut world = World::new();
    let (id, bot) = (world.of("a"), Author::Bot(BotId(5)));
    world.hear(&["a"], "wamid.1", T0, "Hello");
    let order = |author, to, epoch, summary: Option<&str>| {
        let (summary, team) = (summary.map(str::to_owned), Some(TeamId(6)));
        Command::HandOver(Box::new(HandOver { author, to, epoch, summary, team }))
    };
    let bot_send = |world: &World, client_id: &str, epoch| {
        Command::Send(Box::new(SendMessage { epoch, ..world.text(bot, client_id, "Beep") }))
    };
    let early = bot_send(&world, "b0", Some(0));
    assert_eq!(world.ask(id, early), Err(Refusal::StaleEpoch { epoch: 0, handler: "human" }));
    world.ask(id, order(AGENT, Handler::Bot(BotId(5)), None, None)).unwrap();
    let send = bot_send(&world, "b1", Some(1));
    assert!(matches!(world.ask(id, send), Ok(Answer::Sent { epoch: 1, .. })));
    for epoch in [None, Some(0), Some(2)] {
        let send = bot_send(&world, "b2", epoch);
        assert_eq!(world.ask(id, send), Err(Refusal::StaleEpoch { epoch: 1, handler: "bot" }));
    }
    let handed = world.ask(id, order(bot, Handler::Human, Some(1), Some("Wants a refund"))).unwrap();
    assert!(matches!(handed, Answer::Changed { epoch: 2, .. }));
    let notes = world.messages.values().filter(|row| matches!(row.content, MessageContent::Note { .. }));
    assert_eq!(notes.count(), 1);
    // A person's send while a bot handles takes over.
    world.ask(id, order(AGENT, Handler::Bot(BotId(5)), None, None)).unwrap();
    world.send("a", "c1", "I am here");
    assert_eq!((world.summary("a").handler, world.summary("a").epoch), (Handler::Human, 4));
    let send = bot_send(&world, "b3", Some(3));
    assert_eq!(world.ask(id, send), Err(Refusal::StaleEpoch { epoch: 4, handler: "human" }));
    world.assert_replay();
}

#[test]
fn only_a_newer_assignment_is_taken() {
    let mut world = World::new();
    let id = world.of("a");
    world.hear(&["a"], "wamid.1", T0, "Hello");
    let contact = world.summary("a").contact;
    let copy = |version, owner| {
        let assignment = Assignment { version, owner: Some(MemberId(owner)), ..Assignment::default() };
        Command::CopyAssignment { contact, assignment }
    };
    assert!(changed(&world.ask(id, copy(2, 10)).unwrap()));
    assert!(!changed(&world.ask(id, copy(1, 11)).unwrap()));
    assert!(!changed(&world.ask(id, copy(2, 10)).unwrap()));
    assert_eq!(world.state("a").subject().unwrap().owner, Some(MemberId(10)));
}

#[test]
fn an_idle_conversation_is_small() {
    let mut world = World::new();
    for n in 0..20_i64 {
        world.now = after(n * SECOND);
        world.hear(&["a", "b"], &format!("wamid.{n}"), world.now, "Hello");
    }
    for n in 0..4 {
        let message = world.send("a", &format!("c{n}"), "Hi");
        let outcome = world.outcome(world.of("a"), message.id, World::accepted(&format!("wamid.out{n}")));
        world.ask(world.of("a"), outcome).unwrap();
    }
    let bytes = rmp_serde::to_vec(world.state("a")).unwrap().len();
    assert!(bytes <= 1_024, "{bytes} bytes");
}

#[test]
fn the_free_entry_point_is_free_of_charge_and_no_window() {
    let mut world = World::new();
    let mut inbound = world.inbound(&["a"], "wamid.1", T0, "from an ad");
    inbound.free_entry = true;
    world.ask(world.of("a"), Command::ReceiveMessage(Box::new(inbound))).unwrap();
    world.now = after(HOUR);
    let message = world.send("a", "c1", "Welcome");
    let outcome = world.outcome(world.of("a"), message.id, World::accepted("wamid.out"));
    world.ask(world.of("a"), outcome).unwrap();
    assert_eq!(world.summary("a").free_until, Some(after(73 * HOUR)));
    world.now = after(30 * HOUR);
    let send = world.text(AGENT, "c2", "still free?");
    let refused = world.ask(world.of("a"), Command::Send(Box::new(send)));
    assert!(matches!(refused, Err(Refusal::WindowClosed { .. })));
    let stay = Command::Depart {
        thread: world.of("a"),
        message: message.id,
        attempt: 1,
        switches: Switches::default(),
        template: None,
    };
    let left = world.ask(world.of("a"), stay).unwrap();
    assert_eq!(left, Answer::Stay { status: MessageStatus::Accepted, refusal: None });
}
