//! One actor for one id, however many ask; bounds that refuse at once and never leak.

use std::sync::Arc;
use std::time::Duration;

use actix::Arbiter;

use super::commands::{heard, note, of, reserve, tier};
use super::planter::{Planted, Planter};
use super::rig::{Rig, options};
use crate::domain::conversation::Conversation;
use crate::domain::limit::LimitScope;
use crate::shards::{CommandError, ShardOptions};
use crate::store::{Fault, Operation};

#[actix::test]
async fn two_hundred_first_messages_from_two_threads_meet_one_actor() {
    let rig = Rig::with(ShardOptions { mailbox_max: 400, ..options(2) }).await;
    let here = rig.shards.submit::<Conversation>(of(1), heard(1, 0));
    let threads: Vec<Arbiter> = (0..2).map(|_| Arbiter::new()).collect();
    let (done, mut answers) = tokio::sync::mpsc::unbounded_channel();
    for (half, thread) in threads.iter().enumerate() {
        for number in 0..100 {
            let (shards, done) = (Arc::clone(&rig.shards), done.clone());
            thread.spawn(async move {
                let number = half as i64 * 100 + number;
                let _ = done.send(shards.ask::<Conversation>(of(1), heard(1, number)).await);
            });
        }
    }
    here.await.unwrap().unwrap();
    for _ in 0..200 {
        answers.recv().await.unwrap().unwrap();
    }
    assert_eq!(rig.shards.census().await.resident, 1);
    let told = rig.seen.told();
    assert_eq!(told.iter().map(|told| told.version).min(), Some(0));
    let mut version = 0;
    for told in &told {
        assert_eq!(told.version, version, "one actor decided after the other");
        version = told.state_version;
    }
    assert_eq!(
        rig.shards.thread(crate::domain::ids::ConversationId(of(1)), None, 1_000).await.unwrap().messages.len(),
        200
    );
    for thread in threads {
        thread.stop();
    }
}

#[actix::test]
async fn shards_dealt_over_two_arbiters_answer_alike() {
    let arbiters = [Arbiter::new(), Arbiter::new()];
    let clock = Arc::new(crate::clock::FrozenClock::new(super::rig::T0));
    let store = crate::store::MemoryStore::new(Arc::clone(&clock) as Arc<dyn crate::clock::Clock>);
    let rig = Rig::closed(store, clock, options(4), 1, super::rig::Carried::Ok);
    let early = rig.ask::<LimitScope>(1, tier(10, 0)).await;
    assert!(matches!(early, Err(CommandError::Unavailable { .. })), "it is not open yet: {early:?}");
    rig.open(&[arbiters[0].handle(), arbiters[1].handle()]).await.unwrap();
    let answers: Vec<_> = (0..64).map(|scope| rig.shards.submit::<LimitScope>(scope, tier(10, 0))).collect();
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(rig.shards.census().await.resident, 64);
    assert!((0..4).all(|shard| !rig.store.journal(shard).is_empty()));
    assert!(rig.shards.close(Duration::from_secs(5)).await);
    for arbiter in arbiters {
        arbiter.stop();
    }
}

#[actix::test]
async fn idle_ones_leave_and_come_back_as_they_were() {
    let rig = Rig::new().await;
    for scope in 0..10 {
        rig.ask::<LimitScope>(scope, tier(100 + scope as u32, 0)).await.unwrap();
    }
    let states = rig.state::<LimitScope>(3).await;
    rig.advance(100);
    rig.ask::<LimitScope>(9, reserve([1])).await.unwrap();
    rig.advance(30);
    rig.until(async |rig| rig.shards.census().await.resident == 1).await;
    assert_eq!(rig.state::<LimitScope>(3).await, states, "from the row on its way");
    rig.shards.settle_all().await.unwrap();
    rig.advance(1_000);
    rig.until(async |rig| rig.shards.census().await.resident == 0).await;
    assert_eq!(rig.state::<LimitScope>(3).await, states, "from the store");
}

