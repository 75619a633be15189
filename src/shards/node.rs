//! What all shards of this process share: the store, the clock, the keys, the bounds, and its end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::strain::{Strain, Strains};
use crate::clock::Surroundings;
use crate::domain::ids::Keyring;
use crate::domain::rules::Rules;
use crate::store::{AnyStore, Owner as Incarnation, Store as _};

/// Bounds and pauses of the shards of one process.
#[derive(Clone, Debug)]
pub struct ShardOptions {
    /// How many shards there are: fixed when the store was created.
    pub shards: u16,
    /// How often state rows are written.
    pub settle_interval: Duration,
    /// How many bytes of state rows may wait before they are written.
    pub settle_bytes: usize,
    /// How long an entity that nobody asks keeps its actor.
    pub sleep_after: Duration,
    /// How long an entity that nobody asks stays in memory.
    pub idle: Duration,
    /// How often idle ones are looked for, in business time.
    pub sweep_interval: Duration,
    /// How many entities of one shard may stay in memory.
    pub resident_max_per_shard: usize,
    /// How much may wait for one entity.
    pub mailbox_max: u32,
    /// How much may wait for one shard.
    pub shard_mailbox_max: usize,
    /// How long an asker waits for an answer, in machine time.
    pub answer_deadline: Duration,
    /// The figures that the entities decide by.
    pub rules: Rules,
}

impl Default for ShardOptions {
    fn default() -> Self {
        Self {
            shards: 16,
            settle_interval: Duration::from_secs(5),
            settle_bytes: 8 * 1024 * 1024,
            sleep_after: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            sweep_interval: Duration::from_secs(10),
            resident_max_per_shard: 200_000 / 16,
            mailbox_max: 64,
            shard_mailbox_max: 4_096,
            answer_deadline: Duration::from_secs(10),
            rules: Rules::default(),
        }
    }
}

/// What the shards of one process share.
pub struct Node {
    /// Remembers.
    pub store: AnyStore,
    /// Time and ids.
    pub surroundings: Surroundings,
    /// Natural keys become ids under this.
    pub keys: Keyring,
    /// Bounds.
    pub options: ShardOptions,
    /// This process, to the store's leases.
    pub incarnation: Incarnation,
    failed: watch::Sender<Option<String>>,
    /// Whether a broadcast ever ran: without one no conversation looks for any.
    broadcasting: AtomicBool,
    strains: Strains,
}

impl Node {
    /// A process's shared part.
    #[must_use]
    pub fn new(
        store: AnyStore,
        surroundings: Surroundings,
        keys: Keyring,
        options: ShardOptions,
        incarnation: Incarnation,
    ) -> Self {
        let (failed, broadcasting) = (watch::Sender::new(None), AtomicBool::new(false));
        let strains = Strains::of(options.shards);
        Self { store, surroundings, keys, options, incarnation, failed, broadcasting, strains }
    }

    /// Something happened that this process must not survive: its memory or its lease is not to be trusted.
    pub fn fail(&self, why: String) {
        tracing::error!(%why, "this process cannot go on");
        self.fail_unlogged(why);
    }

    /// The same without a log line, for a thread that is ending: there, logging would end the process at once, and
    /// not with the code that says to start it again.
    pub fn fail_unlogged(&self, why: String) {
        self.failed.send_if_modified(|failed| {
            let first = failed.is_none();
            if first {
                *failed = Some(why);
            }
            first
        });
    }

    /// Whether the store answers a read in this time.
    pub async fn store_answers(&self, within: Duration) -> bool {
        matches!(tokio::time::timeout(within, self.store.members()).await, Ok(Ok(_)))
    }

    /// Brings the store's own figures into the metrics.
    pub fn measure_store(&self) {
        self.store.measure();
    }

    /// Who waits for the store, all shards together.
    #[must_use]
    pub fn strain(&self) -> Strain {
        self.strains.worst()
    }

    /// The strain of each shard.
    pub(super) const fn strains(&self) -> &Strains {
        &self.strains
    }

    /// A broadcast runs, or ran once: conversations look for theirs from now on.
    pub fn expect_broadcasts(&self) {
        self.broadcasting.store(true, Ordering::Release);
    }

    /// Whether a broadcast ever ran.
    #[must_use]
    pub fn may_have_broadcasts(&self) -> bool {
        self.broadcasting.load(Ordering::Acquire)
    }

    /// Hears why this process cannot go on.
    #[must_use]
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.failed.subscribe()
    }
}
