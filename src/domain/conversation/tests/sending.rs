//! Sends, departures, outcomes and receipts: the rules one by one.

use std::time::Duration;

use super::super::*;
use super::world::*;
use crate::domain::author::Author;
use crate::domain::effect::Effect;
use crate::domain::ids::{BotId, BroadcastId, MessageId};
use crate::domain::inbound::TemplateStatus;
use crate::domain::message::{MessageContent, MessageRef, MessageStatus, ProviderMessageId};
use crate::domain::outbound::{ErrorClass, Failure, SendOutcome};
use crate::domain::rules::Rules;
use crate::domain::window::billing::Category;
use crate::domain::window::profiles::{Switches, Tag};
use crate::domain::window::{MARGIN, Standing};

fn world() -> World {
    let mut world = World::new();
    world.hear(&["a"], "wamid.1", T0, "Hello");
    world.effects.clear();
    world
}

fn depart(world: &World, message: MessageRef, attempt: u16) -> Command {
    Command::Depart {
        thread: world.of("a"),
        message: message.id,
        attempt,
        switches: Switches::default(),
        template: None,
    }
}

fn failure(class: ErrorClass, code: i64) -> Failure {
    Failure { code, class, sentence: "No.".into() }
}

fn rejected(class: ErrorClass) -> SendOutcome {
    SendOutcome::Rejected { failure: failure(class, 7), retry_after: None }
}

fn retry(message: MessageRef) -> Command {
    Command::Retry { message: message.id, author: AGENT, template: None, switches: Switches::default() }
}

#[test]
fn the_same_client_id_is_one_message_and_one_answer() {
    let mut world = world();
    let id = world.of("a");
    let message = world.send("a", "c1", "Hi");
    let send = |body: &str| Command::Send(Box::new(World::new().text(AGENT, "c1", body)));
    let again = world.ask(id, send("Hi")).unwrap();
    assert!(matches!(again, Answer::Sent { message: same, repeated: true, .. } if same == message));
    assert_eq!(world.ask(id, send("Hi there")), Err(Refusal::ClientIdReused));
    assert_eq!(world.effects.iter().filter(|effect| matches!(effect, Effect::Deliver { .. })).count(), 1);
    // Repeating works where a new message would be refused.
    world.now = after(23 * HOUR);
    let outcome = world.outcome(id, message.id, World::accepted("wamid.o"));
    world.ask(id, outcome).unwrap();
    world.now = after(24 * HOUR);
    assert!(matches!(
        world.ask(id, send("Hi")),
        Ok(Answer::Sent { repeated: true, status: MessageStatus::Accepted, .. })
    ));
    world.assert_replay();
}

#[test]
fn at_least_256_client_ids_are_remembered_and_no_more_can_be_under_way() {
    let mut world = world();
    let id = world.of("a");
    for n in 0..OUTGOING_MAX {
        world.now = after(n as i64);
        world.send("a", &format!("c{n}"), "Hi");
    }
    let one_more = world.text(AGENT, "more", "Hi");
    let refused = world.ask(id, Command::Send(Box::new(one_more.clone())));
    assert_eq!(refused, Err(Refusal::TooMany { what: "messages on their way", allowed: OUTGOING_MAX }));
    let first = world.keys.client_message(id, "c0");
    let outcome = world.outcome(id, first, World::accepted("wamid.o"));
    world.ask(id, outcome).unwrap();
    let repeat = world.text(AGENT, "c0", "Hi");
    assert!(matches!(world.ask(id, Command::Send(Box::new(repeat))), Ok(Answer::Sent { repeated: true, .. })));
    assert!(world.ask(id, Command::Send(Box::new(one_more))).is_ok());
    assert_eq!(world.state("a").outbox.0.len(), OUTGOING_MAX);
}

