//! The journal: dense positions, epochs that fence, retries, settling, replay.

use std::collections::BTreeSet;

use super::{Bench, Lease, OWNER, Owner, Put, ScanRange, StoreError, Table, on_every_engine};
use crate::store::{Fence, Store};

on_every_engine!(
    positions_are_dense_and_records_come_back,
    records_of_any_size_are_kept,
    an_older_epoch_is_fenced_for_ever,
    of_two_owners_one_commits,
    of_racing_owners_one_wins_each_epoch,
    a_retry_with_the_same_bytes_is_not_a_second_record,
    a_refused_commit_leaves_nothing,
    settling_moves_only_forward,
    only_the_present_epoch_settles,
    replay_after_the_checkpoint_is_dense,
    a_journal_goes_on_where_it_ended,
    facts_put_again_after_settling_change_nothing,
);

fn fact(ck: &[u8]) -> Put {
    Put::new(Table::Message, b"facts", ck, ck.to_vec(), 1)
}

fn state(value: u8, ts_us: i64) -> Put {
    Put::new(Table::Entity, b"state", b"", vec![value], ts_us)
}

async fn positions_are_dense_and_records_come_back(mut bench: Bench) {
    for shard in [0, 7, u16::MAX] {
        let mut lease = bench.acquire(shard).await;
        assert_eq!((lease.position, lease.checkpoint, lease.epoch), (0, 0, 1));
        for number in 1..=30_u8 {
            let position = bench.commit(&mut lease, &[number], vec![fact(&[number])]).await;
            assert_eq!((position, lease.position), (u64::from(number), u64::from(number)));
            assert_eq!(bench.get(Table::Message, b"facts", &[number]).await, Some(vec![number]));
        }
    }
    bench.restart().await;
    for shard in [0, 7, u16::MAX] {
        let all: Vec<_> = (1..=30_u8).map(|number| (u64::from(number), vec![number])).collect();
        assert_eq!(bench.replay(shard, 0).await, all);
        assert_eq!(bench.replay(shard, 28).await, all[28..]);
        assert_eq!(bench.replay(shard, 30).await, []);
        let page = bench.store.replay(shard, 10, 5).await.expect("replays");
        let positions: Vec<_> = page.iter().map(|record| record.position).collect();
        assert_eq!(positions, [11, 12, 13, 14, 15]);
        assert!(page.iter().all(|record| record.epoch == 1 && record.ts_us == record.position as i64));
    }
    assert_eq!(bench.replay(1, 0).await, []);
}

async fn records_of_any_size_are_kept(mut bench: Bench) {
    let mut lease = bench.acquire(1).await;
    let records: Vec<Vec<u8>> =
        [1, 2, 4_095, 4_096, 65_536, 131_072].iter().map(|size| (0..*size).map(|byte| byte as u8).collect()).collect();
    for record in &records {
        bench.commit(&mut lease, record, vec![]).await;
    }
    bench.restart().await;
    let replayed: Vec<_> = bench.replay(1, 0).await.into_iter().map(|(_, record)| record).collect();
    assert!(replayed == records, "the records differ");
}

async fn an_older_epoch_is_fenced_for_ever(mut bench: Bench) {
    let mut old = bench.acquire(1).await;
    bench.commit(&mut old, b"1", vec![]).await;
    let mut new = bench.store.acquire(1, Owner { node: 2, incarnation: 9 }, None).await.expect("acquires");
    assert_eq!((new.epoch, new.position, new.last_ts_us), (2, 1, 1));
    for round in 0..3 {
        for (ts_us, position) in [(2, 1), (1, 0), (9, 5)] {
            let mut lease = Lease { position, ..old.clone() };
            let refused = bench.store.commit(&mut lease, ts_us, b"zombie".to_vec(), vec![fact(b"zombie")]).await;
            assert_eq!(refused, Err(Fence::Fenced { seen_epoch: Some(2) }), "round {round}");
            assert_eq!(lease.position, position, "a refused lease stays where it was");
        }
        bench.commit(&mut new, b"2", vec![]).await;
        if round == 1 {
            bench.restart().await;
        }
    }
    assert_eq!(bench.get(Table::Message, b"facts", b"zombie").await, None);
    assert!(bench.replay(1, 0).await.iter().all(|(_, record)| record != b"zombie"));
    let unknown = Lease { shard: 5, epoch: 0, position: 0, last_ts_us: 0, checkpoint: 0 };
    let refused = bench.store.commit(&mut unknown.clone(), 1, b"x".to_vec(), vec![]).await;
    assert_eq!(refused, Err(Fence::Fenced { seen_epoch: Some(0) }), "a shard without an owner");
}

