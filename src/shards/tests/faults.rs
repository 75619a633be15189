//! A store that fails, or does not say: everyone hears it, nobody rests on it, and nothing is lost or done twice.

use std::time::Duration;

use super::commands::{assign, contact, heard, note, observe, of, reserve, tier};
use super::planter::{Planted, Planter};
use super::rig::{Carried, Heard, Rig};
use crate::domain::contact::Contact;
use crate::domain::conversation::Conversation;
use crate::domain::entity::EntityKind;
use crate::domain::limit::LimitScope;
use crate::shards::CommandError;
use crate::store::{Fault, Operation};

#[actix::test]
async fn a_commit_that_fails_is_heard_by_everyone_and_the_next_one_works() {
    let rig = Rig::new().await;
    rig.ask::<Conversation>(of(1), heard(1, 0)).await.unwrap();
    let before = rig.state::<Conversation>(of(1)).await;
    rig.store.faults().once(Operation::Commit, Fault::Delay(Duration::from_millis(1)));
    rig.store.faults().once(Operation::Commit, Fault::Fail);
    let good = rig.shards.submit::<Conversation>(of(2), heard(2, 0));
    rig.breathe().await;
    let answers = [note(1), note(2), note(3), note(1)].map(|note| rig.shards.submit::<Conversation>(of(1), note));
    good.await.unwrap().unwrap();
    for answer in answers {
        assert!(matches!(answer.await.unwrap(), Err(CommandError::Unavailable { .. })));
    }
    rig.ask_until::<Conversation>(of(3), || heard(3, 1)).await;
    assert_eq!(rig.state::<Conversation>(of(1)).await, before, "nothing of it happened");
    rig.ask::<Conversation>(of(1), note(1)).await.unwrap();
    assert_eq!(rig.failed(), None);
}

#[actix::test]
async fn an_outcome_that_nobody_knows_ends_with_the_event_once() {
    for fault in [Fault::UnknownApplied, Fault::UnknownNotApplied] {
        let rig = Rig::new().await;
        rig.ask::<Conversation>(of(1), heard(1, 0)).await.unwrap();
        let before = rig.version::<Conversation>(of(1)).await;
        rig.store.faults().once(Operation::Commit, fault.clone());
        let answer = rig.ask::<Conversation>(of(1), note(1)).await;
        assert!(matches!(answer, Err(CommandError::Unavailable { .. })));
        rig.ask_until::<Conversation>(of(1), || note(1)).await;
        assert_eq!(rig.version::<Conversation>(of(1)).await, before + 1, "{fault:?}");
        let next = rig.killed().await;
        assert_eq!(next.version::<Conversation>(of(1)).await, before + 1, "{fault:?}");
        // Whatever was not told turn by turn is announced by the new lists, and stands in the feed.
        let feed = rig.shards.feed(super::commands::WORKSPACE, 0, 0, 100).await.unwrap();
        assert_eq!(feed.turns.iter().map(|turn| turn.version).max(), Some(before), "{fault:?}");
        assert!(rig.seen.all().iter().filter(|heard| matches!(heard, Heard::CaughtUp(_))).count() == 2);
        // Nor is one that happened all the same hidden from those who keep a copy.
        let missed: Vec<_> = rig.seen.all().into_iter().filter(|heard| matches!(heard, Heard::Missed(..))).collect();
        let it = Heard::Missed(EntityKind::Conversation, of(1), before, before + 1);
        assert_eq!(missed, if fault == Fault::UnknownApplied { vec![it] } else { vec![] });
    }
}

