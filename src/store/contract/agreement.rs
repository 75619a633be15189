//! Random work, done by both engines: whatever one answers, the other answers.

use std::time::Duration;

use proptest::prelude::*;

use super::{Bench, Lease, Owner, Put, RowKey, ScanRange, Table};
use crate::store::{Fence, Store};

const TABLES: [Table; 4] = [Table::Message, Table::Outbox, Table::Private, Table::WindowGate];

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<Put>),
    Commit { shard: u16, stale: bool, again: bool, facts: Vec<Put> },
    Settle { shard: u16, back: u64, rows: Vec<Put> },
    Acquire { shard: u16, expect: Option<u64> },
    Scan { table: Table, pk: u8, from: Option<u8>, reverse: bool, limit: usize },
    Advance(u64),
    Restart,
}

fn puts() -> impl Strategy<Value = Vec<Put>> {
    let put = (0..TABLES.len(), 0..2_u8, 0..4_u8, proptest::option::weighted(0.8, 0..3_u8), 0..4_i64, 0..3_u32)
        .prop_map(|(table, pk, ck, value, ts_us, ttl)| Put {
            key: RowKey::new(TABLES[table], &[pk], &[ck]),
            value: value.map(|value| vec![value]),
            ts_us,
            ttl_s: ttl * 10,
        });
    proptest::collection::vec(put, 0..5)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => puts().prop_map(Step::Put),
        6 => (0..2_u16, proptest::bool::weighted(0.2), proptest::bool::weighted(0.2), puts())
            .prop_map(|(shard, stale, again, facts)| Step::Commit { shard, stale, again, facts }),
        2 => (0..2_u16, 0..4_u64, puts()).prop_map(|(shard, back, rows)| Step::Settle { shard, back, rows }),
        2 => (0..2_u16, proptest::option::of(0..3_u64)).prop_map(|(shard, expect)| Step::Acquire { shard, expect }),
        4 => (0..TABLES.len(), 0..2_u8, proptest::option::of(0..4_u8), any::<bool>(), 1..5_usize).prop_map(
            |(table, pk, from, reverse, limit)| Step::Scan { table: TABLES[table], pk, from, reverse, limit }
        ),
        1 => (0..30_u64).prop_map(Step::Advance),
        1 => Just(Step::Restart),
    ]
}

/// One engine at work, with the leases a careless caller holds.
struct Worker {
    bench: Bench,
    leases: [Vec<Lease>; 2],
}

impl Worker {
    /// Does a step and says everything that can be seen of it. Tables in order are written with times that rise.
    async fn work(&mut self, nth: usize, mut step: Step) -> String {
        if let Step::Put(rows) | Step::Commit { facts: rows, .. } | Step::Settle { rows, .. } = &mut step {
            let in_order = |put: &&mut Put| Table::from_u8(put.key.table()).is_some_and(Table::in_order);
            for (place, put) in rows.iter_mut().filter(in_order).enumerate() {
                put.ts_us = (nth * 10 + place) as i64;
            }
        }
        let store = self.bench.store.clone();
        match step {
            Step::Put(rows) => format!("{:?}", store.put_facts(rows).await),
            Step::Commit { shard, stale, again, facts } => {
                let leases = &mut self.leases[usize::from(shard)];
                let chosen = if stale { leases.first_mut() } else { leases.last_mut() };
                let Some(lease) = chosen else { return String::new() };
                let before = lease.clone();
                let ts_us = lease.last_ts_us + 1;
                let first = store.commit(lease, ts_us, vec![1, 2, 3], facts.clone()).await;
                if !again {
                    return told(&first, lease);
                }
                *lease = before;
                let second = store.commit(lease, ts_us, vec![1, 2, 3], facts).await;
                told(&first, lease) + &told(&second, lease)
            }
            Step::Settle { shard, back, rows } => {
                let Some(lease) = self.leases[usize::from(shard)].last() else { return String::new() };
                let upto = (lease.position + 1).saturating_sub(back);
                format!("{:?}", store.settle(lease, upto, rows).await.is_ok())
            }
            Step::Acquire { shard, expect } => {
                let outcome = store.acquire(shard, Owner { node: 1, incarnation: 1 }, expect).await;
                let said = format!("{outcome:?}");
                self.leases[usize::from(shard)].extend(outcome);
                said
            }
            Step::Scan { table, pk, from, reverse, limit } => {
                let range = if reverse { ScanRange::last(limit) } else { ScanRange::first(limit) };
                let range = from.map_or_else(|| range.clone(), |from| range.clone().after(vec![from]));
                format!("{:?}", store.scan(table, &[pk], range).await)
            }
            Step::Advance(seconds) => {
                self.bench.clock.advance(Duration::from_secs(seconds));
                String::new()
            }
            Step::Restart => {
                self.bench.restart().await;
                String::new()
            }
        }
    }

    /// Everything that is stored.
    async fn all(&self) -> String {
        let mut said = String::new();
        for table in TABLES {
            for pk in 0..2 {
                said += &format!("{:?}", self.bench.scan(table, &[pk], ScanRange::first(100)).await);
            }
        }
        for shard in 0..2 {
            said += &format!("{:?}", self.bench.store.replay(shard, 0, 100).await);
        }
        said
    }
}

fn told(outcome: &Result<u64, Fence>, lease: &Lease) -> String {
    format!("{outcome:?} {lease:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_engines_answer_the_same(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("starts");
        runtime.block_on(async {
            let mut memory = Worker { bench: Bench::memory(), leases: Default::default() };
            let mut embedded = Worker { bench: Bench::embedded(), leases: Default::default() };
            for (nth, step) in steps.iter().enumerate() {
                let (ours, theirs) = (memory.work(nth, step.clone()).await, embedded.work(nth, step.clone()).await);
                assert_eq!(ours, theirs, "step {nth}, {step:?}");
            }
            assert_eq!(memory.all().await, embedded.all().await);
        });
    }
}
