//! What a number asks of a broadcast: a block of recipients that are claimed and may leave, and what became of them.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;

use super::bucket::Bucket;
use crate::domain::ids::{AddressId, BroadcastId, LimitScopeId, WorkspaceId};
use crate::domain::message::Channel;
use crate::domain::outbound::{OutboundMessage, SendOutcome};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;

/// Whoever has recipients to send to through a number. The number grants turns; a source claims for its turn.
pub trait BlockSource: Send + Sync {
    /// Which broadcast it is: turns go by it.
    fn broadcast(&self) -> BroadcastId;

    /// How many recipients it would claim at `now`; 0 passes its turn.
    fn wants(&self, now: Timestamp) -> u32;

    /// Whether what it claimed may still leave; asked before every message.
    fn may_leave(&self) -> bool;

    /// Claims a block for a turn. None where nothing was claimed after all.
    fn claim(self: Arc<Self>, turn: BlockTurn) -> LocalBoxFuture<'static, Option<Block>>;

    /// Takes what became of a block's messages. It ends when that is in the log, or the process fails.
    fn report(self: Arc<Self>, block: BlockName, said: Vec<Said>) -> LocalBoxFuture<'static, ()>;
}

/// A turn, as a number grants it.
pub struct BlockTurn {
    /// How many recipients, at most.
    pub room: u32,
    /// Whether messages outside a reply window may leave by the number.
    pub may_initiate: Result<(), Refusal>,
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The number's channel.
    pub channel: Channel,
    /// The provider's id of the number.
    pub sender: String,
    /// The portfolio whose messaging limit it shares.
    pub limit_scope: LimitScopeId,
    /// The number's pairs.
    pub pairs: Pairs,
}

/// How often each customer may be written to by this number.
#[derive(Clone)]
pub struct Pairs(pub(super) Rc<super::dispatch::Dispatch>);

impl Pairs {
    /// Takes a customer's turn.
    ///
    /// # Errors
    /// When to come back.
    pub fn take(&self, customer: AddressId, now: Timestamp) -> Result<(), Timestamp> {
        self.0.pairs.borrow_mut().take(customer, now)
    }

    /// Gives a turn back: certainly nothing left.
    pub fn give_back(&self, customer: AddressId) {
        self.0.pairs.borrow_mut().give_back(customer);
    }
}

/// Which claim of which chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockName {
    /// Which chunk of the broadcast, from 0.
    pub chunk: u32,
    /// The claim.
    pub claim: u128,
}

/// Recipients that are claimed in the log.
pub struct Block {
    /// Which claim.
    pub name: BlockName,
    /// The messages, in the order in which they leave.
    pub items: Vec<BlockItem>,
    /// The broadcast's own rate.
    pub pace: Option<Arc<Pace>>,
    /// They are marketing: who withdrew consent since the claim gets none.
    pub marketing: bool,
}

/// One claimed message.
pub struct BlockItem {
    /// Which recipient of the chunk.
    pub index: u16,
    /// Which attempt.
    pub attempt: u16,
    /// To whom.
    pub customer: AddressId,
    /// It counts against the messaging limit, and has its permit.
    pub counted: bool,
    /// The message.
    pub letter: Letter,
}

/// A message of a block.
pub enum Letter {
    /// Written when it was claimed.
    Written {
        /// The path below the account's base URL.
        path: Arc<str>,
        /// The body.
        body: Bytes,
    },
    /// To be written by its channel.
    InFull(Box<OutboundMessage>),
}

impl BlockItem {
    /// That its call was never begun, as of `at`.
    #[must_use]
    pub const fn released(&self, at: Timestamp) -> Said {
        let Self { index, attempt, customer, counted, .. } = *self;
        Said { index, attempt, customer, counted, outcome: None, at }
    }
}

/// What became of one claimed message.
#[derive(Clone, Debug)]
pub struct Said {
    /// Which recipient of the chunk.
    pub index: u16,
    /// Which attempt.
    pub attempt: u16,
    /// To whom.
    pub customer: AddressId,
    /// It had a permit of the messaging limit.
    pub counted: bool,
    /// What is known; none where its call was never begun.
    pub outcome: Option<SendOutcome>,
    /// When that was known.
    pub at: Timestamp,
}

/// A broadcast's own rate, shared by all its blocks.
pub struct Pace(pub(super) Bucket);

impl Pace {
    /// Lets at most `per_second` leave in any second; 1 to 1,000. It starts empty.
    #[must_use]
    pub fn new(clock: Arc<dyn crate::clock::Clock>, per_second: u32, tick: std::time::Duration) -> Self {
        let size = crate::domain::pace::Bucket::under(per_second.max(1), tick, crate::domain::pace::BURST_MIN);
        let (rate, burst) = size.map_or((1, 1), |size| (size.per_second, size.burst));
        Self(Bucket::empty(clock, rate, burst))
    }
}
