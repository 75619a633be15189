//! A shard that ends finishes or refuses what it took; the next owner takes the next epoch.

use std::time::Duration;

use super::commands::{assign, contact, heard, note, observe, of, tier};
use super::planter::{Planted, Planter};
use super::rig::{Carried, Rig, options};
use crate::domain::contact::Contact;
use crate::domain::conversation::Conversation;
use crate::domain::limit::LimitScope;
use crate::shards::{CommandError, ShardOptions};
use crate::store::{Fault, Operation};

const LONG: Duration = Duration::from_secs(20);

#[actix::test]
async fn work_under_way_is_finished_and_nothing_is_taken_after() {
    let rig = Rig::new().await;
    rig.store.faults().once(Operation::Commit, Fault::Hang);
    let under_way = rig.shards.submit::<Conversation>(of(1), heard(1, 0));
    rig.store.faults().wait_hanging(1).await;
    let queued = rig.shards.submit::<Conversation>(of(1), note(1));
    let shards = std::sync::Arc::clone(&rig.shards);
    let closing = actix::spawn(async move { shards.close(LONG).await });
    rig.breathe().await;
    rig.store.faults().release();
    assert!(closing.await.unwrap());
    under_way.await.unwrap().unwrap();
    queued.await.unwrap().unwrap();
    assert!(matches!(rig.ask::<Conversation>(of(1), note(2)).await, Err(CommandError::Unavailable { .. })));
    assert!(rig.shards.view::<Conversation, _>(of(1), |_| ()).await.is_err());
    assert!(rig.shards.settle_all().await.is_err());
    let records = rig.store.journal(0).len();
    rig.advance(100_000);
    rig.breathe().await;
    assert_eq!(rig.store.journal(0).len(), records);
}

#[actix::test]
async fn work_that_does_not_end_in_time_is_refused_and_stays_whole() {
    let rig = Rig::new().await;
    rig.ask::<Contact>(contact(1), observe(1, 0)).await.unwrap();
    rig.store.faults().once(Operation::Commit, Fault::Hang);
    let under_way = rig.shards.submit::<Contact>(contact(1), assign(5));
    rig.store.faults().wait_hanging(1).await;
    let forming = rig.shards.submit::<Contact>(contact(1), assign(6));
    assert!(!rig.shards.close(Duration::from_millis(20)).await);
    for answer in [under_way, forming] {
        assert!(matches!(answer.await.unwrap(), Err(CommandError::Unavailable { .. })));
    }
    // Its append arrives after all: the log has it, and the next owner reads it.
    rig.store.faults().release();
    rig.breathe().await;
    let next = rig.killed().await;
    assert_eq!(next.state::<Contact>(contact(1)).await, super::replay::folded(&next, contact(1)));
    assert!(rig.failed().is_none());
}

#[actix::test]
async fn a_settling_under_way_does_not_stand_in_the_way() {
    let rig = Rig::with(ShardOptions { settle_interval: Duration::from_millis(1), ..options(1) }).await;
    rig.store.faults().once(Operation::Settle, Fault::Hang);
    rig.ask::<LimitScope>(1, tier(10, 0)).await.unwrap();
    rig.store.faults().wait_hanging(1).await;
    rig.ask::<LimitScope>(1, tier(20, 1)).await.unwrap();
    let shards = std::sync::Arc::clone(&rig.shards);
    let closing = actix::spawn(async move { shards.close(LONG).await });
    rig.breathe().await;
    rig.store.faults().release();
    assert!(closing.await.unwrap());
    // Everything is in rows: there is nothing to replay.
    let lease =
        crate::store::Store::acquire(&rig.store, 0, crate::store::Owner { node: 9, incarnation: 9 }, None).await;
    let lease = lease.unwrap();
    assert_eq!(lease.checkpoint, lease.position);
}

