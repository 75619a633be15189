//! Tests of lists: which there are, what they are called, and what is left of one that went.

use super::*;

const LIST: ListId = ListId(9);

fn make(id: u128, name: &str) -> WorkspaceChange {
    WorkspaceChange::MakeList { id: ListId(id), name: name.to_owned() }
}

fn rename(id: u128, name: &str) -> WorkspaceChange {
    WorkspaceChange::RenameList { id: ListId(id), name: name.to_owned() }
}

const fn remove(id: u128) -> WorkspaceChange {
    WorkspaceChange::RemoveList { id: ListId(id) }
}

/// The rows that a decision writes, as texts.
fn rows(decision: Decision<Workspace>) -> Vec<(String, Option<String>)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let row = |content| match content {
        Content::Private { slot, value, .. } => (slot, value.map(text)),
        other => panic!("{other:?}"),
    };
    decision.content.into_iter().map(row).collect()
}

#[test]
fn lists_come_are_renamed_and_go() {
    let mut live = begun();
    let name = list_slot(LIST);
    let one = |value: &str| Some(value.to_owned());
    // What is asked, the words of what happens, the rows, and whether the list is there then.
    let table = [
        (rename(9, "Spring"), Err("not_found"), vec![], false),
        (remove(9), Err("not_found"), vec![], false),
        (make(9, " "), Err("invalid"), vec![], false),
        (make(9, &"x".repeat(201)), Err("invalid"), vec![], false),
        (make(9, "Spring"), Ok(vec!["list.created"]), vec![(name.clone(), one("Spring"))], true),
        (make(9, "Summer"), Ok(vec![]), vec![], true),
        (rename(9, ""), Err("invalid"), vec![], true),
        (rename(9, "Summer"), Ok(vec!["list.renamed"]), vec![(name.clone(), one("Summer"))], true),
        (remove(8), Err("not_found"), vec![], true),
        (remove(9), Ok(vec!["list.removed"]), vec![(name, None), (list_removed_slot(LIST), one("1"))], false),
        (remove(9), Err("not_found"), vec![], false),
    ];
    for (nth, (asked, words, written, there)) in table.into_iter().enumerate() {
        let version = live.state.version;
        match live.ask(nth as i64 + 2, change(asked)) {
            Ok(decision) => {
                assert!(decision.events.iter().all(|event| event.is_public()));
                assert_eq!(Ok(decision.events.iter().map(WorkspaceEvent::word).collect()), words, "step {nth}");
                assert_eq!(rows(decision), written, "step {nth}");
            }
            Err(refusal) => {
                assert_eq!((Err(refusal.code()), live.state.version), (words, version), "step {nth}");
            }
        }
        assert_eq!(live.state.lists.contains(&LIST), there, "step {nth}");
        live.assert_replays();
    }
}

#[test]
fn a_thousand_lists_are_enough() {
    let mut live = begun();
    for id in 0..LISTS_MAX as u128 {
        live.ask(2, change(make(id, "Spring"))).unwrap();
    }
    let over = live.ask(3, change(make(5_000, "Spring"))).err();
    assert_eq!(over, Some(Refusal::TooMany { what: "lists", allowed: LISTS_MAX }));
    assert!(live.ask(3, change(make(7, "Spring"))).unwrap().events.is_empty(), "one that is there is no more");
    live.ask(4, change(remove(7))).unwrap();
    live.ask(5, change(make(5_000, "Spring"))).unwrap();
}

#[test]
fn a_repeated_key_makes_one_list() {
    let mut live = begun();
    let keyed = |body, name: &str| {
        let asked = Asked { key: Some(CommandKey { key: 1, body }), ..Asked::by(ADMIN) };
        WorkspaceCommand::Change { asked, change: Box::new(make(9, name)) }
    };
    live.ask(2, keyed(1, "Spring")).unwrap();
    assert!(live.ask(3, keyed(1, "Spring")).unwrap().events.is_empty());
    assert_eq!(live.ask(3, keyed(2, "Summer")).err(), Some(Refusal::ClientIdReused));
    live.ask(4, change(remove(9))).unwrap();
    assert!(live.ask(5, keyed(1, "Spring")).unwrap().events.is_empty(), "the repeat does not bring it back");
    assert!(live.state.lists.is_empty());
}

#[test]
fn a_snapshot_from_before_there_were_lists_is_read() {
    let state = begun().state;
    let mut bytes = rmp_serde::to_vec(&state).unwrap();
    // An array of 13 fields whose last is an empty array.
    assert_eq!((bytes[0], bytes.pop()), (0x9d, Some(0x90)));
    bytes[0] = 0x9c;
    assert_eq!(rmp_serde::from_slice::<Workspace>(&bytes).unwrap(), state);
}
