//! The owner of one shard: its lease, its log, its actors, its rows on their way, its wake-ups.
//!
//! It lives on one arbiter and is never shared with another thread. Everything here is committed
//! state, except what the cells keep for themselves while a commit is under way.

mod broadcasts;
mod deliver;
mod effects;
mod lag;
mod open;
mod peek;
mod read;
mod rest;
mod settle;
mod strained;
mod wake;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use self::lag::Lag;
pub(super) use super::by_id::EntityKey;
use super::by_id::{ById, KeySet};
use super::cap::Cap;
use super::cell::AnySlot;
use super::committer::{self, Committer, Staged};
use super::effect_runner::EffectRunner;
use super::entity_actor::Asker;
use super::error::CommandError;
use super::feed::feed_key;
use super::news::{News, Subscriber};
use super::node::Node;
use super::overlay::Overlay;
use super::record::{self, EntryPlace, RecordWriter, UnreadableRecord};
use super::resident::Resident;
use super::strain::Appends;
use super::timers::{Alarm, Timers};
use crate::domain::broadcast::BroadcastPlace;
use crate::domain::effect::EffectId;
use crate::domain::entity::EntityKind;
use crate::domain::ids::{Keyring, WorkspaceId};
use crate::domain::rules::Rules;
use crate::domain::time::Timestamp;
use crate::store::{Fence, Lease, Position, Put, RowKey, Store, StoreError, Table};

/// Whom a shard tells and who runs its effects: made by `app`, one for each arbiter.
#[derive(Clone)]
pub struct Hooks {
    /// Hears what was committed.
    pub subscriber: Rc<dyn Subscriber>,
    /// Runs what was decided.
    pub effects: Rc<dyn EffectRunner>,
}

/// Where a shard stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Taking its lease and replaying; nobody is answered yet.
    Opening,
    /// In business.
    Open,
    /// Finishing what it took; nothing new is taken.
    Draining,
    /// Ended.
    Closed,
}

/// One shard on its arbiter.
pub(super) struct Owner {
    number: u16,
    node: Arc<Node>,
    hooks: Hooks,
    phase: Cell<Phase>,
    lease: RefCell<Option<Lease>>,
    epoch: Cell<u64>,
    position: Cell<Position>,
    /// The last record of which everything was told.
    told: Cell<Position>,
    last_ts_us: Cell<i64>,
    last_private_ts_us: Cell<i64>,
    committer: Committer,
    directory: RefCell<ById<Resident>>,
    /// What conversations in memory know of broadcasts.
    broadcasts: RefCell<HashMap<u128, Vec<(Timestamp, BroadcastPlace)>>>,
    dirty: RefCell<KeySet>,
    overlay: RefCell<Overlay>,
    settle_wanted: Notify,
    settled: Notify,
    lag: Lag,
    appends: RefCell<Appends>,
    timers: RefCell<Timers>,
    timers_changed: Notify,
    open_effects: RefCell<BTreeSet<EffectId>>,
    /// Effects that were answered and wait for a record to go with.
    answered: RefCell<Vec<EffectId>>,
    /// More entities are in memory than may stay.
    crowded: Notify,
    cap: Cap,
    /// Nothing new is to be taken, also after a reopening.
    draining: Cell<bool>,
    tasks: RefCell<Tasks>,
}

/// What runs for a shard and ends with it.
#[derive(Default)]
struct Tasks {
    running: Vec<AbortHandle>,
    /// Ended ones are forgotten when there are so many: looking at each start would be quadratic.
    sweep_at: usize,
}

impl Owner {
    pub(super) fn new(number: u16, node: Arc<Node>, hooks: Hooks) -> Rc<Self> {
        let cap = Cap::new(node.options.resident_max_per_shard);
        Rc::new(Self {
            number,
            node,
            hooks,
            phase: Cell::new(Phase::Opening),
            lease: RefCell::new(None),
            epoch: Cell::new(0),
            position: Cell::new(0),
            told: Cell::new(0),
            last_ts_us: Cell::new(0),
            last_private_ts_us: Cell::new(0),
            committer: Committer::default(),
            directory: RefCell::default(),
            broadcasts: RefCell::default(),
            dirty: RefCell::default(),
            overlay: RefCell::default(),
            settle_wanted: Notify::new(),
            settled: Notify::new(),
            lag: Lag::default(),
            appends: RefCell::default(),
            timers: RefCell::new(Timers::new()),
            timers_changed: Notify::new(),
            open_effects: RefCell::default(),
            answered: RefCell::default(),
            crowded: Notify::new(),
            cap,
            draining: Cell::new(false),
            tasks: RefCell::default(),
        })
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }

