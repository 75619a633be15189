//! The broadcasts of a number: turns by deficit round robin, at most two blocks claimed and not yet sent, a token for
//! each message.

mod heard;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::UnderWay;
use super::account::{Account, Standing};
use super::block::{Block, BlockItem, BlockName, BlockSource, BlockTurn, Pace, Pairs, Said};
use super::bucket::Bucket;
use super::call;
use super::dispatch::{Dispatch, PAUSE};
use super::growth::Growth;
use crate::broken::{self, Fault};
use crate::domain::broadcast::{BLOCK_MAX, Turns};
use crate::domain::ids::BroadcastId;
use crate::domain::outbound::ErrorClass;
use crate::domain::time::Timestamp;

/// Blocks that are claimed and have messages that were not begun (`design.md` §3).
const BEGUN_MAX: usize = 2;
/// A claimed block is worth so long: what was not begun by then is given back.
const WORTH: Duration = Duration::from_secs(20);
/// How late a timer may be: the runtime's wheel and business time count milliseconds.
const LATE: Duration = Duration::from_millis(1);
/// How often the number's standing is looked at while blocks leave.
const STANDING_EVERY: Duration = Duration::from_millis(100);
/// What was seen of it is relied on so long, where it does not answer.
const STANDING_WORTH: Duration = Duration::from_millis(300);
/// How long a source that wanted nothing is left alone.
const IDLE: Duration = Duration::from_millis(20);
/// For so long after a reply broadcasts leave it a part of the rate (`product.md` §2).
const COURTESY_FOR: Duration = Duration::from_secs(10);
/// What broadcasts may use of the rate then, in hundredths.
const COURTEOUS_PERCENT: u32 = 80;

/// The broadcasts of one number. It lives on the number's arbiter.
pub(super) struct Blocks {
    turns: RefCell<Turns<BroadcastId>>,
    sources: RefCell<HashMap<BroadcastId, Arc<dyn BlockSource>>>,
    begun: RefCell<VecDeque<Rc<Begun>>>,
    claiming: Cell<usize>,
    growth: Growth,
    in_flight: Cell<usize>,
    unreached: Cell<u32>,
    not_before: Cell<Option<Instant>>,
    /// The trouble that the number was told of last, and when the call began that showed it.
    troubled: Cell<Option<(ErrorClass, Timestamp)>>,
    /// What replies leave of the rate, while somebody answers.
    courteous: RefCell<Option<Arc<Bucket>>>,
    /// Where the number stood a moment ago, and whether that is being looked at.
    present: RefCell<Option<Rc<Present>>>,
    looking: Cell<bool>,
    pub(super) woken: tokio::sync::Notify,
}

/// A number as it was at a moment.
struct Present {
    at: Instant,
    account: Rc<Account>,
    standing: Standing,
}

/// A claimed block that is not over.
struct Begun {
    source: Arc<dyn BlockSource>,
    name: BlockName,
    pace: Option<Arc<Pace>>,
    marketing: bool,
    claimed_at: Instant,
    unsent: RefCell<VecDeque<BlockItem>>,
    /// Messages without an outcome.
    open: Cell<usize>,
    said: RefCell<Vec<Said>>,
    reporting: Cell<bool>,
    under_way: RefCell<Option<UnderWay>>,
}

impl Blocks {
    pub(super) fn new() -> Self {
        Self {
            turns: RefCell::new(Turns::new(BLOCK_MAX as u32)),
            sources: RefCell::default(),
            begun: RefCell::default(),
            claiming: Cell::new(0),
            growth: Growth::new(),
            in_flight: Cell::new(0),
            unreached: Cell::new(0),
            not_before: Cell::new(None),
            troubled: Cell::new(None),
            courteous: RefCell::default(),
            present: RefCell::default(),
            looking: Cell::new(false),
            woken: tokio::sync::Notify::new(),
        }
    }

    /// A broadcast takes turns.
    pub(super) fn join(&self, source: Arc<dyn BlockSource>) {
        self.turns.borrow_mut().join(source.broadcast());
        self.sources.borrow_mut().insert(source.broadcast(), source);
        self.woken.notify_one();
    }

    /// A broadcast takes turns no more. What it has claimed is given back with its next tick, if it may not leave.
    pub(super) fn leave(&self, broadcast: BroadcastId) {
        self.turns.borrow_mut().leave(broadcast);
        self.sources.borrow_mut().remove(&broadcast);
    }

    fn has_unsent(&self) -> bool {
        !self.begun.borrow().is_empty()
    }

    fn is_idle(&self) -> bool {
        self.sources.borrow().is_empty() && !self.has_unsent()
    }