#[actix::test]
async fn quiet_ones_sleep_and_wake_without_the_store() {
    let rig = Rig::new().await;
    for scope in 0..300 {
        rig.ask::<LimitScope>(scope, tier(100 + scope as u32, 0)).await.unwrap();
    }
    let states = rig.state::<LimitScope>(3).await;
    rig.advance(5);
    rig.breathe().await;
    assert_eq!(rig.shards.census().await.awake, 300, "not yet");
    rig.advance(10);
    rig.until(async |rig| rig.shards.census().await.awake == 0).await;
    assert_eq!(rig.shards.census().await.resident, 300);
    // What they wake from is in memory, and what they decided since they last settled is not lost with the actor.
    rig.store.faults().always(Operation::Read, Fault::Fail);
    assert_eq!(rig.state::<LimitScope>(3).await, states);
    rig.ask::<LimitScope>(4, reserve([1])).await.unwrap();
    assert_eq!(rig.version::<LimitScope>(4).await, 2);
    assert_eq!(rig.shards.census().await.awake, 2);
    rig.store.faults().clear();
    let next = rig.killed().await;
    assert_eq!(next.version::<LimitScope>(4).await, 2);
    assert_eq!(next.state::<LimitScope>(3).await, states);
}

#[actix::test]
async fn one_that_decides_does_not_sleep() {
    let rig = Rig::new().await;
    rig.ask::<LimitScope>(1, tier(10, 0)).await.unwrap();
    rig.store.faults().once(Operation::Commit, Fault::Hang);
    let under_way = rig.shards.submit::<LimitScope>(1, tier(20, 1));
    rig.store.faults().wait_hanging(1).await;
    rig.advance(60);
    rig.breathe().await;
    assert_eq!(rig.shards.census().await.awake, 1);
    rig.store.faults().release();
    under_way.await.unwrap().unwrap();
    rig.advance(60);
    rig.until(async |rig| rig.shards.census().await.awake == 0).await;
    assert_eq!(rig.version::<LimitScope>(1).await, 2);
}

#[actix::test]
async fn over_the_cap_the_longest_unused_leave_at_once() {
    let rig = Rig::with(ShardOptions { resident_max_per_shard: 8, ..options(1) }).await;
    for scope in 0..40 {
        rig.clock.advance(Duration::from_millis(1));
        rig.ask::<LimitScope>(scope, tier(10, 0)).await.unwrap();
        rig.breathe().await;
        assert!(rig.shards.census().await.resident <= 10, "after {scope}");
    }
    assert_eq!(rig.version::<LimitScope>(0).await, 1);
}

#[actix::test]
async fn one_that_somebody_waits_for_stays() {
    let rig = Rig::with(ShardOptions { resident_max_per_shard: 1, ..options(1) }).await;
    rig.store.faults().once(Operation::Read, Fault::Hang);
    let waiting = rig.shards.submit::<LimitScope>(1, tier(10, 0));
    rig.store.faults().wait_hanging(1).await;
    for scope in 2..9 {
        rig.ask::<LimitScope>(scope, tier(10, 0)).await.unwrap();
    }
    rig.advance(1_000);
    rig.breathe().await;
    rig.store.faults().release();
    waiting.await.unwrap().unwrap();
}

#[actix::test]
async fn a_full_mailbox_refuses_at_once_and_nothing_leaks() {
    let rig = Rig::with(ShardOptions { mailbox_max: 3, shard_mailbox_max: 8, ..options(1) }).await;
    for _ in 0..20 {
        // The entity is being read: whoever asks waits.
        rig.store.faults().once(Operation::Read, Fault::Hang);
        let answers: Vec<_> = (0..5).map(|number| rig.shards.submit::<LimitScope>(1, tier(10, number))).collect();
        rig.store.faults().wait_hanging(1).await;
        let mut taken = 0;
        rig.store.faults().release();
        for answer in answers {
            match answer.await.unwrap() {
                Ok(_) => taken += 1,
                Err(error) => assert_eq!(error, CommandError::overloaded()),
            }
        }
        assert_eq!(taken, 3);
        // What is settled is read from the store when it comes back.
        rig.shards.settle_all().await.unwrap();
        rig.advance(1_000);
        rig.until(async |rig| rig.shards.census().await.resident == 0).await;
    }
}