    /// The last record of which everything was told to the subscriber.
    pub(super) fn told(&self) -> Position {
        self.told.get()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.node.surroundings.clock.now()
    }

    /// A timestamp for a private row, later than every one before it.
    pub(super) fn next_private_ts_us(&self) -> i64 {
        let next = self.now().micros().max(self.last_private_ts_us.get() + 1).max(self.last_ts_us.get());
        self.last_private_ts_us.set(next);
        next
    }

    pub(super) fn keys(&self) -> &Keyring {
        &self.node.keys
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.node.options.rules
    }

    pub(super) fn committer(&self) -> &Committer {
        &self.committer
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Adds a turn to the record that is forming, and sees that it is committed.
    pub(super) fn stage(
        self: &Rc<Self>,
        size: (usize, usize),
        facts: Vec<Put>,
        write: impl FnOnce(&mut RecordWriter) -> Result<(EntryPlace, Box<dyn Staged>), UnreadableRecord>,
    ) -> Result<(), UnreadableRecord> {
        if self.committer.stage(size, facts, write)? {
            self.start_committing();
        }
        Ok(())
    }

    pub(super) fn start_committing(self: &Rc<Self>) {
        // Answered effects that waited for a record to go with.
        let answered = std::mem::take(&mut *self.answered.borrow_mut());
        if !answered.is_empty()
            && let Err(error) = self.committer.close(&answered)
        {
            tracing::error!(shard = self.number, %error, "failed to encode answered effects");
        }
        actix::spawn(committer::run(Rc::clone(self)));
    }

    /// Answers at once, or with the newest record if the answer rests on something not yet committed.
    pub(super) fn answer_when_committed<A: 'static>(
        self: &Rc<Self>,
        rests_on_pending: bool,
        asker: Asker<A>,
        answer: Result<A, CommandError>,
    ) {
        let barrier: Box<dyn Staged> = Box::new(Barrier { asker, answer });
        let left = if rests_on_pending { self.committer.follow(barrier) } else { Some(barrier) };
        if let Some(barrier) = left {
            barrier.committed(self, self.position.get());
        }
    }

    /// Appends one record and its facts.
    pub(super) async fn append(&self, record: Vec<u8>, facts: Vec<Put>) -> Result<Position, Fence> {
        // The lease is out of its cell while the append is under way: one at a time.
        let lease = self.lease.borrow_mut().take();
        let Some(mut lease) = lease else {
            return Err(Fence::Store(StoreError::NotApplied("the shard holds no lease".into())));
        };
        let ts_us = self.now().micros().max(lease.last_ts_us + 1);
        let started = tokio::time::Instant::now();
        let outcome = self.node.store.commit(&mut lease, ts_us, record, facts).await;
        let took = started.elapsed();
        metrics::histogram!("tidegate_append_seconds").record(took.as_secs_f64());
        self.appends.borrow_mut().ended(started + took, took);
        if outcome.is_ok() {
            self.position.set(lease.position);
            self.last_ts_us.set(ts_us);
            self.lag.committed(started);
        }
        *self.lease.borrow_mut() = Some(lease);
        self.judge_strain();
        outcome
    }

    /// The feed keeps the record's events, one row a workspace, with the time of the record.
    pub(super) fn keep_feed(&self, position: Position, at: Timestamp, feed: Vec<(WorkspaceId, Vec<u8>)>) {
        let mut overlay = self.overlay.borrow_mut();
        for (workspace, segments) in feed {
            overlay.put(feed_key(workspace, self.number, position), record::feed_row(at, &segments));
        }
    }

    /// When the newest record was committed, in business time: the same whenever it is read again.
    pub(super) fn committed_at(&self) -> Timestamp {
        record::time_of(self.last_ts_us.get())
    }

    pub(super) fn publish(&self, news: &News<'_>) {
        self.hooks.subscriber.committed(news);
    }

    /// Every turn of a record has been told.
    pub(super) fn record_ended(&self, position: Position) {
        self.told.set(position);
        self.hooks.subscriber.record_ended(self.number, position);
        if self.overlay.borrow().waiting_bytes() >= self.node.options.settle_bytes {
            self.settle_wanted.notify_one();
        }
    }

    pub(super) fn mark_dirty(&self, kind: EntityKind, id: u128) {
        self.dirty.borrow_mut().insert((kind, id));
    }

