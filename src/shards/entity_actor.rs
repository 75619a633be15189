//! The actor that every conversation, contact, number, limit scope and workspace is: it carries the
//! pure entity, one question at a time.

use std::rc::Rc;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use tokio::sync::oneshot;

use super::cell::EntityCell;
use super::error::CommandError;
use super::kind::Kind;
use super::owner::Owner;
use super::turn;
use crate::actors::{Mailbox, Permit};
use crate::store::StoreError;

/// Where an answer goes. Dropped without an answer, the asker hears that the actor failed over it.
pub(super) type Reply<A> = oneshot::Sender<Result<A, CommandError>>;

/// Who waits for an answer, and the right to: it is held until the answer is given, so that what waits for a
/// commit is bounded too.
pub(super) struct Asker<A> {
    pub(super) reply: Reply<A>,
    pub(super) permit: Permit,
}

impl<A> Asker<A> {
    /// Answers. Whoever stopped waiting needs no answer.
    pub(super) fn answer(self, answer: Result<A, CommandError>) {
        drop(self.permit);
        let _ = self.reply.send(answer);
    }
}

/// A command on its way to an entity.
pub(super) struct Turn<E: Kind> {
    pub(super) command: E::Command,
    pub(super) reply: Reply<E::Answer>,
    pub(super) permit: Permit,
}

impl<E: Kind> Message for Turn<E> {
    type Result = ();
}

/// Looks at a committed state, or hears why there is none to be had.
pub(super) type Reader<E> = Box<dyn FnOnce(Result<&E, CommandError>) + Send>;

/// A reading of the committed state.
pub(super) struct View<E: Kind> {
    pub(super) read: Reader<E>,
    pub(super) permit: Permit,
}

impl<E: Kind> Message for View<E> {
    type Result = ();
}

/// Leave memory.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Retire;

/// One entity. Invariant: it lives on its shard's arbiter, and the directory holds its only mailbox.
pub(super) struct EntityActor<E: Kind> {
    pub(super) id: u128,
    pub(super) owner: Rc<Owner>,
    pub(super) cell: Rc<EntityCell<E>>,
    /// False only for an actor that takes a panicked one's place and finds its state in memory.
    pub(super) fresh: bool,
}

impl<E: Kind> Actor for EntityActor<E> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if !self.fresh {
            return;
        }
        let (owner, cell, id) = (Rc::clone(&self.owner), Rc::clone(&self.cell), self.id);
        let load = async move { owner.load::<E>(id, &cell).await };
        ctx.wait(load.into_actor(self).map(|loaded, actor, ctx| {
            let Err(error) = loaded else { return actor.cell.set_loaded() };
            tracing::error!(kind = ?E::KIND, %error, "failed to load an entity");
            actor.cell.kill();
            actor.owner.forget::<E>(actor.id, &actor.cell);
            if matches!(error, StoreError::Corrupt { .. }) {
                // Coming back helps nobody: whoever waits hears that the actor failed over it.
                ctx.stop();
            } else {
                // Whoever waits hears, in turn, that it is not available now.
                Mailbox::new(ctx.address()).send_counted(Retire);
            }
        }));
    }
}

impl<E: Kind> Handler<Turn<E>> for EntityActor<E> {
    type Result = ();

    fn handle(&mut self, asked: Turn<E>, ctx: &mut Self::Context) {
        let Turn { command, reply, permit } = asked;
        let asker = Asker { reply, permit };
        let lookup = if self.cell.is_dead() { None } else { self.cell.with_current(|state| state.lookup(&command)) };
        let Some(lookup) = lookup else {
            self.cell.leave();
            turn::take(&self.owner, &self.cell, self.id, command, asker);
            return;
        };
        let (owner, cell, id) = (Rc::clone(&self.owner), Rc::clone(&self.cell), self.id);
        let look = async move {
            let found = owner.look_up(lookup).await;
            // Until here the question waited: an entity that somebody waits for stays in memory.
            cell.leave();
            match found {
                Ok(found) => turn::take(&owner, &cell, id, E::found(command, found), asker),
                Err(error) => {
                    tracing::warn!(kind = ?E::KIND, %error, "failed to look up what a decision needs");
                    asker.answer(Err(CommandError::unavailable()));
                }
            }
        };
        ctx.wait(look.into_actor(self));
    }
}

impl<E: Kind> Handler<View<E>> for EntityActor<E> {
    type Result = ();

    fn handle(&mut self, view: View<E>, _ctx: &mut Self::Context) {
        self.cell.leave();
        drop(view.permit);
        if self.cell.is_dead() {
            (view.read)(Err(CommandError::unavailable()));
        } else {
            self.cell.with_committed(|state| (view.read)(Ok(state)));
        }
    }
}

impl<E: Kind> Handler<Retire> for EntityActor<E> {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
