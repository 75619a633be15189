//! Opening a shard: take the next epoch, replay what the rows do not hold yet, read the open effects
//! and the wake-ups, and go into business. Closing it: finish, settle, end.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::super::kind::SummaryRow;
use super::super::kinds::{self, Logged};
use super::super::lists::read_summary;
use super::super::news::News;
use super::super::record::{self, EntryView};
use super::super::rows;
use super::effects::{effect_of_ck, outbox_key};
use super::{EntityKey, Owner, Phase, entity_key};
use crate::actors::Retired;
use crate::domain::effect::{Effect, EffectId};
use crate::domain::entity::EntityKind;
use crate::domain::ids::WorkspaceId;
use crate::store::{Fence, JournalRecord, Lease, Position, ScanRange, Store, StoreError, Table};

/// Records read at once.
const REPLAY_PAGE: usize = 500;
/// Rows read at once.
const ROW_PAGE: usize = 2_000;

impl Owner {
    /// Opens the shard and starts its tasks.
    pub(in super::super) async fn open(self: &Rc<Self>) -> Result<(), Fence> {
        self.take_over(None).await?;
        self.spawn(Rc::clone(self).settle_loop());
        self.spawn(Rc::clone(self).wake_loop());
        self.spawn(Rc::clone(self).sweep_loop());
        Ok(())
    }

