//! Tests of contacts: what people do, and that links in any order lead to the same people.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::domain::author::Author;
use crate::domain::content::{AddressDetails, Content};
use crate::domain::effect::{Assignment, Effect};
use crate::domain::golden::{Live, check, keys};
use crate::domain::ids::{AccountId, AddressId, ConversationId, LabelId, MemberId, TeamId, WorkspaceId};
use crate::domain::inbound::{Address, AddressSpace};
use crate::domain::message::Channel;
use crate::domain::recall::{Asked, CommandKey};
use crate::domain::time::Timestamp;

const WORKSPACE: WorkspaceId = WorkspaceId(1);
const ACCOUNT: AccountId = AccountId(2);
const AGENT: Author = Author::Member(MemberId(3));

fn asked() -> Asked {
    Asked::by(AGENT)
}

fn address(number: u8) -> AddressId {
    keys().address(WORKSPACE, "phone", &format!("35191{number}"))
}

fn contact(number: u8) -> ContactId {
    keys().contact(WORKSPACE, address(number))
}

fn observe(numbers: &[u8], at: i64) -> ContactCommand {
    ContactCommand::Observe {
        workspace: WORKSPACE,
        conversation: keys().conversation(ACCOUNT, address(numbers[0])),
        account: ACCOUNT,
        channel: Channel::WhatsApp,
        addresses: numbers.iter().copied().map(address).collect(),
        at: Timestamp(at),
    }
}

fn typed(number: u8) -> TypedIdentity {
    let address = Address { space: AddressSpace::Phone, text: format!("35191{number}") };
    TypedIdentity { channel: Channel::WhatsApp, details: AddressDetails { address, name: None, username: None } }
}

fn save(how: SaveHow, draft: ContactDraft) -> ContactCommand {
    ContactCommand::Save { asked: asked(), workspace: WORKSPACE, how, draft }
}

fn person_of(live: &Live<Contact>) -> &Person {
    live.state.person().expect("a person is there")
}

#[test]
fn a_draft_becomes_a_person_whose_values_are_beside_the_log() {
    let mut live = Live::<Contact>::new(contact(1).0);
    let draft = ContactDraft {
        identities: vec![typed(1)],
        properties: vec![(PropertyKey::FirstName, Some(PropertyValue::Text("Amália".to_owned())))],
        labels: vec![LabelId(9), LabelId(9)],
        consents: vec![TypedConsent {
            scope: ConsentScope::Channel(Channel::WhatsApp),
            topic: "marketing".to_owned(),
            withdrawn: false,
        }],
    };
    let decision = live.ask(5, save(SaveHow::Create, draft.clone())).unwrap();
    assert!(matches!(decision.answer, ContactAnswer::Saved { created: true, .. }));
    assert!(decision.effects.is_empty(), "the address names this very contact");
    let gate = Content::ConsentGate {
        workspace: WORKSPACE,
        channel: Channel::WhatsApp,
        address: address(1),
        topic: "marketing".to_owned(),
        withdrawn: false,
        at: Timestamp(5),
    };
    assert!(decision.content.contains(&gate));
    for event in &live.log {
        let stored = rmp_serde::to_vec(event).unwrap();
        let holds = |needle: &[u8]| stored.windows(needle.len()).any(|part| part == needle);
        assert!(!holds("Amália".as_bytes()) && !holds(b"351911"), "something personal is in the log");
    }
    let refused = live.ask(6, save(SaveHow::Create, draft)).err();
    assert_eq!(refused, Some(Refusal::IdentityTaken { by: contact(1).to_string() }));
    live.assert_replays();
}

