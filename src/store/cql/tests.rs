//! What a real database is needed for: the contract suite's bench, and the things that only this engine does.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::{CqlOptions, CqlStore, SchemaProblem};
use crate::clock::FrozenClock;
use crate::domain::time::Timestamp;
use crate::store::{Fence, Owner, Put, RowKey, ScanRange, Store as _, StoreError, Table};

#[expect(dead_code, unreachable_pub, reason = "the stories include it as well, and use the rest")]
#[path = "../../../tests/cassandra/server.rs"]
mod server;

/// The switch: with `cql` the suites run against a database as well.
const SWITCH: &str = "TIDEGATE_TEST_STORE";

/// The address of the database of this process, where one is asked for. Started once, it ends with the process.
fn database() -> Option<String> {
    static DATABASE: OnceLock<Option<server::Cassandra>> = OnceLock::new();
    if std::env::var(SWITCH).as_deref() != Ok("cql") {
        return None;
    }
    if let Ok(nodes) = std::env::var("TIDEGATE_TEST_CQL") {
        return Some(nodes);
    }
    let database = DATABASE.get_or_init(|| {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/cassandra");
        Some(server::Cassandra::start(&root, server::CommitLog::Periodic).expect("a database starts"))
    });
    database.as_ref().map(server::Cassandra::contact_point)
}

/// Options for keyspaces that no other test uses, where the tests are asked to use a database.
pub(in crate::store) fn fresh() -> Option<CqlOptions> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Some(CqlOptions::of_node(&database()?, &format!("test_{}_{number}", std::process::id())))
}

const CLOCK: Timestamp = Timestamp(1_795_165_200_000);

fn clock() -> Arc<FrozenClock> {
    Arc::new(FrozenClock::new(CLOCK))
}

async fn made(options: &CqlOptions) -> CqlStore {
    CqlStore::migrate(options, 1, CLOCK).await.expect("migrates");
    opened(options).await
}

async fn opened(options: &CqlOptions) -> CqlStore {
    CqlStore::open(options, clock()).await.expect("opens")
}

fn owner(node: u128) -> Owner {
    Owner { node, incarnation: 1 }
}

fn fact(ck: u64) -> Put {
    Put::new(Table::Message, b"facts", &ck.to_be_bytes(), vec![1], 1)
}

#[tokio::test]
async fn a_log_goes_over_from_segment_to_segment() {
    let Some(options) = fresh() else { return };
    let store = made(&options).await;
    let mut lease = store.acquire(1, owner(1), None).await.expect("acquires");
    // Three segments, and the last is entered and left empty: an owner dies between the two.
    for number in 1..=2_048_u64 {
        assert_eq!(store.commit(&mut lease, number as i64, number.to_be_bytes().to_vec(), vec![]).await, Ok(number));
    }
    store.enter_segment(&lease, 2).await.expect("enters");
    let other = opened(&options).await;
    let mut next = other.acquire(1, owner(2), None).await.expect("acquires");
    assert_eq!((next.epoch, next.position, next.last_ts_us), (2, 2_048, 2_048));
    let refused = store.commit(&mut lease, 9_999, b"late".to_vec(), vec![]).await;
    assert_eq!(refused, Err(Fence::Fenced { seen_epoch: Some(2) }));
    assert_eq!(other.commit(&mut next, 9_999, b"next".to_vec(), vec![]).await, Ok(2_049));
    let all = other.replay(1, 0, 10_000).await.expect("replays");
    assert_eq!(all.iter().map(|record| record.position).collect::<Vec<_>>(), (1..=2_049).collect::<Vec<_>>());
    assert!(all[..2_048].iter().all(|record| record.epoch == 1) && all[2_048].epoch == 2);
    let some = other.replay(1, 1_000, 100).await.expect("replays");
    assert_eq!((some.len(), some[0].position, some[99].position), (100, 1_001, 1_100), "over the end of a segment");
    CqlStore::drop_keyspaces(&options).await;
}

#[tokio::test]
async fn whoever_comes_late_is_refused_by_the_database() {
    let Some(options) = fresh() else { return };
    let (zombie, successor) = (made(&options).await, opened(&options).await);
    let mut old = zombie.acquire(7, owner(1), None).await.expect("acquires");
    zombie.commit(&mut old, 1, b"1".to_vec(), vec![fact(1)]).await.expect("commits");
    let mut new = successor.acquire(7, owner(2), None).await.expect("acquires");
    // It sleeps, wakes, and believes that the shard is its own.
    for _ in 0..3 {
        let refused = zombie.commit(&mut old, 5, b"late".to_vec(), vec![]).await;
        assert_eq!(refused, Err(Fence::Fenced { seen_epoch: Some(2) }));
        let state = Put::new(Table::Entity, b"state", b"", vec![1], 1);
        assert_eq!(zombie.settle(&old, 1, vec![state]).await, Err(Fence::Fenced { seen_epoch: Some(2) }));
    }
    assert_eq!(successor.commit(&mut new, 2, b"2".to_vec(), vec![]).await, Ok(2));
    let records: Vec<_> = successor.replay(7, 0, 9).await.expect("replays").into_iter().map(|r| r.payload).collect();
    assert_eq!(records, [b"1".to_vec(), b"2".to_vec()]);
    assert_eq!(successor.get(&RowKey::new(Table::Entity, b"state", b"")).await, Ok(None));
    CqlStore::drop_keyspaces(&options).await;
}