#[test]
fn what_may_not_be_sent_is_refused_by_its_rule() {
    let mut world = world();
    let id = world.of("a");
    let base = world.text(AGENT, "x", "Hi");
    let bot = Author::Bot(BotId(1));
    let cases: Vec<(SendMessage, &str)> = vec![
        (SendMessage { author: Author::Customer, ..base.clone() }, "wrong_author"),
        (SendMessage { author: Author::Broadcast(BroadcastId(1)), ..base.clone() }, "wrong_author"),
        (SendMessage { author: bot, tag: Some(Tag::HumanAgent), ..base.clone() }, "stale_epoch"),
        (SendMessage { epoch: Some(7), ..base.clone() }, "stale_epoch"),
        (SendMessage { client_id: String::new(), ..base.clone() }, "invalid"),
        (SendMessage { client_id: "x".repeat(129), ..base.clone() }, "invalid"),
        (SendMessage { tag: Some(Tag::HumanAgent), ..base.clone() }, "invalid"),
        (SendMessage { content: MessageContent::Revoke { target: ProviderMessageId("x".into()) }, ..base }, "invalid"),
        (world.template("x", Category::Utility, TemplateStatus::Paused), "template_not_sendable"),
        (
            SendMessage { template: None, ..world.template("x", Category::Utility, TemplateStatus::Approved) },
            "not_found",
        ),
    ];
    for (send, code) in cases {
        let refused = world.ask(id, Command::Send(Box::new(send.clone()))).unwrap_err();
        assert_eq!(refused.code(), code, "{send:?}");
    }
    assert!(world.effects.is_empty());
}

#[test]
fn opted_out_customers_get_answers_and_no_marketing() {
    let mut world = world();
    let id = world.of("a");
    world.hear(&["a"], "wamid.2", after(SECOND), "STOP");
    let marketing = world.template("m", Category::Marketing, TemplateStatus::Approved);
    assert_eq!(world.ask(id, Command::Send(Box::new(marketing))), Err(Refusal::ConsentWithdrawn));
    let utility = world.template("u", Category::Utility, TemplateStatus::Approved);
    assert!(world.ask(id, Command::Send(Box::new(utility))).is_ok());
    world.send("a", "c1", "Done, sorry");
}

#[test]
fn a_message_that_may_leave_says_where_to_and_how_it_stands() {
    let mut world = world();
    let id = world.of("a");
    let message = world.send("a", "c1", "Hi");
    let Answer::Leave(left) = world.ask(id, depart(&world, message, 1)).unwrap() else { panic!() };
    assert_eq!(
        (left.standing, left.category, left.to),
        (Standing::Inside, Category::Service, vec![world.address("a")])
    );
    world.now = after(25 * HOUR);
    let template = world.template("t1", Category::Utility, TemplateStatus::Approved);
    let Answer::Sent { message, .. } = world.ask(id, Command::Send(Box::new(template))).unwrap() else { panic!() };
    let Answer::Leave(left) = world.ask(id, depart(&world, message, 1)).unwrap() else { panic!() };
    assert_eq!((left.standing, left.category), (Standing::Outside, Category::Utility));
}

#[test]
fn the_window_is_judged_when_the_message_leaves() {
    let mut world = world();
    let id = world.of("a");
    world.now = after(24 * HOUR - 65 * SECOND);
    let message = world.send("a", "c1", "Hi");
    world.now = after(24 * HOUR - 59 * SECOND);
    let stay = world.ask(id, depart(&world, message, 1)).unwrap();
    assert!(matches!(
        stay,
        Answer::Stay { status: MessageStatus::Failed, refusal: Some(Refusal::WindowClosed { .. }) }
    ));
    let (_, event) = world.events.last().unwrap();
    let ConversationEvent::StatusChanged { failure: Some(code), .. } = event else { panic!("{event:?}") };
    assert_eq!(code.rule, Some(Rule::WindowClosed));
    // Our own judgement is no word of the provider's.
    assert_eq!(world.state("a").window().shut_at, None);
    assert!(matches!(world.ask(id, retry(message)), Err(Refusal::WindowClosed { .. })));
}