    fn room(&self) -> bool {
        self.begun.borrow().len() + self.claiming.get() < BEGUN_MAX
            && self.not_before.get().is_none_or(|until| Instant::now() >= until)
    }
}

impl Dispatch {
    /// Turns of broadcasts, as long as the process lives.
    pub(super) async fn run_blocks(self: Rc<Self>) {
        // On a grid, and shorter than the tick that the bucket is made for by what a timer may be late. The bucket holds what
        // a tick brings and one token more; the last tick leaves up to one, so a late tick finds it full, and what is over
        // is lost. With whole ticks half of the runs lost 5 to 7 percent of the number's rate (`loadtest run pace`).
        let mut ticks = tokio::time::interval(self.numbers.settings.tick.saturating_sub(LATE).max(LATE));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            if self.numbers.is_draining() {
                self.give_all_back();
                return;
            }
            if self.blocks.is_idle() {
                self.blocks.present.take();
                self.blocks.woken.notified().await;
                continue;
            }
            self.look();
            let present = self.blocks.present.borrow().clone().filter(|present| present.at.elapsed() < STANDING_WORTH);
            if let Some(present) = &present {
                self.claim_blocks(&present.account, &present.standing);
                self.let_blocks_leave(&present.account, &present.standing);
            }
            let sending = present.is_some() && self.blocks.has_unsent();
            tokio::select! {
                _ = ticks.tick(), if sending => {}
                () = tokio::time::sleep(IDLE), if !sending => {}
                () = self.blocks.woken.notified() => {}
            }
        }
    }

    /// Looks where the number stands, now and then, beside what leaves: a tick that waits for the answer comes late.
    fn look(self: &Rc<Self>) {
        let due = self.blocks.present.borrow().as_ref().is_none_or(|present| present.at.elapsed() >= STANDING_EVERY);
        if !due || self.blocks.looking.replace(true) {
            return;
        }
        let dispatch = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let at = Instant::now();
            match dispatch.present(dispatch.now()).await {
                Ok((account, standing)) => {
                    dispatch.blocks.present.replace(Some(Rc::new(Present { at, account, standing })));
                }
                Err(error) => {
                    tracing::debug!(account = %dispatch.account, %error, "the number does not answer; waiting");
                    tokio::time::sleep(PAUSE).await;
                }
            }
            dispatch.blocks.looking.set(false);
            dispatch.blocks.woken.notify_one();
        });
    }

    /// Grants turns while there is room for blocks.
    fn claim_blocks(self: &Rc<Self>, account: &Rc<Account>, standing: &Standing) {
        while self.blocks.room() {
            let now = self.now();
            let room = standing.rate_now.clamp(1, self.blocks.growth.room());
            let granted = {
                let sources = self.blocks.sources.borrow();
                let wants = |broadcast| sources.get(&broadcast).map_or(0, |source| source.wants(now));
                let granted = self.blocks.turns.borrow_mut().grant(room, wants);
                granted.and_then(|(broadcast, room)| Some((Arc::clone(sources.get(&broadcast)?), room)))
            };
            let Some((source, room)) = granted else { return };
            let turn = BlockTurn {
                room,
                may_initiate: standing.may_initiate.clone(),
                workspace: account.workspace,
                channel: account.channel,
                sender: account.sender.clone(),
                limit_scope: account.limit_scope,
                pairs: Pairs(Rc::clone(self)),
            };
            self.blocks.claiming.set(self.blocks.claiming.get() + 1);
            let dispatch = Rc::clone(self);
            // From the claim to the last outcome the process is not stopped: what was claimed would be in doubt.
            let under_way = UnderWay::begin(&self.numbers);
            tokio::task::spawn_local(async move {
                let block = Arc::clone(&source).claim(turn).await;
                dispatch.blocks.claiming.set(dispatch.blocks.claiming.get().saturating_sub(1));
                let taken = block.as_ref().map_or(0, |block| block.items.len() as u32);
                dispatch.blocks.turns.borrow_mut().give_back(source.broadcast(), room.saturating_sub(taken));
                if let Some(block) = block.filter(|block| !block.items.is_empty()) {
                    dispatch.begin(source, block, under_way);
                }
                dispatch.blocks.woken.notify_one();
            });
        }
    }

    fn begin(self: &Rc<Self>, source: Arc<dyn BlockSource>, block: Block, under_way: UnderWay) {
        let begun = Rc::new(Begun {
            source,
            name: block.name,
            pace: block.pace,
            marketing: block.marketing,
            claimed_at: Instant::now(),
            open: Cell::new(block.items.len()),
            unsent: RefCell::new(block.items.into()),
            said: RefCell::default(),
            reporting: Cell::new(false),
            under_way: RefCell::new(Some(under_way)),
        });
        if self.numbers.is_draining() {
            return self.give_back(&begun);
        }
        self.blocks.begun.borrow_mut().push_back(begun);
    }

    /// Lets messages leave, a token each, from the blocks in turn: one that its own rate holds lets the other pass.
    fn let_blocks_leave(self: &Rc<Self>, account: &Rc<Account>, standing: &Standing) {
        if !self.blocks.has_unsent() {
            return;
        }
        let now = self.now();
        let stopped = standing.may_initiate.is_err();
        let begun: Vec<_> = self.blocks.begun.borrow().iter().cloned().collect();
        for block in &begun {
            if stopped || !block.source.may_leave() || block.claimed_at.elapsed() > WORTH {
                self.give_back(block);
            }
        }
        let bucket = self.numbers.bucket(self.account, standing.rate_now);
        let courteous = self.courteous(standing.rate_now, now);
        // Set on order only: the next one leaves with the token of the one before.
        let mut spare = false;
        for block in &begun {
            while self.has_room() && !self.reply_waits(now) {
                let Some(customer) = block.unsent.borrow().front().map(|item| item.customer) else { break };
                if block.marketing && self.numbers.withdrawn.has(account.channel, customer) {
                    let next = block.unsent.borrow_mut().pop_front();
                    if let Some(item) = next {
                        self.pairs.borrow_mut().give_back(customer);
                        // Its next turn reads the gate, which says why it is passed over.
                        self.heard(block, item.index, item.attempt, customer, item.counted, None);
                    }
                    continue;
                }
                let paced = block.pace.as_ref().is_none_or(|pace| pace.0.take());
                let mut token = || std::mem::take(&mut spare) || bucket.take();
                if !paced || !courteous.as_ref().is_none_or(|bucket| bucket.take()) || !token() {
                    break;
                }
                spare = broken::happens(Fault::AboveRate);
                let Some(item) = block.unsent.borrow_mut().pop_front() else { break };
                self.call_one(account, block, item);
            }
        }
        self.blocks.begun.borrow_mut().retain(|block| !block.unsent.borrow().is_empty());
    }

    /// A reply that may leave now goes first.
    fn reply_waits(&self, now: Timestamp) -> bool {
        self.queue.borrow().next_at(now).is_some_and(|at| at <= now)
    }

    fn has_room(&self) -> bool {
        // A quarter of the connections is left for replies.
        let calls_max = self.numbers.settings.calls_max;
        self.blocks.in_flight.get() < calls_max && self.arbiter_calls.get() < calls_max - calls_max / 4
    }

    /// The bucket that leaves replies their part, while somebody answers by this number.
    fn courteous(&self, rate_now: u32, now: Timestamp) -> Option<Arc<Bucket>> {
        let answering = self.replied_at.get().is_some_and(|at| now < at + COURTESY_FOR);
        let mut courteous = self.blocks.courteous.borrow_mut();
        if !answering {
            *courteous = None;
            return None;
        }
        let cap = (rate_now * COURTEOUS_PERCENT / 100).max(1);
        let settings = &self.numbers.settings;
        let size = crate::domain::pace::Bucket::under(cap, settings.tick, settings.burst_min);
        let (rate, burst) = size.map_or((1, 1), |size| (size.per_second, size.burst));
        let clock = Arc::clone(&self.numbers.shards.node().surroundings.clock);
        let bucket = courteous.get_or_insert_with(|| Arc::new(Bucket::empty(clock, rate, burst)));
        bucket.change(rate, burst);
        Some(Arc::clone(bucket))
    }

    fn call_one(self: &Rc<Self>, account: &Rc<Account>, block: &Rc<Begun>, item: BlockItem) {
        let (dispatch, account, block) = (Rc::clone(self), Rc::clone(account), Rc::clone(block));
        self.blocks.in_flight.set(self.blocks.in_flight.get() + 1);
        self.arbiter_calls.set(self.arbiter_calls.get() + 1);
        tokio::task::spawn_local(async move {
            let began = dispatch.now();
            let outcome = call::deliver(&dispatch.client, &account, item.letter).await;
            dispatch.blocks.in_flight.set(dispatch.blocks.in_flight.get().saturating_sub(1));
            dispatch.arbiter_calls.set(dispatch.arbiter_calls.get().saturating_sub(1));
            dispatch.learn(&outcome, item.customer, began).await;
            dispatch.heard(&block, item.index, item.attempt, item.customer, item.counted, Some(outcome));
        });
    }
}
