//! One entity in memory: what is committed, what is decided on top of it, and what is asked of it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::entity_actor::EntityActor;
use super::kind::Kind;
use super::record::{self, UnreadableRecord};
use crate::actors::Mailbox;
use crate::domain::time::Timestamp;
use crate::store::Position;

/// States of one entity that are kept for the commits under way, besides the newest.
const KEPT_MAX: usize = 16;
/// The version byte of a snapshot.
const SNAPSHOT_VERSION: u8 = 1;

/// The state of one entity. Answers, reads, pushes and lists see `committed`; decisions are taken on the last
/// of `pending` while commits are under way.
pub(super) struct EntityCell<E: Kind> {
    committed: RefCell<E>,
    /// The state after each decision whose commit is under way, in their order. Each is a copy in any case; kept, it saves
    /// applying the events once more. The newest is always there, of those before it [`KEPT_MAX`]: a shard's turns may
    /// all wait for one entity, and its copies must not be as many.
    pending: RefCell<VecDeque<Option<Box<E>>>>,
    position: Cell<Position>,
    waiting: Cell<u32>,
    used_at: Cell<Timestamp>,
    dead: Cell<bool>,
    /// Whether the stored state is in it.
    loaded: Cell<bool>,
}

impl<E: Kind> EntityCell<E> {
    pub(super) fn new(used_at: Timestamp) -> Self {
        Self {
            committed: RefCell::default(),
            pending: RefCell::default(),
            position: Cell::new(0),
            waiting: Cell::new(0),
            used_at: Cell::new(used_at),
            dead: Cell::new(false),
            loaded: Cell::new(false),
        }
    }

    /// Puts a stored snapshot in place, before any decision.
    pub(super) fn load(&self, snapshot: &[u8]) -> Result<(), UnreadableRecord> {
        let (position, state) = read_snapshot(snapshot)?;
        self.position.set(position);
        *self.committed.borrow_mut() = state;
        Ok(())
    }

    /// Reads the committed state.
    pub(super) fn with_committed<R>(&self, read: impl FnOnce(&E) -> R) -> R {
        read(&self.committed.borrow())
    }

    /// Reads the state on which the next decision is taken.
    pub(super) fn with_current<R>(&self, read: impl FnOnce(&E) -> R) -> R {
        match self.pending.borrow().back() {
            Some(Some(pending)) => read(pending),
            _ => read(&self.committed.borrow()),
        }
    }

    /// The private copy as these events make it; it is in place only after [`Self::decided`], so what goes
    /// wrong before leaves no trace.
    pub(super) fn after(&self, events: &[E::Event]) -> Box<E> {
        let mut next = Box::new(self.with_current(E::clone));
        for event in events {
            next.apply(event);
        }
        next
    }

    /// Takes a decision into the private copy; decisions are committed later, in the same order.
    pub(super) fn decided(&self, next: Box<E>) {
        let mut pending = self.pending.borrow_mut();
        if pending.len() > KEPT_MAX
            && let Some(last) = pending.back_mut()
        {
            *last = None;
        }
        pending.push_back(Some(next));
    }

    /// The oldest decision under way, which made these events, is committed: others see the state after it.
    pub(super) fn committed(&self, events: &[E::Event], position: Position) {
        self.position.set(position);
        let next = self.pending.borrow_mut().pop_front().flatten();
        let mut committed = self.committed.borrow_mut();
        match next {
            Some(next) => *committed = *next,
            None => events.iter().for_each(|event| committed.apply(event)),
        }
    }

    /// Whether commits of this entity are under way.
    pub(super) fn is_deciding(&self) -> bool {
        !self.pending.borrow().is_empty()
    }

    /// Whether the stored state is in it, or there is none.
    pub(super) fn is_loaded(&self) -> bool {
        self.loaded.get()
    }

    /// The stored state is in it, or there is none.
    pub(super) fn set_loaded(&self) {
        self.loaded.set(true);
    }

    /// Whether nobody may decide on it any more: its shard dropped it.
    pub(super) fn is_dead(&self) -> bool {
        self.dead.get()
    }

    /// Nobody decides on it any more.
    pub(super) fn kill(&self) {
        self.dead.set(true);
    }