#[test]
fn the_margin_is_the_one_that_is_set() {
    let mut world = world();
    let id = world.of("a");
    world.rules.margin = Duration::from_secs(600);
    world.now = after(24 * HOUR - 599 * SECOND);
    let send = world.text(AGENT, "late", "Hi");
    assert!(matches!(world.ask(id, Command::Send(Box::new(send.clone()))), Err(Refusal::WindowClosed { .. })));
    world.rules.margin = Duration::ZERO;
    world.now = after(24 * HOUR - 1);
    assert!(world.ask(id, Command::Send(Box::new(send))).is_ok());
}

#[test]
fn a_template_is_judged_again_when_the_message_leaves() {
    for status in [TemplateStatus::Approved, TemplateStatus::Paused, TemplateStatus::Rejected, TemplateStatus::Disabled]
    {
        let mut world = world();
        let id = world.of("a");
        let template = world.template("t", Category::Utility, TemplateStatus::Approved);
        let Answer::Sent { message, .. } = world.ask(id, Command::Send(Box::new(template))).unwrap() else { panic!() };
        let facts = TemplateFacts { category: Category::Utility, status };
        let Command::Depart { thread, message, attempt, switches, .. } = depart(&world, message, 1) else { panic!() };
        let now = Command::Depart { thread, message, attempt, switches, template: Some(facts) };
        let answer = world.ask(id, now).unwrap();
        if status == TemplateStatus::Approved {
            assert!(matches!(answer, Answer::Leave(_)), "{answer:?}");
            continue;
        }
        let failed = MessageStatus::Failed;
        assert!(
            matches!(answer, Answer::Stay { status, refusal: Some(Refusal::TemplateNotSendable { .. }) } if status == failed),
            "{answer:?}"
        );
        let (_, event) = world.events.last().unwrap();
        let ConversationEvent::StatusChanged { failure: Some(code), .. } = event else { panic!("{event:?}") };
        assert_eq!((code.rule, code.class), (Some(Rule::TemplateNotSendable), ErrorClass::Template));
        world.assert_replay();
    }
}

#[test]
fn what_was_queued_and_what_is_in_doubt_keep_the_deadline_that_was_set_then() {
    let mut world = world();
    let id = world.of("a");
    (world.rules.wait_max, world.rules.doubt) = (Duration::from_secs(60), Duration::from_secs(120));
    let waits = world.send("a", "waits", "Hi");
    let doubtful = world.send("a", "doubtful", "Hi");
    let unknown = world.outcome(id, doubtful.id, SendOutcome::Unknown { reason: "silence".into() });
    world.ask(id, unknown).unwrap();
    assert_eq!(world.state("a").due(), Some(world.now + Duration::from_secs(60) + memory::GIVE_UP_GRACE));
    // Longer figures hold for what comes after them, and shorter ones for nothing that was decided.
    world.rules = Rules::default();
    world.now = world.now + Duration::from_secs(61);
    let stay = world.ask(id, depart(&world, waits, 1)).unwrap();
    assert!(matches!(stay, Answer::Stay { status: MessageStatus::Failed, refusal: Some(_) }), "{stay:?}");
    assert_eq!(world.state("a").due(), Some(world.now + Duration::from_secs(59)));
    world.now = world.now + Duration::from_secs(59);
    world.ask(id, Command::Wake).unwrap();
    assert_eq!(world.state("a").status_of(doubtful.id), Some(MessageStatus::Unconfirmed));
    world.rules.wait_max = Duration::from_secs(60);
    world.ask(id, retry(waits)).unwrap();
    assert_eq!(world.state("a").due(), Some(world.now + Duration::from_secs(60) + memory::GIVE_UP_GRACE));
    world.assert_replay();
}

