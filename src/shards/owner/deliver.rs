//! The directory: find an entity, wake it or activate it, and ask it.

use std::rc::Rc;

use actix::Actor;

use super::super::cell::{EntityCell, Slot};
use super::super::entity_actor::{EntityActor, Reader, Reply, Turn, View};
use super::super::error::CommandError;
use super::super::kind::Kind;
use super::super::resident::Resident;
use super::super::strain::Strain;
use super::{Owner, Phase, entity_key};
use crate::actors::{Mailbox, Permit, Retired};
use crate::domain::entity::EntityKind;
use crate::store::{RowKey, Store, StoreError};

impl Owner {
    /// Hands a command to an entity, activating it if need be.
    pub(in super::super) fn deliver<E: Kind>(
        self: &Rc<Self>,
        id: u128,
        command: E::Command,
        reply: Reply<E::Answer>,
        permit: Permit,
    ) {
        let full = if self.strain() == Strain::All { Err(CommandError::overloaded()) } else { Ok(()) };
        if let Err(error) = self.may_ask().and(full) {
            let _ = reply.send(Err(error));
            return;
        }
        let entered =
            self.with_slot::<E, _>(id, |slot, now, max| slot.cell.enter(now, max).then(|| slot.mailbox.clone()));
        match entered {
            Some(mailbox) => mailbox.send_counted(Turn { command, reply, permit }),
            None => {
                metrics::counter!("tidegate_mailbox_refused_total").increment(1);
                let _ = reply.send(Err(CommandError::overloaded()));
            }
        }
    }

    /// Reads an entity's committed state, activating it if need be.
    pub(in super::super) fn view<E: Kind>(self: &Rc<Self>, id: u128, read: Reader<E>, permit: Permit) {
        if let Err(error) = self.may_ask() {
            return read(Err(error));
        }
        let entered =
            self.with_slot::<E, _>(id, |slot, now, max| slot.cell.enter(now, max).then(|| slot.mailbox.clone()));
        match entered {
            Some(mailbox) => mailbox.send_counted(View { read, permit }),
            None => read(Err(CommandError::overloaded())),
        }
    }

    fn may_ask(&self) -> Result<(), CommandError> {
        if self.lag.is_too_long(tokio::time::Instant::now()) {
            return Err(CommandError::unavailable());
        }
        match self.phase.get() {
            // What runs while draining (effects, outcomes) belongs to work that was taken before.
            Phase::Open | Phase::Draining => Ok(()),
            Phase::Opening | Phase::Closed => Err(CommandError::unavailable()),
        }
    }

    fn with_slot<E: Kind, R>(
        self: &Rc<Self>,
        id: u128,
        use_slot: impl FnOnce(&Slot<E>, crate::domain::time::Timestamp, u32) -> R,
    ) -> R {
        let (now, max) = (self.now(), self.node.options.mailbox_max);
        let mut directory = self.directory.borrow_mut();
        let count = directory.len();
        let resident = directory.entry((E::KIND, id)).or_insert_with(|| {
            if self.cap.is_passed_by(count + 1) {
                self.crowded.notify_one();
            }
            metrics::counter!("tidegate_activations_total").increment(1);
            Resident::Awake(Box::new(self.activate::<E>(id, Rc::new(EntityCell::new(now)), true)))
        });
        if let Resident::Asleep { snapshot, .. } = resident {
            *resident = Resident::Awake(Box::new(self.awaken::<E>(id, snapshot, now)));
        }
        let slot = resident.awake().and_then(|slot| slot.as_any().downcast_ref::<Slot<E>>());
        let Some(slot) = slot else {
            // A kind's number names one type, so this slot is new and of the right kind.
            return use_slot(&self.activate::<E>(id, Rc::new(EntityCell::new(now)), true), now, max);
        };
        if slot.mailbox.connected() {
            return use_slot(slot, now, max);
        }
        // A panic ended the actor. Deciding is pure, so the cell still holds what is committed, once it was read.
        metrics::counter!("tidegate_retired_total", "reason" => Retired::Panicked.word()).increment(1);
        let cell = Rc::clone(&slot.cell);
        cell.no_one_waits();
        let fresh = !cell.is_loaded();
        let again = self.activate::<E>(id, cell, fresh);
        let answer = use_slot(&again, now, max);
        *resident = Resident::Awake(Box::new(again));
        answer
    }

    /// Gives an entity that slept its actor back. A snapshot that cannot be read is read again from its row.
    fn awaken<E: Kind>(self: &Rc<Self>, id: u128, snapshot: &[u8], now: crate::domain::time::Timestamp) -> Slot<E> {
        metrics::counter!("tidegate_woken_total").increment(1);
        let cell = Rc::new(EntityCell::new(now));
        let loaded = cell.load(snapshot);
        if let Err(error) = &loaded {
            tracing::error!(shard = self.number, kind = ?E::KIND, %error, "failed to wake an entity; reading its row");
        }
        if loaded.is_ok() {
            cell.set_loaded();
        }
        self.activate::<E>(id, cell, loaded.is_err())
    }

    fn activate<E: Kind>(self: &Rc<Self>, id: u128, cell: Rc<EntityCell<E>>, fresh: bool) -> Slot<E> {
        let actor = EntityActor { id, owner: Rc::clone(self), cell: Rc::clone(&cell), fresh };
        Slot { mailbox: Mailbox::new(actor.start()), cell }
    }

    /// Reads an entity's snapshot into its cell.
    pub(in super::super) async fn load<E: Kind>(&self, id: u128, cell: &EntityCell<E>) -> Result<(), StoreError> {
        let unreadable = |error: super::super::record::UnreadableRecord| StoreError::Corrupt {
            table: crate::store::Table::Entity.word(),
            why: error.to_string(),
        };
        if E::KIND == EntityKind::Conversation {
            self.load_broadcasts(id).await?;
        }
        match self.stored_snapshot(&entity_key(E::KIND, id)).await? {
            Some(bytes) => cell.load(&bytes).map_err(unreadable),
            None => Ok(()),
        }
    }

    /// The newest snapshot in this row, on its way or stored.
    pub(in super::super) async fn stored_snapshot(&self, key: &RowKey) -> Result<Option<Vec<u8>>, StoreError> {
        let on_its_way = self.overlay.borrow().get(key).cloned();
        match on_its_way {
            Some(value) => Ok(value),
            None => Ok(self.node.store.get(key).await?.map(|row| row.value)),
        }
    }

    /// Takes an entity that could not be loaded out of the directory.
    pub(in super::super) fn forget<E: Kind>(&self, id: u128, cell: &Rc<EntityCell<E>>) {
        let mut directory = self.directory.borrow_mut();
        let same = directory
            .get(&(E::KIND, id))
            .and_then(Resident::awake)
            .and_then(|slot| slot.as_any().downcast_ref::<Slot<E>>())
            .is_some_and(|slot| Rc::ptr_eq(&slot.cell, cell));
        if same {
            directory.remove(&(E::KIND, id));
            self.drop_broadcasts(E::KIND, id);
        }
    }

    /// Drops every actor of the shard; committed states are kept as rows on their way.
    pub(in super::super) fn drop_actors(&self, reason: Retired) {
        if self.snapshot_dirty().is_err() {
            self.fail(format!("shard {} cannot keep what it committed", self.number));
        }
        self.broadcasts.borrow_mut().clear();
        let slots = std::mem::take(&mut *self.directory.borrow_mut());
        for slot in slots.values().filter_map(Resident::awake) {
            slot.kill();
        }
        metrics::counter!("tidegate_retired_total", "reason" => reason.word()).increment(slots.len() as u64);
    }
}
