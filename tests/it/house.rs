//! A whole server in the test's process: its clock and store in the test's hand, the sandbox beside it.

pub(crate) mod contract;
pub(crate) mod database;
pub(crate) mod http;
pub(crate) mod listener;
pub(crate) mod replies;
pub(crate) mod socket;
pub(crate) mod threads;
pub(crate) mod whatsapp;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tidegate::app::{self, Parts, Running, Seeded, Tokens};
use tidegate::clock::{Clock, CountedIds, FrozenClock, Surroundings};
use tidegate::config::{Config, load};
use tidegate::domain::time::Timestamp;
use tidegate::providers::sandbox::SandboxHandle;
use tidegate::store::memory::{Faults, MemoryStore};
use tidegate::store::{AnyStore, CqlStore};

use self::database::Keyspaces;
use self::http::Answer;
use self::socket::AgentSocket;

/// 2026-11-25T09:00:00Z, when every story begins.
pub(crate) const MORNING: Timestamp = Timestamp(1_795_597_200_000);
/// How long a story waits for what must come soon.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server, its clock, its store and its provider.
pub(crate) struct House {
    pub(crate) running: Option<Running>,
    pub(crate) clock: Arc<FrozenClock>,
    pub(crate) store: AnyStore,
    pub(crate) sandbox: Option<SandboxHandle>,
    pub(crate) seeded: Seeded,
    pub(crate) config: Config,
    tokens: Tokens,
    surroundings: Surroundings,
    /// Where its rows are, if they are in the database.
    keyspaces: Option<Keyspaces>,
    /// Held so that it lasts as long as the house.
    _folder: tempfile::TempDir,
}

impl House {
    /// A seeded house in the morning.
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same with further settings, as `("numbers.pair_burst", "1")`.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        Self::built(settings, Keyspaces::chosen()).await
    }

    /// The same on a store in memory, whatever stories run on: it has faults on order.
    pub(crate) async fn in_memory(settings: &[(&str, &str)]) -> Self {
        Self::built(settings, None).await
    }

    async fn built(settings: &[(&str, &str)], keyspaces: Option<Keyspaces>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().display().to_string();
        let mut flags: Vec<(String, String)> = [
            ("server.listen", "127.0.0.1:0"),
            ("server.workers", "2"),
            ("sandbox.listen", "127.0.0.1:0"),
            ("sandbox.customers_per_minute", "0"),
            ("sandbox.latency", "0ms"),
            ("sandbox.reply_percent", "0"),
            ("sandbox.read_percent", "100"),
            ("seed.contacts", "3"),
            ("seed.agents", "2"),
            ("store.path", path.as_str()),
        ]
        .iter()
        .chain(settings)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
        flags.dedup();
        let config = load(None, &BTreeMap::new(), &flags).unwrap_or_else(|problems| panic!("{problems:?}"));
        let clock = Arc::new(FrozenClock::new(MORNING));
        let surroundings =
            Surroundings { clock: Arc::clone(&clock) as Arc<dyn Clock>, ids: Arc::new(CountedIds::from(1)) };
        let store = new_store(keyspaces.as_ref(), &surroundings).await;
        let mut tokens = Tokens::read(folder.path()).expect("tokens");
        let running = begin(&config, &surroundings, &store, &mut tokens).await;
        let seeded = Seeded::ids(&running.edge.shards.node().keys);
        let webhook_url = format!("http://{}{}", running.addr, seeded.webhook_path());
        let sandbox = app::start_sandbox(&config, surroundings.clone(), Some(webhook_url)).expect("the sandbox starts");
        app::seed(&running.edge.shards, &config, &sandbox.base_url(), &mut tokens).await.expect("the seed is taken");
        Self {
            running: Some(running),
            clock,
            store,
            sandbox: Some(sandbox),
            seeded,
            config,
            tokens,
            surroundings,
            keyspaces,
            _folder: folder,
        }
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().expect("the server runs")
    }

    /// Where the server listens.
    pub(crate) fn addr(&self) -> std::net::SocketAddr {
        self.running().addr
    }

    /// A seeded token: `ADMIN_TOKEN`, `AGENT1_TOKEN`, `OPERATOR_TOKEN`.
    pub(crate) fn token(&self, name: &str) -> &str {
        self.tokens.get(name).expect("it was seeded")
    }

    /// Moves business time.
    pub(crate) fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// `GET`, as the bearer of a token.
    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        http::call(self.addr(), "GET", path, &[("authorization", &format!("Bearer {token}"))], Vec::new()).await
    }

    /// `POST` of JSON, as the bearer of a token.
    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.call("POST", path, token, body).await
    }

    /// Any method with JSON, as the bearer of a token.
    pub(crate) async fn call(&self, method: &str, path: &str, token: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        http::call(self.addr(), method, path, &headers, body.to_string().into_bytes()).await
    }

    /// Pushes a signed WhatsApp delivery.
    pub(crate) async fn push(&self, delivery: &Value) -> Answer {
        self.push_bytes(delivery.to_string().into_bytes()).await
    }

    /// Pushes signed bytes as a WhatsApp delivery.
    pub(crate) async fn push_bytes(&self, body: Vec<u8>) -> Answer {
        let signature = whatsapp::signature(self.config.sandbox.app_secret.expose(), &body);
        let headers = [("x-hub-signature-256", signature.as_str()), ("content-type", "application/json")];
        http::call(self.addr(), "POST", &self.seeded.webhook_path(), &headers, body).await
    }

    /// An agent's socket that has identified.
    pub(crate) async fn agent(&self, token: &str) -> AgentSocket {
        AgentSocket::identified(self.addr(), token).await
    }

    /// Waits until nothing that was decided is unfinished, and writes every state row: a next start replays nothing.
    pub(crate) async fn settle(&self) {
        let shards = &self.running().edge.shards;
        eventually("every effect is answered", || async { (shards.census().await.open_effects == 0).then_some(()) })
            .await;
        shards.settle_all().await.expect("the rows are written");
    }

    /// Ends the process as a kill would, as far as one process can: nothing is finished, nothing is written any
    /// more, and what was committed is found by the next start.
    pub(crate) async fn crash(&mut self) {
        let running = self.running.take().expect("the server runs");
        if let AnyStore::Memory(store) = &self.store {
            store.faults().clear();
        }
        let in_memory = reopened_memory(&self.store);
        running.abandon().await;
        self.store = self.reopened(in_memory).await;
        let again = begin(&self.config, &self.surroundings, &self.store, &mut self.tokens).await;
        self.running = Some(again);
    }

    /// Stops the server in order and starts it again.
    pub(crate) async fn restart(&mut self) {
        let running = self.running.take().expect("the server runs");
        let in_memory = reopened_memory(&self.store);
        assert!(running.stop(PATIENCE).await, "everything was finished");
        self.store = self.reopened(in_memory).await;
        self.running = Some(begin(&self.config, &self.surroundings, &self.store, &mut self.tokens).await);
    }

    /// Orders faults of a store in memory.
    pub(crate) fn faults(&self) -> &Faults {
        match &self.store {
            AnyStore::Memory(store) => store.faults(),
            _ => panic!("only a house in memory has faults on order"),
        }
    }

    /// What the next process finds.
    async fn reopened(&self, in_memory: Option<MemoryStore>) -> AnyStore {
        match (in_memory, &self.keyspaces) {
            (Some(store), _) => store.into(),
            (None, Some(keyspaces)) => {
                let clock = Arc::clone(&self.surroundings.clock);
                CqlStore::open(&keyspaces.options(), clock).await.expect("the database answers").into()
            }
            (None, None) => panic!("a house is in memory or in the database"),
        }
    }

    /// Ends the sandbox as a kill would; what it owes stays in its ledger.
    pub(crate) async fn provider_goes(&mut self) -> std::net::SocketAddr {
        let sandbox = self.sandbox.take().expect("the sandbox runs");
        let addr = sandbox.addr();
        sandbox.stop().await;
        addr
    }

    /// Starts the sandbox again where it was.
    pub(crate) fn provider_comes(&mut self, addr: std::net::SocketAddr) {
        let mut config = self.config.clone();
        config.sandbox.listen = addr;
        let webhook_url = format!("http://{}{}", self.addr(), self.seeded.webhook_path());
        let sandbox = app::start_sandbox(&config, self.surroundings.clone(), Some(webhook_url));
        self.sandbox = Some(sandbox.expect("the sandbox starts"));
    }

    /// Stops the server in order.
    pub(crate) async fn stop(mut self) -> bool {
        match self.running.take() {
            Some(running) => running.stop(PATIENCE).await,
            None => true,
        }
    }
}