#[actix::test]
async fn what_waits_for_a_commit_is_bounded_too() {
    let rig = Rig::with(ShardOptions { shard_mailbox_max: 8, ..options(1) }).await;
    for round in 0..20 {
        rig.store.faults().once(Operation::Commit, Fault::Hang);
        let mut answers = vec![rig.shards.submit::<LimitScope>(0, tier(10, round * 100))];
        rig.store.faults().wait_hanging(1).await;
        for scope in 1..30 {
            answers.push(rig.shards.submit::<LimitScope>(scope, tier(10, round * 100 + scope as i64)));
            rig.breathe().await;
        }
        rig.store.faults().release();
        let mut taken = 0;
        for answer in answers {
            taken += usize::from(answer.await.unwrap().is_ok());
        }
        assert_eq!(taken, 8, "in round {round}");
    }
}

#[actix::test]
async fn a_panic_costs_its_asker_and_nobody_else() {
    let rig = Rig::new().await;
    rig.ask::<Planter>(7, Planted::Limit { command: tier(10, 0), look: false }).await.unwrap();
    for _ in 0..70 {
        // More often than a mailbox is deep: what a panic takes with it is given back.
        assert_eq!(rig.ask::<Planter>(7, Planted::Panic).await, Err(CommandError::Panicked));
    }
    assert_eq!(rig.version::<Planter>(7).await, 1);
    rig.ask::<Planter>(7, Planted::Limit { command: tier(20, 1), look: false }).await.unwrap();
    assert_eq!(rig.version::<Planter>(7).await, 2);
    rig.ask::<LimitScope>(8, tier(10, 0)).await.unwrap();
    assert_eq!(rig.failed(), None);
}

#[actix::test]
async fn a_panic_while_a_commit_is_under_way_keeps_what_was_decided() {
    let rig = Rig::new().await;
    rig.store.faults().once(Operation::Commit, Fault::Hang);
    let first = rig.shards.submit::<Planter>(7, Planted::Limit { command: tier(10, 0), look: false });
    rig.store.faults().wait_hanging(1).await;
    assert_eq!(rig.ask::<Planter>(7, Planted::Panic).await, Err(CommandError::Panicked));
    let third = rig.shards.submit::<Planter>(7, Planted::Limit { command: tier(30, 2), look: false });
    rig.breathe().await;
    rig.store.faults().release();
    first.await.unwrap().unwrap();
    third.await.unwrap().unwrap();
    let versions: Vec<u64> = rig.seen.told().iter().map(|told| told.version).collect();
    assert_eq!(versions, [0, 1]);
}

#[actix::test]
async fn a_panic_of_an_actor_that_never_read_its_state_does_not_make_a_new_one() {
    let rig = Rig::new().await;
    rig.ask::<Conversation>(of(1), heard(1, 0)).await.unwrap();
    let version = rig.version::<Conversation>(of(1)).await;
    let seen = rig.shards.view::<Conversation, ()>(of(1), |_| panic!("a reader panics on order")).await;
    assert_eq!(seen, Err(CommandError::Panicked));
    rig.ask::<Conversation>(of(1), note(1)).await.unwrap();
    assert_eq!(rig.version::<Conversation>(of(1)).await, version + 1);
}

#[actix::test]
async fn a_panic_on_the_way_into_a_shard_leaves_its_door_open() {
    let arbiter = Arbiter::new();
    let clock = Arc::new(crate::clock::FrozenClock::new(super::rig::T0));
    let store = crate::store::MemoryStore::new(Arc::clone(&clock) as Arc<dyn crate::clock::Clock>);
    let rig = Rig::closed(store, clock, options(1), 1, super::rig::Carried::Ok);
    rig.open(&[arbiter.handle()]).await.unwrap();
    assert!(rig.shards.on_arbiter_of::<()>(1, || panic!("it panics on order")).await.is_err());
    rig.ask::<LimitScope>(1, tier(10, 0)).await.unwrap();
    arbiter.stop();
}
