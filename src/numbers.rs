//! One actor a channel account: its rate, its queue of replies, their claims and outcomes.
//!
//! A reply is claimed in the log before its first byte, and its outcome is a fact of its conversation.
//! What was claimed by a process that died, and has no outcome, is in doubt.

mod account;
mod actor;
mod block;
mod blocks;
mod bucket;
mod call;
mod dispatch;
mod growth;
mod late;
mod leave;
mod outcome;
mod permits;
mod queue;
mod withdrawn;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::oneshot;

use crate::actors::{Mailbox, Waiting};
use crate::domain::ids::{AccountId, AddressId, BroadcastId, ConversationId};
use crate::domain::message::{Channel, MessageRef};
use crate::domain::pace::PairRate;
use crate::domain::time::Timestamp;
use crate::domain::window::profiles::Switches;
use crate::providers::http::HttpOptions;
use crate::shards::{CommandError, Shards};
use crate::workspaces::Workspaces;

use self::actor::{Courtesy, Deliver, NumberActor, TakeTurns};
pub use self::block::{Block, BlockItem, BlockName, BlockSource, BlockTurn, Letter, Pace, Pairs, Said};
use self::bucket::Bucket;
pub use self::queue::Reply;
use self::withdrawn::Withdrawn;

/// How the numbers of this process send.
#[derive(Clone, Debug)]
pub struct NumberSettings {
    /// The time between two turns of a number that has no token free.
    pub tick: Duration,
    /// Messages that may leave at once on one number, at least: 2 or more.
    pub burst_min: u32,
    /// How often one customer may be written to.
    pub pair_rate: PairRate,
    /// How long after a call began that had no usable answer the next message of its conversation waits.
    pub in_doubt_after: Duration,
    /// Replies that may wait on one number.
    pub replies_queued_max: usize,
    /// Calls under way at once on one number: rate × latency, and some more.
    pub calls_max: usize,
    /// Where calls of WhatsApp accounts go that name no address of their own.
    pub graph_url: String,
    /// What accounts have switched on.
    pub switches: Switches,
    /// The bounds of the HTTP client.
    pub http: HttpOptions,
}

/// Every number of this process.
pub struct Numbers {
    shards: Arc<Shards>,
    workspaces: Arc<Workspaces>,
    settings: NumberSettings,
    running: DashMap<AccountId, Mailbox<NumberActor>>,
    buckets: DashMap<AccountId, Arc<Bucket>>,
    waiting: Waiting,
    withdrawn: Withdrawn,
    /// In one order with `calls`: whoever begins a call counts it and then looks here, a stop does the reverse.
    draining: AtomicBool,
    calls: AtomicUsize,
}

impl Numbers {
    /// The numbers of a process; each begins with its first reply.
    #[must_use]
    pub fn new(shards: Arc<Shards>, workspaces: Arc<Workspaces>, settings: NumberSettings) -> Arc<Self> {
        // What crosses to the numbers is bounded by their queues; this bounds what is on its way to them.
        let waiting = Waiting::at_most(settings.replies_queued_max.saturating_mul(4).max(1_024));
        Arc::new(Self {
            shards,
            workspaces,
            settings,
            running: DashMap::new(),
            buckets: DashMap::new(),
            waiting,
            withdrawn: Withdrawn::default(),
            draining: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
        })
    }

    /// Sends a reply. Ends when its outcome is in the log of its conversation.
    ///
    /// # Errors
    /// Its outcome is not known yet: ask again with the same effect.
    pub async fn deliver(self: &Arc<Self>, account: AccountId, reply: Reply) -> Result<(), CommandError> {
        let (done, outcome) = oneshot::channel();
        let permit = self.waiting.permit().ok_or_else(CommandError::overloaded)?;
        self.running(account).await?.send_counted(Deliver { reply, done, permit });
        outcome.await.unwrap_or_else(|_| Err(CommandError::unavailable()))
    }