#[actix::test]
async fn a_reopening_that_fails_half_way_loses_nothing() {
    for (operation, passes) in [
        (Operation::Replay, 0),
        (Operation::Read, 0),
        (Operation::Read, 1),
        (Operation::Read, 2),
        (Operation::Acquire, 0),
    ] {
        let rig = Rig::new().await;
        for person in 1..=3 {
            rig.ask::<Conversation>(of(person), heard(person, 0)).await.unwrap();
        }
        rig.shards.settle_all().await.unwrap();
        let before = rig.version::<Conversation>(of(1)).await;
        // The record is there, its answer is not; then reading it again fails in the middle.
        rig.store.faults().once(Operation::Commit, Fault::UnknownApplied);
        let noted: Vec<_> = (1..=3).map(|person| rig.shards.submit::<Conversation>(of(person), note(1))).collect();
        for _ in 0..passes {
            rig.store.faults().once(operation, Fault::Pass);
        }
        rig.store.faults().once(operation, Fault::Fail);
        for answer in noted {
            assert!(matches!(answer.await.unwrap(), Err(CommandError::Unavailable { .. })));
        }
        rig.ask_until::<LimitScope>(1, || tier(10, 0)).await;
        for person in 1..=3 {
            assert_eq!(rig.version::<Conversation>(of(person)).await, before + 1, "{operation:?} {passes} {person}");
        }
        rig.shards.settle_all().await.unwrap();
        let next = rig.killed().await;
        assert_eq!(next.version::<Conversation>(of(1)).await, before + 1, "{operation:?} {passes}");
    }
}

#[actix::test]
async fn a_log_that_is_in_no_row_for_a_day_decides_nothing_more() {
    let rig = Rig::new().await;
    tokio::time::pause();
    let hours = |hours: u64| tokio::time::advance(Duration::from_secs(hours * 3_600));
    rig.store.faults().always(Operation::Settle, Fault::Fail);
    rig.ask::<Conversation>(of(1), heard(1, 0)).await.unwrap();
    hours(23).await;
    rig.ask::<Conversation>(of(1), heard(1, 1)).await.unwrap();
    hours(1).await;
    let answer = rig.ask::<Conversation>(of(1), heard(1, 2)).await;
    assert!(matches!(answer, Err(CommandError::Unavailable { .. })), "{answer:?}");
    rig.store.faults().clear();
    rig.shards.settle_all().await.unwrap();
    rig.ask::<Conversation>(of(1), heard(1, 2)).await.unwrap();
    assert_eq!(rig.failed(), None);
}

#[actix::test]
async fn nothing_is_settled_while_the_shard_opens_again() {
    let rig = Rig::new().await;
    rig.ask::<Contact>(contact(1), observe(1, 0)).await.unwrap();
    rig.store.faults().once(Operation::Commit, Fault::UnknownApplied);
    rig.store.faults().once(Operation::Replay, Fault::Hang);
    let _ = rig.ask::<Contact>(contact(1), assign(5)).await;
    rig.store.faults().wait_hanging(1).await;
    assert!(rig.shards.settle_all().await.is_err(), "the states are older than the log");
    rig.store.faults().release();
    rig.ask_until::<Contact>(contact(1), || assign(6)).await;
    rig.shards.settle_all().await.unwrap();
    assert_eq!(rig.version::<Contact>(contact(1)).await, rig.killed().await.version::<Contact>(contact(1)).await);
}

#[actix::test]
async fn what_was_looked_up_before_a_failed_commit_decides_nothing_after_it() {
    let rig = Rig::new().await;
    rig.ask::<Planter>(7, Planted::Limit { command: tier(10, 0), look: false }).await.unwrap();
    rig.store.faults().once(Operation::Commit, Fault::Hang);
    let first = rig.shards.submit::<Planter>(7, Planted::Limit { command: tier(20, 1), look: false });
    rig.store.faults().wait_hanging(1).await;
    // It waits for the first, and then for its reading; meanwhile another commit fails.
    rig.store.faults().once(Operation::Read, Fault::Hang);
    let looked = rig.shards.submit::<Planter>(7, Planted::Limit { command: tier(30, 2), look: true });
    rig.breathe().await;
    rig.store.faults().release();
    first.await.unwrap().unwrap();
    rig.store.faults().wait_hanging(1).await;
    rig.store.faults().once(Operation::Commit, Fault::Fail);
    assert!(rig.ask::<LimitScope>(8, reserve([1])).await.is_err());
    rig.store.faults().release();
    assert!(matches!(looked.await.unwrap(), Err(CommandError::Unavailable { .. })));
    rig.ask_until::<LimitScope>(8, || reserve([1])).await;
    assert_eq!(rig.version::<Planter>(7).await, 2);
}

