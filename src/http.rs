//! The edge: webhooks in, the REST API, the agents' socket, health and metrics.
//!
//! Nothing here decides. A request becomes a command or a reading of a feature; what stands in the way
//! becomes a problem body.

mod auth;
mod body;
mod clock;
mod entry;
mod etag;
mod feed;
mod gate;
mod health;
mod idempotency;
mod json;
mod openapi;
mod paging;
mod ports;
pub mod problem;
mod rest;
mod socket;
mod typing;
mod waiting;
mod webhooks;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::web;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::actors::Waiting;
use crate::broadcasts::Broadcasts;
use crate::clock::WallClock;
use crate::contacts::Contacts;
use crate::conversations::Conversations;
use crate::domain::ids::Keyring;
use crate::domain::time::Timestamp;
use crate::ingress::Ingress;
use crate::numbers::Numbers;
use crate::push::HubHandle;
use crate::shards::Shards;
use crate::workspaces::Workspaces;

pub use auth::{Asker, Operator, OperatorToken};
pub use entry::entry_of;
pub use ports::ports;
pub use problem::Problem;
pub use waiting::waiting;

/// The bounds of the edge.
#[derive(Clone, Debug)]
pub struct EdgeSettings {
    /// The largest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// The bytes of all webhook bodies that wait for their commit.
    pub webhook_bytes_in_flight_max: usize,
    /// How the outside reaches this server, without a slash at its end.
    pub public_url: String,
    /// Agents' sockets on this node.
    pub sessions_max: usize,
}

/// What every worker's routes share: its parts, and whether the routes are open.
pub struct Edge {
    parts: EdgeParts,
    webhook_bytes: Waiting,
    ready: AtomicBool,
}

impl Deref for Edge {
    type Target = EdgeParts;

    fn deref(&self) -> &EdgeParts {
        &self.parts
    }
}

/// What an edge is made of.
pub struct EdgeParts {
    /// The shards.
    pub shards: Arc<Shards>,
    /// Every workspace as committed.
    pub workspaces: Arc<Workspaces>,
    /// Every number.
    pub numbers: Arc<Numbers>,
    /// What takes deliveries.
    pub ingress: Arc<Ingress>,
    /// Contacts.
    pub contacts: Arc<Contacts>,
    /// Conversations.
    pub conversations: Arc<Conversations>,
    /// Broadcasts.
    pub broadcasts: Arc<Broadcasts>,
    /// The way to the sockets.
    pub hub: HubHandle,
    /// The operator's token, by its digest.
    pub operator: OperatorToken,
    /// The bounds.
    pub settings: EdgeSettings,
    /// The clock that may be moved, where the process was started so.
    pub manual_clock: Option<Arc<WallClock>>,
    /// The process's metrics, where this is the server that shows them.
    pub metrics: Option<PrometheusHandle>,
}

impl Edge {
    /// An edge that answers 503 until it is opened.
    #[must_use]
    pub fn new(parts: EdgeParts) -> Arc<Self> {
        let webhook_bytes = Waiting::at_most(parts.settings.webhook_bytes_in_flight_max);
        Arc::new(Self { parts, webhook_bytes, ready: AtomicBool::new(false) })
    }

    /// Opens or closes the routes; closed ones answer 503, except for health and metrics.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// Whether the routes are open.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shards.node().surroundings.clock.now()
    }

    /// The secret under which natural keys become ids.
    #[must_use]
    pub fn keys(&self) -> &Keyring {
        &self.shards.node().keys
    }

    /// A fresh id: 48 bits of time and 80 of chance.
    #[must_use]
    pub fn fresh_id(&self) -> u128 {
        self.shards.node().surroundings.ids.ulid(self.now())
    }
}

/// Adds every route to a worker's application.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .configure(health::routes)
        .configure(webhooks::routes)
        .configure(clock::routes)
        .configure(socket::routes)
        .configure(openapi::routes)
        .configure(rest::routes);
    config.default_service(web::to(|| async { Problem::not_found("route").into_response() }));
}

pub use gate::when_ready;
