//! The sandbox: a Meta-shaped server on loopback, for trying and testing without an account.
//!
//! It speaks the WhatsApp Cloud API, plays the customers, and posts signed webhooks to the front
//! door. A line of its ledger precedes every answer, so the ledger is the truth about what was
//! accepted; what it still owes when it starts, it sends. Customers live in business time, the
//! network in machine time. It runs on a thread of its own, and a stop is as good as a kill.

mod chance;
mod check;
mod control;
mod customers;
mod faults;
mod graph_error;
mod inbound;
mod ledger;
mod messages;
mod options;
mod owed;
mod poster;
mod server;
#[cfg(test)]
mod tests;
mod webhook_body;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use self::chance::Chance;
use self::faults::Faults;
pub use self::faults::{Fault, FaultPlan, FaultRate, NextFault, ReceiptFaults};
use self::ledger::Ledger;
pub use self::ledger::{
    InboundLine, LedgerQuery, LedgerReader, LedgerSummary, Line, Outcome, Owe, PostedLine, RecipientCount, SendLine,
    What,
};
pub use self::options::{ArrivalOptions, ReceiptOptions, ReplyOptions, SandboxNumber, SandboxOptions, WebhookOptions};
use self::owed::Owed;
use self::poster::FrontDoor;
use super::http::{BaseUrl, BaseUrlError};
use crate::clock::Surroundings;

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It has no accounts to protect it, so it listens on loopback only.
    #[error("the sandbox listens on loopback only")]
    NotLoopback,
    /// The address is taken or not there.
    #[error("cannot listen: {0}")]
    Listen(#[source] io::Error),
    /// The ledger cannot be opened or read, or another sandbox holds it.
    #[error("cannot open the ledger: {0}")]
    Ledger(#[source] io::Error),
    /// The webhook URL is none.
    #[error("the webhook URL is wrong: {0}")]
    WebhookUrl(#[from] BaseUrlError),
    /// The machine gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
}

/// What all parts of a sandbox share.
struct State {
    options: SandboxOptions,
    surroundings: Surroundings,
    addr: SocketAddr,
    front_door: Option<FrontDoor>,
    ledger: Ledger,
    reader: LedgerReader,
    owed: Owed,
    faults: Faults,
    chance: Chance,
}

impl State {
    fn knows(&self, phone_number_id: &str) -> bool {
        let numbers = &self.options.numbers;
        numbers.is_empty() || numbers.iter().any(|number| number.phone_number_id == phone_number_id)
    }
}

/// The sandbox's start.
pub struct Sandbox;

impl Sandbox {
    /// Opens the ledger, listens, and serves on a thread of its own. It answers when this returns.
    ///
    /// # Errors
    /// [`SandboxError`] says what stands in the way.
    pub fn start(options: SandboxOptions, surroundings: Surroundings) -> Result<SandboxHandle, SandboxError> {
        if !options.listen.ip().is_loopback() {
            return Err(SandboxError::NotLoopback);
        }
        let front_door = match &options.webhook.url {
            Some(url) => Some(FrontDoor::new(BaseUrl::parse(url)?, options.webhook.in_flight_max.max(1))),
            None => None,
        };
        let (ledger, left) = Ledger::open(&options.folder, options.ledger_sync, options.ledger_bytes_max)
            .map_err(SandboxError::Ledger)?;
        let listener = std::net::TcpListener::bind(options.listen).map_err(SandboxError::Listen)?;
        listener.set_nonblocking(true).map_err(SandboxError::Listen)?;
        let addr = listener.local_addr().map_err(SandboxError::Listen)?;
        let owed = Owed::new(options.owed_max);
        for (line, indexes) in left {
            owed.owe(line, indexes);
        }
        let reader = LedgerReader::new(&options.folder);
        let chance = Chance::new(options.seed, &*surroundings.ids);
        let faults = Faults::none();
        let state = Arc::new(State { options, surroundings, addr, front_door, ledger, reader, owed, faults, chance });
        let (stop, stopped) = watch::channel(false);
        let (ending, ended) = watch::channel(());
        let shared = Arc::clone(&state);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(SandboxError::Thread)?;
        let run = move || {
            runtime.block_on(run(shared, listener, stopped));
            // Tasks end where they stand; a write to the ledger that has begun ends first.
            runtime.shutdown_timeout(Duration::from_secs(5));
            drop(ending);
        };
        std::thread::Builder::new().name("sandbox".to_owned()).spawn(run).map_err(SandboxError::Thread)?;
        Ok(SandboxHandle { state, stop, ended })
    }
}

async fn run(state: Arc<State>, listener: std::net::TcpListener, mut stopped: watch::Receiver<bool>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the sandbox cannot listen"),
    };
    let post = async {
        if state.front_door.is_none() {
            std::future::pending::<()>().await;
        }
        poster::post_all(Arc::clone(&state)).await;
    };
    tokio::select! {
        // Whoever drops the handle stops it too.
        _ = stopped.wait_for(|stopped| *stopped) => {}
        () = server::serve(Arc::clone(&state), listener) => {}
        () = post => {}
        () = inbound::write_by_themselves(Arc::clone(&state)) => {}
        () = state.ledger.write_all() => {}
    }
}

/// A running sandbox; it stops when this is dropped.
pub struct SandboxHandle {
    state: Arc<State>,
    stop: watch::Sender<bool>,
    ended: watch::Receiver<()>,
}

impl SandboxHandle {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.state.addr
    }

    /// The base URL of accounts that it plays.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v25.0", self.state.addr)
    }

    /// Reads its ledger.
    #[must_use]
    pub fn ledger(&self) -> LedgerReader {
        self.state.reader.clone()
    }

    /// Replaces the faults on order; false if there are too many.
    #[must_use]
    pub fn order(&self, plan: FaultPlan) -> bool {
        self.state.faults.order(plan)
    }

    /// Webhook items that wait or are in flight.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.state.owed.len()
    }

    /// No send is being decided, and no webhook item is in flight or due now.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.state.owed.is_quiet(self.state.surroundings.clock.now())
    }

    /// Returns when it has ended, which without a stop it does only if its ledger cannot be written.
    pub async fn ended(&mut self) {
        // The other side sends nothing: it is dropped at the end.
        while self.ended.changed().await.is_ok() {}
    }

    /// Stops it at once, as a kill would, and waits until the ledger is free for the next one.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        self.ended().await;
    }
}