#[test]
fn what_waited_over_ten_minutes_does_not_leave() {
    for by_timer in [false, true] {
        let mut world = world();
        let id = world.of("a");
        let message = world.send("a", "c1", "Hi");
        world.now = after(10 * MINUTE);
        assert!(matches!(world.ask(id, depart(&world, message, 1)).unwrap(), Answer::Leave(_)));
        world.now = if by_timer { world.state("a").due().unwrap() } else { after(10 * MINUTE + 1) };
        let command = if by_timer { Command::Wake } else { depart(&world, message, 1) };
        world.ask(id, command).unwrap();
        assert_eq!(world.state("a").status_of(message.id), Some(MessageStatus::Failed));
        assert_eq!(world.state("a").due(), None);
        // Trying again starts a new wait.
        assert!(world.ask(id, retry(message)).is_ok());
        assert!(matches!(world.ask(id, depart(&world, message, 2)).unwrap(), Answer::Leave(_)));
        let stale = world.ask(id, depart(&world, message, 1)).unwrap();
        assert_eq!(stale, Answer::Stay { status: MessageStatus::Queued, refusal: None });
        world.assert_replay();
    }
}

#[test]
fn doubt_becomes_unconfirmed_and_late_evidence_corrects_it() {
    let mut world = world();
    let id = world.of("a");
    let message = world.send("a", "c1", "Hi");
    let unknown = SendOutcome::Unknown { reason: "no answer".into() };
    let doubt = world.outcome(id, message.id, unknown);
    world.ask(id, doubt.clone()).unwrap();
    assert_eq!(world.state("a").due(), Some(after(15 * MINUTE)));
    world.now = after(15 * MINUTE);
    world.ask(id, Command::Wake).unwrap();
    assert_eq!(world.state("a").status_of(message.id), Some(MessageStatus::Unconfirmed));
    world.ask(id, doubt).unwrap();
    assert_eq!(world.state("a").status_of(message.id), Some(MessageStatus::Unconfirmed));
    let late =
        RecordReceipt { message: Some((message.id, 1)), ..world.receipt(id, MessageStatus::Delivered, after(SECOND)) };
    let answer = world.ask(id, Command::RecordReceipt(Box::new(late))).unwrap();
    assert!(matches!(answer, Answer::Status { status: MessageStatus::Delivered, changed: true, .. }));
    let again = world.ask(id, retry(message));
    assert_eq!(again, Err(Refusal::WrongState { state: "delivered", action: "retry" }));
}

#[test]
fn refusals_of_the_provider_have_their_consequences() {
    let cases = [
        (ErrorClass::Window, 0, true, false),
        (ErrorClass::OptOut, 1, false, true),
        (ErrorClass::RateNumber, 1, false, false),
        (ErrorClass::RateAccount, 1, false, false),
        (ErrorClass::Auth, 1, false, false),
        (ErrorClass::Account, 1, false, false),
        (ErrorClass::Quota, 1, false, false),
        (ErrorClass::Unreachable, 0, false, false),
        (ErrorClass::Cap, 0, false, false),
        (ErrorClass::Template, 0, false, false),
    ];
    for (class, effects, shuts, withdraws) in cases {
        let mut world = world();
        let id = world.of("a");
        world.now = after(MINUTE);
        let message = world.send("a", "c1", "Hi");
        world.effects.clear();
        let outcome = world.outcome(id, message.id, rejected(class));
        world.ask(id, outcome.clone()).unwrap();
        let version = world.summary("a").version;
        world.ask(id, outcome).unwrap();
        assert_eq!(world.summary("a").version, version);
        assert_eq!(world.state("a").status_of(message.id), Some(MessageStatus::Failed));
        assert_eq!(world.effects.len(), effects, "{class:?}");
        assert_eq!(world.state("a").window().is_open(Channel::WhatsApp, MARGIN, world.now), !shuts, "{class:?}");
        assert_eq!(world.summary("a").marketing_withdrawn, withdraws, "{class:?}");
        if shuts {
            assert_eq!(world.windows[&id], (after(MINUTE), None));
        }
    }
}