#[test]
fn a_repeated_command_is_done_once_and_a_stale_one_not_at_all() {
    let mut live = Live::<Contact>::new(contact(1).0);
    live.ask(0, observe(&[1], 0)).unwrap();
    let key = Some(CommandKey { key: 4, body: 4 });
    let label = |label, if_version| ContactCommand::AddLabel {
        asked: Asked { author: AGENT, if_version, key },
        label: LabelId(label),
    };
    let first = live.ask(1, label(1, Some(person_of(&live).version))).unwrap();
    assert!(!first.events.is_empty());
    let again = live.ask(2, label(1, Some(0))).unwrap();
    assert!(again.events.is_empty());
    assert!(matches!(again.answer, ContactAnswer::Saved { repeated: true, .. }));
    let version = person_of(&live).version;
    let stale = ContactCommand::AddLabel { asked: Asked { if_version: Some(1), ..asked() }, label: LabelId(2) };
    assert_eq!(live.ask(3, stale).err(), Some(Refusal::VersionMismatch { version }));
}

#[test]
fn assignment_is_copied_to_every_conversation_with_a_rising_version() {
    let mut live = Live::<Contact>::new(contact(1).0);
    let seen = live.ask(0, observe(&[1], 0)).unwrap();
    assert!(matches!(&seen.effects[..], [Effect::CopyAssignment { assignment, .. }] if assignment.version == 1));
    let assign = |owner, team| ContactCommand::Assign { asked: asked(), owner, team };
    let decision = live.ask(1, assign(Some(MemberId(8)), None)).unwrap();
    assert!(matches!(&decision.effects[..], [Effect::CopyAssignment { assignment, .. }]
        if assignment.version == 2 && assignment.owner == Some(MemberId(8))));
    assert!(live.ask(1, assign(Some(MemberId(8)), None)).unwrap().events.is_empty());
    assert!(live.ask(1, assign(Some(MemberId(8)), Some(TeamId(1)))).is_err());
    let join = |member| ContactCommand::AddCollaborator { asked: asked(), member };
    assert!(live.ask(2, join(MemberId(8))).unwrap().events.is_empty(), "the owner takes part anyway");
    live.ask(2, join(MemberId(5))).unwrap();
    live.ask(3, assign(Some(MemberId(5)), None)).unwrap();
    assert!(person_of(&live).assignment.collaborators.is_empty());
    live.assert_replays();
}

#[test]
fn the_later_consent_stands_and_a_withdrawal_wins_a_tie() {
    let hear = |withdrawn, at| ContactCommand::RecordConsent {
        workspace: WORKSPACE,
        channel: Channel::WhatsApp,
        address: address(1),
        topic: "marketing".to_owned(),
        withdrawn,
        at: Timestamp(at),
    };
    for order in
        [[(false, 5), (true, 5), (true, 3)], [(true, 5), (false, 5), (true, 3)], [(true, 3), (true, 5), (false, 5)]]
    {
        let mut live = Live::<Contact>::new(contact(1).0);
        for (withdrawn, at) in order {
            live.ask(9, hear(withdrawn, at)).unwrap();
        }
        let consent = person_of(&live).consent(Channel::WhatsApp, address(1), "marketing");
        assert_eq!(consent, Some(Consent { withdrawn: true, at: Timestamp(5) }));
        live.ask(9, hear(false, 6)).unwrap();
        assert!(!person_of(&live).consent(Channel::WhatsApp, address(1), "marketing").unwrap().withdrawn);
    }
}