async fn new_store(keyspaces: Option<&Keyspaces>, surroundings: &Surroundings) -> AnyStore {
    let clock = Arc::clone(&surroundings.clock);
    let Some(options) = keyspaces.map(Keyspaces::options) else { return AnyStore::memory(clock) };
    CqlStore::migrate(&options, 1, clock.now()).await.expect("the tables are made");
    CqlStore::open(&options, clock).await.expect("the database answers").into()
}

/// What a next process finds, taken before the present one ends: it has its faults to itself.
fn reopened_memory(store: &AnyStore) -> Option<MemoryStore> {
    match store {
        AnyStore::Memory(store) => Some(store.reopened()),
        _ => None,
    }
}

async fn begin(config: &Config, surroundings: &Surroundings, store: &AnyStore, tokens: &mut Tokens) -> Running {
    let operator_token = tokens.operator(&*surroundings.ids).expect("a token");
    let parts = Parts {
        config: config.clone(),
        surroundings: surroundings.clone(),
        store: store.clone(),
        operator_token,
        manual_clock: None,
        metrics: None,
        tell: false,
    };
    app::start(parts).await.expect("the server starts")
}

/// Waits until `probe` gives something; what must come comes soon, or the story fails.
pub(crate) async fn eventually<T, F>(what: &str, probe: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    eventually_within(PATIENCE, what, probe).await
}

/// The same with a patience of its own.
pub(crate) async fn eventually_within<T, F>(within: Duration, what: &str, probe: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    eventually_or(within, probe, || what.to_owned()).await
}

/// The same, and where it never comes, `missed` says what was seen instead.
pub(crate) async fn eventually_or<T, F>(
    within: Duration,
    mut probe: impl FnMut() -> F,
    missed: impl Fn() -> String,
) -> T
where
    F: Future<Output = Option<T>>,
{
    let end = tokio::time::Instant::now() + within;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < end, "it never came: {}", missed());
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}