#[tokio::test]
async fn who_dies_between_lease_and_fence_leaves_a_log_that_the_next_takes() {
    let Some(options) = fresh() else { return };
    let store = made(&options).await;
    let mut lease = store.acquire(1, owner(1), None).await.expect("acquires");
    store.commit(&mut lease, 1, b"1".to_vec(), vec![]).await.expect("commits");
    assert_eq!(store.win(1, owner(2), 1).await, Ok(true));
    // The log still has epoch 1: the first owner is not fenced yet, and may commit once more.
    assert_eq!(store.commit(&mut lease, 2, b"2".to_vec(), vec![]).await, Ok(2));
    let other = opened(&options).await;
    assert!(other.acquire(1, owner(3), Some(1)).await.is_err(), "epoch 1 is over");
    // Whoever won it asks again, after the answer was lost.
    let own = other.acquire(1, owner(2), Some(1)).await.expect("is its own");
    assert_eq!((own.epoch, own.position), (2, 2));
    assert_eq!(store.commit(&mut lease, 3, b"3".to_vec(), vec![]).await, Err(Fence::Fenced { seen_epoch: Some(2) }));
    CqlStore::drop_keyspaces(&options).await;
}

#[tokio::test]
async fn a_segment_that_outlived_its_epoch_is_fenced_again_by_its_owner_alone() {
    let Some(options) = fresh() else { return };
    let store = made(&options).await;
    let mut lease = store.acquire(1, owner(1), None).await.expect("acquires");
    store.commit(&mut lease, 1, b"1".to_vec(), vec![]).await.expect("commits");
    // What a month without a record does.
    let forgotten = "UPDATE {}_meta.shard_journal SET epoch = null WHERE shard = 1 AND segment = 0 IF epoch = 1";
    store.0.session.query_unpaged(forgotten.replace("{}", &options.keyspace), ()).await.expect("is done");
    let mut other = opened(&options).await.acquire(2, owner(1), None).await.expect("acquires");
    other.shard = 1;
    other.epoch = 9;
    let stranger = opened(&options).await.commit(&mut other, 5, b"stranger".to_vec(), vec![]).await;
    assert_eq!(stranger, Err(Fence::Fenced { seen_epoch: Some(1) }));
    assert_eq!(store.commit(&mut lease, 2, b"2".to_vec(), vec![]).await, Ok(2));
    CqlStore::drop_keyspaces(&options).await;
}

#[tokio::test]
async fn a_feed_lies_in_slices_and_is_read_as_one() {
    let Some(options) = fresh() else { return };
    let store = made(&options).await;
    let positions: Vec<u64> = vec![1, 2, 8_191, 8_192, 8_193, 30_000, 1 << 40];
    let row = |position: &u64| Put::new(Table::Feed, b"ws", &position.to_be_bytes(), vec![7], 1);
    store.put_facts(positions.iter().map(row).collect()).await.expect("puts");
    let of = |page: crate::store::Page| -> Vec<u64> {
        page.rows.iter().map(|row| u64::from_be_bytes(row.ck.as_slice().try_into().expect("8 bytes"))).collect()
    };
    let all = store.scan(Table::Feed, b"ws", ScanRange::first(99)).await.expect("scans");
    assert_eq!(of(all), positions);
    let back = store.scan(Table::Feed, b"ws", ScanRange::last(3)).await.expect("scans");
    assert!(back.more);
    assert_eq!(of(back), [1 << 40, 30_000, 8_193]);
    let after = ScanRange::first(2).after(8_191_u64.to_be_bytes().to_vec());
    assert_eq!(of(store.scan(Table::Feed, b"ws", after).await.expect("scans")), [8_192, 8_193]);
    let found = store.get(&RowKey::new(Table::Feed, b"ws", &30_000_u64.to_be_bytes())).await.expect("reads");
    assert_eq!(found.map(|row| row.value), Some(vec![7]));
    CqlStore::drop_keyspaces(&options).await;
}

