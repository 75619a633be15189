//! The owner's turn: decide on the private copy, hand record and rows to the committer, and after
//! the commit apply, publish, answer, act, in this order.

use std::rc::Rc;

use super::cell::EntityCell;
use super::committer::Staged;
use super::entity_actor::Asker;
use super::error::CommandError;
use super::kind::Kind;
use super::news::Committed;
use super::owner::Owner;
use super::record::{EntryOf, EntryPlace};
use super::rows;
use crate::domain::content::Content;
use crate::domain::effect::{Effect, EffectId};
use crate::domain::entity::{Context, Decision, EntityKind};
use crate::domain::ids::WorkspaceId;
use crate::store::Position;

/// Lets the entity decide one command.
pub(super) fn take<E: Kind>(
    owner: &Rc<Owner>,
    cell: &Rc<EntityCell<E>>,
    id: u128,
    command: E::Command,
    asker: Asker<E::Answer>,
) {
    if cell.is_dead() {
        // Its shard dropped it: what it holds may never have been committed.
        return asker.answer(Err(CommandError::unavailable()));
    }
    let broadcasts = if E::KIND == EntityKind::Conversation { owner.broadcasts_of(id) } else { Vec::new() };
    let context = Context { now: owner.now(), id, keys: owner.keys(), rules: owner.rules(), broadcasts: &broadcasts };
    let decided = cell.with_current(|state| state.decide(command, &context));
    let decision = match decided {
        Ok(decision) => decision,
        Err(refusal) => return owner.answer_when_committed(cell.is_deciding(), asker, Err(refusal.into())),
    };
    let Decision { events, effects, content, answer } = decision;
    if events.is_empty() && effects.is_empty() && content.is_empty() {
        return owner.answer_when_committed(cell.is_deciding(), asker, Ok(answer));
    }
    let mut facts = Vec::with_capacity(content.len());
    for row in &content {
        match rows::to_put(row) {
            Ok(mut put) => {
                // Who decides alone decides in order: the later value wins also within one millisecond.
                if matches!(row, Content::Private { .. }) {
                    put.ts_us = owner.next_private_ts_us();
                }
                facts.push(put);
            }
            Err(error) => {
                tracing::error!(kind = ?E::KIND, %error, "failed to encode content");
                return asker.answer(Err(CommandError::Panicked));
            }
        }
    }
    let version = cell.with_current(E::version);
    let next = cell.after(&events);
    let workspace = next.workspace().unwrap_or(WorkspaceId(0));
    let size = (events.len(), effects.len());
    let staged = owner.stage(size, facts, |writer| {
        let place = writer.entry(EntryOf { kind: E::KIND as u8, id, workspace, version }, &events, &effects)?;
        cell.decided(next);
        let done =
            Decided { cell: Rc::clone(cell), id, workspace, version, place, events, effects, content, answer, asker };
        Ok((place, Box::new(done) as Box<dyn Staged>))
    });
    if let Err(error) = staged {
        // Nothing of it happened; its asker went with it and hears that the actor failed over it.
        tracing::error!(kind = ?E::KIND, %error, "failed to encode a decision");
    }
}

/// A decision in a record that is being committed.
struct Decided<E: Kind> {
    cell: Rc<EntityCell<E>>,
    id: u128,
    workspace: WorkspaceId,
    version: u64,
    place: EntryPlace,
    events: Vec<E::Event>,
    effects: Vec<Effect>,
    content: Vec<Content>,
    answer: E::Answer,
    asker: Asker<E::Answer>,
}

impl<E: Kind> Staged for Decided<E> {
    fn committed(self: Box<Self>, owner: &Rc<Owner>, position: Position) {
        let due_before = self.cell.with_committed(E::due);
        self.cell.committed(&self.events, position);
        owner.mark_dirty(E::KIND, self.id);
        self.cell.with_committed(|state| {
            owner.rearm(E::KIND, self.id, due_before, state.due());
            let committed = Committed {
                shard: owner.number(),
                position,
                first_event: self.place.first_event,
                at: owner.committed_at(),
                id: self.id,
                workspace: self.workspace,
                version: self.version,
                state,
                events: &self.events,
                content: &self.content,
            };
            owner.publish(&E::news(&committed));
        });
        self.asker.answer(Ok(self.answer));
        for (offset, effect) in self.effects.into_iter().enumerate() {
            let index = self.place.first_effect + offset as u16;
            owner.open_effect(EffectId { shard: owner.number(), position, index }, effect);
        }
    }

    fn refused(self: Box<Self>, error: &CommandError) {
        self.asker.answer(Err(error.clone()));
    }
}
