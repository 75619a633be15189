//! Any order, repetition and batching of the same items ends the same, merges included.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::*;
use super::world::*;
use crate::domain::ids::AddressId;
use crate::domain::message::{MessageRef, MessageStatus, ProviderMessageId};
use crate::domain::outbound::{ErrorClass, Failure};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const TEXTS: [&str; 4] = ["Hello", "STOP", "start", "please stop"];

/// One item of a delivery, or the answer to a send.
#[derive(Clone, Debug)]
enum Item {
    Inbound { number: usize, names: Vec<usize>, minute: i64, text: usize },
    Change { from: usize, to: usize, minute: i64 },
    Receipt { send: usize, status: MessageStatus, minute: i64, class: Option<ErrorClass>, token: bool },
    Accepted { send: usize },
}

fn item() -> impl Strategy<Value = Item> {
    let status = prop::sample::select(vec![MessageStatus::Sent, MessageStatus::Delivered, MessageStatus::Read]);
    let class = prop::sample::select(vec![ErrorClass::Window, ErrorClass::OptOut, ErrorClass::Unreachable]);
    prop_oneof![
        4 => (prop::collection::vec(0_usize..4, 1..3), 0_i64..40, 0_usize..4)
            .prop_map(|(names, minute, text)| Item::Inbound { number: 0, names, minute, text }),
        1 => (0_usize..4, 0_usize..4, 0_i64..40).prop_map(|(from, to, minute)| Item::Change { from, to, minute }),
        2 => (0_usize..3, status, 0_i64..40, any::<bool>())
            .prop_map(|(send, status, minute, token)| Item::Receipt { send, status, minute, class: None, token }),
        1 => (0_usize..3, class, 0_i64..40, any::<bool>()).prop_map(|(send, class, minute, token)| {
            Item::Receipt { send, status: MessageStatus::Failed, minute, class: Some(class), token }
        }),
    ]
}

/// Messages get ids of their own, and an attempt fails once: what repeats it says the same.
fn number(items: &mut [Item]) {
    let mut failed = BTreeMap::new();
    for (index, item) in items.iter_mut().enumerate() {
        match item {
            Item::Inbound { number, .. } => *number = index,
            Item::Receipt { send, minute, class: class @ Some(_), .. } => {
                (*minute, *class) = *failed.entry(*send).or_insert((*minute, *class));
            }
            _ => {}
        }
    }
}

/// A world in which three messages were sent to two addresses.
fn begun() -> (World, Vec<(usize, MessageRef)>) {
    let mut world = World::new();
    world.now = after(-HOUR);
    world.hear(&["a"], "begin.a", after(-2 * HOUR), "Hello");
    world.hear(&["b"], "begin.b", after(-2 * HOUR + 1), "Hello");
    let sends = vec![(0, world.send("a", "s0", "1")), (0, world.send("a", "s1", "2")), (1, world.send("b", "s2", "3"))];
    world.now = after(HOUR);
    (world, sends)
}

/// Asks once; false where it has to come again.
fn ask(world: &mut World, sends: &[(usize, MessageRef)], item: &Item) -> bool {
    // Each item has a time of its own: a tie between a failure and an inbound is nobody's to settle.
    let at = |minute: i64, odd: i64| after(minute * MINUTE + odd);
    let answer = match item {
        Item::Inbound { number, names, minute, text } => {
            let mut named: Vec<&str> = names.iter().map(|name| NAMES[*name]).collect();
            named.dedup();
            let at = at(*minute, *number as i64);
            world.hear(&named, &format!("wamid.{number}"), at, TEXTS[*text])
        }
        Item::Change { from, to, minute } => {
            let at = at(*minute, 500 + (*from * 4 + *to) as i64);
            let change = ChangeIdentity {
                origin: world.origin(NAMES[*from]),
                previous: world.named(&[NAMES[*from]]),
                current: world.named(&[NAMES[*to]]),
                at,
                notice: None,
                arrived_at: world.now,
                seen: None,
            };
            world.ask(world.of(NAMES[*from]), Command::ChangeIdentity(Box::new(change))).unwrap()
        }
        Item::Receipt { send, status, minute, class, token } => {
            let (name, message) = sends[*send];
            let thread = world.of(NAMES[name]);
            let failure = class.map(|class| Failure { code: 1, class, sentence: String::new() });
            let receipt = RecordReceipt {
                message: token.then_some((message.id, 1)),
                provider_id: ProviderMessageId(format!("out.{send}")),
                failure,
                ..world.receipt(thread, *status, at(*minute, 700 + *send as i64))
            };
            world.ask(thread, Command::RecordReceipt(Box::new(receipt))).unwrap()
        }
        Item::Accepted { send } => {
            let (name, message) = sends[*send];
            let thread = world.of(NAMES[name]);
            let outcome = world.outcome(thread, message.id, World::accepted(&format!("out.{send}")));
            world.ask(thread, outcome).unwrap()
        }
    };
    !matches!(answer, Answer::Unmatched | Answer::NotYet)
}

