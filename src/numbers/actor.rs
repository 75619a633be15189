//! The actor of a number: it takes what is to be sent and lets the dispatch do it.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message};
use tokio::sync::oneshot;

use super::Numbers;
use super::block::BlockSource;
use super::dispatch::Dispatch;
use super::queue::Reply;
use crate::actors::Permit;
use crate::domain::ids::{AccountId, BroadcastId, ConversationId};
use crate::domain::message::MessageRef;
use crate::providers::http::HttpClient;
use crate::shards::CommandError;

/// Hears that a reply's outcome is in the log.
pub(super) type Done = oneshot::Sender<Result<(), CommandError>>;

/// Send this reply.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Deliver {
    pub(super) reply: Reply,
    pub(super) done: Done,
    pub(super) permit: Permit,
}

/// Tell the provider that a message was read, or that somebody types.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Courtesy {
    pub(super) conversation: ConversationId,
    pub(super) message: MessageRef,
    pub(super) typing: bool,
    pub(super) permit: Permit,
}

/// A broadcast takes turns on the number, or takes them no more.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) enum TakeTurns {
    Join(Arc<dyn BlockSource>),
    Leave(BroadcastId),
}

/// One number. Invariant: it lives on the arbiter of its shard, and the process has only one.
pub(super) struct NumberActor {
    dispatch: Rc<Dispatch>,
}

thread_local! {
    /// A connection is driven by the thread that opened it, so each arbiter has a client of its own.
    static CLIENT: OnceCell<Rc<HttpClient>> = const { OnceCell::new() };
    /// Calls of broadcasts under way on this arbiter.
    static CALLS: Rc<Cell<usize>> = Rc::default();
}

impl NumberActor {
    /// Starts the actor on this arbiter.
    pub(super) fn start_for(account: AccountId, numbers: Arc<Numbers>) -> Addr<Self> {
        let client = CLIENT
            .with(|client| Rc::clone(client.get_or_init(|| Rc::new(HttpClient::new(numbers.settings.http.clone())))));
        Self { dispatch: Dispatch::new(account, numbers, client, CALLS.with(Rc::clone)) }.start()
    }
}

impl Actor for NumberActor {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        actix::spawn(Rc::clone(&self.dispatch).run());
        actix::spawn(Rc::clone(&self.dispatch).run_blocks());
    }
}

impl Handler<Deliver> for NumberActor {
    type Result = ();

    fn handle(&mut self, Deliver { reply, done, permit }: Deliver, _: &mut Self::Context) {
        drop(permit);
        self.dispatch.enqueue(reply, done);
    }
}

impl Handler<Courtesy> for NumberActor {
    type Result = ();

    fn handle(&mut self, asked: Courtesy, _: &mut Self::Context) {
        let dispatch = Rc::clone(&self.dispatch);
        actix::spawn(async move {
            dispatch.courtesy(asked.conversation, asked.message, asked.typing).await;
            drop(asked.permit);
        });
    }
}

impl Handler<TakeTurns> for NumberActor {
    type Result = ();

    fn handle(&mut self, asked: TakeTurns, _: &mut Self::Context) {
        match asked {
            TakeTurns::Join(source) => self.dispatch.blocks.join(source),
            TakeTurns::Leave(broadcast) => self.dispatch.blocks.leave(broadcast),
        }
    }
}
