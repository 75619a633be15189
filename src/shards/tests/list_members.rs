//! Who is on a list: by time, whatever the order of arrival, and found slice by slice.

use super::rig::{Rig, T0};
use crate::domain::ids::{ContactId, ListId};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::shards::{CommandError, LIST_CHANGES_MAX, member_slice};
use crate::store::{Fault, Operation};

const LIST: ListId = ListId(1);

const fn later(milliseconds: i64) -> Timestamp {
    Timestamp(T0.0 + milliseconds)
}

/// The members of a slice, so many rows at a time.
async fn slice(rig: &Rig, list: ListId, slice: u8, limit: usize) -> Vec<u128> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let (members, next) = rig.shards.list_members(list, slice, after, limit).await.unwrap();
        assert!(members.len() <= limit);
        found.extend(members.iter().map(|contact| contact.0));
        match next {
            Some(place) => after = Some(place),
            None => return found,
        }
    }
}

#[actix::test]
async fn what_was_said_last_stays_in_whatever_order_it_comes() {
    let rig = Rig::new().await;
    // What is said of one contact and when, in the order in which it comes, and whether it is a member then.
    let cases: [(&[(bool, i64)], bool); 8] = [
        (&[(true, 0)], true),
        (&[(false, 0)], false),
        (&[(true, 0), (true, 0)], true),
        (&[(true, 0), (false, 1)], false),
        (&[(false, 1), (true, 0)], false),
        (&[(true, 0), (false, 1), (true, 2)], true),
        (&[(true, 2), (false, 1), (true, 0)], true),
        (&[(false, 1), (true, 1)], true),
    ];
    for (number, (said, expected)) in cases.iter().enumerate() {
        let contact = ContactId((number as u128 + 1) << 8);
        for (member, at) in *said {
            rig.shards.set_list_members(LIST, &[contact], *member, later(*at)).await.unwrap();
        }
        let members = slice(&rig, LIST, 0, 10).await;
        assert_eq!(members.contains(&contact.0), *expected, "{said:?}");
    }
    let before = slice(&rig, LIST, 0, 10).await;
    assert_eq!(slice(&rig.killed().await, LIST, 0, 10).await, before, "a next process finds the same");
}

#[actix::test]
async fn a_slice_is_paged_over_whoever_left() {
    let rig = Rig::new().await;
    let in_slice = |slice: u128, numbers: std::ops::Range<u128>| -> Vec<ContactId> {
        numbers.map(|number| ContactId(number << 8 | slice)).collect()
    };
    let (low, high) = (in_slice(0, 1..10), in_slice(255, 1..4));
    let everybody: Vec<ContactId> = low.iter().chain(&high).rev().copied().collect();
    rig.shards.set_list_members(LIST, &everybody, true, T0).await.unwrap();
    rig.shards.set_list_members(ListId(2), &high[..1], true, T0).await.unwrap();
    let gone: Vec<ContactId> = [0, 3, 4, 5, 8].map(|index| low[index]).to_vec();
    rig.shards.set_list_members(LIST, &gone, false, later(1)).await.unwrap();
    let left: Vec<u128> = [1, 2, 6, 7].map(|index| low[index].0).to_vec();
    for limit in [1, 2, 3, 100] {
        assert_eq!(slice(&rig, LIST, 0, limit).await, left, "limit {limit}");
        assert_eq!(slice(&rig, LIST, 255, limit).await, high.iter().map(|contact| contact.0).collect::<Vec<_>>());
        assert_eq!(slice(&rig, LIST, 7, limit).await, []);
        assert_eq!(slice(&rig, ListId(2), 255, limit).await, [high[0].0]);
        assert_eq!(slice(&rig, ListId(3), 255, limit).await, []);
    }
    assert!(high.iter().all(|contact| member_slice(*contact) == 255));
}

#[actix::test]
async fn everybody_comes_in_the_order_of_their_ids() {
    let rig = Rig::new().await;
    // A slice of many pages, one of a page and one, some of one, most of none; ids of different slices in between.
    let long = (0..1_500).map(|number| ContactId(((number * 7) << 8) | 3));
    let full = (0..257).map(|number| ContactId(((number * 11) << 8) | 255));
    let few = (0..40).map(|number| ContactId(((number * 300) << 8) | (number * 5)));
    let mut everybody: Vec<ContactId> = long.chain(full).chain(few).collect();
    for some in everybody.chunks(LIST_CHANGES_MAX) {
        rig.shards.set_list_members(LIST, some, true, T0).await.unwrap();
    }
    // Pages of which nobody is left.
    let gone: Vec<ContactId> = (300..900).map(|number| ContactId(((number * 7) << 8) | 3)).collect();
    rig.shards.set_list_members(LIST, &gone, false, later(1)).await.unwrap();
    everybody.retain(|contact| !gone.contains(contact));
    everybody.sort_unstable();
    everybody.dedup();
    for limit in [1, 7, 512, 10_000] {
        let mut members = rig.shards.list_in_order(LIST).await.unwrap();
        let mut found = Vec::new();
        loop {
            let some = members.next(limit).await.unwrap();
            assert!(some.len() == limit || found.len() + some.len() == everybody.len());
            if some.is_empty() {
                break;
            }
            found.extend(some);
        }
        assert!(found == everybody, "limit {limit}");
    }
    assert!(rig.shards.list_in_order(ListId(9)).await.unwrap().next(5).await.unwrap().is_empty());
}

#[actix::test]
async fn a_call_is_bounded_and_says_when_nothing_was_kept() {
    let rig = Rig::new().await;
    let contacts: Vec<ContactId> = (0..=LIST_CHANGES_MAX as u128).map(ContactId).collect();
    let refused = rig.shards.set_list_members(LIST, &contacts, true, T0).await;
    assert_eq!(refused, Err(Refusal::TooMany { what: "contacts", allowed: LIST_CHANGES_MAX }.into()));
    rig.shards.set_list_members(LIST, &contacts[1..], true, T0).await.unwrap();
    rig.shards.set_list_members(LIST, &[], true, T0).await.unwrap();
    rig.store.faults().once(Operation::PutFacts, Fault::Fail);
    let failed = rig.shards.set_list_members(LIST, &contacts[..1], true, T0).await;
    assert!(matches!(failed, Err(CommandError::Unavailable { .. })), "{failed:?}");
    assert_eq!(slice(&rig, LIST, 0, 10).await, [256, 512, 768]);
}