#[test]
fn an_opt_out_on_one_channel_leaves_the_other_alone() {
    let on = |channel, at| ContactCommand::Observe {
        workspace: WORKSPACE,
        conversation: ConversationId(at as u128),
        account: ACCOUNT,
        channel,
        addresses: vec![address(1)],
        at: Timestamp(at),
    };
    let said = |channel, withdrawn, at| ContactCommand::RecordConsent {
        workspace: WORKSPACE,
        channel,
        address: address(1),
        topic: "marketing".to_owned(),
        withdrawn,
        at: Timestamp(at),
    };
    let mut live = Live::<Contact>::new(contact(1).0);
    live.ask(1, on(Channel::WhatsApp, 1)).unwrap();
    live.ask(2, on(Channel::Sms, 2)).unwrap();
    live.ask(3, said(Channel::Sms, false, 3)).unwrap();
    // The same phone, at the same moment, and later.
    for at in [3, 4] {
        let stop = live.ask(at, said(Channel::WhatsApp, true, at)).unwrap();
        let gates: Vec<_> = stop.content.iter().collect();
        assert!(matches!(gates[..], [Content::ConsentGate { channel: Channel::WhatsApp, withdrawn: true, .. }]));
    }
    let of =
        |live: &Live<Contact>, channel| person_of(live).consent(channel, address(1), "marketing").unwrap().withdrawn;
    assert_eq!((of(&live, Channel::WhatsApp), of(&live, Channel::Sms)), (true, false));
    // A word on the whole channel reaches this address there, and nowhere else.
    let (scope, topic) = (ConsentScope::Channel(Channel::Sms), "marketing".to_owned());
    let stop = live.ask(5, ContactCommand::SetConsent { asked: asked(), scope, topic, withdrawn: true }).unwrap();
    assert!(matches!(stop.content[..], [Content::ConsentGate { channel: Channel::Sms, withdrawn: true, .. }]));
    live.ask(6, said(Channel::WhatsApp, false, 6)).unwrap();
    assert_eq!((of(&live, Channel::WhatsApp), of(&live, Channel::Sms)), (false, true));
    live.assert_replays();
}

#[test]
fn a_channels_consent_reaches_addresses_learned_later() {
    let mut live = Live::<Contact>::new(contact(1).0);
    live.ask(0, observe(&[1], 0)).unwrap();
    let (scope, topic) = (ConsentScope::Channel(Channel::WhatsApp), "marketing".to_owned());
    live.ask(1, ContactCommand::SetConsent { asked: asked(), scope, topic, withdrawn: true }).unwrap();
    let learned = live.ask(2, observe(&[1, 2], 2)).unwrap();
    let gates = learned.content.iter().filter(|row| {
        matches!(row, Content::ConsentGate { address: gate, withdrawn: true, at: Timestamp(1), .. } if *gate == address(2))
    });
    assert_eq!(gates.count(), 1);
    assert!(person_of(&live).consent(Channel::WhatsApp, address(2), "marketing").unwrap().withdrawn);
}

#[test]
fn a_typed_address_is_claimed_or_refused() {
    let claim = |by| ContactCommand::ClaimIdentity { workspace: WORKSPACE, by };
    let mut unused = Live::<Contact>::new(contact(2).0);
    assert_eq!(unused.ask(0, claim(contact(1))).unwrap().answer, ContactAnswer::Claimed);
    assert_eq!(unused.state.moved_to(), Some(contact(1)));
    assert_eq!(unused.ask(1, claim(contact(1))).unwrap().answer, ContactAnswer::Claimed);
    assert_eq!(unused.ask(2, claim(contact(3))).unwrap().answer, ContactAnswer::Forward(contact(1)));
    let mut used = Live::<Contact>::new(contact(1).0);
    used.ask(0, observe(&[1], 0)).unwrap();
    let refused = used.ask(2, claim(contact(3))).err();
    assert_eq!(refused, Some(Refusal::IdentityTaken { by: contact(1).to_string() }));
}

#[test]
fn a_value_that_came_by_a_merge_is_found_and_erased_where_it_is() {
    let mut loser = Live::<Contact>::new(contact(1).0);
    let name = Some(PropertyValue::Text("Amália".to_owned()));
    let draft = |value| ContactDraft { properties: vec![(PropertyKey::FirstName, value)], ..ContactDraft::default() };
    loser.ask(5, save(SaveHow::Upsert, draft(name))).unwrap();
    let payload = person_of(&loser).to_payload();
    let mut winner = Live::<Contact>::new(contact(2).0);
    winner.ask(0, observe(&[2], 0)).unwrap();
    winner.ask(6, ContactCommand::Absorb { from: contact(1), payload: payload.clone() }).unwrap();
    assert!(winner.ask(6, ContactCommand::Absorb { from: contact(1), payload }).unwrap().events.is_empty());
    let holder = person_of(&winner).property_holder(contact(2), PropertyKey::FirstName);
    assert_eq!(holder, Some(contact(1)));
    let erased = winner.ask(7, save(SaveHow::Update, draft(None))).unwrap();
    let rows: BTreeSet<u128> = erased
        .content
        .iter()
        .filter_map(|row| match row {
            Content::Private { id, value: None, .. } => Some(*id),
            _ => None,
        })
        .collect();
    assert_eq!(rows, BTreeSet::from([contact(1).0, contact(2).0]));
    winner.assert_replays();
}