    /// Tells the provider that a customer's message was read, or that somebody types an answer to it. It is a
    /// courtesy: one try, and no more than that.
    ///
    /// # Errors
    /// Too much waits.
    pub async fn be_courteous(
        self: &Arc<Self>,
        account: AccountId,
        conversation: ConversationId,
        message: MessageRef,
        typing: bool,
    ) -> Result<(), CommandError> {
        let permit = self.waiting.permit().ok_or_else(CommandError::overloaded)?;
        self.running(account).await?.send_counted(Courtesy { conversation, message, typing, permit });
        Ok(())
    }

    /// A broadcast takes turns on a number, after those that do already.
    ///
    /// # Errors
    /// The number's shard is not placed.
    pub async fn join(self: &Arc<Self>, account: AccountId, source: Arc<dyn BlockSource>) -> Result<(), CommandError> {
        self.running(account).await?.send_counted(TakeTurns::Join(source));
        Ok(())
    }

    /// A broadcast takes turns on a number no more.
    ///
    /// # Errors
    /// The number's shard is not placed.
    pub async fn leave(self: &Arc<Self>, account: AccountId, broadcast: BroadcastId) -> Result<(), CommandError> {
        self.running(account).await?.send_counted(TakeTurns::Leave(broadcast));
        Ok(())
    }

    /// A customer withdrew consent to marketing on an address, or gave it again: also what is claimed already heeds it.
    pub fn hear_consent(&self, channel: Channel, address: AddressId, withdrawn: bool) {
        self.withdrawn.hear(channel, address, withdrawn, self.shards.node().surroundings.clock.now());
    }

    /// The time between two turns of a number that has no token free.
    #[must_use]
    pub const fn tick(&self) -> Duration {
        self.settings.tick
    }

    /// What accounts have switched on.
    #[must_use]
    pub const fn switches(&self) -> Switches {
        self.settings.switches
    }

    /// An inbound takes a token of the number it came to, if it is of the present second.
    pub fn count_inbound(&self, account: AccountId, at: Timestamp) {
        let now = self.shards.node().surroundings.clock.now();
        if now.since(at) < Duration::from_secs(1)
            && at <= now
            && let Some(bucket) = self.buckets.get(&account)
        {
            // An empty bucket has nothing to take: inbound is never refused for it.
            let _ = bucket.take();
        }
    }

    /// Begins nothing new and waits until no call is under way, at most until `deadline`. Answers
    /// whether none is.
    pub async fn drain(&self, deadline: Duration) -> bool {
        self.draining.store(true, Ordering::SeqCst);
        let end = tokio::time::Instant::now() + deadline;
        while self.calls.load(Ordering::SeqCst) > 0 && tokio::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.calls.load(Ordering::SeqCst) == 0
    }

    /// How many calls are under way.
    #[must_use]
    pub fn calls_under_way(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// The number's actor, started on its shard's arbiter by whoever needs it first.
    async fn running(self: &Arc<Self>, account: AccountId) -> Result<Mailbox<NumberActor>, CommandError> {
        if let Some(running) = self.running.get(&account) {
            return Ok(running.clone());
        }
        let numbers = Arc::clone(self);
        self.shards
            .on_arbiter_of(account.0, move || {
                let start = || Mailbox::new(NumberActor::start_for(account, Arc::clone(&numbers)));
                numbers.running.entry(account).or_insert_with(start).clone()
            })
            .await
    }

    /// The number's bucket, at its present rate; new ones begin empty.
    fn bucket(&self, account: AccountId, rate_cap: u32) -> Arc<Bucket> {
        let (tick, burst_min) = (self.settings.tick, self.settings.burst_min);
        let size = crate::domain::pace::Bucket::under(rate_cap.max(1), tick, burst_min);
        let (per_second, burst) = size.map_or((1, 1), |size| (size.per_second, size.burst));
        if let Some(bucket) = self.buckets.get(&account) {
            bucket.change(per_second, burst);
            return Arc::clone(&bucket);
        }
        let clock = Arc::clone(&self.shards.node().surroundings.clock);
        let begin = || Arc::new(Bucket::empty(clock, per_second, burst));
        Arc::clone(&self.buckets.entry(account).or_insert_with(begin))
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }
}

/// A call under way, counted until it is dropped.
struct UnderWay(Arc<Numbers>);

impl UnderWay {
    fn begin(numbers: &Arc<Numbers>) -> Self {
        numbers.calls.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(numbers))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::AcqRel);
    }
}
