//! Looking at many: the committed state, wherever it is, in the order asked, and nobody wakes.

use super::commands::tier;
use super::rig::{Rig, options};
use crate::domain::entity::Entity;
use crate::domain::limit::LimitScope;
use crate::shards::CommandError;
use crate::store::{Fault, Operation};

/// More than are read at once, over several shards; the last three never were.
const SCOPES: u128 = 200;

async fn versions(rig: &Rig) -> Vec<u64> {
    // Neighbours in the question are no neighbours in the shards.
    let ids: Vec<u128> = (0..SCOPES + 3).rev().collect();
    let seen = rig.shards.peek::<LimitScope>(&ids).await.unwrap();
    seen.iter().rev().map(Entity::version).collect()
}

#[actix::test]
async fn states_are_the_same_wherever_they_are() {
    let rig = Rig::with(options(4)).await;
    for scope in 0..SCOPES {
        for change in 0..=(scope % 3) as i64 {
            rig.ask::<LimitScope>(scope, tier(10 + change as u32, change)).await.unwrap();
        }
    }
    let expected: Vec<u64> = (0..SCOPES).map(|scope| 1 + scope as u64 % 3).chain([0; 3]).collect();
    assert_eq!(versions(&rig).await, expected, "awake");
    rig.advance(60);
    rig.until(async |rig| rig.shards.census().await.awake == 0).await;
    assert_eq!(versions(&rig).await, expected, "asleep");
    rig.advance(1_000);
    rig.until(async |rig| rig.shards.census().await.resident == 0).await;
    assert_eq!(versions(&rig).await, expected, "on their way to the store");
    rig.shards.settle_all().await.unwrap();
    assert_eq!(versions(&rig).await, expected, "in the store");
    assert_eq!(rig.shards.census().await.resident, 0, "nobody woke");
    // Some of each.
    for scope in (0..SCOPES).step_by(5) {
        rig.ask::<LimitScope>(scope, tier(99, 1_100)).await.unwrap();
    }
    let expected: Vec<u64> =
        expected.iter().enumerate().map(|(at, version)| version + u64::from(at < 200 && at % 5 == 0)).collect();
    assert_eq!(versions(&rig).await, expected);
}

#[actix::test]
async fn one_that_is_being_read_is_read_beside_it_and_a_failed_reading_is_told() {
    let rig = Rig::new().await;
    rig.ask::<LimitScope>(1, tier(10, 0)).await.unwrap();
    rig.advance(1_000);
    rig.until(async |rig| rig.shards.census().await.resident == 0).await;
    rig.shards.settle_all().await.unwrap();
    rig.store.faults().once(Operation::Read, Fault::Hang);
    let waking = rig.shards.submit::<LimitScope>(1, tier(20, 1_000));
    rig.store.faults().wait_hanging(1).await;
    let seen = rig.shards.peek::<LimitScope>(&[1]).await.unwrap();
    assert_eq!(seen[0].version(), 1);
    rig.store.faults().release();
    waking.await.unwrap().unwrap();
    rig.store.faults().once(Operation::Read, Fault::Fail);
    let failed = rig.shards.peek::<LimitScope>(&[1, 2]).await;
    assert!(matches!(failed, Err(CommandError::Unavailable { .. })));
}