#[test]
fn a_receipt_finds_its_message_by_token_by_provider_id_and_in_the_store() {
    let mut world = world();
    let id = world.of("a");
    let message = world.send("a", "c1", "Hi");
    let by_id = RecordReceipt {
        provider_id: ProviderMessageId("wamid.o".into()),
        ..world.receipt(id, MessageStatus::Delivered, after(SECOND))
    };
    let receipt = |receipt: &RecordReceipt| Command::RecordReceipt(Box::new(receipt.clone()));
    // Before the answer to the send nobody knows the provider's id; our token tells all the same.
    assert_eq!(world.ask(id, receipt(&by_id)), Ok(Answer::Unmatched));
    let by_token = RecordReceipt { message: Some((message.id, 1)), status: MessageStatus::Sent, ..by_id.clone() };
    assert!(matches!(world.ask(id, receipt(&by_token)), Ok(Answer::Status { changed: true, .. })));
    let outcome = world.outcome(id, message.id, World::accepted("wamid.o"));
    assert!(matches!(world.ask(id, outcome), Ok(Answer::Status { status: MessageStatus::Sent, changed: false, .. })));
    assert!(matches!(world.ask(id, receipt(&by_id)), Ok(Answer::Status { status: MessageStatus::Delivered, .. })));
    // Two days later memory has let it go.
    world.now = after(48 * HOUR);
    world.hear(&["a"], "wamid.9", world.now, "Hello again");
    world.send("a", "c2", "Hi again");
    assert_eq!(world.state("a").status_of(message.id), None);
    let read = RecordReceipt { status: MessageStatus::Read, ..by_token.clone() };
    for changed in [true, false] {
        let answer = world.ask(id, receipt(&read)).unwrap();
        assert!(matches!(answer, Answer::Status { status: MessageStatus::Read, changed: was, .. } if was == changed));
    }
    assert!(matches!(world.ask(id, receipt(&by_id)), Ok(Answer::Status { changed: false, .. })));
    // Attempts that were never made and messages that never were are nobody's.
    let bogus = RecordReceipt { message: Some((MessageId(1), 1)), ..by_token };
    assert_eq!(world.ask(id, receipt(&bogus)), Ok(Answer::Unmatched));
}

#[test]
fn an_answer_teaches_addresses() {
    let mut world = world();
    let id = world.of("a");
    let message = world.send("a", "c1", "Hi");
    world.effects.clear();
    let SendOutcome::Accepted { provider_id, held, .. } = World::accepted("wamid.o") else { panic!() };
    let addresses = vec![world.named(&["b"])[0].1.address.clone()];
    let outcome = world.outcome(id, message.id, SendOutcome::Accepted { provider_id, addresses, held });
    world.ask(id, outcome).unwrap();
    assert!(matches!(
        &world.effects[..],
        [Effect::ObserveContact { addresses, .. }, Effect::LinkConversation { to, .. }]
            if addresses.len() == 2 && *to == world.of("b")
    ));
    world.settle();
    assert_eq!(world.root("b"), id);
}

#[test]
fn wechat_counts_replies_that_left_and_those_that_wait() {
    let mut world = World::new();
    world.channel = Channel::WeChat;
    world.hear(&["a"], "1", T0, "Hello");
    let id = world.of("a");
    for n in 0..3 {
        let message = world.send("a", &format!("c{n}"), "Hi");
        let outcome = world.outcome(id, message.id, World::accepted(&format!("o{n}")));
        world.ask(id, outcome).unwrap();
    }
    world.send("a", "c3", "Hi");
    world.send("a", "c4", "Hi");
    let sixth = world.text(AGENT, "c5", "Hi");
    let refused = world.ask(id, Command::Send(Box::new(sixth)));
    assert!(matches!(refused, Err(Refusal::TooMany { allowed: 5, .. })));
    world.hear(&["a"], "2", after(SECOND), "Hello?");
    world.send("a", "c6", "Hi");
}
