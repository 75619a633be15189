//! Faults on order, and what a new process finds.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::clock::FrozenClock;
use crate::domain::time::Timestamp;

const OWNER: Owner = Owner { node: 1, incarnation: 1 };

fn store() -> MemoryStore {
    MemoryStore::new(Arc::new(FrozenClock::new(Timestamp(0))))
}

fn fact() -> Put {
    Put::new(Table::Message, b"p", b"c", vec![1], 1)
}

async fn is_there(store: &MemoryStore) -> bool {
    store.get(&fact().key).await.expect("reads").is_some()
}

#[tokio::test]
async fn faults_come_in_the_order_they_were_ordered() {
    let store = store();
    store.faults().once(Operation::PutFacts, Fault::Pass);
    store.faults().once(Operation::PutFacts, Fault::Fail);
    store.faults().once(Operation::PutFacts, Fault::UnknownNotApplied);
    store.faults().always(Operation::PutFacts, Fault::Fail);
    assert_eq!(store.put_facts(vec![]).await, Ok(()));
    assert!(matches!(store.put_facts(vec![fact()]).await, Err(StoreError::NotApplied(_))));
    assert!(matches!(store.put_facts(vec![fact()]).await, Err(StoreError::Unknown(_))));
    for _ in 0..3 {
        assert!(matches!(store.put_facts(vec![fact()]).await, Err(StoreError::NotApplied(_))));
    }
    assert!(!is_there(&store).await);
    store.faults().clear();
    assert_eq!(store.put_facts(vec![fact()]).await, Ok(()));
    assert!(is_there(&store).await);
}

#[tokio::test]
async fn an_unknown_commit_is_settled_by_the_same_bytes() {
    for (fault, applied) in [(Fault::UnknownApplied, true), (Fault::UnknownNotApplied, false)] {
        let store = store();
        let mut lease = store.acquire(1, OWNER, None).await.expect("acquires");
        store.faults().once(Operation::Commit, fault);
        let lost = store.commit(&mut lease, 5, b"record".to_vec(), vec![fact()]).await;
        assert!(matches!(lost, Err(Fence::Store(StoreError::Unknown(_)))), "{lost:?}");
        assert_eq!(lease.position, 0, "nobody knows, so the lease stays");
        assert_eq!(is_there(&store).await, applied);
        let again = store.commit(&mut lease, 5, b"record".to_vec(), vec![fact()]).await;
        assert_eq!((again, lease.position), (Ok(1), 1));
        assert_eq!(store.journal(1).len(), 1);
    }
}

#[tokio::test]
async fn what_hangs_goes_on_when_it_is_released() {
    let store = store();
    store.faults().once(Operation::PutFacts, Fault::Hang);
    let hanging = tokio::spawn({
        let store = store.clone();
        async move { store.put_facts(vec![fact()]).await }
    });
    store.faults().wait_hanging(1).await;
    assert!(!is_there(&store).await, "it has not happened yet");
    store.faults().release();
    assert_eq!(hanging.await.expect("ends"), Ok(()));
    assert!(is_there(&store).await);
}

#[tokio::test]
async fn rows_of_a_settling_are_seen_once_it_is_settled() {
    let store = store();
    let mut lease = store.acquire(1, OWNER, None).await.expect("acquires");
    store.commit(&mut lease, 1, b"record".to_vec(), vec![]).await.expect("commits");
    store.faults().once(Operation::Settle, Fault::Hang);
    let settling = tokio::spawn({
        let (store, lease) = (store.clone(), lease.clone());
        async move { store.settle(&lease, 1, vec![fact()]).await }
    });
    store.faults().wait_hanging(1).await;
    assert!(!is_there(&store).await);
    // The process dies: the next one finds the record and no row, and deposes what still hangs.
    let next = store.reopened();
    let lease = next.acquire(1, OWNER, None).await.expect("acquires");
    assert_eq!((lease.epoch, lease.checkpoint), (2, 0));
    assert_eq!(next.replay(1, 0, 9).await.expect("replays").len(), 1);
    store.faults().release();
    let deposed = settling.await.expect("ends");
    assert_eq!(deposed, Err(Fence::Fenced { seen_epoch: Some(2) }));
    assert!(!is_there(&next).await);
}

#[tokio::test]
async fn a_delay_delays_and_changes_nothing_else() {
    let store = store();
    store.faults().once(Operation::PutFacts, Fault::Delay(Duration::from_millis(1)));
    assert_eq!(store.put_facts(vec![fact()]).await, Ok(()));
    assert!(is_there(&store).await);
}

#[tokio::test]
async fn a_final_error_ends_every_later_call_but_not_the_next_process() {
    let store = store();
    store.put_facts(vec![fact()]).await.expect("puts");
    store.faults().once(Operation::Read, Fault::Final("the disk is full".into()));
    let failed = store.failed();
    for _ in 0..2 {
        let outcome = store.get(&fact().key).await;
        assert_eq!(outcome, Err(StoreError::Final("the disk is full".into())));
    }
    assert!(matches!(store.acquire(1, OWNER, None).await, Err(Fence::Store(StoreError::Final(_)))));
    assert_eq!(failed.borrow().as_deref(), Some("the disk is full"));
    let next = store.reopened();
    assert!(is_there(&next).await);
    assert_eq!(*next.failed().borrow(), None);
}