    /// Keeps an entity's wake-up on its way to the store, whatever is there: a settling that was cut short may have left
    /// the snapshot and not this.
    pub(super) fn keep_alarm(&self, kind: EntityKind, id: u128, due: Option<Timestamp>) {
        if let Some(due) = due {
            self.overlay.borrow_mut().put_again(Alarm { due, kind, id }.key(self.number), Vec::new());
        }
    }

    /// Keeps the one wake-up of an entity in step with its state.
    pub(super) fn rearm(&self, kind: EntityKind, id: u128, before: Option<Timestamp>, after: Option<Timestamp>) {
        if before == after {
            return;
        }
        let mut timers = self.timers.borrow_mut();
        let mut overlay = self.overlay.borrow_mut();
        if let Some(due) = before {
            let alarm = Alarm { due, kind, id };
            timers.cancel(&alarm);
            // Most are taken back before they are settled: a deletion for each would be most of what a load reads past.
            overlay.delete_once(alarm.key(self.number));
        }
        if let Some(due) = after {
            let alarm = Alarm { due, kind, id };
            overlay.put_for_now(alarm.key(self.number), Vec::new());
            if timers.set(alarm) {
                self.timers_changed.notify_one();
            }
        }
    }

    /// A record was not committed: nobody may rest on what was decided, so every actor is dropped.
    pub(super) fn commit_failed(self: &Rc<Self>, fence: Fence) {
        tracing::error!(shard = self.number, error = %fence, "failed to commit; dropping the shard's actors");
        self.refuse_waiting();
        let was = self.phase.get();
        if was == Phase::Closed {
            return;
        }
        self.phase.set(Phase::Opening);
        // Nothing is appended under this lease again, and nobody decides on what was not committed.
        self.lease.take();
        self.drop_actors(crate::actors::Retired::StaleState);
        match fence {
            Fence::Fenced { .. } => self.fail(self.deposed()),
            Fence::Store(StoreError::Final(why)) => self.fail(why),
            Fence::Store(_) if was != Phase::Opening => {
                let owner = Rc::clone(self);
                self.spawn(async move { owner.reopen().await });
            }
            Fence::Store(_) => {}
        }
    }

    /// Whoever waits for a record hears that it will not be. Answered effects wait for another one.
    fn refuse_waiting(&self) {
        let waiting = self.committer.abandon();
        self.answered.borrow_mut().extend(waiting.closed);
        for turn in waiting.staged {
            turn.refused(&CommandError::unavailable());
        }
    }

    /// Ends the shard, and with it this process, which must not go on.
    pub(super) fn fail(&self, why: String) {
        self.phase.set(Phase::Closed);
        self.node.fail(why);
    }

    /// The sentence for a shard that somebody else took.
    fn deposed(&self) -> String {
        format!("shard {} belongs to another owner now", self.number)
    }

    /// Starts a task that ends with the shard.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let mut tasks = self.tasks.borrow_mut();
        if tasks.running.len() >= tasks.sweep_at {
            tasks.running.retain(|task| !task.is_finished());
            tasks.sweep_at = (tasks.running.len() * 2).max(64);
        }
        tasks.running.push(actix::spawn(task).abort_handle());
    }

    /// When a loop of this shard has its first turn: those of other shards have theirs at other times, so that never all
    /// shards of an arbiter do the same at once.
    pub(super) fn first_after(&self, interval: std::time::Duration) -> std::time::Duration {
        interval * (u32::from(self.number) + 1) / u32::from(self.node.options.shards.max(1))
    }

    /// Keeps one entity's snapshot and line on their way to the store.
    pub(super) fn keep_snapshot(&self, key: EntityKey, slot: &dyn AnySlot) -> Result<(), StoreError> {
        let bytes = slot.snapshot().map_err(|error| {
            tracing::error!(shard = self.number, kind = ?key.0, %error, "failed to encode a snapshot");
            StoreError::Corrupt { table: Table::Entity.word(), why: error.to_string() }
        })?;
        self.keep_replayed(key, bytes, slot.summary(key.1, self.number, self.now()));
        Ok(())
    }
}

/// An answer that waits for a record it rests on.
struct Barrier<A> {
    asker: Asker<A>,
    answer: Result<A, CommandError>,
}

impl<A> Staged for Barrier<A> {
    fn committed(self: Box<Self>, _: &Rc<Owner>, _: Position) {
        self.asker.answer(self.answer);
    }

    fn refused(self: Box<Self>, error: &CommandError) {
        self.asker.answer(Err(error.clone()));
    }
}

/// The row of an entity's snapshot.
pub(super) fn entity_key(kind: EntityKind, id: u128) -> RowKey {
    RowKey::new(Table::Entity, &super::rows::private_pk(kind, id), &[])
}
