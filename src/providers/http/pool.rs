//! The connections to one authority: at most a cap, the most recently used first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::base_url::BaseUrl;
use super::connect::{Connection, connect};
use super::{HttpOptions, NotSentReason};

/// One authority's connections. Idle ones and leased ones together never exceed the cap.
pub(super) struct Pool {
    idle: Mutex<VecDeque<(Instant, Connection)>>,
    permits: Arc<Semaphore>,
    idle_max: Duration,
    connect_deadline: Duration,
}

/// A connection in use; dropped without [`Pool::give_back`], it is closed.
pub(super) struct Lease {
    pub(super) connection: Connection,
    /// It has carried a call before, so the other side may have closed it meanwhile.
    pub(super) reused: bool,
    permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(options: &HttpOptions) -> Self {
        Self {
            idle: Mutex::new(VecDeque::new()),
            permits: Arc::new(Semaphore::new(options.connections_max)),
            idle_max: Duration::from_millis(options.idle_max_ms),
            connect_deadline: Duration::from_millis(options.connect_deadline_ms),
        }
    }

    /// An open connection: an idle one, else (or when `fresh`) a new one; waits while the cap is reached.
    pub(super) async fn lease(&self, url: &BaseUrl, tls: &TlsConnector, fresh: bool) -> Result<Lease, NotSentReason> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| NotSentReason::NoneFree)?;
        let idle = self.take_idle();
        if !fresh && let Some(connection) = idle {
            return Ok(Lease { connection, reused: true, permit });
        }
        // Rare, and large: a call that finds a connection does not carry it along.
        let connection = Box::pin(connect(url, tls, self.connect_deadline)).await?;
        Ok(Lease { connection, reused: false, permit })
    }

    /// Returns a connection whose call was answered in full.
    pub(super) fn give_back(&self, lease: Lease) {
        let Lease { connection, permit, .. } = lease;
        if !connection.sender.is_closed() {
            self.locked().push_back((Instant::now(), connection));
        }
        // Only now: who waits for the permit shall find the connection.
        drop(permit);
    }

    fn take_idle(&self) -> Option<Connection> {
        let now = Instant::now();
        let mut idle = self.locked();
        while idle.front().is_some_and(|(since, _)| now.duration_since(*since) > self.idle_max) {
            idle.pop_front();
        }
        while let Some((_, connection)) = idle.pop_back() {
            if !connection.sender.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, VecDeque<(Instant, Connection)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
