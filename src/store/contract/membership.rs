//! Membership and identity: changes in a total order, the dead stay dead, a store is what it was made.

use super::{Bench, Owner, Store, on_every_engine};
use crate::store::{AnyStore, Member, StoreIdentity};

on_every_engine!(
    no_change_is_lost,
    the_dead_stay_dead,
    a_beat_changes_no_member,
    a_store_is_what_it_was_made,
    closing_twice_is_closing_once,
);

fn member(node: u128, incarnation: u64, alive: bool) -> Member {
    Member { owner: Owner { node, incarnation }, address: format!("127.0.0.1:{node}"), alive }
}

async fn no_change_is_lost(mut bench: Bench) {
    assert_eq!(bench.store.members().await.expect("reads"), (0, vec![]));
    let store = &bench.store;
    let joiners = (0..16).map(|node| async move {
        loop {
            let (version, _) = store.members().await.expect("reads");
            if store.change_member(version, member(node, 1, true)).await.expect("changes") {
                return version;
            }
        }
    });
    let mut versions = futures_util::future::join_all(joiners).await;
    versions.sort_unstable();
    assert_eq!(versions, (0..16).collect::<Vec<_>>(), "one change a version");
    bench.restart().await;
    let (version, members) = bench.store.members().await.expect("reads");
    assert_eq!(version, 16);
    assert_eq!(members, (0..16).map(|node| member(node, 1, true)).collect::<Vec<_>>());
    assert!(!bench.store.change_member(15, member(3, 1, false)).await.expect("answers"), "an old version");
    assert!(!bench.store.change_member(17, member(3, 1, false)).await.expect("answers"), "a version to come");
}

async fn the_dead_stay_dead(bench: Bench) {
    let store = &bench.store;
    let mut version = 0;
    for (change, applied) in [
        (member(1, 4, true), true),
        (member(1, 4, false), true),
        (member(1, 4, true), false),
        (member(1, 3, true), false),
        (member(1, 5, true), true),
        (member(1, 4, false), false),
        (member(2, 1, false), true),
        (member(2, 1, true), false),
    ] {
        let outcome = store.change_member(version, change.clone()).await.expect("answers");
        assert_eq!(outcome, applied, "{change:?}");
        version += u64::from(applied);
        assert_eq!(store.members().await.expect("reads").0, version);
    }
    assert_eq!(store.members().await.expect("reads").1, [member(1, 5, true), member(2, 1, false)]);
}

async fn a_beat_changes_no_member(bench: Bench) {
    let store = &bench.store;
    assert!(store.change_member(0, member(1, 1, false)).await.expect("changes"));
    for number in [1, 2, 2, 1] {
        store.beat(Owner { node: 1, incarnation: 1 }, number).await.expect("beats");
    }
    assert_eq!(store.members().await.expect("reads"), (1, vec![member(1, 1, false)]));
    if let AnyStore::Memory(memory) = store {
        assert_eq!(memory.last_beat(1), Some((1, 2)), "its number only rises");
    }
}

async fn a_store_is_what_it_was_made(mut bench: Bench) {
    let first = StoreIdentity { shards: 16, key: [7; 16] };
    let other = StoreIdentity { shards: 4, key: [9; 16] };
    assert!(bench.store.identity(first).await.expect("answers") == first);
    assert!(bench.store.identity(other).await.expect("answers") == first);
    bench.restart().await;
    assert!(bench.store.identity(other).await.expect("answers") == first);
}

async fn closing_twice_is_closing_once(bench: Bench) {
    let (one, two) = (bench.store.clone(), bench.store.clone());
    let (first, second) = tokio::join!(one.close(), two.close());
    assert_eq!((first, second), (Ok(()), Ok(())));
    assert_eq!(bench.store.close().await, Ok(()));
    assert_eq!(*bench.store.failed().borrow(), None, "to be closed is not to fail");
}