#[actix::test]
async fn a_reading_that_fails_is_not_the_entitys_fault_and_one_that_is_corrupt_is() {
    let rig = Rig::new().await;
    rig.store.faults().once(Operation::Read, Fault::Fail);
    let many: Vec<_> = (0..5).map(|number| rig.shards.submit::<LimitScope>(3, tier(10 + number, 0))).collect();
    for answer in many {
        assert!(matches!(answer.await.unwrap(), Err(CommandError::Unavailable { .. })));
    }
    rig.ask::<LimitScope>(3, tier(10, 0)).await.unwrap();
    rig.shards.settle_all().await.unwrap();

    let key = crate::shards::owner::entity_key(crate::domain::entity::EntityKind::LimitScope, 3);
    let spoilt = crate::store::Put { key, value: Some(vec![99]), ts_us: i64::MAX, ttl_s: 0 };
    crate::store::Store::put_facts(&rig.store, vec![spoilt]).await.unwrap();
    let next = rig.killed().await;
    assert_eq!(next.ask::<LimitScope>(3, tier(11, 1)).await, Err(CommandError::Panicked));
    next.ask::<LimitScope>(4, tier(11, 1)).await.unwrap();
    assert_eq!(next.failed(), None);
}

#[actix::test]
async fn a_store_that_failed_for_good_ends_the_process() {
    let rig = Rig::new().await;
    rig.ask::<LimitScope>(3, tier(10, 0)).await.unwrap();
    rig.store.faults().once(Operation::Commit, Fault::Final("the disk is gone".into()));
    let first = rig.shards.submit::<LimitScope>(3, tier(11, 1));
    assert!(matches!(first.await.unwrap(), Err(CommandError::Unavailable { .. })));
    assert_eq!(rig.failed().as_deref(), Some("the disk is gone"));
    assert!(rig.ask::<LimitScope>(3, tier(12, 2)).await.is_err());
}

#[actix::test]
async fn a_panic_over_a_committed_record_ends_the_process() {
    let rig = Rig::new().await;
    rig.ask::<LimitScope>(3, tier(10, 0)).await.unwrap();
    *rig.seen.panic_over.lock().unwrap() = Some(3);
    assert_eq!(rig.ask::<LimitScope>(3, tier(11, 1)).await, Err(CommandError::Panicked));
    assert!(rig.failed().is_some_and(|why| why.contains("panicked")));
    // The log has it.
    assert_eq!(rig.killed().await.version::<LimitScope>(3).await, 2);
}

#[actix::test]
async fn an_answered_effect_whose_record_failed_is_closed_by_another() {
    let rig = Rig::new().await;
    rig.seen.carried.send_replace(Carried::Hold);
    rig.ask::<Planter>(7, Planted::Effects(vec![super::effects::trouble()])).await.unwrap();
    rig.until(async |rig| rig.seen.ran().len() == 1).await;
    rig.seen.carried.send_replace(Carried::Ok);
    rig.breathe().await;
    rig.store.faults().once(Operation::Commit, Fault::Fail);
    assert!(rig.ask::<LimitScope>(8, tier(10, 0)).await.is_err(), "the closing went with this record");
    rig.ask_until::<LimitScope>(8, || tier(10, 0)).await;
    rig.until(async |rig| {
        rig.advance(600);
        rig.open_effects().await == 0
    })
    .await;
    assert_eq!(rig.seen.ran().len(), 1);
    assert_eq!(rig.killed().await.open_effects().await, 0);
}
