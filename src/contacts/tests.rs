//! Contacts over shards that run: what people ask, what conversations tell, and who sees what of it.

mod lists;
mod scene;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use self::scene::*;
use super::*;
use crate::domain::access::Role;
use crate::domain::contact::{ConsentScope, ContactDraft, PropertyKey, PropertyValue, TypedConsent};
use crate::domain::effect::Effect;
use crate::domain::ids::{ConversationId, LabelId, MemberId};
use crate::domain::message::Channel;
use crate::domain::recall::{Asked, CommandKey};
use crate::domain::refusal::Refusal;
use crate::domain::workspace::Scope;
use crate::shards::CommandError;
use crate::workspaces::{Caller, Rights};

const A: &str = "351910000001";
const B: &str = "351910000002";
const C: &str = "351910000003";

#[actix_web::test]
async fn a_contact_is_named_by_its_first_address_and_answers_to_all() {
    let scene = Scene::begin().await;
    let made = scene.made(&[A, B]).await;
    assert_eq!((made.id, made.outcome), (scene.named(A), Outcome::Created));
    scene.quiet().await;
    for digits in [A, B] {
        let view = scene.contacts.read(&admin(), scene.named(digits)).await.unwrap();
        assert_eq!((view.id, view.moved, view.person.identities.len()), (made.id, digits == B, 2));
        assert_eq!(view.addresses.len(), 2);
    }
    for digits in [A, B] {
        let again = scene.contacts.create(&admin(), asked(), ContactId(9), known_by(&[C, digits])).await;
        assert_eq!(again, Err(Refusal::IdentityTaken { by: made.id.to_string() }.into()));
    }
    assert!(scene.contacts.read(&admin(), scene.named(C)).await.is_err(), "nothing is left of what was refused");
    scene.end().await;
}

#[actix_web::test]
async fn a_keyed_creation_may_be_repeated_and_a_nameless_one_meets_itself() {
    let scene = Scene::begin().await;
    let keyed = Asked { key: Some(CommandKey { key: 1, body: 1 }), ..asked() };
    for draft in [called(A, "Amália"), ContactDraft { identities: Vec::new(), ..called(A, "Amália") }] {
        let first = scene.contacts.create(&admin(), keyed, ContactId(9), draft.clone()).await.unwrap();
        let again = scene.contacts.create(&admin(), keyed, ContactId(9), draft.clone()).await.unwrap();
        assert_eq!((first.id, first.version), (again.id, again.version));
        let other = Asked { key: Some(CommandKey { key: 1, body: 2 }), ..asked() };
        let error = scene.contacts.create(&admin(), other, ContactId(9), draft).await.unwrap_err();
        assert_eq!(code(&error), "client_id_reused");
    }
    scene.end().await;
}

#[actix_web::test]
async fn an_upsert_finds_the_person_by_any_address_and_writes_only_what_is_new() {
    let scene = Scene::begin().await;
    let admin = admin();
    let upsert = |draft| scene.contacts.upsert(&admin, asked(), draft).map_outcome();
    assert_eq!(upsert(called(A, "Amália")).await, Ok(Outcome::Created));
    assert_eq!(upsert(called(A, "Amália")).await, Ok(Outcome::Unchanged));
    assert_eq!(upsert(called(A, "Mia")).await, Ok(Outcome::Updated));
    // The first address is nobody's; the second says who is meant.
    assert_eq!(upsert(known_by(&[B, A])).await, Ok(Outcome::Updated));
    assert_eq!(upsert(called(B, "Mia")).await, Ok(Outcome::Unchanged));
    let view = scene.contacts.read(&admin, scene.named(B)).await.unwrap();
    assert_eq!((view.id, first_name(&view)), (scene.named(A), Some(&PropertyValue::Text("Mia".to_owned()))));
    scene.made(&[C]).await;
    assert_eq!(upsert(known_by(&[A, C])).await, Err("identity_taken"));
    assert_eq!(upsert(ContactDraft::default()).await, Err("invalid"));
    scene.end().await;
}

#[actix_web::test]
async fn a_change_rests_on_its_version_and_on_what_the_workspace_defined() {
    let scene = Scene::begin().await;
    let made = scene.made(&[A]).await;
    let admin = admin();
    let update = |asked, draft| scene.contacts.update(&admin, asked, made.id, draft).map_outcome();
    let stale = Asked { if_version: Some(made.version + 1), ..asked() };
    assert_eq!(update(stale, known_by(&[B])).await, Err("version_mismatch"));
    assert_eq!(scene.contacts.find(WORKSPACE, scene.named(B)).await.unwrap(), None, "nothing was claimed");
    let labels = |label| ContactDraft { labels: vec![label], ..ContactDraft::default() };
    assert_eq!(update(asked(), labels(LabelId(8))).await, Err("invalid"));
    let current = Asked { if_version: Some(made.version), ..asked() };
    assert_eq!(update(current, labels(LABEL)).await, Ok(Outcome::Updated));
    let unknown = PropertyKey::Custom(crate::domain::ids::PropertyId(8));
    let draft = ContactDraft { properties: vec![(unknown, None)], ..ContactDraft::default() };
    assert_eq!(update(asked(), draft).await, Err("invalid"));
    let consent = |digits| TypedConsent {
        scope: ConsentScope::Address(Channel::WhatsApp, scene.address(digits)),
        topic: "marketing".to_owned(),
        withdrawn: true,
    };
    let consents = |digits| ContactDraft { consents: vec![consent(digits)], ..ContactDraft::default() };
    assert_eq!(update(asked(), consents(B)).await, Err("invalid"));
    assert_eq!(update(asked(), consents(A)).await, Ok(Outcome::Updated));
    assert_eq!(update(asked(), consents(A)).await, Ok(Outcome::Unchanged));
    scene.end().await;
}