/// Contacts on shards of their own, and the effects under way between them.
struct Town {
    contacts: BTreeMap<ContactId, Live<Contact>>,
    under_way: VecDeque<Effect>,
}

impl Town {
    fn new() -> Self {
        Self { contacts: BTreeMap::new(), under_way: VecDeque::new() }
    }

    fn tell(&mut self, first: ContactId, make: impl Fn() -> ContactCommand) {
        let mut to = first;
        for _hop in 0..50 {
            let live = self.contacts.entry(to).or_insert_with(|| Live::new(to.0));
            let decision = live.ask(1_000, make()).unwrap();
            self.under_way.extend(decision.effects);
            match decision.answer {
                ContactAnswer::Forward(next) => to = next,
                _ => return,
            }
        }
        panic!("redirects have a loop");
    }

    fn carry(&mut self, effect: &Effect) {
        match effect {
            Effect::LinkContact { to, from, created_at, .. } => {
                self.tell(*to, || ContactCommand::Link { workspace: WORKSPACE, from: *from, born: *created_at });
            }
            Effect::AbsorbContact { to, from, payload } => {
                self.tell(*to, || ContactCommand::Absorb { from: *from, payload: payload.clone() });
            }
            _ => {}
        }
    }

    fn find(&self, first: ContactId) -> ContactId {
        let mut at = first;
        while let Some(to) = self.contacts.get(&at).and_then(|live| live.state.moved_to()) {
            at = to;
        }
        at
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Sightings, links and merges come in any order and some of them twice; in the end each group of
    /// addresses that were ever seen together is one person with all that was said of it.
    #[test]
    fn any_order_of_links_leads_to_the_same_people(
        seen in prop::collection::vec((prop::collection::vec(0..7_u8, 1..4), 0..50_i64), 1..8),
        order in prop::collection::vec((any::<u16>(), any::<bool>()), 0..200),
    ) {
        let mut town = Town::new();
        let mut waiting: Vec<(Vec<u8>, i64)> = seen.clone();
        let mut order = order.into_iter();
        while !waiting.is_empty() || !town.under_way.is_empty() {
            let (draw, twice) = order.next().unwrap_or((0, false));
            let choice = usize::from(draw) % (waiting.len() + town.under_way.len());
            if choice < waiting.len() {
                let (numbers, at) = if twice { waiting[choice].clone() } else { waiting.swap_remove(choice) };
                town.tell(contact(numbers[0]), || observe(&numbers, at));
            } else {
                let index = choice - waiting.len();
                let effect = town.under_way[index].clone();
                if !twice {
                    town.under_way.swap_remove_back(index);
                }
                town.carry(&effect);
            }
        }
        // The groups by plain union.
        let mut group: Vec<u8> = (0..7).collect();
        for (numbers, _) in &seen {
            for other in &numbers[1..] {
                let (from, to) = (group[usize::from(*other)], group[usize::from(numbers[0])]);
                group.iter_mut().filter(|member| **member == from).for_each(|member| *member = to);
            }
        }
        let used: BTreeSet<u8> = seen.iter().flat_map(|(numbers, _)| numbers.iter().copied()).collect();
        for one in &used {
            let person = town.contacts[&town.find(contact(*one))].state.person().expect("a chain ends at a person");
            for other in &used {
                let together = group[usize::from(*one)] == group[usize::from(*other)];
                prop_assert_eq!(town.find(contact(*one)) == town.find(contact(*other)), together);
                prop_assert_eq!(person.identities.contains_key(&address(*other)), together);
            }
            for (numbers, _) in seen.iter().filter(|(numbers, _)| group[usize::from(numbers[0])] == group[usize::from(*one)]) {
                prop_assert!(person.conversations.contains_key(&keys().conversation(ACCOUNT, address(numbers[0]))));
            }
        }
        for live in town.contacts.values() {
            live.assert_replays();
        }
    }

    /// What merged states say does not depend on which was merged first.
    #[test]
    fn merges_are_joined_in_any_order(times in prop::collection::vec((0..5_i64, any::<bool>()), 3)) {
        let states: Vec<Person> = times.iter().enumerate().map(|(index, (at, flag))| {
            let mut live = Live::<Contact>::new(contact(index as u8).0);
            live.ask(*at, observe(&[index as u8], *at)).unwrap();
            let (scope, topic) = (ConsentScope::Channel(Channel::WhatsApp), "marketing".to_owned());
            live.ask(*at, ContactCommand::SetConsent { asked: asked(), scope, topic, withdrawn: *flag }).unwrap();
            let value = Some(PropertyValue::Bool(*flag)).filter(|_| *flag);
            let key = PropertyKey::Custom(crate::domain::ids::PropertyId(1));
            let draft = ContactDraft { properties: vec![(key, value)], ..ContactDraft::default() };
            live.ask(*at, save(SaveHow::Update, draft)).unwrap();
            person_of(&live).clone()
        }).collect();
        let mut ends: Vec<Person> = [[0, 1, 2], [2, 1, 0], [1, 0, 2]].into_iter().map(|order| {
            let mut winner = Live::<Contact>::new(contact(9).0);
            winner.ask(0, observe(&[9], 0)).unwrap();
            for index in order {
                let (from, payload) = (contact(index), states[usize::from(index)].to_payload());
                winner.ask(10, ContactCommand::Absorb { from, payload }).unwrap();
            }
            person_of(&winner).clone()
        }).collect();
        let first = ends.remove(0);
        for other in ends {
            prop_assert_eq!(other, first.clone());
        }
    }
}

#[test]
fn stored_bytes_stay() {
    let (at, author) = (Timestamp(1_795_165_200_000), AGENT);
    let assignment = Assignment { version: 2, owner: Some(MemberId(3)), team: None, collaborators: vec![MemberId(4)] };
    let mut person = Person::new(WORKSPACE, at);
    person.labels.insert(LabelId(5));
    check(
        include_str!("../../../tests/golden/contact_events.txt"),
        &[
            ContactEvent::Created { workspace: WORKSPACE, at, author: Author::Customer },
            ContactEvent::Created { workspace: WORKSPACE, at, author: Author::System },
            ContactEvent::IdentitiesAdded { channel: Channel::Line, addresses: vec![AddressId(6)], at, author },
            ContactEvent::ConversationAdded { conversation: ConversationId(7), account: ACCOUNT, at },
            ContactEvent::PropertiesChanged {
                set: vec![PropertyKey::Emails, PropertyKey::Custom(crate::domain::ids::PropertyId(8))],
                cleared: vec![PropertyKey::Company],
                at,
                author,
            },
            ContactEvent::LabelsChanged { added: vec![LabelId(9)], removed: vec![], at, author },
            ContactEvent::Assigned { assignment: assignment.clone(), at, author },
            ContactEvent::CollaboratorsChanged { assignment, at, author },
            ContactEvent::ConsentChanged {
                scope: ConsentScope::Channel(Channel::Sms),
                topic: "marketing".to_owned(),
                withdrawn: false,
                at,
                author,
            },
            ContactEvent::ConsentChanged {
                scope: ConsentScope::Address(Channel::Line, AddressId(6)),
                topic: "marketing".to_owned(),
                withdrawn: true,
                at,
                author,
            },
            ContactEvent::Aliased { workspace: WORKSPACE, to: ContactId(10), at },
            ContactEvent::MergeStarted { to: ContactId(10), at },
            ContactEvent::Absorbed { from: ContactId(11), person: Box::new(person), at },
            ContactEvent::KeyUsed { key: CommandKey { key: 12, body: 13 }, at },
        ],
    );
}
