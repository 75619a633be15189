//! What every engine must keep, as one suite that runs over each of them (`storage.md` §5).

mod agreement;
mod journal;
mod membership;
mod rows;

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::{
    AnyStore, CqlOptions, CqlStore, EmbeddedOptions, EmbeddedStore, Lease, Owner, Page, Position, Put, Row, RowKey,
    ScanRange, Store, StoreError, Table, cql,
};
use crate::clock::{Clock as _, FrozenClock};
use crate::domain::time::Timestamp;

const OWNER: Owner = Owner { node: 1, incarnation: 1 };

/// An engine under test and the clock it goes by.
struct Bench {
    store: AnyStore,
    clock: Arc<FrozenClock>,
    folder: Option<TempDir>,
    options: Option<CqlOptions>,
}

impl Bench {
    fn clock() -> Arc<FrozenClock> {
        Arc::new(FrozenClock::new(Timestamp(1_795_165_200_000)))
    }

    fn memory() -> Self {
        let clock = Self::clock();
        Self { store: AnyStore::memory(clock.clone()), clock, folder: None, options: None }
    }

    fn embedded() -> Self {
        let clock = Self::clock();
        let folder = TempDir::new().expect("makes a folder");
        Self { store: open(folder.path(), &clock).into(), clock, folder: Some(folder), options: None }
    }

    /// In keyspaces of a database.
    async fn cql(options: &CqlOptions) -> Self {
        let clock = Self::clock();
        CqlStore::migrate(options, 1, clock.now()).await.expect("migrates");
        let store = CqlStore::open(options, clock.clone()).await.expect("opens");
        Self { store: store.into(), clock, folder: None, options: Some(options.clone()) }
    }

    /// What the next process finds.
    async fn restart(&mut self) {
        self.store.close().await.expect("closes");
        self.store = match (&self.store, &self.folder) {
            (AnyStore::Memory(store), _) => store.reopened().into(),
            (AnyStore::Cql(_), _) => {
                let options = self.options.as_ref().expect("has options");
                CqlStore::open(options, self.clock.clone()).await.expect("opens").into()
            }
            (AnyStore::Embedded(_), folder) => open(folder.as_ref().expect("has a folder").path(), &self.clock).into(),
        };
    }

    async fn acquire(&self, shard: u16) -> Lease {
        self.store.acquire(shard, OWNER, None).await.expect("acquires")
    }

    /// Commits at the next timestamp.
    async fn commit(&self, lease: &mut Lease, record: &[u8], facts: Vec<Put>) -> Position {
        let ts_us = lease.last_ts_us + 1;
        self.store.commit(lease, ts_us, record.to_vec(), facts).await.expect("commits")
    }

    async fn put(&self, rows: Vec<Put>) {
        self.store.put_facts(rows).await.expect("puts");
    }

    async fn get(&self, table: Table, pk: &[u8], ck: &[u8]) -> Option<Vec<u8>> {
        self.store.get(&RowKey::new(table, pk, ck)).await.expect("reads").map(|row| row.value)
    }

    async fn scan(&self, table: Table, pk: &[u8], range: ScanRange) -> Page {
        self.store.scan(table, pk, range).await.expect("scans")
    }

    /// Positions and records from a position on.
    async fn replay(&self, shard: u16, after: Position) -> Vec<(Position, Vec<u8>)> {
        let records = self.store.replay(shard, after, 10_000).await.expect("replays");
        records.into_iter().map(|record| (record.position, record.payload)).collect()
    }
}

pub(super) fn open(path: &Path, clock: &Arc<FrozenClock>) -> EmbeddedStore {
    EmbeddedStore::open(path, EmbeddedOptions::default(), clock.clone()).expect("opens")
}

/// Runs each case over each engine.
macro_rules! on_every_engine {
    ($($case:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test] async fn $case() { super::$case(super::super::Bench::memory()).await; })*
        }
        mod in_a_folder {
            $(#[tokio::test] async fn $case() { super::$case(super::super::Bench::embedded()).await; })*
        }
        /// Where `TIDEGATE_TEST_STORE` is `cql`.
        mod in_a_database {
            $(#[tokio::test] async fn $case() {
                if let Some(options) = super::super::cql::tests::fresh() {
                    super::$case(super::super::Bench::cql(&options).await).await;
                    super::super::CqlStore::drop_keyspaces(&options).await;
                }
            })*
        }
    };
}
use on_every_engine;

/// Compares stored bytes with those of a golden file, one row a line in hexadecimal. With
/// `TIDEGATE_WRITE_GOLDEN` set it writes the file instead; a changed file needs a new version number.
pub(crate) fn golden(file: &str, rows: &[Vec<u8>]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let found: String = rows.iter().map(|row| hex::encode(row) + "\n").collect();
    if std::env::var_os("TIDEGATE_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &found).expect("writes the golden file");
    }
    let golden = std::fs::read_to_string(&path).expect("the golden file is there");
    assert_eq!(found, golden, "stored bytes differ from {}", path.display());
}