#[actix_web::test]
async fn an_address_is_claimed_once_and_what_the_customer_says_merges() {
    let scene = Scene::begin().await;
    let (first, second) = (scene.made(&[A]).await, scene.made(&[B]).await);
    let admin = admin();
    let claim = |by, digits| scene.contacts.claim(&admin, asked(), by, phone(digits)).map_outcome();
    assert_eq!(claim(first.id, C).await, Ok(Outcome::Updated));
    assert_eq!(claim(first.id, C).await, Ok(Outcome::Unchanged));
    assert_eq!(claim(second.id, C).await, Err("identity_taken"));
    assert_eq!(claim(second.id, A).await, Err("identity_taken"));
    let named = called(B, "Mia");
    scene.contacts.upsert(&admin, asked(), named).await.unwrap();
    // The platform knows one person by all three.
    scene.sees(&[A, B, C], ACCOUNT, NOW.0).await;
    let stays = first.id.min(second.id);
    for id in [first.id, second.id, scene.named(C)] {
        let view = scene.contacts.read(&admin, id).await.unwrap();
        assert_eq!((view.id, view.moved, view.person.identities.len()), (stays, id != stays, 3));
        assert_eq!(first_name(&view), Some(&PropertyValue::Text("Mia".to_owned())), "values come along");
    }
    let renamed = scene.contacts.update(&admin, asked(), first.id.max(second.id), called(A, "Amália")).await.unwrap();
    assert_eq!(renamed.id, stays, "a change follows the redirect");
    let listed = scene.contacts.list(&admin, None, 10).await.unwrap();
    assert_eq!(listed.items.iter().map(|view| view.id).collect::<Vec<_>>(), [stays], "who was merged is listed once");
    scene.end().await;
}

#[actix_web::test]
async fn consent_that_a_customer_gave_reaches_the_person() {
    let scene = Scene::begin().await;
    let made = scene.made(&[A, B]).await;
    let effect = Effect::RecordConsent {
        workspace: WORKSPACE,
        contact: scene.named(B),
        channel: Channel::WhatsApp,
        address: scene.address(B),
        topic: "marketing".to_owned(),
        withdrawn: true,
        at: NOW,
    };
    assert_eq!(scene.contacts.carry(&effect).await, Some(Ok(())));
    let view = scene.contacts.read(&admin(), made.id).await.unwrap();
    assert!(view.person.consent(Channel::WhatsApp, scene.address(B), "marketing").unwrap().withdrawn);
    let not_ours = Effect::MarkRead {
        account: ACCOUNT,
        conversation: ConversationId(1),
        message: crate::domain::message::MessageRef { at: NOW, id: crate::domain::ids::MessageId(1) },
    };
    assert_eq!(scene.contacts.carry(&not_ours).await, None);
    scene.end().await;
}

#[actix_web::test]
async fn who_may_not_see_a_contact_finds_nothing() {
    let scene = Scene::begin().await;
    let made = scene.made(&[A]).await;
    let read = |caller: Caller| {
        let contacts = Arc::clone(&scene.contacts);
        async move { contacts.read(&caller, made.id).await.map(drop).map_err(|error| code(&error)) }
    };
    assert_eq!(read(agent()).await, Ok(()), "nobody's contact is everybody's");
    assert_eq!(read(caller(WorkspaceId(99), Role::Admin, Vec::new())).await, Err("not_found"));
    scene.contacts.assign(&agent(), asked(), made.id, Some(COLLEAGUE), None).await.unwrap();
    assert_eq!((read(agent()).await, read(admin()).await), (Err("not_found"), Ok(())));
    let update = scene.contacts.update(&agent(), asked(), made.id, known_by(&[B])).map_outcome().await;
    let upsert = scene.contacts.upsert(&agent(), asked(), known_by(&[A])).map_outcome().await;
    assert_eq!((update, upsert), (Err("not_found"), Err("identity_taken")));
    assert_eq!(scene.contacts.list(&agent(), None, 10).await.unwrap().items, []);
    scene.contacts.collaborate(&admin(), asked(), made.id, AGENT, true).await.unwrap();
    assert_eq!(read(agent()).await, Ok(()));
    let assign = scene.contacts.assign(&agent(), asked(), made.id, None, None).map_outcome().await;
    let invite = scene.contacts.collaborate(&agent(), asked(), made.id, COLLEAGUE, true).map_outcome().await;
    assert_eq!((assign, invite), (Err("forbidden"), Err("forbidden")));
    let leave = scene.contacts.collaborate(&agent(), asked(), made.id, AGENT, false).map_outcome().await;
    assert_eq!((leave, read(agent()).await), (Ok(Outcome::Updated), Err("not_found")));
    let nobody = scene.contacts.assign(&admin(), asked(), made.id, Some(MemberId(77)), None).map_outcome().await;
    assert_eq!(nobody, Err("invalid"));
    scene.end().await;
}