#[tokio::test]
async fn a_schema_is_made_once_and_watched() {
    let Some(options) = fresh() else { return };
    let empty = CqlStore::open(&options, clock()).await.err().expect("is refused");
    assert_eq!(empty, SchemaProblem::Empty { keyspace: options.keyspace.clone() });
    // Two at once: each file is applied by one of them.
    let (one, other) = tokio::join!(CqlStore::migrate(&options, 1, CLOCK), CqlStore::migrate(&options, 2, CLOCK));
    let mut files = [one.expect("migrates"), other.expect("migrates")].concat();
    files.sort_unstable();
    assert_eq!(files, ["0002_facts.cql", "0003_state.cql", "0004_ownership.cql"]);
    let store = opened(&options).await;
    assert_eq!(CqlStore::migrate(&options, 1, CLOCK).await, Ok(vec![]), "there is nothing left to do");
    let meta = |text: &str| text.replace("{}", &format!("{}_meta.schema_migration", options.keyspace));
    let change = async |text: &str| {
        store.0.session.query_unpaged(meta(text), ()).await.expect("is done");
        CqlStore::open(&options, clock()).await.err()
    };
    let changed = change("UPDATE {} SET checksum = 'other' WHERE id = 3 IF name = '0003_state.cql'").await;
    assert_eq!(changed, Some(SchemaProblem::Changed { file: "0003_state.cql" }));
    let pending = change("DELETE FROM {} WHERE id = 3 IF EXISTS").await;
    assert_eq!(pending, Some(SchemaProblem::Pending { files: vec!["0003_state.cql"] }));
    assert_eq!(CqlStore::migrate(&options, 1, CLOCK).await, Ok(vec!["0003_state.cql"]), "statements may run twice");
    let newer =
        change("INSERT INTO {} (id, name, checksum, applied_at) VALUES (99, '0099_x.cql', '', 1) IF NOT EXISTS");
    assert_eq!(newer.await, Some(SchemaProblem::Newer { file: "0099_x.cql".to_owned() }));
    CqlStore::drop_keyspaces(&options).await;
}

/// A database of the test's own, that it may stop and kill.
fn own_database() -> Option<server::Cassandra> {
    if std::env::var(SWITCH).as_deref() != Ok("cql") {
        return None;
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/cassandra");
    Some(server::Cassandra::start(&root, server::CommitLog::Batch).expect("a database starts"))
}

#[tokio::test]
async fn an_append_whose_answer_is_lost_is_repeated_until_it_is_known() {
    let Some(database) = own_database() else { return };
    let mut options = CqlOptions::of_node(&database.contact_point(), "own");
    let store = made(&options).await;
    drop(store);
    options.request_timeout = Duration::from_secs(1);
    let store = opened(&options).await;
    let mut lease = store.acquire(1, owner(1), None).await.expect("acquires");
    store.commit(&mut lease, 1, b"1".to_vec(), vec![]).await.expect("commits");
    database.pause().expect("it stops");
    let resumed = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        database.resume().expect("it goes on");
    };
    let (committed, ()) = tokio::join!(store.commit(&mut lease, 2, b"2".to_vec(), vec![fact(2)]), resumed);
    assert_eq!(committed, Ok(2));
    let records = store.replay(1, 0, 9).await.expect("replays");
    assert_eq!(records.iter().map(|record| record.payload.as_slice()).collect::<Vec<_>>(), [b"1", b"2"]);
    assert!(store.get(&fact(2).key).await.expect("reads").is_some());
}

#[tokio::test]
async fn what_was_acknowledged_outlives_the_databases_death() {
    let Some(mut database) = own_database() else { return };
    let options = CqlOptions::of_node(&database.contact_point(), "own");
    let store = made(&options).await;
    let mut lease = store.acquire(1, owner(1), None).await.expect("acquires");
    for kill in 0..2_u64 {
        let first = lease.position + 1;
        for number in first..first + 50 {
            let record = number.to_be_bytes().to_vec();
            store.commit(&mut lease, number as i64, record, vec![fact(number)]).await.expect("commits");
        }
        database.kill().expect("it dies");
        let failed = store.get(&fact(first).key).await;
        assert!(matches!(failed, Err(StoreError::NotApplied(_))), "{failed:?}");
        database.restart().expect("it starts");
        let end = tokio::time::Instant::now() + Duration::from_secs(60);
        while store.members().await.is_err() {
            assert!(tokio::time::Instant::now() < end, "the driver does not find it again");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(store.replay(1, 0, 999).await.expect("replays").len() as u64, lease.position, "after kill {kill}");
        for number in first..first + 50 {
            assert!(store.get(&fact(number).key).await.expect("reads").is_some(), "fact {number}");
        }
    }
    assert_eq!(store.acquire(1, owner(1), Some(1)).await.map(|lease| lease.position), Ok(100));
}
