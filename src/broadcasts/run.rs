//! A broadcast under way in this process: what it may do now, and what it has at hand.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures_util::future::LocalBoxFuture;
use tokio::sync::Notify;

use super::Broadcasts;
use super::open_chunks::OpenChunks;
use crate::channels::prepared::Prepared;
use crate::domain::broadcast::chunk::Ending;
use crate::domain::broadcast::job::{Broadcast, HaltReason, Plan, Status};
use crate::domain::broadcast::{BLOCK_MAX, CompiledMessage, FrozenRecipient};
use crate::domain::ids::{AccountId, BroadcastId, WorkspaceId};
use crate::domain::time::Timestamp;
use crate::numbers::{Block, BlockName, BlockSource, BlockTurn, Pace, Said};

/// Chunks whose recipients are kept at hand.
const CHUNKS_AT_HAND: usize = 4;

/// What limits a broadcast now. The words are stable codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitedBy {
    /// The number's rate.
    NumberRate,
    /// The broadcast's own rate.
    OwnRate,
    /// The portfolio's messaging limit.
    MessagingLimit,
    /// Every recipient that is left waits for a time of its own.
    Waiting,
    /// Its audience is being frozen.
    Freezing,
    /// The provider does not answer.
    Provider,
    /// The store does not answer: nothing can be claimed, and so nothing is sent.
    Store,
    /// It is paused.
    Paused,
    /// Nothing is left to send.
    Nothing,
}

impl LimitedBy {
    /// The word in REST and in progress signals.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NumberRate => "number_rate",
            Self::OwnRate => "own_rate",
            Self::MessagingLimit => "messaging_limit",
            Self::Waiting => "waiting",
            Self::Freezing => "freezing",
            Self::Provider => "provider",
            Self::Store => "store",
            Self::Paused => "paused",
            Self::Nothing => "nothing",
        }
    }
}

/// One broadcast under way.
pub(super) struct Run {
    pub(super) broadcasts: Arc<Broadcasts>,
    pub(super) id: BroadcastId,
    pub(super) workspace: WorkspaceId,
    pub(super) account: AccountId,
    steered: Mutex<Steered>,
    pub(super) chunks: Mutex<OpenChunks>,
    pub(super) message: OnceLock<CompiledMessage>,
    /// The message with places for what differs; none where each is written in full. It holds for the number's id at the
    /// provider, by which the account is named: that does not change.
    pub(super) prepared: OnceLock<Option<Prepared>>,
    pace: Mutex<Option<(u32, Arc<Pace>)>>,
    pages: Mutex<VecDeque<(u32, Arc<Vec<FrozenRecipient>>)>>,
    /// Not before: something it needs did not answer, or gave a time.
    held: Mutex<Option<(Timestamp, LimitedBy)>>,
    /// Refusals of its template or parameters, one after another.
    pub(super) template_refusals: AtomicU32,
    /// Calls that could not be made, one after another.
    pub(super) unreached: AtomicU32,
    /// Who had it and withdrew their consent with their reply, since this run began.
    pub(super) opted_out: AtomicU32,
    /// When a receipt of one of its messages last came.
    heard_at: Mutex<Option<Timestamp>>,
    pub(super) woken: Notify,
}

/// What its actor last committed.
#[derive(Clone, Copy)]
pub(super) struct Steered {
    pub(super) version: u64,
    pub(super) plan: Plan,
    pub(super) status: Status,
    pub(super) may_send: bool,
    pub(super) ending: Option<Ending>,
    pub(super) live: bool,
}

impl Steered {
    /// What a broadcast says of itself; none before it was created.
    pub(super) fn of(state: &Broadcast) -> Option<Self> {
        Some(Self {
            version: crate::domain::entity::Entity::version(state),
            plan: *state.plan()?,
            status: state.status()?,
            may_send: state.may_send(),
            ending: state.ending(),
            live: state.is_live(),
        })
    }
}

impl Run {
    pub(super) fn new(
        broadcasts: Arc<Broadcasts>,
        id: BroadcastId,
        workspace: WorkspaceId,
        steered: Steered,
    ) -> Arc<Self> {
        Arc::new(Self {
            broadcasts,
            id,
            workspace,
            account: steered.plan.account,
            steered: Mutex::new(steered),
            chunks: Mutex::default(),
            message: OnceLock::new(),
            prepared: OnceLock::new(),
            pace: Mutex::default(),
            pages: Mutex::default(),
            held: Mutex::default(),
            template_refusals: AtomicU32::new(0),
            unreached: AtomicU32::new(0),
            opted_out: AtomicU32::new(0),
            heard_at: Mutex::default(),
            woken: Notify::new(),
        })
    }

