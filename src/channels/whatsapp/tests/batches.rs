//! What holds for every body: nothing panics, no item harms another, and batches do not matter.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::value::{RawValue, to_raw_value};

use super::fixtures;
use crate::channels::Unreadable;
use crate::channels::whatsapp::parse::parse;
use crate::domain::inbound::{AccountRef, InboundItem, InboundKind};

type Raw = Box<RawValue>;
type Object = BTreeMap<String, Raw>;

/// In the order in which a change's lists are read.
const LISTS: [&str; 6] = ["messages", "statuses", "message_echoes", "user_preferences", "user_id_update", "errors"];

fn raw(text: &str) -> Raw {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn object(raw: &RawValue) -> Object {
    serde_json::from_str(raw.get()).unwrap()
}

fn list(raw: &RawValue) -> Vec<Raw> {
    serde_json::from_str(raw.get()).unwrap()
}

fn written(value: &impl serde::Serialize) -> Raw {
    to_raw_value(value).unwrap()
}

fn entries(body: &[u8]) -> Vec<Raw> {
    list(&serde_json::from_slice::<Object>(body).unwrap()["entry"])
}

fn delivery(entries: &[Raw]) -> Vec<u8> {
    let object =
        Object::from([("object".into(), raw("\"whatsapp_business_account\"")), ("entry".into(), written(&entries))]);
    serde_json::to_vec(&object).unwrap()
}

/// The same items, each in a delivery of its own.
fn singles(body: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for entry in entries(body) {
        let entry = object(&entry);
        for change in list(&entry["changes"]) {
            let change = object(&change);
            let mut push = |value: &RawValue| {
                let (mut change, mut entry) = (change.clone(), entry.clone());
                change.insert("value".into(), value.to_owned());
                entry.insert("changes".into(), written(&[change]));
                out.push(delivery(&[written(&entry)]));
            };
            let value = object(&change["value"]);
            let present: Vec<&str> = LISTS.into_iter().filter(|name| value.contains_key(*name)).collect();
            if present.is_empty() {
                push(&change["value"]);
            }
            for name in &present {
                for item in list(&value[*name]) {
                    let mut value = value.clone();
                    present.iter().for_each(|other| drop(value.remove(*other)));
                    value.insert((*name).into(), written(&[item]));
                    push(&written(&value));
                }
            }
        }
    }
    out
}

fn items(body: &[u8]) -> Vec<InboundItem> {
    parse(body).unwrap()
}

#[test]
fn a_batch_is_its_items() {
    let mut split = 0;
    for (name, body) in fixtures("whatsapp") {
        let singles = singles(&body);
        split += singles.len();
        let apart: Vec<InboundItem> = singles.iter().flat_map(|single| items(single)).collect();
        assert_eq!(items(&body), apart, "{name}");
    }
    assert!(split > 60, "{split}");
}

#[test]
fn ids_of_items_are_their_own() {
    let all: Vec<InboundItem> = fixtures("whatsapp").iter().flat_map(|(_, body)| items(body)).collect();
    let ids: std::collections::BTreeSet<&str> = all.iter().map(|item| item.item_id.as_str()).collect();
    // The same `read` stands twice in `statuses_out_of_order`.
    assert_eq!(ids.len(), all.len() - 1);
}

/// Puts `junk` before the first message and after the last.
fn with_junk(body: &[u8], junk: &str) -> Vec<u8> {
    let entries: Vec<Raw> = entries(body)
        .iter()
        .map(|entry| {
            let mut entry = object(entry);
            let changes = list(&entry["changes"]).into_iter().map(|change| {
                let mut change = object(&change);
                let mut value = object(&change["value"]);
                if let Some(messages) = value.get("messages") {
                    let mut messages = list(messages);
                    messages.insert(0, raw(junk));
                    messages.push(raw(junk));
                    value.insert("messages".into(), written(&messages));
                    change.insert("value".into(), written(&value));
                }
                change
            });
            let changes: Vec<Object> = changes.collect();
            entry.insert("changes".into(), written(&changes));
            written(&entry)
        })
        .collect();
    delivery(&entries)
}

#[test]
fn a_bad_item_is_kept_and_harms_no_other() {
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let (_, body) = fixtures("whatsapp").into_iter().find(|(name, _)| name == "batch").unwrap();
    let junk = [
        "7",
        "null",
        "{}",
        r#"{"id":{"a":1},"from":"1","timestamp":"1795165200"}"#,
        r#"{"id":"x","from":"1","timestamp":"soon","type":"text","text":{"body":"b"}}"#,
        r#"{"id":"x","timestamp":"1795165200","type":"text","text":{"body":"b"}}"#,
        deep.as_str(),
    ];
    let whole = items(&body);
    for junk in junk {
        let mut left = items(&with_junk(&body, junk));
        let count_before = left.len();
        left.retain(|item| !matches!(&item.kind, InboundKind::Unknown { raw, .. } if raw == junk));
        assert_eq!((count_before - left.len(), &left), (6, &whole), "{}", &junk[..junk.len().min(80)]);
    }
}

#[test]
fn broken_levels_are_kept_by_themselves() {
    let (_, body) = fixtures("whatsapp").into_iter().find(|(name, _)| name == "text").unwrap();
    let whole = items(&body);
    let good = entries(&body).remove(0);
    let left = items(&delivery(&[raw("7"), good.clone(), raw(r#"{"id":"5","changes":{}}"#)]));
    assert_eq!((left.len(), &left[1]), (3, &whole[0]));
    let mut entry = object(&good);
    let mut changes = list(&entry["changes"]);
    changes.insert(0, raw(r#"{"field":[],"value":1}"#));
    changes.push(raw(r#"{"field":"messages","value":[1]}"#));
    changes.push(raw(r#"{"field":"messages"}"#));
    let statuses = r#"{"metadata":{"phone_number_id":"9"},"messages":{"a":1},
        "statuses":[{"id":"w","status":"sent","timestamp":"1795165200"}]}"#;
    changes.push(raw(&format!(r#"{{"field":"messages","value":{statuses}}}"#)));
    entry.insert("changes".into(), written(&changes));
    let left = items(&delivery(&[written(&entry)]));
    assert_eq!((left.len(), &left[1]), (6, &whole[0]));
    assert!(left[..1].iter().chain(&left[2..5]).all(|item| matches!(item.kind, InboundKind::Unknown { .. })));
    assert_eq!(left[0].account, AccountRef::Business("210987654321098".into()));
    assert!(matches!(left[5].kind, InboundKind::Receipt(_)), "{:?}", left[5]);
    assert_eq!(left[5].account, AccountRef::Account("9".into()));
}

#[test]
fn unreadable_bodies_say_why() {
    let cases: [(&[u8], Unreadable); 8] = [
        (b"", Unreadable::NotJson),
        (b"{\"object\":\"whatsapp_business_account\",\"entry\":[", Unreadable::NotJson),
        (b"{\"object\":\"\xff\"}", Unreadable::NotUtf8),
        (b"[]", Unreadable::ForeignShape),
        (b"{}", Unreadable::ForeignShape),
        (b"{\"object\":\"page\",\"entry\":[]}", Unreadable::ForeignShape),
        (b"{\"object\":7,\"entry\":[7]}", Unreadable::ForeignShape),
        (b"{\"object\":\"whatsapp_business_account\",\"entry\":7}", Unreadable::ForeignShape),
    ];
    for (body, error) in cases {
        assert_eq!(parse(body), Err(error), "{}", String::from_utf8_lossy(body));
    }
    assert_eq!(parse(b"{\"object\":\"whatsapp_business_account\",\"entry\":[]}"), Ok(vec![]));
    let deep = [b"{\"object\":\"whatsapp_business_account\",\"entry\":".as_slice(), &b"[".repeat(100_000)].concat();
    assert_eq!(parse(&deep), Err(Unreadable::NotJson));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes_never_panic(body in any::<Vec<u8>>()) {
        let _ = parse(&body);
    }

    #[test]
    fn damaged_fixtures_never_panic(
        which in any::<prop::sample::Index>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        tokens in proptest::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}\",:0-9a-z\\\\]"), 0..4),
    ) {
        let all = fixtures("whatsapp");
        let mut body = which.get(&all).1.clone();
        for (at, byte) in damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        for (at, token) in tokens {
            let at = at.index(body.len());
            body.splice(at..at, token.bytes());
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        let _ = parse(&body);
    }

    /// The items of a body whose JSON is whole but whose values are of any other kind.
    #[test]
    fn values_of_other_kinds_never_lose_a_neighbour(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        other in prop_oneof![Just("7"), Just("null"), Just("[]"), Just("{}"), Just("\"\""), Just("-1.5e9"), Just("true")],
    ) {
        let all = fixtures("whatsapp");
        let (_, neighbour) = all.iter().find(|(name, _)| name == "text").unwrap();
        let body = String::from_utf8(which.get(&all).1.clone()).unwrap();
        // Replace one string by something else.
        let quotes: Vec<usize> = body.match_indices("\": \"").map(|(at, _)| at + 3).collect();
        prop_assume!(!quotes.is_empty());
        let from = quotes[at.index(quotes.len())];
        let end = from + 1 + body[from + 1..].find('"').unwrap() + 1;
        let damaged = format!("{}{other}{}", &body[..from], &body[end..]);
        if let Ok(whole) = serde_json::from_str::<Object>(&damaged) && whole["object"].get().starts_with("\"w") {
            let mut together = entries(damaged.as_bytes());
            together.extend(entries(neighbour));
            let left = items(&delivery(&together));
            prop_assert!(left.len() >= 2);
            prop_assert_eq!(&left[left.len() - 1..], &items(neighbour)[..]);
        }
    }

    #[test]
    fn batches_of_batches_are_their_items(which in proptest::collection::vec(any::<prop::sample::Index>(), 1..8)) {
        let all = fixtures("whatsapp");
        let bodies: Vec<&[u8]> = which.iter().map(|which| which.get(&all).1.as_slice()).collect();
        let together: Vec<Raw> = bodies.iter().flat_map(|body| entries(body)).collect();
        let apart: Vec<InboundItem> =
            bodies.iter().flat_map(|body| singles(body)).flat_map(|single| items(&single)).collect();
        prop_assert_eq!(items(&delivery(&together)), apart);
    }
}