    /// Counts one more question; false where `max` wait already.
    pub(super) fn enter(&self, now: Timestamp, max: u32) -> bool {
        self.used_at.set(now);
        let waiting = self.waiting.get();
        if waiting >= max {
            return false;
        }
        self.waiting.set(waiting + 1);
        true
    }

    /// A question has been taken up and needs the entity no longer.
    pub(super) fn leave(&self) {
        self.waiting.set(self.waiting.get().saturating_sub(1));
    }

    /// What waited went with its actor.
    pub(super) fn no_one_waits(&self) {
        self.waiting.set(0);
    }
}

/// A snapshot's position and state.
pub(super) fn read_snapshot<E: Kind>(bytes: &[u8]) -> Result<(Position, E), UnreadableRecord> {
    match bytes.split_first() {
        Some((&SNAPSHOT_VERSION, body)) => record::read(body),
        Some((version, _)) => Err(UnreadableRecord(format!("a snapshot has version {version}"))),
        None => Err(UnreadableRecord("a snapshot is empty".into())),
    }
}

/// The bytes of a snapshot.
pub(super) fn write_snapshot<E: Kind>(position: Position, state: &E) -> Result<Vec<u8>, UnreadableRecord> {
    let mut bytes = Vec::with_capacity(256);
    bytes.push(SNAPSHOT_VERSION);
    record::write(&mut bytes, &(position, state))?;
    Ok(bytes)
}

/// An entity in the directory, whatever its kind.
pub(super) trait AnySlot {
    fn as_any(&self) -> &dyn Any;
    /// The committed state as it is stored, and its line in a list.
    fn snapshot(&self) -> Result<Vec<u8>, UnreadableRecord>;
    fn summary(&self, id: u128, shard: u16, now: Timestamp) -> Option<super::kind::SummaryRow>;
    /// Whether it may leave memory: nothing is under way and nobody waits.
    fn is_quiet(&self) -> bool;
    fn used_at(&self) -> Timestamp;
    /// Ends it: whoever still asks hears that it is not available.
    fn kill(&self);
}

/// An entity of one kind in the directory.
pub(super) struct Slot<E: Kind> {
    pub(super) mailbox: Mailbox<EntityActor<E>>,
    pub(super) cell: Rc<EntityCell<E>>,
}

impl<E: Kind> AnySlot for Slot<E> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn snapshot(&self) -> Result<Vec<u8>, UnreadableRecord> {
        write_snapshot(self.cell.position.get(), &*self.cell.committed.borrow())
    }

    fn summary(&self, id: u128, shard: u16, now: Timestamp) -> Option<super::kind::SummaryRow> {
        self.cell.with_committed(|state| state.summary_row(id, shard, now))
    }

    fn is_quiet(&self) -> bool {
        !self.cell.is_deciding() && self.cell.waiting.get() == 0
    }

    fn used_at(&self) -> Timestamp {
        self.cell.used_at.get()
    }

    fn kill(&self) {
        self.cell.kill();
        self.mailbox.send_counted(super::entity_actor::Retire);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entity::Entity;
    use crate::domain::ids::WorkspaceId;
    use crate::domain::limit::{LimitEvent, LimitScope};

    #[test]
    fn commits_show_the_state_after_each_decision_however_many_are_under_way() {
        let cell = EntityCell::<LimitScope>::new(Timestamp(0));
        let decisions = 3 * KEPT_MAX as u64;
        let events = |decision: u64| [LimitEvent::Opened { workspace: WorkspaceId(decision.into()) }];
        for decision in 1..=decisions {
            cell.decided(cell.after(&events(decision)));
            assert_eq!(cell.with_current(LimitScope::version), decision);
        }
        assert_eq!(cell.pending.borrow().iter().flatten().count(), KEPT_MAX + 1);
        for decision in 1..=decisions {
            assert!(cell.is_deciding());
            cell.committed(&events(decision), decision);
            let shown = cell.with_committed(|state| (state.version(), state.workspace()));
            assert_eq!(shown, (decision, Some(WorkspaceId(decision.into()))));
        }
        assert!(!cell.is_deciding());
    }
}