async fn of_two_owners_one_commits(bench: Bench) {
    let mut old = bench.acquire(1).await;
    for round in 0..20_u8 {
        let mut new = bench.acquire(1).await;
        let (ts_old, ts_new) = (old.last_ts_us.max(i64::from(round)) + 1, new.last_ts_us + 1);
        let store = &bench.store;
        let (lost, won) = tokio::join!(
            store.commit(&mut old, ts_old, vec![0, round], vec![]),
            store.commit(&mut new, ts_new, vec![1, round], vec![]),
        );
        assert_eq!(lost, Err(Fence::Fenced { seen_epoch: Some(new.epoch) }));
        assert_eq!(won, Ok(u64::from(round) + 1));
        old = new;
    }
    assert!(bench.replay(1, 0).await.iter().all(|(_, record)| record[0] == 1));
}

async fn of_racing_owners_one_wins_each_epoch(bench: Bench) {
    let store = &bench.store;
    for epoch in 0..4 {
        let racers = (0..32).map(|node| store.acquire(3, Owner { node, incarnation: 1 }, Some(epoch)));
        let outcomes = futures_util::future::join_all(racers).await;
        let won: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
        assert_eq!(won.iter().map(|lease| lease.epoch).collect::<Vec<_>>(), [epoch + 1]);
        let told = |outcome: &&Result<Lease, Fence>| **outcome == Err(Fence::Fenced { seen_epoch: Some(epoch + 1) });
        assert_eq!(outcomes.iter().filter(told).count(), 31);
    }
    let racers = (0..32).map(|node| store.acquire(3, Owner { node, incarnation: 1 }, None));
    let epochs: BTreeSet<u64> =
        futures_util::future::join_all(racers).await.into_iter().map(|lease| lease.expect("acquires").epoch).collect();
    // Distinct and later; one that was overtaken before it had the log takes another.
    assert!(epochs.len() == 32 && epochs.first() >= Some(&5), "{epochs:?}");
}

async fn a_retry_with_the_same_bytes_is_not_a_second_record(bench: Bench) {
    let mut lease = bench.acquire(1).await;
    bench.commit(&mut lease, b"1", vec![]).await;
    let before = lease.clone();
    for _ in 0..3 {
        // As if the answer had been lost.
        lease = before.clone();
        let again = bench.store.commit(&mut lease, 9, b"2".to_vec(), vec![fact(b"2")]).await;
        assert_eq!(again, Ok(2));
        assert_eq!((lease.position, lease.last_ts_us), (2, 9));
    }
    let other = bench.store.commit(&mut before.clone(), 9, b"other".to_vec(), vec![fact(b"other")]).await;
    assert!(matches!(other, Err(Fence::Store(StoreError::NotApplied(_)))), "{other:?}");
    let later = bench.store.commit(&mut before.clone(), 10, b"2".to_vec(), vec![fact(b"other")]).await;
    assert!(matches!(later, Err(Fence::Store(StoreError::NotApplied(_)))), "{later:?}");
    assert_eq!(bench.replay(1, 0).await, [(1, b"1".to_vec()), (2, b"2".to_vec())]);
    assert_eq!(bench.get(Table::Message, b"facts", b"other").await, None);
    assert_eq!(bench.commit(&mut lease, b"3", vec![]).await, 3);
}

async fn a_refused_commit_leaves_nothing(bench: Bench) {
    let mut lease = bench.acquire(1).await;
    bench.store.commit(&mut lease, 50, b"1".to_vec(), vec![]).await.expect("commits");
    let too_long = Put::new(Table::Message, b"facts", &vec![0; 70_000], vec![], 1);
    let refused = [
        bench.store.commit(&mut lease.clone(), 50, b"x".to_vec(), vec![fact(b"x")]).await,
        bench.store.commit(&mut lease.clone(), 49, b"x".to_vec(), vec![fact(b"x")]).await,
        bench.store.commit(&mut lease.clone(), 51, b"x".to_vec(), vec![fact(b"x"), too_long]).await,
        bench.store.commit(&mut Lease { position: 4, ..lease.clone() }, 51, b"x".to_vec(), vec![fact(b"x")]).await,
    ];
    for outcome in refused {
        assert!(matches!(outcome, Err(Fence::Store(StoreError::NotApplied(_)))), "{outcome:?}");
    }
    assert_eq!(bench.replay(1, 0).await.len(), 1);
    assert_eq!(bench.get(Table::Message, b"facts", b"x").await, None);
    assert_eq!(bench.commit(&mut lease, b"2", vec![]).await, 2);
}

