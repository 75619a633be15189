//! The engine that outgrows one machine: ScyllaDB, or Apache Cassandra 5, through the `scylla` driver.
//!
//! Rows are plain writes at a quorum of the datacenter, each with the timestamp that its writer gave it, so that the
//! order of arrival does not matter. A shard's log is the one place of conditional writes: an append is applied only
//! while its segment carries its writer's epoch. Facts are written before the record that names them.
//!
//! Nothing here retries a conditional write but `append`, with the same bytes; the driver repeats plain writes and
//! reads, which say the same however often they come.

mod connect;
mod journal;
mod layout;
mod lease;
mod members;
mod migrations;
mod outcome;
mod rows;
mod statements;
#[cfg(test)]
pub(super) mod tests;
mod tls;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use scylla::client::session::Session;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

pub use self::connect::CqlOptions;
use self::connect::{Driver, conditions};
use self::outcome::not_applied;
use self::statements::Statements;
use super::{
    Fence, JournalRecord, Lease, Member, Owner, Page, Position, Put, Row, RowKey, ScanRange, Store, StoreError,
    StoreIdentity, Table,
};
use crate::clock::Clock;
use crate::domain::time::Timestamp;

/// Why a database cannot be used as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaProblem {
    /// There is nothing of ours.
    #[error("keyspace {keyspace} has no tables of Tidegate yet: run `tidegate migrate` once")]
    Empty {
        /// The keyspace of rows.
        keyspace: String,
    },
    /// Files wait to be applied.
    #[error("these changes of the schema are not applied yet: {}; run `tidegate migrate`", files.join(", "))]
    Pending {
        /// Their names.
        files: Vec<&'static str>,
    },
    /// A file differs from what was applied under its number.
    #[error("{file} was applied with other statements than this program has: use the program that made the schema")]
    Changed {
        /// Its name.
        file: &'static str,
    },
    /// A newer program changed the schema.
    #[error("the schema has {file}, which this program does not know: use the newer program")]
    Newer {
        /// Its name.
        file: String,
    },
    /// Conditions are decided within one datacenter, and nobody said which.
    #[error("the database has several datacenters ({}): set cql.datacenter to the one whose quorum counts", names.join(", "))]
    Datacenters {
        /// Their names.
        names: Vec<String>,
    },
    /// The database refused a statement.
    #[error("{file} was refused by the database: {why}")]
    Refused {
        /// The file.
        file: &'static str,
        /// What it said.
        why: String,
    },
    /// The database did not answer, which may pass.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A store in a CQL database; clones share its session.
#[derive(Clone)]
pub struct CqlStore(Arc<Inner>);

struct Inner {
    session: Session,
    statements: Arc<Statements>,
    clock: Arc<dyn Clock>,
    /// Requests that may be under way at once.
    turns: Semaphore,
    request_timeout: Duration,
    commit_deadline: Duration,
    /// Where this process stands in the shards it owns.
    heads: DashMap<u16, Head>,
    /// The last slice that was noted of a partition.
    slices: DashMap<Vec<u8>, i64>,
    driver: Mutex<Option<Driver>>,
    /// Never says anything: a database that is down may come back.
    failed: watch::Sender<Option<String>>,
}

/// What this process knows of a shard's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    epoch: u64,
    /// The segment that carries this epoch.
    segment: i64,
    /// The last record that is known to be committed.
    position: Position,
}

impl CqlStore {
    /// Connects to a database whose schema is whole.
    ///
    /// # Errors
    /// The database does not answer, or its schema is not that of this program.
    pub async fn open(options: &CqlOptions, clock: Arc<dyn Clock>) -> Result<Self, SchemaProblem> {
        let driver = Driver::start()?;
        let session = driver.connect(options).await?;
        one_datacenter(&session, options)?;
        migrations::check(&session, options).await?;
        let conditions = conditions(options);
        let statements =
            Statements::prepare(&session, &options.keyspace, &conditions).await.map_err(outcome::read_failed)?;
        Ok(Self(Arc::new(Inner {
            session,
            statements,
            clock,
            turns: Semaphore::new(options.requests_max),
            request_timeout: options.request_timeout,
            commit_deadline: options.commit_deadline,
            heads: DashMap::new(),
            slices: DashMap::new(),
            driver: Mutex::new(Some(driver)),
            failed: watch::Sender::new(None),
        })))
    }