    /// Opens the shard again after a refused commit, as often as it takes.
    pub(in super::super) async fn reopen(self: Rc<Self>) {
        let mut pause = Duration::from_millis(50);
        loop {
            match self.take_over(Some(self.position.get())).await {
                Ok(()) => return,
                Err(Fence::Fenced { .. }) => {
                    return self.fail(self.deposed());
                }
                Err(Fence::Store(StoreError::Final(why))) => return self.fail(why),
                Err(Fence::Store(error)) => {
                    tracing::warn!(shard = self.number, %error, "failed to reopen; trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
            }
        }
    }

    /// Takes the next epoch and catches up with the log. `known` is the last record that memory and the
    /// rows on their way hold already; without it, the checkpoint is.
    async fn take_over(self: &Rc<Self>, known: Option<Position>) -> Result<(), Fence> {
        // Whoever opens again was the owner: if another took the shard meanwhile, it is not taken back.
        let expect = known.map(|_| self.epoch.get());
        let lease = self.node.store.acquire(self.number, self.node.incarnation, expect).await?;
        self.epoch.set(lease.epoch);
        let after = known.unwrap_or(lease.checkpoint);
        let (position, last_ts_us) = self.replay(after, lease.last_ts_us, known.is_some()).await?;
        if position < lease.position {
            let why = format!("shard {}: records after {position} are gone, and no row holds them", self.number);
            return Err(Fence::Store(StoreError::Corrupt { table: "journal", why }));
        }
        tracing::debug!(shard = self.number, epoch = lease.epoch, position, "the shard caught up with its log");
        // Only now: had the replay failed, it would begin at the same record again.
        self.position.set(position);
        self.last_ts_us.set(last_ts_us);
        self.lag.settled(tokio::time::Instant::now(), lease.checkpoint, position);
        *self.lease.borrow_mut() = Some(Lease { position, ..lease });
        // What the log says was answered need not be said again.
        self.answered.borrow_mut().retain(|id| self.open_effects.borrow().contains(id));
        self.tell_lists().await?;
        self.told.set(position);
        self.hooks.subscriber.caught_up(self.number, position);
        self.load_timers(self.now() + Duration::from_secs(3_600)).await?;
        let open_effects = self.stored_effects().await?;
        self.phase.set(if self.draining.get() { Phase::Draining } else { Phase::Open });
        self.timers_changed.notify_one();
        for (id, effect) in open_effects {
            self.run_effect(id, effect);
        }
        Ok(())
    }

    /// Reads records and brings the rows on their way up to the last one. Done again, it does no more than
    /// done once. Answers the last record and its timestamp, in microseconds.
    async fn replay(self: &Rc<Self>, after: Position, ts_us: i64, missed: bool) -> Result<(Position, i64), StoreError> {
        let mut events: BTreeMap<EntityKey, Vec<(Position, Vec<u8>)>> = BTreeMap::new();
        let (mut position, mut last_ts_us) = (after, ts_us);
        loop {
            let page = self.node.store.replay(self.number, position, REPLAY_PAGE).await?;
            let full = page.len() == REPLAY_PAGE;
            for stored in page {
                self.read_again(&stored, &mut events)?;
                position = stored.position;
                last_ts_us = last_ts_us.max(stored.ts_us);
            }
            if !full {
                break;
            }
        }
        for ((kind, id), events) in events {
            kinds::replay(self, kind, Logged { id, events, missed }).await?;
        }
        Ok((position, last_ts_us))
    }

    /// Takes one stored record: its feed and effects become rows on their way, its events wait for their entities.
    fn read_again(
        &self,
        stored: &JournalRecord,
        events: &mut BTreeMap<EntityKey, Vec<(Position, Vec<u8>)>>,
    ) -> Result<(), StoreError> {
        let unreadable =
            |error: record::UnreadableRecord| StoreError::Corrupt { table: "journal", why: error.to_string() };
        let mut feed: Vec<(WorkspaceId, Vec<u8>)> = Vec::new();
        for entry in record::entries(&stored.payload).map_err(unreadable)? {
            let (of, place, decided, effects) = match entry {
                EntryView::Closed(ids) => {
                    self.forget_effects(&ids);
                    continue;
                }
                EntryView::Decided { of, place, events, effects } => (of, place, events, effects),
            };
            let kind = EntityKind::from_u8(of.kind).ok_or_else(|| StoreError::Corrupt {
                table: "journal",
                why: format!("an entry is of the unknown kind {}", of.kind),
            })?;
            let effects = record::read::<Vec<Effect>>(effects).map_err(unreadable)?;
            for (offset, effect) in effects.into_iter().enumerate() {
                let index = place.first_effect + offset as u16;
                let key = outbox_key(EffectId { shard: self.number, position: stored.position, index });
                if let Some(value) = rows::put(key.clone(), &effect, 0)?.value {
                    // A settling that was cut short may have written it.
                    self.overlay.borrow_mut().put_again(key, value);
                }
            }
            if let Some(segment) = record::feed_segment(of, place.first_event, decided) {
                match feed.iter_mut().find(|(workspace, _)| *workspace == of.workspace) {
                    Some((_, bytes)) => bytes.extend_from_slice(&segment),
                    None => feed.push((of.workspace, segment)),
                }
            }
            events.entry((kind, of.id)).or_default().push((stored.position, decided.to_vec()));
        }
        self.keep_feed(stored.position, record::time_of(stored.ts_us), feed);
        Ok(())
    }

    /// Keeps a snapshot and a line on their way to the store.
    pub(in super::super) fn keep_replayed(&self, (kind, id): EntityKey, snapshot: Vec<u8>, line: Option<SummaryRow>) {
        let mut overlay = self.overlay.borrow_mut();
        overlay.put(entity_key(kind, id), snapshot);
        if let Some(row) = line {
            match row.value {
                Some(value) => overlay.put(row.key, value),
                None => overlay.delete(row.key),
            }
        }
    }

    /// Tells what an entity came to by records that nobody was told of.
    pub(in super::super) fn tell_missed(&self, news: &News<'_>) {
        self.hooks.subscriber.missed(news);
    }

    /// Tells the lines of the shard's lists to the subscriber.
    async fn tell_lists(&self) -> Result<(), StoreError> {
        let pk = self.number.to_be_bytes();
        let mut range = ScanRange::first(ROW_PAGE);
        loop {
            let page = self.scan_state(Table::Inbox, &pk, range.clone()).await?;
            self.hooks.subscriber.listed(self.number, page.rows.iter().filter_map(read_summary).collect());
            match page.rows.last() {
                Some(last) if page.more => range = range.after(last.ck.clone()),
                _ => return Ok(()),
            }
            tokio::task::yield_now().await;
        }
    }

    /// What the log holds open.
    async fn stored_effects(&self) -> Result<Vec<(EffectId, Effect)>, StoreError> {
        let pk = self.number.to_be_bytes();
        let mut range = ScanRange::first(ROW_PAGE);
        let mut open = Vec::new();
        loop {
            let page = self.scan_state(Table::Outbox, &pk, range.clone()).await?;
            for row in &page.rows {
                if let Some(id) = effect_of_ck(self.number, &row.ck) {
                    open.push((id, rows::value(Table::Outbox, &row.value)?));
                }
            }
            match page.rows.last() {
                Some(last) if page.more => range = range.after(last.ck.clone()),
                _ => return Ok(open),
            }
        }
    }

    /// The lease as settling needs it while an append holds the real one.
    pub(super) fn epoch_lease(&self) -> Option<Lease> {
        let epoch = self.epoch.get();
        (epoch > 0).then(|| Lease {
            shard: self.number,
            epoch,
            position: self.position.get(),
            last_ts_us: self.last_ts_us.get(),
            checkpoint: 0,
        })
    }

    /// Takes nothing new; what was taken is finished.
    pub(in super::super) fn drain(&self) {
        self.draining.set(true);
        if self.phase.get() == Phase::Open {
            self.phase.set(Phase::Draining);
        }
    }

    /// Whether nothing that was taken is unfinished.
    pub(in super::super) fn is_quiet(&self) -> bool {
        self.phase.get() != Phase::Opening
            && self.committer.is_idle()
            && self.answered.borrow().is_empty()
            && self.directory.borrow().values().all(|slot| slot.is_quiet())
    }

    /// Ends the shard: what is unfinished is refused, the last rows are settled, its tasks and actors end.
    pub(in super::super) async fn close(self: &Rc<Self>) -> Result<(), Fence> {
        // From here on nothing is taken, so nothing comes after the last settling.
        let was = self.phase.replace(Phase::Closed);
        // With a record under way the states may be behind the log, and while opening they are: then the log
        // alone says what is, and the next owner reads it.
        let whole = self.committer.is_idle() && matches!(was, Phase::Open | Phase::Draining);
        self.refuse_waiting();
        self.no_settling().await;
        for task in self.tasks.borrow_mut().running.drain(..) {
            task.abort();
        }
        let settled = if whole { self.settle_now().await } else { Ok(()) };
        self.drop_actors(Retired::ShuttingDown);
        self.timers.borrow_mut().clear();
        settled
    }
}
