//! A session with the database: who it is, how sure each request is, and a thread of its own for the driver.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use scylla::client::execution_profile::{ExecutionProfile, ExecutionProfileHandle};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::client::{Compression, PoolSize, WriteCoalescingDelay};
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::retry::{DefaultRetryPolicy, FallthroughRetryPolicy};
use scylla::statement::Consistency;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::statements::DECIDED;
use super::tls;
use crate::domain::secret::Secret;
use crate::store::StoreError;

/// A connection that says nothing for so long is asked, and given up after as long again: a server that is stopped
/// stalls its requests for 2 s instead of 8 to 12.
const KEEPALIVE: Duration = Duration::from_secs(1);

/// Which database, and how to reach it.
#[derive(Clone)]
pub struct CqlOptions {
    /// `host:port` of some of its nodes; the driver finds the others.
    pub nodes: Vec<String>,
    /// The keyspace of rows; the one of conditions has `_meta` at its end. Letters, digits and `_`.
    pub keyspace: String,
    /// The datacenter whose nodes are asked, and whose quorum counts; none where there is one.
    pub datacenter: Option<String>,
    /// Copies of each row, for keyspaces that are made here.
    pub replication_factor: u16,
    /// Who we are, where the database asks.
    pub login: Option<(String, Secret<String>)>,
    /// Whether connections are encrypted.
    pub tls: bool,
    /// Certificates (PEM) that are trusted instead of the public ones.
    pub authorities: Option<PathBuf>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// How long an append may take, all its attempts together, before its outcome is called unknown.
    pub commit_deadline: Duration,
    /// Requests under way at once, appends not among them.
    pub requests_max: usize,
}

impl CqlOptions {
    /// One node without login or encryption, and one copy of each row: for tests and trials, with patience for a busy
    /// machine.
    #[must_use]
    pub fn of_node(node: &str, keyspace: &str) -> Self {
        Self {
            nodes: vec![node.to_owned()],
            keyspace: keyspace.to_owned(),
            datacenter: None,
            replication_factor: 1,
            login: None,
            tls: false,
            authorities: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            commit_deadline: Duration::from_secs(20),
            requests_max: 256,
        }
    }
}

/// The driver's own thread, and what ends it.
pub(super) struct Driver {
    handle: Handle,
    ends: Option<oneshot::Sender<()>>,
}

impl Driver {
    /// Starts the thread.
    pub(super) fn start() -> Result<Self, StoreError> {
        let failed =
            |error: std::io::Error| StoreError::NotApplied(format!("the driver's thread cannot start: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (ends, ended) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name("cql".into())
            .spawn(move || {
                // An end that was dropped is an end as well.
                let _ = runtime.block_on(ended);
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        Ok(Self { handle, ends: Some(ends) })
    }

    /// Makes a session whose connections live on this thread.
    pub(super) async fn connect(&self, options: &CqlOptions) -> Result<Session, StoreError> {
        let builder = builder(options)?;
        let nodes = options.nodes.join(", ");
        let built = self.handle.spawn(async move { builder.build().await }).await;
        match built {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(error)) => Err(StoreError::NotApplied(format!("no database answers at {nodes}: {error}"))),
            Err(_) => Err(StoreError::NotApplied("the driver has been closed".into())),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(ends) = self.ends.take() {
            // It has ended already.
            let _ = ends.send(());
        }
    }
}

/// The profile of conditional writes: never repeated by the driver, which cannot know whether it would be a second one.
pub(super) fn conditions(options: &CqlOptions) -> ExecutionProfileHandle {
    ExecutionProfile::builder()
        .consistency(Consistency::LocalQuorum)
        .serial_consistency(Some(DECIDED))
        .request_timeout(Some(options.request_timeout))
        .retry_policy(Arc::new(FallthroughRetryPolicy::new()))
        .load_balancing_policy(balancing(options))
        .build()
        .into_handle()
}

fn builder(options: &CqlOptions) -> Result<SessionBuilder, StoreError> {
    let rows = ExecutionProfile::builder()
        .consistency(Consistency::LocalQuorum)
        .serial_consistency(Some(DECIDED))
        .request_timeout(Some(options.request_timeout))
        .retry_policy(Arc::new(DefaultRetryPolicy::new()))
        .load_balancing_policy(balancing(options))
        .build();
    let mut builder = SessionBuilder::new()
        .known_nodes(&options.nodes)
        .default_execution_profile_handle(rows.into_handle())
        // ScyllaDB has a connection a core; Cassandra counts as one core.
        .pool_size(PoolSize::PerShard(NonZeroUsize::MIN))
        .compression(Some(Compression::Lz4))
        .write_coalescing(true)
        .write_coalescing_delay(WriteCoalescingDelay::SmallNondeterministic)
        .keyspaces_to_fetch([options.keyspace.clone(), meta_keyspace(options)])
        .keepalive_interval(KEEPALIVE)
        .keepalive_timeout(KEEPALIVE)
        .connection_timeout(options.connect_timeout);
    if let Some((user, password)) = &options.login {
        builder = builder.user(user, password.expose());
    }
    if options.tls {
        builder = builder.tls_context(Some(tls::context(options.authorities.as_deref())?));
    }
    Ok(builder)
}

fn balancing(options: &CqlOptions) -> Arc<dyn scylla::policies::load_balancing::LoadBalancingPolicy> {
    let mut policy = DefaultPolicy::builder().token_aware(true).permit_dc_failover(false);
    if let Some(datacenter) = &options.datacenter {
        policy = policy.prefer_datacenter(datacenter.clone());
    }
    policy.build()
}

/// The keyspace of whatever is written on a condition.
pub(super) fn meta_keyspace(options: &CqlOptions) -> String {
    format!("{}_meta", options.keyspace)
}