    /// Applies the files of `cql/` that are pending, and gives their names; `me` tells migrators apart, and `at` is
    /// written beside each file.
    ///
    /// # Errors
    /// The database does not answer, refuses a statement, or has a schema that this program does not know.
    pub async fn migrate(options: &CqlOptions, me: u128, at: Timestamp) -> Result<Vec<&'static str>, SchemaProblem> {
        let driver = Driver::start()?;
        let session = driver.connect(options).await?;
        let done = migrations::migrate(&session, options, &conditions(options), (me, at)).await?;
        migrations::check(&session, options).await?;
        Ok(done)
    }

    /// Takes both keyspaces away, for tests.
    #[cfg(test)]
    pub(super) async fn drop_keyspaces(options: &CqlOptions) {
        let driver = Driver::start().expect("starts");
        let session = driver.connect(options).await.expect("connects");
        for keyspace in [&options.keyspace, &connect::meta_keyspace(options)] {
            session.query_unpaged(format!("DROP KEYSPACE {keyspace}"), ()).await.expect("drops");
        }
    }

    /// Hears why the store has failed for good, which this engine never does.
    #[must_use]
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.0.failed.subscribe()
    }

    /// Brings the driver's figures into the metrics.
    pub fn measure(&self) {
        let driver = self.0.session.get_metrics();
        metrics::counter!("tidegate_cql_requests_total").absolute(driver.get_requests_unpaged_num());
        metrics::counter!("tidegate_cql_errors_total").absolute(driver.get_errors_unpaged_num());
        metrics::counter!("tidegate_cql_retries_total").absolute(driver.get_retries_num());
        metrics::counter!("tidegate_cql_timeouts_total").absolute(driver.get_request_timeouts());
        metrics::gauge!("tidegate_cql_connections").set(driver.get_total_connections() as f64);
        for (quantile, percentile) in [("0.5", 50.0), ("0.99", 99.0)] {
            // Before the first request there is none.
            if let Ok(millis) = driver.get_latency_percentile_ms(percentile) {
                metrics::gauge!("tidegate_cql_latency_seconds", "quantile" => quantile).set(millis as f64 / 1e3);
            }
        }
        let waiting = self.0.turns.available_permits();
        metrics::gauge!("tidegate_cql_turns_free").set(waiting as f64);
    }

    /// Waits for the right to have a request under way.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        match tokio::time::timeout(self.0.request_timeout, self.0.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) => Err(not_applied("the store is closed")),
            Err(_) => Err(not_applied("too many requests wait for the database")),
        }
    }
}

/// Refuses a database of several datacenters of which none was chosen: each would decide conditions by itself.
fn one_datacenter(session: &Session, options: &CqlOptions) -> Result<(), SchemaProblem> {
    let state = session.get_cluster_state();
    let of_node = state.get_nodes_info().iter().filter_map(|node| node.datacenter.clone());
    let names: std::collections::BTreeSet<String> = of_node.collect();
    if options.datacenter.is_none() && names.len() > 1 {
        return Err(SchemaProblem::Datacenters { names: names.into_iter().collect() });
    }
    Ok(())
}

impl Store for CqlStore {
    async fn identity(&self, proposed: StoreIdentity) -> Result<StoreIdentity, StoreError> {
        self.make_identity(proposed).await
    }

    async fn put_facts(&self, rows: Vec<Put>) -> Result<(), StoreError> {
        self.write_rows(&rows).await
    }

    async fn get(&self, key: &RowKey) -> Result<Option<Row>, StoreError> {
        self.read_row(key).await
    }

    async fn get_many(&self, keys: &[RowKey]) -> Result<Vec<Option<Row>>, StoreError> {
        self.read_rows(keys).await
    }

    async fn scan(&self, table: Table, pk: &[u8], range: ScanRange) -> Result<Page, StoreError> {
        self.scan_rows(table, pk, &range).await
    }

    async fn commit(&self, lease: &mut Lease, ts_us: i64, record: Vec<u8>, facts: Vec<Put>) -> Result<Position, Fence> {
        let position = self.append(lease, ts_us, &record, &facts).await?;
        lease.position = position;
        lease.last_ts_us = ts_us;
        Ok(position)
    }

    async fn settle(&self, lease: &Lease, upto: Position, rows: Vec<Put>) -> Result<(), Fence> {
        self.settle_rows(lease, upto, &rows).await
    }

    async fn replay(&self, shard: u16, after: Position, limit: usize) -> Result<Vec<JournalRecord>, StoreError> {
        self.replay_records(shard, after, limit).await
    }

    async fn acquire(&self, shard: u16, owner: Owner, expect: Option<u64>) -> Result<Lease, Fence> {
        self.take_lease(shard, owner, expect).await
    }

    async fn beat(&self, owner: Owner, number: u64) -> Result<(), StoreError> {
        self.write_beat(owner, number).await
    }

    async fn members(&self) -> Result<(u64, Vec<Member>), StoreError> {
        let membership = self.read_members().await?;
        Ok((membership.version, membership.members))
    }

    async fn change_member(&self, expect_version: u64, member: Member) -> Result<bool, StoreError> {
        self.write_member(expect_version, member).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.0.turns.close();
        // Its thread ends with it; whoever comes later is told that the store is closed.
        drop(self.0.driver.lock().unwrap_or_else(PoisonError::into_inner).take());
        Ok(())
    }
}