async fn settling_moves_only_forward(mut bench: Bench) {
    let mut lease = bench.acquire(1).await;
    for number in 1..=5_u8 {
        bench.commit(&mut lease, &[number], vec![]).await;
    }
    bench.store.settle(&lease, 3, vec![state(3, 3)]).await.expect("settles");
    assert_eq!(bench.get(Table::Entity, b"state", b"").await, Some(vec![3]));
    for upto in [0, 2, 6, u64::MAX] {
        let refused = bench.store.settle(&lease, upto, vec![state(9, 9)]).await;
        assert!(matches!(refused, Err(Fence::Store(StoreError::NotApplied(_)))), "up to {upto}: {refused:?}");
    }
    assert_eq!(bench.get(Table::Entity, b"state", b"").await, Some(vec![3]), "refused rows are not written");
    bench.store.settle(&lease, 3, vec![state(4, 4)]).await.expect("settles the same place again");
    assert_eq!(bench.get(Table::Entity, b"state", b"").await, Some(vec![4]));
    bench.restart().await;
    assert_eq!(bench.get(Table::Entity, b"state", b"").await, Some(vec![4]));
    assert_eq!(bench.acquire(1).await.checkpoint, 3);
}

async fn only_the_present_epoch_settles(bench: Bench) {
    let mut old = bench.acquire(1).await;
    bench.commit(&mut old, b"1", vec![]).await;
    let new = bench.acquire(1).await;
    let refused = bench.store.settle(&old, 1, vec![state(1, 1)]).await;
    assert_eq!(refused, Err(Fence::Fenced { seen_epoch: Some(2) }));
    assert_eq!(bench.get(Table::Entity, b"state", b"").await, None);
    assert_eq!(bench.acquire(1).await.checkpoint, 0);
    let refused = bench.store.settle(&new, 1, vec![]).await;
    assert_eq!(refused, Err(Fence::Fenced { seen_epoch: Some(3) }));
}

async fn replay_after_the_checkpoint_is_dense(mut bench: Bench) {
    let mut lease = bench.acquire(1).await;
    let mut other = bench.acquire(2).await;
    let mut next = 1_u64;
    // More than one batch deletes at once.
    for upto in [1_200_u64, 1_201, 1_700] {
        while lease.position < upto + 100 {
            let ts_us = lease.last_ts_us + 1;
            let record = next.to_be_bytes().to_vec();
            bench.store.commit(&mut lease, ts_us, record, vec![]).await.expect("commits");
            next += 1;
        }
        bench.commit(&mut other, b"other", vec![]).await;
        bench.store.settle(&lease, upto, vec![]).await.expect("settles");
        let expected: Vec<_> = (upto + 1..next).map(|number| (number, number.to_be_bytes().to_vec())).collect();
        assert_eq!(bench.replay(1, upto).await, expected);
        assert_eq!(bench.replay(1, 0).await, expected, "what is before the checkpoint is over");
        bench.restart().await;
        assert_eq!(bench.replay(1, 0).await, expected);
        assert_eq!(bench.replay(1, upto + 50).await, expected[50..]);
        lease = bench.acquire(1).await;
        assert_eq!((lease.checkpoint, lease.position), (upto, next - 1));
        other = bench.acquire(2).await;
    }
    assert_eq!(bench.replay(2, 0).await.len(), 3);
}

async fn a_journal_goes_on_where_it_ended(mut bench: Bench) {
    let mut last_ts_us = 0;
    for round in 0..4_u64 {
        let mut lease = bench.acquire(1).await;
        assert_eq!((lease.epoch, lease.position, lease.last_ts_us), (round + 1, round * 3, last_ts_us));
        for _ in 0..3 {
            last_ts_us += 1_000;
            bench.store.commit(&mut lease, last_ts_us, vec![1], vec![]).await.expect("commits");
        }
        if round % 2 == 1 {
            // Nothing of the journal is left, and yet positions and timestamps go on.
            bench.store.settle(&lease, lease.position, vec![]).await.expect("settles");
            bench.put(vec![]).await;
        }
        bench.restart().await;
    }
    let lease = bench.acquire(1).await;
    assert_eq!((lease.position, lease.checkpoint), (12, 12));
    assert_eq!(bench.replay(1, 0).await, []);
}

async fn facts_put_again_after_settling_change_nothing(bench: Bench) {
    let mut lease = bench.acquire(1).await;
    let facts = vec![fact(b"1"), Put::new(Table::ConsentGate, b"p", b"t", vec![1], 5)];
    bench.commit(&mut lease, b"1", facts.clone()).await;
    bench.put(vec![Put::new(Table::ConsentGate, b"p", b"t", vec![0], 6)]).await;
    bench.store.settle(&lease, 1, vec![state(1, 1)]).await.expect("settles");
    bench.put(facts).await;
    assert_eq!(bench.get(Table::ConsentGate, b"p", b"t").await, Some(vec![0]));
    assert_eq!(bench.scan(Table::Message, b"facts", ScanRange::first(9)).await.rows.len(), 1);
    assert_eq!(bench.get(Table::Entity, b"state", b"").await, Some(vec![1]));
    assert_eq!(bench.store.acquire(1, OWNER, Some(1)).await.expect("acquires").position, 1);
}