#[actix::test]
async fn answered_effects_reach_the_log_before_the_end() {
    let rig = Rig::new().await;
    rig.ask::<Planter>(7, Planted::Effects(vec![super::effects::trouble()])).await.unwrap();
    rig.until(async |rig| rig.seen.ran().len() == 1).await;
    assert!(rig.shards.close(LONG).await);
    let next = rig.killed().await;
    next.breathe().await;
    assert_eq!(next.seen.ran(), []);
}

#[actix::test]
async fn an_effect_that_nobody_answers_does_not_keep_a_shard() {
    let rig = Rig::new().await;
    rig.seen.carried.send_replace(Carried::Hold);
    rig.ask::<Planter>(7, Planted::Effects(vec![super::effects::trouble()])).await.unwrap();
    assert!(rig.shards.close(LONG).await);
    let next = rig.killed().await;
    next.until(async |rig| rig.seen.ran().len() == 1).await;
}

#[actix::test]
async fn a_shard_that_opens_again_while_it_closes_ends_all_the_same() {
    let rig = Rig::new().await;
    rig.ask::<LimitScope>(1, tier(10, 0)).await.unwrap();
    rig.store.faults().once(Operation::Commit, Fault::UnknownApplied);
    rig.store.faults().once(Operation::Replay, Fault::Hang);
    assert!(rig.ask::<LimitScope>(1, tier(20, 1)).await.is_err());
    rig.store.faults().wait_hanging(1).await;
    assert!(!rig.shards.close(Duration::from_millis(20)).await, "it is still opening");
    rig.store.faults().release();
    rig.breathe().await;
    assert!(rig.ask::<LimitScope>(1, tier(30, 2)).await.is_err());
    assert_eq!(rig.killed().await.version::<LimitScope>(1).await, 2);
}

#[actix::test]
async fn each_start_takes_the_next_epoch_and_the_owner_before_is_fenced() {
    let mut rig = Rig::new().await;
    for epoch in 1..=5 {
        rig.ask::<LimitScope>(1, tier(10, epoch as i64)).await.unwrap();
        assert_eq!(rig.store.journal(0).last().unwrap().epoch, epoch);
        let next = rig.killed().await;
        assert!(rig.ask::<LimitScope>(1, tier(10, 100)).await.is_err());
        assert!(rig.failed().is_some_and(|why| why.contains("another owner")));
        rig = next;
    }
}

#[actix::test]
async fn an_owner_that_opens_again_does_not_take_the_shard_back() {
    let rig = Rig::new().await;
    rig.ask::<LimitScope>(1, tier(10, 0)).await.unwrap();
    rig.store.faults().once(Operation::Commit, Fault::Fail);
    rig.store.faults().once(Operation::Acquire, Fault::Hang);
    assert!(rig.ask::<LimitScope>(1, tier(20, 1)).await.is_err());
    rig.store.faults().wait_hanging(1).await;
    let next = rig.killed().await;
    rig.store.faults().release();
    rig.until(async |rig| rig.failed().is_some()).await;
    next.ask::<LimitScope>(1, tier(30, 2)).await.unwrap();
    assert_eq!(next.failed(), None);
}

#[actix::test]
async fn a_reopening_that_fails_after_it_took_the_epoch_goes_on() {
    let rig = Rig::new().await;
    rig.ask::<LimitScope>(1, tier(10, 0)).await.unwrap();
    rig.store.faults().once(Operation::Commit, Fault::Fail);
    for _ in 0..3 {
        rig.store.faults().once(Operation::Replay, Fault::Fail);
    }
    assert!(rig.ask::<LimitScope>(1, tier(20, 1)).await.is_err());
    rig.ask_until::<LimitScope>(1, || tier(30, 2)).await;
    assert_eq!(rig.failed(), None);
    let next = rig.killed().await;
    next.ask::<LimitScope>(1, tier(40, 3)).await.unwrap();
    assert!(next.store.journal(0).is_sorted_by_key(|record| record.epoch));
}