#[actix_web::test]
async fn dedicated_channels_and_scopes_bind() {
    let scene = Scene::begin().await;
    scene.sees(&[A], ACCOUNT, NOW.0).await;
    let dedicated = |account| caller(WORKSPACE, Role::Admin, vec![account]);
    assert!(scene.contacts.read(&dedicated(OTHER_ACCOUNT), scene.named(A)).await.is_err());
    assert_eq!(scene.contacts.read(&dedicated(ACCOUNT), scene.named(A)).await.unwrap().conversations.len(), 1);
    scene.sees(&[A], OTHER_ACCOUNT, NOW.0).await;
    let view = scene.contacts.read(&dedicated(OTHER_ACCOUNT), scene.named(A)).await.unwrap();
    assert_eq!((view.conversations.len(), view.person.conversations.len()), (1, 2));
    let key = |scope| Caller { rights: Rights::Scopes(BTreeSet::from([scope])), ..admin() };
    let read = scene.contacts.read(&key(Scope::ContactsWrite), scene.named(A)).await.map(drop);
    let write = scene.contacts.update(&key(Scope::ContactsRead), asked(), scene.named(A), known_by(&[B])).await;
    assert_eq!(read.map_err(|error| code(&error)), Err("forbidden"));
    assert_eq!(write.map_err(|error| code(&error)), Err("forbidden"));
    let both = key(Scope::ContactsWrite);
    assert!(scene.contacts.update(&both, asked(), scene.named(A), known_by(&[B])).await.is_ok());
    scene.end().await;
}

#[actix_web::test]
async fn pages_go_by_creation_over_all_shards_and_miss_nobody() {
    let scene = Scene::begin().await;
    let mut made = Vec::new();
    for number in 0..23 {
        made.push(scene.made(&[&format!("3519200000{number:02}")]).await.id);
        scene.clock.advance(Duration::from_millis(number % 2));
    }
    // Those of one moment go by id.
    let mut expected = Vec::new();
    for id in &made {
        expected.push((scene.contacts.read(&admin(), *id).await.unwrap().person.born, *id));
    }
    expected.sort_unstable();
    for limit in [1, 4, 23, 50] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = scene.contacts.list(&admin(), after, limit).await.unwrap();
            assert!(page.items.len() <= limit);
            seen.extend(page.items.iter().map(|view| (view.person.born, view.id)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, expected, "limit {limit}");
    }
    let elsewhere = caller(WorkspaceId(99), Role::Admin, Vec::new());
    assert_eq!(scene.contacts.list(&elsewhere, None, 10).await.unwrap().items, []);
    scene.end().await;
}

#[actix_web::test]
async fn a_bulk_is_answered_in_order_and_the_last_line_of_a_person_counts() {
    let scene = Scene::begin().await;
    let lines = (1..=200_u32).map(|number| {
        // Ten people, each named twenty times; every eleventh line cannot be read.
        let digits = format!("35193000000{}", number % 10);
        let draft =
            if number % 11 == 0 { Err(CommandError::Panicked) } else { Ok(called(&digits, &number.to_string())) };
        BulkLine { number, draft }
    });
    let answers: Vec<BulkAnswer<CommandError>> =
        upsert_all(Arc::clone(&scene.contacts), admin(), stream::iter(lines)).collect().await;
    assert_eq!(answers.iter().map(|answer| answer.number).collect::<Vec<_>>(), (1..=200).collect::<Vec<_>>());
    for answer in &answers {
        let outcome = answer.outcome.as_ref().map(|saved| saved.outcome);
        let expected = match answer.number {
            number if number % 11 == 0 => Err(&CommandError::Panicked),
            1..=10 => Ok(Outcome::Created),
            _ => Ok(Outcome::Updated),
        };
        assert_eq!(outcome, expected, "line {}", answer.number);
    }
    for digit in 0..10_u32 {
        let last = (1..=200).rev().find(|number| number % 10 == digit && number % 11 != 0).unwrap();
        let view = scene.contacts.read(&admin(), scene.named(&format!("35193000000{digit}"))).await.unwrap();
        assert_eq!(first_name(&view), Some(&PropertyValue::Text(last.to_string())));
    }
    scene.end().await;
}
