//! Wiring, and the ordered start and stop. Alone names a concrete engine and provider.
//!
//! Start: store, HTTP workers (their routes answer 503), shards on the workers' arbiters, workspaces
//! in memory, then the routes open. Stop: routes answer 503, sockets are sent away, numbers finish their
//! calls, shards finish and settle, and last of all the HTTP server ends, because its threads carry everything.

mod arbiters;
mod database;
mod demo;
mod descriptors;
mod effects;
mod entries;
mod lines;
mod progress;
mod run;
mod sandbox;
mod seed;
mod settings;
mod tokens;
mod told;
mod verify;

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::web;
use actix_web::{App, HttpServer};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::task::JoinHandle;

use crate::broadcasts::Broadcasts;
use crate::clock::{Surroundings, WallClock};
use crate::config::Config;
use crate::contacts::Contacts;
use crate::conversations::Conversations;
use crate::conversations::inbox::Inbox;
use crate::domain::ids::Keyring;
use crate::http::{self, Edge, EdgeParts, OperatorToken};
use crate::ingress::{Ingress, Sweep};
use crate::numbers::Numbers;
use crate::push::{self, Hub, HubHandle};
use crate::shards::{Hooks, HooksFactory, Node, Shards};
use crate::store::{AnyStore, Owner, Store, StoreIdentity};
use crate::workspaces::Workspaces;

use self::arbiters::Arbiters;
use self::effects::Effects;
use self::lines::Lines;
use self::told::Told;

pub use self::run::run;
pub use self::sandbox::start_sandbox;
pub use self::seed::{Seeded, seed};
pub use self::tokens::Tokens;

