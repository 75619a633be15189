//! Wake-ups are durable, come in order, and reach as far ahead as anybody asks.

use super::commands::{after, heard, of, snooze};
use super::rig::Rig;
use crate::domain::conversation::Conversation;
use crate::store::{Fault, Operation};

async fn snoozed(rig: &Rig, person: u128, until_s: i64) {
    rig.ask::<Conversation>(of(person), heard(person, 0)).await.unwrap();
    rig.ask::<Conversation>(of(person), snooze(after(until_s))).await.unwrap();
}

/// Who was told of something since so many turns, in order.
fn told_since(rig: &Rig, turns: usize) -> Vec<u128> {
    rig.seen.told().iter().skip(turns).map(|told| told.id).collect()
}

async fn until_told(rig: &Rig, turns: usize, who: &[u128]) {
    rig.until(async |rig| told_since(rig, turns).len() >= who.len()).await;
    rig.breathe().await;
    assert_eq!(told_since(rig, turns), who.iter().map(|person| of(*person)).collect::<Vec<_>>());
}

#[actix::test]
async fn what_is_due_fires_in_order_and_not_before() {
    let rig = Rig::new().await;
    for (person, until) in [(1, 300), (2, 100), (3, 200)] {
        snoozed(&rig, person, until).await;
    }
    let turns = rig.seen.told().len();
    rig.advance(99);
    rig.breathe().await;
    assert_eq!(told_since(&rig, turns), [0; 0]);
    rig.advance(1);
    until_told(&rig, turns, &[2]).await;
    rig.advance(1_000);
    until_told(&rig, turns, &[2, 3, 1]).await;
}

#[actix::test]
async fn they_survive_a_restart_and_overdue_ones_fire_at_start() {
    for settled in [false, true] {
        let rig = Rig::new().await;
        snoozed(&rig, 1, 100).await;
        snoozed(&rig, 2, 1_000).await;
        if settled {
            rig.shards.settle_all().await.unwrap();
        }
        let next = rig.next_life();
        // Nobody is awake when the first is due. The dead process is fenced: it can do nothing.
        next.store.faults().once(Operation::Acquire, Fault::Pass);
        next.open(&[actix::Arbiter::current()]).await.unwrap();
        next.advance(150);
        until_told(&next, 0, &[1]).await;
        let last = next.killed().await;
        last.advance(850);
        until_told(&last, 0, &[2]).await;
        let quiet = last.killed().await;
        quiet.advance(100_000);
        quiet.breathe().await;
        assert_eq!(quiet.seen.told(), [], "what fired does not fire again");
    }
}

#[actix::test]
async fn a_settling_that_was_cut_short_loses_none() {
    let rig = Rig::new().await;
    snoozed(&rig, 1, 100).await;
    rig.store.faults().always(Operation::Settle, Fault::StatesAlone);
    assert!(rig.shards.settle_all().await.is_err(), "the process dies in the middle of it");
    let next = rig.next_life();
    next.open(&[actix::Arbiter::current()]).await.unwrap();
    next.shards.settle_all().await.unwrap();
    let last = next.killed().await;
    last.advance(150);
    until_told(&last, 0, &[1]).await;
}

#[actix::test]
async fn an_overdue_one_fires_when_its_shard_opens() {
    let rig = Rig::new().await;
    snoozed(&rig, 1, 100).await;
    assert!(rig.shards.close(std::time::Duration::from_secs(5)).await);
    rig.advance(5_000);
    let next = rig.killed().await;
    until_told(&next, 0, &[1]).await;
}

#[actix::test]
async fn what_is_due_beyond_an_hour_is_read_when_its_hour_comes() {
    let rig = Rig::new().await;
    snoozed(&rig, 1, 3 * 3_600).await;
    snoozed(&rig, 2, 3 * 3_600 + 1).await;
    rig.shards.settle_all().await.unwrap();
    let turns = rig.seen.told().len();
    for _ in 0..3 {
        rig.advance(3_599);
        rig.breathe().await;
        assert_eq!(told_since(&rig, turns), [0; 0]);
    }
    rig.advance(3);
    until_told(&rig, turns, &[1]).await;
    rig.advance(1);
    until_told(&rig, turns, &[1, 2]).await;
}

#[actix::test]
async fn rows_that_could_not_be_read_are_read_again() {
    let rig = Rig::new().await;
    snoozed(&rig, 1, 2 * 3_600).await;
    let turns = rig.seen.told().len();
    rig.store.faults().once(Operation::Read, Fault::Fail);
    rig.advance(2 * 3_600);
    until_told(&rig, turns, &[1]).await;
}

#[actix::test]
async fn a_wake_up_whose_commit_failed_comes_again() {
    let rig = Rig::new().await;
    snoozed(&rig, 1, 100).await;
    let turns = rig.seen.told().len();
    rig.store.faults().once(Operation::Commit, Fault::Fail);
    rig.advance(100);
    until_told(&rig, turns, &[1]).await;
}

#[actix::test]
async fn one_that_was_taken_back_does_not_fire() {
    let rig = Rig::new().await;
    snoozed(&rig, 1, 100).await;
    rig.ask::<Conversation>(of(1), snooze(after(500))).await.unwrap();
    let turns = rig.seen.told().len();
    rig.advance(200);
    rig.breathe().await;
    assert_eq!(told_since(&rig, turns), [0; 0]);
    rig.advance(300);
    until_told(&rig, turns, &[1]).await;
}
