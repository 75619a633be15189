//! `[server]`: the HTTP server and the bounds at the edge.

use std::net::SocketAddr;
use std::time::Duration;

use super::reader::SectionReader;
use super::setting::choices;
use super::units::Size;

/// Where business time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockMode {
    /// The machine's wall time.
    Wall,
    /// Wall time plus an offset that `POST /v1/clock` moves forward; only with the sandbox's accounts.
    Manual,
}

choices!(ClockMode { Wall = "wall", Manual = "manual" });

/// The HTTP server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How the outside reaches it; none means `http://` and the address it listens at.
    pub public_url: Option<String>,
    /// Worker threads, which are the shards' arbiters too; 0 is one a core.
    pub workers: usize,
    /// Business time.
    pub clock: ClockMode,
    /// How long an orderly stop may take before the process ends anyway.
    pub shutdown_deadline: Duration,
    /// How long a command may take before it is answered 503.
    pub command_deadline: Duration,
    /// How long a client may take to send its head.
    pub head_timeout: Duration,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// Connections at once, websockets included, over all workers.
    pub connections_max: usize,
    /// The largest body of a request.
    pub body_bytes_max: Size,
    /// Webhook bodies held before their commit, all together; past it webhooks are answered 503.
    pub webhook_bytes_in_flight_max: Size,
    /// Items of webhooks accepted and not yet taken by their actors.
    pub webhook_items_in_flight_max: usize,
}

impl Server {
    pub(super) fn read(mut keys: SectionReader<'_>) -> Self {
        Self {
            listen: keys.value("listen"),
            public_url: keys.url("public_url"),
            workers: keys.within("workers", 0..=256),
            clock: keys.value("clock"),
            shutdown_deadline: keys.within("shutdown_deadline", Duration::from_secs(1)..=Duration::from_secs(600)),
            command_deadline: keys.within("command_deadline", Duration::from_millis(100)..=Duration::from_secs(60)),
            head_timeout: keys.within("head_timeout", Duration::from_secs(1)..=Duration::from_secs(60)),
            keep_alive: keys.within("keep_alive", Duration::from_secs(1)..=Duration::from_secs(600)),
            connections_max: keys.within("connections_max", 16..=1_000_000),
            body_bytes_max: keys.within("body_bytes_max", Size::mib(3)..=Size::mib(64)),
            webhook_bytes_in_flight_max: keys.within("webhook_bytes_in_flight_max", Size::mib(4)..=Size::gib(4)),
            webhook_items_in_flight_max: keys.within("webhook_items_in_flight_max", 1_000..=1_000_000),
        }
    }
}