/// Why the process could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error("the store cannot be opened: {0}")]
    Store(#[from] crate::store::StoreError),
    /// The schema of its database.
    #[error("the store cannot be opened: {0}")]
    Schema(#[from] crate::store::SchemaProblem),
    /// A shard.
    #[error("a shard cannot be opened: {0}")]
    Shard(#[from] crate::store::Fence),
    /// The address.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The workers.
    #[error("the HTTP workers did not begin in time")]
    Workers,
    /// What the store holds cannot be read.
    #[error("what the store holds cannot be read: {0}")]
    Load(#[from] crate::shards::CommandError),
    /// The folder of tokens, or the sandbox's.
    #[error("{0}: {1}")]
    Files(&'static str, std::io::Error),
    /// The sandbox.
    #[error("the sandbox cannot start: {0}")]
    Sandbox(#[from] crate::providers::sandbox::SandboxError),
    /// Time may not be moved where it is somebody's.
    #[error("`--clock manual` is for the sandbox's accounts, and this store holds others")]
    RealAccounts,
    /// The metrics.
    #[error("the metrics cannot be kept: {0}")]
    Metrics(String),
}

/// What a server is started with.
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// Time and ids.
    pub surroundings: Surroundings,
    /// The store.
    pub store: AnyStore,
    /// The operator's token.
    pub operator_token: String,
    /// The clock that may be moved, where the process was started so.
    pub manual_clock: Option<Arc<WallClock>>,
    /// The process's metrics.
    pub metrics: Option<PrometheusHandle>,
    /// Whether what happens is told in masked lines.
    pub tell: bool,
}

/// A server that has started.
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What its routes share.
    pub edge: Arc<Edge>,
    lines: Option<tokio::sync::mpsc::Receiver<String>>,
    arbiters: Arc<Arbiters>,
    store: AnyStore,
    http: actix_web::dev::ServerHandle,
    serving: JoinHandle<std::io::Result<()>>,
    sweeping: JoinHandle<()>,
}

/// Starts a server. It must be called within an actix system, which carries nothing but the server's acceptor.
///
/// # Errors
/// What stood in the way; nothing is left running.
pub async fn start(parts: Parts) -> Result<Running, StartError> {
    let Parts { config, surroundings, store, operator_token, manual_clock, metrics, tell } = parts;
    let mut key = [0; 16];
    surroundings.ids.fill(&mut key);
    let identity = store.identity(StoreIdentity { shards: config.store.shards, key }).await?;
    let keys = Keyring::new(identity.key);
    // It rises with every start, and two starts of one millisecond are two.
    let mut chance = [0; 2];
    surroundings.ids.fill(&mut chance);
    let started_ms = u64::try_from(surroundings.clock.now().millis()).unwrap_or(0);
    let incarnation = Owner {
        node: keys.hash(b"node", &[b"alone"]),
        incarnation: (started_ms << 16) | u64::from(u16::from_be_bytes(chance)),
    };
    let options = settings::shard_options(&config, identity.shards);
    let shards = Shards::new(Node::new(store.clone(), surroundings.clone(), keys, options, incarnation));
    let workers = settings::workers(&config);
    let workspaces = Workspaces::new(Arc::clone(&shards));
    let numbers = Numbers::new(Arc::clone(&shards), Arc::clone(&workspaces), settings::numbers(&config));
    let inbox = Arc::new(Inbox::new(workers));
    let hub = HubHandle::new();
    let ingress = Ingress::new(
        Arc::clone(&shards),
        Arc::clone(&workspaces),
        Arc::clone(&numbers),
        config.server.webhook_items_in_flight_max,
    );
    let contacts = Contacts::new(Arc::clone(&shards), Arc::clone(&workspaces));
    let conversations = Conversations::new(
        Arc::clone(&shards),
        Arc::clone(&workspaces),
        Arc::clone(&inbox),
        settings::switches(&config),
    );
    let broadcasts = Broadcasts::new(Arc::clone(&shards), Arc::clone(&workspaces), Arc::clone(&numbers));
    progress::tell(&broadcasts, hub.clone());
    let (addr, listener) = bind(config.server.listen)?;
    let edge = Edge::new(EdgeParts {
        shards: Arc::clone(&shards),
        workspaces: Arc::clone(&workspaces),
        numbers: Arc::clone(&numbers),
        ingress: Arc::clone(&ingress),
        contacts: Arc::clone(&contacts),
        conversations: Arc::clone(&conversations),
        broadcasts: Arc::clone(&broadcasts),
        hub: hub.clone(),
        operator: OperatorToken::of(&operator_token),
        settings: settings::edge(&config, addr),
        manual_clock,
        metrics,
    });
    let arbiters = Arbiters::new(Arc::clone(&shards));
    let server = serve(listener, &config, workers, &edge, &arbiters)?;
    let http = server.handle();
    let serving = tokio::spawn(server);
    let begun = arbiters.all(workers).await.ok_or(StartError::Workers)?;

    let (lines, shown) = if tell { Some(Lines::new()).unzip() } else { (None, None) };
    let hooks: HooksFactory = {
        let (workspaces, numbers, contacts) = (Arc::clone(&workspaces), Arc::clone(&numbers), Arc::clone(&contacts));
        let broadcasts = Arc::clone(&broadcasts);
        Arc::new(move |shards| Hooks {
            subscriber: Told::new(
                Arc::clone(&inbox),
                Arc::clone(&workspaces),
                Arc::clone(&broadcasts),
                hub.clone(),
                lines.clone(),
            ),
            effects: Rc::new(Effects {
                shards: Arc::clone(shards),
                numbers: Arc::clone(&numbers),
                contacts: Arc::clone(&contacts),
                broadcasts: Arc::clone(&broadcasts),
            }),
        })
    };
    let opened = shards.open(&begun, &hooks).await;
    let loaded = match opened {
        Ok(()) => workspaces.load().await.map_err(StartError::from),
        Err(fence) => Err(fence.into()),
    };
    if let Err(error) = loaded {
        arbiters.expect_the_end();
        http.stop(false).await;
        return Err(error);
    }
    if edge.manual_clock.is_some() && workspaces.ids().into_iter().any(|id| holds_real_accounts(&edge, id)) {
        arbiters.expect_the_end();
        http.stop(false).await;
        return Err(StartError::RealAccounts);
    }
    if let Err(error) = broadcasts.load().await {
        arbiters.expect_the_end();
        http.stop(false).await;
        return Err(error.into());
    }
    let sweeping = tokio::spawn(Sweep::new(ingress).run());
    edge.set_ready(true);
    Ok(Running { addr, edge, lines: shown, arbiters, store, http, serving, sweeping })
}

fn holds_real_accounts(edge: &Edge, workspace: crate::domain::ids::WorkspaceId) -> bool {
    workspace != Seeded::ids(edge.keys()).workspace
        && edge.workspaces.find(workspace).is_some_and(|state| !state.accounts.is_empty())
}

fn bind(address: SocketAddr) -> Result<(SocketAddr, TcpListener), StartError> {
    let failed = |error| StartError::Listen(address, error);
    let listener = TcpListener::bind(address).map_err(failed)?;
    Ok((listener.local_addr().map_err(failed)?, listener))
}

fn serve(
    listener: TcpListener,
    config: &Config,
    workers: usize,
    edge: &Arc<Edge>,
    arbiters: &Arc<Arbiters>,
) -> Result<actix_web::dev::Server, StartError> {
    let (edge, arbiters) = (web::Data::from(Arc::clone(edge)), Arc::clone(arbiters));
    let push_settings = settings::push(config);
    let server = HttpServer::new(move || {
        arbiters.report();
        let ports = http::ports(&edge);
        let clock = Arc::clone(&edge.shards.node().surroundings.clock);
        let hub = Hub::start(&edge.hub, ports, push_settings.clone(), clock);
        App::new()
            .app_data(edge.clone())
            .app_data(web::Data::new(hub))
            .wrap(from_fn(http::when_ready))
            .configure(http::routes)
    })
    .workers(workers)
    .disable_signals()
    .keep_alive(config.server.keep_alive)
    .client_request_timeout(config.server.head_timeout)
    .max_connections((config.server.connections_max / workers).max(1))
    .on_connect(push::configure_socket)
    .listen(listener)
    .map_err(|error| StartError::Listen(config.server.listen, error))?
    .run();
    Ok(server)
}

impl Running {
    /// Hears why this process cannot go on.
    #[must_use]
    pub fn failed(&self) -> tokio::sync::watch::Receiver<Option<String>> {
        self.edge.shards.node().failed()
    }

    /// This process ends with its threads still at work: their end is nobody's failure.
    fn expect_the_end(&self) {
        self.arbiters.expect_the_end();
    }

    /// The masked lines of what happens, once.
    pub fn take_lines(&mut self) -> Option<tokio::sync::mpsc::Receiver<String>> {
        self.lines.take()
    }

    /// Ends the server without finishing anything, as far as one process can: its threads end where they stand. For
    /// tests; a real kill needs a process of its own.
    pub async fn abandon(self) {
        self.edge.set_ready(false);
        self.sweeping.abort();
        self.arbiters.expect_the_end();
        self.http.stop(false).await;
        // It ends with its handle; what it says then is of no use to anyone.
        let _ = self.serving.await;
    }

    /// Stops in order: what was taken is finished or refused. Answers whether everything was finished within
    /// the deadline.
    pub async fn stop(self, deadline: Duration) -> bool {
        let end = tokio::time::Instant::now() + deadline;
        let left = || end.saturating_duration_since(tokio::time::Instant::now());
        // Also where a second signal cuts this short: what ends then was told to.
        self.arbiters.expect_the_end();
        self.edge.set_ready(false);
        self.edge.hub.go_away();
        self.sweeping.abort();
        let numbers = self.edge.numbers.drain(left()).await;
        let shards = self.edge.shards.close(left()).await;
        self.http.stop(false).await;
        // It ends with its handle; what it says then is of no use to anyone.
        let _ = self.serving.await;
        let closed = self.store.close().await.is_ok();
        numbers && shards && closed
    }
}