/// Everything that was told, effects in between as `turns` say; then until all is at rest.
fn run(items: &[Item], turns: &[prop::sample::Index]) -> World {
    let (mut world, sends) = begun();
    let mut waiting: Vec<Item> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if !ask(&mut world, &sends, item) {
            waiting.push(item.clone());
        }
        if let Some(turn) = turns.get(index).filter(|_| !world.effects.is_empty()) {
            // Effects are carried out in any order, and now and then twice.
            let at = turn.index(world.effects.len());
            let again = world.effects[at].clone();
            world.carry_out(at);
            if turn.index(3) == 0 {
                world.effects.push(again);
            }
        }
    }
    world.settle();
    // What came too early waits for the answer to its send, which may itself wait for a merge.
    for _ in 0..2 {
        waiting.retain(|item| !ask(&mut world, &sends, item));
        world.settle();
    }
    assert!(waiting.is_empty(), "{waiting:?} found nothing");
    world.assert_replay();
    world
}

/// What REST would tell of the person behind a name, by identity alone.
#[derive(Debug, PartialEq)]
struct Told {
    addresses: BTreeMap<AddressId, bool>,
    thread: Vec<MessageRef>,
    statuses: BTreeMap<MessageRef, MessageStatus>,
    opened_at: Option<Timestamp>,
    closes_at: Option<Timestamp>,
    consent: Option<bool>,
    unread: u32,
    first: Option<Timestamp>,
    last: Option<MessageRef>,
    open: bool,
    window_gates: Vec<Option<Timestamp>>,
    consent_gates: Vec<Option<(Timestamp, bool)>>,
}

fn told(world: &World, name: &str) -> Option<Told> {
    let root = world.root(name);
    let summary = world.live.get(&root)?.summary(world.now)?;
    let addresses: BTreeMap<AddressId, bool> = summary.addresses.iter().copied().collect();
    let statuses: Vec<(MessageRef, MessageStatus)> = {
        let outbox = &world.state(name).outbox.0;
        outbox.iter().map(|entry| (entry.message, world.state(name).status_of(entry.message.id).unwrap())).collect()
    };
    let gate = |address: &AddressId| {
        let id = world.keys.conversation(ACCOUNT, *address);
        world.windows.get(&id).and_then(|gate| gate.1)
    };
    Some(Told {
        thread: world.thread(name),
        statuses: statuses.into_iter().collect(),
        opened_at: world.state(name).window().valid_opening(),
        closes_at: summary.window_closes_at,
        consent: world.state(name).consent.map(|consent| consent.withdrawn),
        unread: summary.unread,
        first: summary.first_inbound_at,
        last: summary.last_inbound,
        open: summary.state == State::Open,
        window_gates: addresses.keys().map(gate).collect(),
        consent_gates: addresses.keys().map(|address| world.consents.get(address).copied()).collect(),
        addresses,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn shuffled_repeated_and_rebatched_items_end_the_same(
        mut items in prop::collection::vec(item(), 1..14),
        repeats in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        keys in prop::collection::vec(any::<u32>(), 32),
        turns in prop::collection::vec(any::<prop::sample::Index>(), 0..24),
    ) {
        number(&mut items);
        items.extend((0..3).map(|send| Item::Accepted { send }));
        let plain = run(&items, &[]);
        let mut shuffled = items.clone();
        shuffled.extend(repeats.iter().map(|index| items[index.index(items.len())].clone()));
        let mut order: Vec<(u32, Item)> = keys.iter().copied().cycle().zip(shuffled).collect();
        order.sort_by_key(|(key, _)| *key);
        let shuffled: Vec<Item> = order.into_iter().map(|(_, item)| item).collect();
        let other = run(&shuffled, &turns);
        for name in NAMES {
            prop_assert_eq!(told(&plain, name), told(&other, name));
        }
    }

    #[test]
    fn our_own_sends_and_late_messages_never_open_nor_shorten_the_window(
        steps in prop::collection::vec((0_u8..5, 0_i64..3_000), 1..20),
    ) {
        let mut world = World::new();
        world.hear(&["a"], "begin", T0, "Hello");
        let (id, mut last) = (world.of("a"), T0);
        for (index, (kind, minutes)) in steps.into_iter().enumerate() {
            let before = *world.state("a").window();
            world.now = Timestamp(world.now.0 + minutes * SECOND);
            match kind {
                0 => drop(world.hear(&["a"], &format!("late{index}"), Timestamp(last.0 - minutes), "late")),
                1 => {
                    let send = world.text(AGENT, &format!("c{index}"), "Hi");
                    drop(world.ask(id, Command::Send(Box::new(send))));
                }
                2 => {
                    let newest = world.state("a").outbox.0.last().map(|entry| entry.message.id);
                    if let Some(message) = newest {
                        let outcome = world.outcome(id, message, World::accepted(&format!("o{index}")));
                        world.ask(id, outcome).unwrap();
                    }
                }
                3 => drop(world.ask(id, Command::Wake)),
                _ => {
                    last = world.now;
                    world.hear(&["a"], &format!("now{index}"), last, "now");
                    continue;
                }
            }
            let now = world.state("a").window();
            prop_assert_eq!((now.opened_at, now.shut_at), (before.opened_at, before.shut_at));
        }
        prop_assert_eq!(world.state("a").window().opened_at, Some(last));
        world.assert_replay();
    }
}