    /// What its actor last committed.
    pub(super) fn steered(&self) -> Steered {
        *locked(&self.steered)
    }

    /// Takes what its actor committed; older words change nothing.
    pub(super) fn steer(&self, said: Steered) {
        let mut steered = locked(&self.steered);
        if said.version > steered.version {
            *steered = said;
        }
        drop(steered);
        self.woken.notify_one();
    }

    /// A chunk may have recipients that are due.
    pub(super) fn poke(&self, chunk: u32) {
        locked(&self.chunks).poke(chunk);
    }

    /// A receipt of one of its messages came.
    pub(super) fn hear_receipt(&self, at: Timestamp) {
        *locked(&self.heard_at) = Some(at);
    }

    /// When a receipt of one of its messages last came.
    pub(super) fn heard_at(&self) -> Option<Timestamp> {
        *locked(&self.heard_at)
    }

    /// Nothing is claimed before `until`.
    pub(super) fn hold(&self, until: Timestamp, by: LimitedBy) {
        *locked(&self.held) = Some((until, by));
    }

    /// What limits it now.
    pub(super) fn limited_by(&self) -> LimitedBy {
        let now = self.broadcasts.now();
        let steered = self.steered();
        if !steered.may_send {
            return if steered.live { LimitedBy::Paused } else { LimitedBy::Nothing };
        }
        if self.message.get().is_none() {
            return LimitedBy::Freezing;
        }
        if let Some((until, by)) = *locked(&self.held)
            && until > now
        {
            return by;
        }
        let mut chunks = locked(&self.chunks);
        match (chunks.has_ready(now), chunks.next_at(), steered.plan.rate_per_second) {
            (true, _, Some(_)) => LimitedBy::OwnRate,
            (true, _, None) => LimitedBy::NumberRate,
            (false, Some(_), _) => LimitedBy::Waiting,
            (false, None, _) => LimitedBy::Nothing,
        }
    }

    /// The broadcast's own rate, if it has one.
    pub(super) fn pace(&self) -> Option<Arc<Pace>> {
        let rate = self.steered().plan.rate_per_second;
        let mut pace = locked(&self.pace);
        if pace.as_ref().map(|(rate, _)| *rate) != rate {
            *pace = rate.map(|rate| {
                let clock = Arc::clone(&self.broadcasts.shards.node().surroundings.clock);
                (rate, Arc::new(Pace::new(clock, rate, self.broadcasts.numbers.tick())))
            });
        }
        pace.as_ref().map(|(_, pace)| Arc::clone(pace))
    }

    /// The recipients of a chunk, from what is at hand or from their rows.
    pub(super) async fn page(&self, chunk: u32) -> Result<Arc<Vec<FrozenRecipient>>, crate::shards::CommandError> {
        let known = locked(&self.pages).iter().find(|(known, _)| *known == chunk).map(|(_, page)| Arc::clone(page));
        if let Some(page) = known {
            return Ok(page);
        }
        let page = Arc::new(self.broadcasts.shards.recipients(self.broadcasts.chunk(self.id, chunk)).await?);
        let mut pages = locked(&self.pages);
        if pages.len() >= CHUNKS_AT_HAND {
            pages.pop_front();
        }
        pages.push_back((chunk, Arc::clone(&page)));
        Ok(page)
    }

    /// Halts it: something stands in its way.
    pub(super) async fn halt(&self, reason: HaltReason) {
        super::tell::halt(&self.broadcasts, self.id, reason).await;
    }
}

impl BlockSource for Run {
    fn broadcast(&self) -> BroadcastId {
        self.id
    }

    fn wants(&self, now: Timestamp) -> u32 {
        if !self.may_leave() || locked(&self.held).is_some_and(|(until, _)| until > now) {
            return 0;
        }
        let ready = locked(&self.chunks).has_ready(now);
        // About one second of its own rate, so that others' turns come.
        let own = self.steered().plan.rate_per_second.unwrap_or(u32::MAX);
        if ready { own.clamp(1, BLOCK_MAX as u32) } else { 0 }
    }

    fn may_leave(&self) -> bool {
        self.steered().may_send
    }

    fn claim(self: Arc<Self>, turn: BlockTurn) -> LocalBoxFuture<'static, Option<Block>> {
        Box::pin(async move { self.claim_block(turn).await })
    }

    fn report(self: Arc<Self>, block: BlockName, said: Vec<Said>) -> LocalBoxFuture<'static, ()> {
        Box::pin(async move { self.record(block, said).await })
    }
}

/// A lock that is never held across a wait; what a panic left is as good as before it.
pub(super) fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often something happened in a row, now once more.
pub(super) fn once_more(count: &AtomicU32) -> u32 {
    count.fetch_add(1, Ordering::Relaxed) + 1
}
