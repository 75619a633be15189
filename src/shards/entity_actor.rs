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
use crate::actors::Permit;

/// Where an answer goes. Dropped without an answer, the asker hears that the actor failed over it.
pub(super) type Reply<A> = oneshot::Sender<Result<A, CommandError>>;

/// A command on its way to an entity.
pub(super) struct Turn<E: Kind> {
    pub(super) command: E::Command,
    pub(super) reply: Reply<E::Answer>,
    pub(super) permit: Permit,
}

impl<E: Kind> Message for Turn<E> {
    type Result = ();
}

/// A reading of the committed state.
pub(super) struct View<E: Kind> {
    pub(super) read: Box<dyn FnOnce(Result<&E, CommandError>) + Send>,
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
    /// False only for an actor that takes a panicked one's place: its state is in memory.
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
            if let Err(error) = loaded {
                tracing::error!(kind = ?E::KIND, %error, "failed to load an entity");
                actor.cell.kill();
                actor.owner.forget::<E>(actor.id, &actor.cell);
                ctx.stop();
            }
        }));
    }
}

impl<E: Kind> Handler<Turn<E>> for EntityActor<E> {
    type Result = ();

    fn handle(&mut self, asked: Turn<E>, ctx: &mut Self::Context) {
        let Turn { command, reply, permit } = asked;
        self.cell.leave();
        drop(permit);
        if self.cell.is_dead() {
            // Whoever stopped waiting needs no answer.
            let _ = reply.send(Err(CommandError::unavailable()));
            return;
        }
        let Some(lookup) = self.cell.with_current(|state| state.lookup(&command)) else {
            turn::take(&self.owner, &self.cell, self.id, command, reply);
            return;
        };
        let (owner, cell, id) = (Rc::clone(&self.owner), Rc::clone(&self.cell), self.id);
        let look = async move {
            match owner.look_up(lookup).await {
                Ok(found) => turn::take(&owner, &cell, id, E::found(command, found), reply),
                Err(error) => {
                    tracing::warn!(kind = ?E::KIND, %error, "failed to look up what a decision needs");
                    let _ = reply.send(Err(CommandError::unavailable()));
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
